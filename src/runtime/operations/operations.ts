/**
 * What an operator does to runs beyond their life: run a failed one again, fork one, decide about a stage, look after
 * the quarantine. Each is one durable write, made by the process that owns the store; what it was asked for, by whom
 * and why is in the journal of the run.
 */
import { readFile } from 'node:fs/promises'
import { HoldfastError, OptionsError, RunNotFoundError } from '../../errors.ts'
import { parseOptions } from '../../options.ts'
import { isEnded, type Page, type Store, type StoredRun } from '../../store/store.ts'
import type { Clock } from '../../time/clock.ts'
import type { Budget } from '../api.ts'
import { checkName } from '../names.ts'
import type { Registry } from '../registry.ts'
import type { KeptOptions } from '../run/kept-options.ts'
import type { ActorRun } from '../run/live-run.ts'
import { recall, rememberedTypes } from '../run/recall.ts'
import type { Runs } from '../runs/runs.ts'
import { imported, parseBundle } from './bundle.ts'
import { downstreamOf } from './downstream.ts'
import { refusalOfEnded } from './ended-run.ts'
import { type ForkPlan, forked } from './fork.ts'
import { overrideLive, redoLive } from './live-stages.ts'
import {
  completeSchema,
  forkSchema,
  importSchema,
  noteSchema,
  reasonSchema,
  resumeSchema,
  retrySchema,
} from './operation-options.ts'
import type {
  CompleteOptions,
  ForkOptions,
  HoldOption,
  OperatorNote,
  QuarantineEvidence,
  QuarantineListOptions,
  QuarantineSummary,
  RetryOptions,
  StageNote,
} from './operations-api.ts'
import { completed, type Override, refuseOverride, refuseUnknown, skipped } from './overrides.ts'
import { discarded, evidenceOf, listQuarantine } from './quarantine.ts'
import { overridden, type Reopening, reopened } from './reopen.ts'
import { costTypes } from './rerun-cost.ts'

export interface OperationsParts {
  readonly store: Store
  readonly runs: Runs
  readonly registry: Registry
  readonly clock: Clock
}

export class Operations {
  readonly #parts: OperationsParts

  constructor(parts: OperationsParts) {
    this.#parts = parts
  }

  /** Runs a failed, quarantined or budget-exceeded run again from what had failed in it. */
  async retry(runId: string, given: RetryOptions = {}): Promise<void> {
    await this.#reopen(runId, { how: 'retry', ...parseOptions(retrySchema, given, 'retry') })
  }

  /** Goes on with a run that was out of budget. False where it is none, so that it is resumed as any other. */
  async resumeWithBudget(runId: string, given: { budget?: Budget | undefined } & OperatorNote): Promise<boolean> {
    const options = parseOptions(resumeSchema, given, 'resume')
    const status = this.#parts.runs.find(runId)?.status ?? (await this.#parts.store.readRun(runId))?.status
    if (status !== 'budget_exceeded') {
      if (options.budget === undefined) return false
      throw new HoldfastError(
        status !== undefined && isEnded(status) ? 'run_not_open' : 'run_open',
        `run ${runId} is ${status ?? 'unknown'}; a budget is given to a run that ended as budget_exceeded, or at its start`,
        { runId, status },
      )
    }
    if (options.budget === undefined) {
      throw new OptionsError(
        `run ${runId} has used its budget, and would stop again at once; resume it with a larger one: \`holdfast resume ${runId} --budget usd=2\`, or resume({ budget: { usd: 2 } })`,
        { runId },
      )
    }
    await this.#reopen(runId, { how: 'resume', ...options })
    return true
  }

  /** Makes the fork durable, and takes it up. */
  async fork(runId: string, given: ForkOptions): Promise<{ id: string; plan: ForkPlan }> {
    const { runs, store, registry, clock } = this.#parts
    runs.ensureOpen()
    const { from, input, id: wanted, hold } = parseOptions(forkSchema, given, 'fork')
    const live = runs.find(runId)
    if (live) await live.durable()
    const [stored] = await store.load([runId], [...rememberedTypes, ...costTypes])
    if (!stored) throw new RunNotFoundError(runId)
    const definition = registry.definitionForFork(stored.run)
    const id = wanted === undefined ? await runs.freshId(definition.name) : checkName(wanted, 'the id of a run')
    const { write, plan } = forked(
      { stored, definition, source: registry.sourceOf(definition) ?? stored.run.source, now: clock.now() },
      { id, from, input },
    )
    await runs.add(write, hold)
    return { id, plan }
  }

  /** Says that a stage is not needed: it has no result, and what needs it goes on. */
  async skip(runId: string, stage: string, given: StageNote): Promise<void> {
    const options = parseOptions(reasonSchema, given, 'stage.skip')
    return this.#override(runId, stage, 'skip', options, () => skipped(stage))
  }

  /** Gives the result of a stage by hand. */
  async complete(runId: string, stage: string, given: CompleteOptions): Promise<void> {
    const { result, ...options } = parseOptions(completeSchema, given, 'stage.complete')
    return this.#override(runId, stage, 'complete', options, (definition, memory) =>
      completed(definition, memory, stage, result),
    )
  }

  /** Runs a stage again with nothing of what it had recorded, and what depends on it after it. */
  async redo(runId: string, stage: string, given: StageNote): Promise<void> {
    const options = parseOptions(reasonSchema, given, 'stage.redo')
    const { hold, ...audit } = options
    const live = this.#live(runId) ?? (hold ? undefined : await this.#woken(runId))
    if (live) {
      redoLive(live, stage, audit)
      return live.durable()
    }
    const { runs, clock } = this.#parts
    await runs.change(runId, rememberedTypes, hold ?? false, async stored => {
      if (isEnded(stored.run.status)) refuseFinal(stored)
      const facts = { stored, now: clock.now(), ...(await runs.factsOf(stored)) }
      const memory = recall(stored)
      refuseUnknown(facts.definition, memory, stage)
      const outcome = memory.stages.get(stage)?.outcome
      if (facts.definition.origin === 'machine' && outcome && outcome !== 'failed' && outcome !== 'stopped') {
        throw new OptionsError(
          `stage '${stage}' has ended, and a machine cannot go back to where it began; fork the run from it`,
          { runId, stage },
        )
      }
      return reopened(facts, { how: 'redo', redo: downstreamOf(facts.definition, memory, stage), ...audit })
    })
  }

  /** Makes a bundle a run of this store. */
  async import(file: string, given: { readonly id?: string | undefined }): Promise<string> {
    const { runs, clock } = this.#parts
    runs.ensureOpen()
    const { id } = parseOptions(importSchema, given, 'import')
    const bundle = parseBundle(await textOf(file), file)
    const runId = id ?? bundle.run.id
    await runs.add(imported(bundle, runId, clock.now()), true)
    return runId
  }

  quarantined(given: QuarantineListOptions = {}): Promise<Page<QuarantineSummary>> {
    return listQuarantine(this.#parts.store, given)
  }

  evidence(runId: string): Promise<QuarantineEvidence> {
    return evidenceOf(this.#parts.store, runId)
  }

  /** Lets a quarantined run go on from what had failed in it. */
  async release(runId: string, given: RetryOptions = {}): Promise<void> {
    const options = parseOptions(retrySchema, given, 'quarantine.release')
    await this.#reopen(runId, { how: 'release', ...options }, refuseUnlessQuarantined)
  }

  /** Gives a quarantined run up for good: it ends as cancelled, without compensations, and its evidence goes. */
  async discard(runId: string, given: OperatorNote = {}): Promise<void> {
    const options = parseOptions(noteSchema, given, 'quarantine.discard')
    const { runs, clock } = this.#parts
    await runs.change(runId, rememberedTypes, true, async stored => {
      refuseUnlessQuarantined(stored)
      return discarded(stored, options, clock.now())
    })
  }

  async #override(
    runId: string,
    stage: string,
    how: 'skip' | 'complete',
    { hold, ...audit }: StageNote,
    make: (definition: ActorRun['definition'], memory: ActorRun['memory']) => Override,
  ): Promise<void> {
    const live = this.#live(runId) ?? (hold ? undefined : await this.#woken(runId))
    if (live) {
      overrideLive(live, how, make(live.definition, live.memory), audit)
      return live.durable()
    }
    const { runs, clock } = this.#parts
    await runs.change(runId, rememberedTypes, hold ?? false, async stored => {
      if (isEnded(stored.run.status)) refuseFinal(stored)
      const facts = { stored, now: clock.now(), ...(await runs.factsOf(stored)) }
      const memory = recall(stored)
      refuseOverride(facts.definition, memory, stage)
      const override = make(facts.definition, memory)
      if (isEnded(stored.run.status)) return reopened(facts, { how, override, ...audit })
      return overridden(stored.run, { how, override, ...audit }, clock.now())
    })
  }

  /** The run in memory, unless it has ended. */
  #live(runId: string): ActorRun | undefined {
    const { runs } = this.#parts
    runs.ensureOpen()
    const live = runs.find(runId)
    return live && !isEnded(live.status) ? live : undefined
  }

  /** A run that only waits and has left memory, back in it; undefined for one that has ended or cannot go on here. */
  async #woken(runId: string): Promise<ActorRun | undefined> {
    const { runs, store } = this.#parts
    const row = await store.readRun(runId)
    if (!row || isEnded(row.status)) return undefined
    return runs.adopt(runId).catch(() => undefined)
  }

  #reopen(
    runId: string,
    { hold, ...asked }: Reopening & HoldOption,
    refuse: (stored: StoredRun) => void = () => {},
  ): Promise<void> {
    const { runs, clock } = this.#parts
    return runs.change(runId, rememberedTypes, hold ?? false, async stored => {
      refuseFinal(stored)
      refuse(stored)
      return reopened({ stored, now: clock.now(), ...(await runs.factsOf(stored)) }, asked)
    })
  }
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new OptionsError(
      `the bundle ${file} cannot be read: ${message}`,
      { file, ...(code === 'ENOENT' ? { code: 'file_not_found' } : {}) },
      { cause: error },
    )
  }
}

/** @throws HoldfastError `run_open run_not_open run_imported` */
function refuseFinal({ run }: StoredRun): void {
  const { id, status, options } = run
  const isImported = (JSON.parse(options) as KeptOptions).imported !== undefined
  if (!isEnded(status)) {
    const details = { runId: id, status }
    throw new HoldfastError('run_open', `run ${id} has not ended, it is ${status}; resume it instead`, details)
  }
  if (isImported || status === 'completed' || status === 'cancelled') throw refusalOfEnded({ id, status, isImported })
}

function refuseUnlessQuarantined({ run }: StoredRun): void {
  if (run.status === 'quarantined') return
  const code = isEnded(run.status) ? 'run_not_open' : 'run_open'
  throw new HoldfastError(code, `run ${run.id} is ${run.status}, and not in quarantine`, {
    runId: run.id,
    status: run.status,
  })
}
