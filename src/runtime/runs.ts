/**
 * The runs that are in memory: started here, or taken up from the store. A run that finds no place waits as `pending`.
 * One id is one run: who starts it again gets the same, and who starts another under it is refused.
 */

import { encodeError, HoldfastError, RunConflictError, RunNotFoundError } from '../errors.ts'
import { isEnded, type NewRun, type RunRow, type RunStatus, type Store, type StoredRun } from '../store/store.ts'
import type { Ids } from '../time/ids.ts'
import { type AnyWorkflow, definitionOf, type WorkflowDefinition } from '../workflow/definition.ts'
import { encodeJson } from '../workflow/results.ts'
import type { RecoveryReport, RunResult } from './api.ts'
import type { KeepAlive } from './keep-alive.ts'
import type { RunServices } from './live.ts'
import { ActorRun } from './live-run.ts'
import { checkName } from './names.ts'
import type { Registry } from './registry.ts'
import { isSameInput, keptInput } from './run-input.ts'
import { rememberedTypes } from './run-memory.ts'
import type { ResolvedStart } from './runtime-options.ts'

export interface RunsOptions {
  readonly store: Store
  readonly epoch: number
  readonly registry: Registry
  readonly services: RunServices
  readonly ids: Ids
  /** Held while a run is in memory. */
  readonly keepAlive: KeepAlive
  /** Runs that may work at once. */
  readonly places: number
}

interface Waiter {
  readonly resolve: (result: RunResult) => void
  readonly reject: (error: unknown) => void
}

/** Generated ids that are tried before a start is refused. */
const mostDraws = 100

/** Runs that are loaded from the store at once during recovery. */
const recoveryPage = 500

export class Runs {
  readonly #options: RunsOptions
  readonly #live = new Map<string, ActorRun>()
  readonly #starting = new Map<string, Promise<void>>()
  /** Those that wait for a place, higher priority first. */
  readonly #queue: ActorRun[] = []
  #loads = 0
  /** Runs that ended while others were being loaded. */
  readonly #endedMeanwhile = new Set<string>()
  /** Who waits for the end of a run that is not in memory. */
  readonly #waiters = new Map<string, Waiter[]>()
  #closedBy: unknown

  constructor(options: RunsOptions) {
    this.#options = options
  }

  find(runId: string): ActorRun | undefined {
    return this.#live.get(runId)
  }

  all(): Iterable<ActorRun> {
    return this.#live.values()
  }

  /** Starts the run, or finds the one of that id; the start is durable when this resolves. */
  async start(workflow: AnyWorkflow, input: unknown, start: ResolvedStart, parent?: NewRun['parent']): Promise<string> {
    this.ensureOpen()
    const { services, registry, ids } = this.#options
    const definition = definitionOf(workflow)
    if (registry.add(workflow) && parent === undefined) {
      services.log.warn(
        { workflow: definition.name },
        `workflow '${definition.name}' was not among createRuntime({ workflows }), so a recovery will not find its runs; add it there`,
      )
    }
    const text = keptInput(definition, input)
    const id =
      start.id === undefined ? await this.#freshId(ids, definition.name) : checkName(start.id, 'the id of a run')
    const spec: NewRun = {
      workflow: definition.name,
      version: definition.version,
      definitionHash: definition.hash,
      source: start.source,
      input: text,
      options: JSON.stringify(start.kept),
      tags: start.tags,
      createdAt: services.clock.now(),
      parent,
    }
    if (start.id !== undefined) {
      await this.#starting.get(id)
      const live = this.#live.get(id)
      const row = live ? undefined : await this.#options.store.readRun(id)
      const known = live?.spec ?? row
      if (known) {
        refuseOther(id, known, spec, definition)
        // Begun by an earlier process and not taken up yet: it goes on here.
        if (row && !isEnded(row.status)) await this.adopt(id).then(run => run.durable(), unlessEnded)
        return id
      }
      const begun = this.#starting.get(id)
      if (begun) {
        await begun
        return this.start(workflow, input, start, parent)
      }
    }
    const run = new ActorRun(id, definition, spec, services)
    const started = this.#begin(run)
    this.#starting.set(id, started)
    try {
      await started
    } finally {
      this.#starting.delete(id)
    }
    return id
  }

  /**
   * Takes up an unfinished run that is in the store and not in memory. No function of it runs before its next commit, so
   * what the caller asks of it at once, such as a pause, comes first.
   */
  adopt(runId: string): Promise<ActorRun> {
    return this.#whileLoading(() => this.#adopt(runId))
  }

  async #adopt(runId: string): Promise<ActorRun> {
    this.ensureOpen()
    const known = this.#live.get(runId)
    if (known) return known
    const [stored] = await this.#options.store.load([runId], rememberedTypes)
    if (!stored) throw new RunNotFoundError(runId)
    if (isEnded(stored.run.status)) {
      throw new HoldfastError('run_not_open', `run ${runId} has ended as ${stored.run.status}`, {
        runId,
        status: stored.run.status,
      })
    }
    return this.#live.get(runId) ?? this.#takeUp(stored)
  }

  recover(): Promise<RecoveryReport> {
    return this.#whileLoading(() => this.#recover())
  }

  /** A run that ends while others are loaded may be among what was loaded, as it was before. */
  async #whileLoading<T>(work: () => Promise<T>): Promise<T> {
    this.#loads++
    try {
      return await work()
    } finally {
      if (--this.#loads === 0) this.#endedMeanwhile.clear()
    }
  }

  async #recover(): Promise<RecoveryReport> {
    this.ensureOpen()
    const recovered: string[] = []
    const skipped: { id: string; reason: string }[] = []
    const ids = (await this.#options.store.unfinished()).filter(id => !this.#live.has(id))
    for (let from = 0; from < ids.length; from += recoveryPage) {
      for (const stored of await this.#options.store.load(ids.slice(from, from + recoveryPage), rememberedTypes)) {
        const { id, status } = stored.run
        if (this.#live.has(id) || this.#endedMeanwhile.has(id) || isEnded(status)) continue
        try {
          await this.#takeUp(stored)
          recovered.push(id)
        } catch (error) {
          skipped.push({ id: stored.run.id, reason: error instanceof Error ? error.message : String(error) })
        }
      }
    }
    await this.#options.services.pipeline.settled()
    return { recovered, skipped }
  }

  /** Cancels a child whose parent has ended, in memory or not; one that has ended itself is left alone. */
  async cancelChild(childId: string, parentId: string): Promise<void> {
    const { store, services } = this.#options
    try {
      const row = this.#live.get(childId)?.spec ?? (await store.readRun(childId))
      if (row?.parent?.runId !== parentId || ('status' in row && isEnded(row.status as RunStatus))) return
      const run = await this.adopt(childId)
      run.cancel(`its parent ${parentId} has ended`)
      await run.durable()
    } catch (error) {
      services.log.warn(
        { runId: childId, error: encodeError(error) },
        `child run ${childId} could not be cancelled with its parent`,
      )
    }
  }

  /** The next end of a run. */
  async nextEnd(runId: string): Promise<RunResult> {
    const live = this.#live.get(runId)
    if (live) return live.nextResult()
    const row = await this.#options.store.readRun(runId)
    if (!row) throw new RunNotFoundError(runId)
    if (isEnded(row.status) && row.outcome !== null) return JSON.parse(row.outcome) as RunResult
    this.ensureOpen()
    return (
      this.#live.get(runId)?.nextResult() ??
      new Promise((resolve, reject) => {
        const waiters = this.#waiters.get(runId) ?? []
        waiters.push({ resolve, reject })
        this.#waiters.set(runId, waiters)
      })
    )
  }

  /** The end of the run is durable: it leaves memory. */
  ended(runId: string): void {
    const run = this.#live.get(runId)
    this.#live.delete(runId)
    if (this.#loads > 0) this.#endedMeanwhile.add(runId)
    this.#options.keepAlive.set(this.#live.size > 0)
    for (const { resolve } of this.#waiters.get(runId) ?? []) resolve(run?.result as RunResult)
    this.#waiters.delete(runId)
    this.admit()
  }

  /** A run that was held before it had begun waits for a place again. */
  readmit(runId: string): void {
    const run = this.#live.get(runId)
    if (!run) return
    if (this.#hasPlace()) run.launch()
    else this.#enqueue(run)
  }

  /** Gives free places to those who wait. */
  admit(): void {
    while (this.#queue.length > 0 && this.#working() < this.#options.places) {
      const run = this.#queue.shift() as ActorRun
      if (run.status === 'pending' && !run.detached) run.launch()
    }
  }

  /** Lets go of every run; who waits for a result hears `reason`. */
  close(reason: unknown): void {
    this.#closedBy ??= reason
    for (const run of this.#live.values()) run.detach(reason)
    this.#live.clear()
    this.#options.keepAlive.set(false)
    this.#queue.length = 0
    for (const waiters of this.#waiters.values()) for (const { reject } of waiters) reject(reason)
    this.#waiters.clear()
  }

  /** @throws why the runtime was closed */
  ensureOpen(): void {
    if (this.#closedBy !== undefined) throw this.#closedBy
  }

  /** An id that no run has: chance may draw one twice, and a seeded chance does in every new process. */
  async #freshId(ids: Ids, workflow: string): Promise<string> {
    for (let draws = 0; draws < mostDraws; draws++) {
      const id = checkName(ids.run(workflow), 'the id of a run')
      if (this.#live.has(id) || this.#starting.has(id)) continue
      if ((await this.#options.store.readRun(id)) === undefined && !this.#starting.has(id)) return id
    }
    throw new RunConflictError(
      `${mostDraws} generated ids were all taken; give an id to start, or other \`ids\` to createRuntime`,
      { workflow },
    )
  }

  async #begin(run: ActorRun): Promise<void> {
    this.#hold(run)
    const launch = this.#hasPlace()
    run.create(launch)
    if (!launch) this.#enqueue(run)
    await run.durable()
  }

  /** A child whose parent ended while no process could cancel it is cancelled now. */
  async #takeUp(stored: StoredRun): Promise<ActorRun> {
    const { parent } = stored.run
    const row = parent && (await this.#options.store.readRun(parent.runId))
    const known = this.#live.get(stored.run.id)
    if (known) return known
    if (this.#endedMeanwhile.has(stored.run.id)) {
      throw new HoldfastError('run_not_open', `run ${stored.run.id} has just ended`, { runId: stored.run.id })
    }
    const run = this.#revive(stored)
    if (row && isEnded(row.status) && run.options.onParentClose !== 'abandon')
      run.cancel(`its parent ${row.id} has ended`)
    return run
  }

  #revive(stored: StoredRun): ActorRun {
    const { registry, services, epoch } = this.#options
    const definition = registry.definitionFor(stored.run)
    const run = new ActorRun(stored.run.id, definition, specOf(stored.run), services, migrated(stored, definition))
    this.#hold(run)
    if (stored.run.status === 'pending') {
      run.timers.rearm()
      if (this.#hasPlace()) run.launch()
      else this.#enqueue(run)
    } else run.revive(epoch)
    return run
  }

  #hold(run: ActorRun): void {
    this.#live.set(run.id, run)
    this.#options.keepAlive.set(true)
  }

  #enqueue(run: ActorRun): void {
    const priority = run.options.priority ?? 0
    const place = this.#queue.findIndex(other => (other.options.priority ?? 0) < priority)
    this.#queue.splice(place < 0 ? this.#queue.length : place, 0, run)
  }

  #hasPlace(): boolean {
    return this.#live.size <= this.#options.places || this.#working() < this.#options.places
  }

  #working(): number {
    let working = 0
    for (const { status } of this.#live.values()) {
      if (status === 'running' || status === 'recovering' || status === 'cancelling') working++
    }
    return working
  }
}

/** Who only wants the run to go on does not mind that it has ended in the meantime. */
function unlessEnded(error: unknown): void {
  if ((error as { code?: string }).code !== 'run_not_open') throw error
}

/** One id is one run. @throws RunConflictError when another is asked for under it */
function refuseOther(id: string, known: NewRun, asked: NewRun, definition: WorkflowDefinition): void {
  if (known.workflow !== asked.workflow) {
    throw new RunConflictError(
      `run ${id} exists and is of workflow '${known.workflow}', not '${asked.workflow}'; choose another id`,
      { runId: id, workflow: known.workflow },
    )
  }
  if (!isSameInput(definition, known.input, asked.input)) {
    throw new RunConflictError(
      `run ${id} exists and was started with another input; choose another id, or start it with the same input`,
      { runId: id },
    )
  }
}

function specOf(row: RunRow): NewRun {
  const { workflow, version, definitionHash, source, input, options, tags, createdAt, parent } = row
  return { workflow, version, definitionHash, source, input, options, tags, createdAt, parent }
}

/** The stored run with its snapshot turned into one of the definition that it goes on with. */
function migrated(stored: StoredRun, definition: WorkflowDefinition): StoredRun {
  const { run } = stored
  const same = run.definitionHash === definition.hash && run.version === definition.version
  if (same || !definition.migrate || run.snapshot === null) return stored
  const snapshot = definition.migrate(JSON.parse(run.snapshot), { version: run.version, hash: run.definitionHash })
  return {
    ...stored,
    run: {
      ...run,
      snapshot: encodeJson(snapshot, `what \`migrate\` of workflow '${definition.name}' returned`) ?? null,
    },
  }
}
