/**
 * A run as its record: what it knows, what it has done that the store does not know yet, what follows once it does, and
 * who waits for that. What the run is to its actors is built upon it in `live-run.ts`.
 */
import { CancelledError } from '../../errors.ts'
import {
  isEnded,
  type JournalRow,
  type JsonText,
  type LedgerRow,
  type NewRun,
  type RunState,
  type RunStatus,
  type RunWrite,
  type StoredRun,
} from '../../store/store.ts'
import { type JournalEventType, journalSchemaVersion } from '../../telemetry/catalogue.ts'
import type { WorkflowDefinition } from '../../workflow/definition.ts'
import { lazyResults } from '../../workflow/results.ts'
import type { DegradedPart } from '../api.ts'
import type { CommitPipeline, Committable } from '../commits/commit-pipeline.ts'
import { PendingWrite } from '../commits/pending-write.ts'
import { countersText } from './counters.ts'
import { amendedOptions, type KeptOptions } from './kept-options.ts'
import type { RunServices } from './live.ts'
import { recall } from './recall.ts'
import { remember } from './remember.ts'
import type { RunFailure, Where } from './run-facts.ts'
import { inputOf } from './run-input.ts'
import { ledgerIdentity, RunMemory, rememberLedger } from './run-memory.ts'

interface InCommit {
  readonly effects: (() => void)[]
  readonly journal: readonly JournalRow[]
  /** The end of the run is in it. */
  readonly ends: boolean
}

export abstract class RecordedRun implements Committable {
  readonly id: string
  readonly definition: WorkflowDefinition
  readonly spec: NewRun
  readonly options: KeptOptions
  readonly memory: RunMemory
  readonly services: RunServices
  /** What the next commit will hold. */
  readonly pending = new PendingWrite()
  status: RunStatus
  failure: RunFailure | undefined
  /** Set when the process lets go of the run without ending it: nothing is written or started any more. */
  detached = false

  #seq: number
  #afterCommit: (() => void)[] = []
  #inCommit: InCommit | undefined
  /** Who waits for a commit, and is told when there will be none. */
  readonly #interrupts = new Set<(reason: unknown) => void>()

  constructor(id: string, definition: WorkflowDefinition, spec: NewRun, services: RunServices, stored?: StoredRun) {
    this.id = id
    this.definition = definition
    this.spec = spec
    this.services = services
    // A new one has just been checked.
    if (stored) inputOf(definition, spec.input)
    this.memory = stored ? recall(stored) : new RunMemory()
    this.options = amendedOptions(JSON.parse(spec.options) as KeptOptions, this.memory.amended)
    this.status = stored?.run.status ?? 'pending'
    this.#seq = stored?.run.seq ?? 0
  }

  /** The input, made anew each time it is asked for, so that nobody's change reaches another. */
  get input(): unknown {
    return inputOf(this.definition, this.spec.input)
  }

  /** The pipeline that writes this run; it ends when the store fails. */
  get pipeline(): CommitPipeline {
    return this.services.pipeline
  }

  journal(type: JournalEventType, data: object = {}, where: Where = {}): void {
    this.journalText(type, isEmpty(data) ? '{}' : JSON.stringify(data), where)
  }

  journalText(type: JournalEventType, data: JsonText, where: Where = {}): void {
    const row: JournalRow = {
      seq: ++this.#seq,
      at: this.services.clock.now(),
      type,
      schemaVersion: journalSchemaVersion,
      data,
      ...where,
    }
    this.pending.journal(row)
    remember(this.memory, row)
    this.journalled(row)
  }

  /** The row is in what will be written. */
  protected abstract journalled(row: JournalRow): void

  ledger(stage: string, key: string): LedgerRow | undefined {
    const row = this.memory.ledger.get(ledgerIdentity(stage, key))
    return row?.state === 'superseded' ? undefined : row
  }

  putLedger(row: LedgerRow): void {
    rememberLedger(this.memory, row)
    this.pending.ledger(row)
  }

  resultsOf(names: Iterable<string>): Readonly<Record<string, unknown>> {
    return lazyResults(this.memory.results, names)
  }

  /** Writes down that something of this run works less well, and tells the degradation actor. */
  degrade(part: DegradedPart): void {
    const known = this.memory.degraded.some(other => other.stage === part.stage && other.reason === part.reason)
    if (known) return
    const { stage, ...data } = part
    this.journal('degraded', data, stage === undefined ? {} : { stage })
    this.noteDegraded(part)
  }

  abstract noteDegraded(part: DegradedPart): void

  /** Remembers why the run fails; the first reason stays. */
  fail(failure: RunFailure): void {
    this.failure ??= failure
  }

  /** The process stops in order: its end is no crash of this run. */
  stopCleanly(): void {
    this.memory.counters.stoppedCleanly = true
    this.pipeline.mark(this)
  }

  /** Does `effect` when all that happened until now is durable. */
  afterCommit(effect: () => void): void {
    // Mostly it is the only one: a list that grows by itself makes room for many.
    if (this.#afterCommit.length === 0) this.#afterCommit = [effect]
    else this.#afterCommit.push(effect)
  }

  /** Resolves when all that happened until now is durable. */
  durable(): Promise<void> {
    if (this.services.pipeline.failure !== undefined) return Promise.reject(this.services.pipeline.failure)
    return new Promise((resolve, reject) => {
      if (this.detached)
        return reject(new CancelledError(`the runtime has let go of run ${this.id}`, { runId: this.id }))
      this.#interrupts.add(reject)
      this.afterCommit(() => {
        this.#interrupts.delete(reject)
        resolve()
      })
      this.services.pipeline.mark(this)
    })
  }

  /** Tells those who wait for a commit that there will be none. */
  protected interrupt(reason: unknown): void {
    for (const interrupt of this.#interrupts) interrupt(reason)
    this.#interrupts.clear()
  }

  /** No commit of it is under way or asked for. */
  protected get isCommitted(): boolean {
    return this.#inCommit === undefined && !this.pipeline.isMarked(this)
  }

  /** Something is to happen, or somebody to be told, after the next commit. */
  protected get awaitsCommit(): boolean {
    return this.#afterCommit.length > 0 || this.#interrupts.size > 0
  }

  abstract takeWrite(): RunWrite | undefined

  /** All that is pending, with the state of the run as it is now; what was to follow from it waits for `committed`. */
  protected take(snapshot: JsonText | null, endedAt: number | null, outcome: JsonText | null): RunWrite {
    const state: RunState = {
      status: this.status,
      snapshot,
      seq: this.#seq,
      updatedAt: this.services.clock.now(),
      endedAt,
      counters: countersText(this.memory.counters),
      outcome,
    }
    const { write, journal } = this.pending.take(this.id, state)
    this.#inCommit = { effects: this.#afterCommit, journal, ends: isEnded(this.status) }
    this.#afterCommit = []
    return write
  }

  committed(): void {
    const { effects, journal, ends } = this.#inCommit as InCommit
    this.#inCommit = undefined
    if (journal.length > 0) this.services.announce(this, journal)
    for (const effect of effects) this.services.ready.push(effect)
    if (ends) this.endCommitted()
  }

  /** The end of the run is durable. */
  protected abstract endCommitted(): void
}

/** Most events say all by their type and their stage. */
function isEmpty(data: object): boolean {
  for (const _ in data) return false
  return true
}
