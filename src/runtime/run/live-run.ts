/**
 * A run that is in memory: its root actor, what it knows, and what it will write next. Every event reaches the run
 * through `dispatch`; when that returns, all mailboxes are empty, so the tree of actors is at rest and is written once.
 * What an event sets off in the world starts only after that write is durable.
 */
import type { AnyActorRef } from 'xstate'
import type { WorkflowMachineEvent } from '../../../machines/workflow.machine.ts'
import {
  BudgetExceededError,
  CancelledError,
  encodeError,
  HoldfastError,
  SnapshotError,
  TimeoutError,
} from '../../errors.ts'
import {
  isEnded,
  type JournalRow,
  type JsonText,
  type LedgerRow,
  type NewRun,
  type RunState,
  type RunStatus,
  type StoredRun,
} from '../../store/store.ts'
import { type JournalEventType, journalSchemaVersion } from '../../telemetry/catalogue.ts'
import type { WorkflowDefinition } from '../../workflow/definition.ts'
import { decodeResult, encodeJson, lazyResults } from '../../workflow/results.ts'
import { ScheduledEvents } from '../actors/scheduled-events.ts'
import type { DegradedPart, RunResult } from '../api.ts'
import type { CommitPipeline, Committable } from '../commits/commit-pipeline.ts'
import { createPendingWrite } from '../commits/pending-write.ts'
import { compensateStages } from './compensations.ts'
import { conclude, outputKey } from './conclusion.ts'
import { countersText } from './counters.ts'
import { amendedOptions, type KeptOptions } from './kept-options.ts'
import { type RestorableRun, restoreActors } from './ladder.ts'
import type { LiveRun, LiveStage, RunServices } from './live.ts'
import { recall } from './recall.ts'
import { remember } from './remember.ts'
import type { RunFailure, Where } from './run-facts.ts'
import { inputOf } from './run-input.ts'
import { ledgerIdentity, RunMemory, rememberLedger } from './run-memory.ts'
import { buildRunResult } from './run-result.ts'
import { DurableTimers } from './run-timers.ts'
import { LedgeredWaits } from './run-waits.ts'

interface InCommit {
  readonly effects: (() => void)[]
  readonly journal: readonly JournalRow[]
  /** The end of the run is in it. */
  readonly ends: boolean
}

export class ActorRun implements RestorableRun, Committable {
  readonly id: string
  readonly definition: WorkflowDefinition
  readonly spec: NewRun
  readonly options: KeptOptions
  readonly memory: RunMemory
  readonly services: RunServices
  readonly stages = new Map<AnyActorRef, LiveStage>()
  readonly timers: DurableTimers
  readonly waits: LedgeredWaits
  /** Only a machine of the user's own schedules events by itself. */
  scheduled: ScheduledEvents | undefined
  root: AnyActorRef | undefined
  status: RunStatus
  failure: RunFailure | undefined
  lastFailed: LiveRun['lastFailed']
  account: LiveRun['account']
  /** Its actors began afresh and follow what is recorded: what has ended ends at once. */
  isRebuilt = false
  /** Set when the process lets go of the run without ending it: nothing is written or started any more. */
  detached = false

  #seq: number
  /** Aborted when the process lets go of the run. */
  readonly #letGo = new AbortController()
  #depth = 0
  #touched = false
  #snapshot: JsonText | null
  #outcome: RunResult | undefined
  #endedAt: number | null = null
  #pending = createPendingWrite()
  #atOnce: (() => void)[] = []
  #afterCommit: (() => void)[] = []
  #inCommit: InCommit | undefined
  #endIsDurable = false
  /** Who waits for a commit, and is told when there will be none. */
  readonly #interrupts = new Set<(reason: unknown) => void>()
  #waiters: { resolve: (result: RunResult) => void; reject: (error: unknown) => void }[] = []

  constructor(id: string, definition: WorkflowDefinition, spec: NewRun, services: RunServices, stored?: StoredRun) {
    this.id = id
    this.definition = definition
    this.spec = spec
    this.services = services
    inputOf(definition, spec.input)
    this.memory = stored ? recall(stored) : new RunMemory()
    this.options = amendedOptions(JSON.parse(spec.options) as KeptOptions, this.memory.amended)
    this.status = stored?.run.status ?? 'pending'
    this.#seq = stored?.run.seq ?? 0
    this.#snapshot = stored?.run.snapshot ?? null
    this.timers = new DurableTimers(this, stored?.timers ?? [])
    this.waits = new LedgeredWaits(this)
    this.scheduled = this.#freshSchedule()
  }

  /** The input, made anew each time it is asked for, so that nobody's change reaches another. */
  get input(): unknown {
    return inputOf(this.definition, this.spec.input)
  }

  /** The pipeline that writes this run; it ends when the store fails. */
  get pipeline(): CommitPipeline {
    return this.services.pipeline
  }

  /** The snapshot to restore from, freshly parsed since restoring changes it; undefined before the first. */
  get savedSnapshot(): unknown {
    return this.#snapshot === null ? undefined : JSON.parse(this.#snapshot)
  }

  get snapshotText(): JsonText | null {
    return this.#snapshot
  }

  /** The next start of the actors begins afresh, and follows what is recorded. */
  forgetSnapshot(): void {
    const isAlive = (this.root?.getSnapshot() as { status: string } | undefined)?.status === 'active'
    this.#snapshot = null
    this.root = undefined
    this.stages.clear()
    if (isAlive) this.services.dismiss(this)
    this.isRebuilt = true
    this.scheduled = this.#freshSchedule()
  }

  /** The actor of the workflow's own machine. */
  get flow(): AnyActorRef | undefined {
    return (this.root?.getSnapshot() as { children?: { flow?: AnyActorRef } } | undefined)?.children?.flow
  }

  attach(root: AnyActorRef): void {
    this.root = root
  }

  get result(): RunResult | undefined {
    return this.#outcome
  }

  /** Writes the run for the first time. The flow starts at once, or when a place is free. */
  create(launch: boolean): void {
    this.dispatch(() => {
      this.memory.counters.epoch = this.services.epoch
      this.#pending.create(this.spec)
      this.journal('run.started', {
        workflow: this.spec.workflow,
        version: this.spec.version,
        profile: this.options.profile ?? null,
        ...(this.spec.parent ? { parent: this.spec.parent.runId } : {}),
      })
      const { deadlineAt, wallTimeUntil } = this.options
      if (deadlineAt !== undefined) this.timers.set('run:deadline', deadlineAt, { kind: 'deadline' })
      if (wallTimeUntil !== undefined) this.timers.set('run:wallTime', wallTimeUntil, { kind: 'wallTime' })
      if (launch) this.launch()
    })
  }

  /** Starts the actors: afresh, or from the saved snapshot. */
  launch(): void {
    this.dispatch(() => this.services.supervise(this))
  }

  /** Why it was cancelled is in the snapshot of its machine. */
  #rememberCancel(): void {
    const snapshot = this.root?.getSnapshot() as { context?: { reason: string | null } } | undefined
    const reason = snapshot?.context?.reason ?? 'cancelled'
    this.fail({ status: 'cancelled', error: encodeError(new CancelledError(reason, { runId: this.id })) })
  }

  /** Goes on with a run that was restored from the store: after another process, or since it only waited. */
  revive(): void {
    this.dispatch(() => {
      const { counters } = this.memory
      const { epoch } = this.services
      if (counters.epoch === epoch) this.journal('run.woken')
      else {
        counters.resumes++
        if (!counters.stoppedCleanly && this.status === 'running') counters.crashes++
        this.journal('run.recovered', { epoch, crashes: counters.crashes })
      }
      counters.epoch = epoch
      counters.stoppedCleanly = false
      if (this.status === 'paused') return this.timers.rearm('run')
      if (!restoreActors(this, this.status)) return this.#finish('quarantined')
      if (this.status === 'cancelling') this.#rememberCancel()
      this.scheduled?.restore()
      this.timers.rearm()
      if (counters.crashes >= mostCrashes) {
        this.fail({
          status: 'quarantined',
          error: encodeError(
            new HoldfastError(
              'stage_failed',
              `the process died ${counters.crashes} times while this run was running, without progress in between`,
            ),
          ),
        })
        return this.send({ type: 'QUARANTINE' })
      }
      this.send({ type: 'RECOVER' })
    })
  }

  /** Carries out `work`, which may send events to the run's actors, and what follows from it at once; then asks for a commit. */
  dispatch(work: () => void): void {
    if (this.detached) return
    this.#depth++
    try {
      work()
      if (this.#depth === 1) this.#settle()
    } finally {
      this.#depth--
    }
    if (this.#depth === 0) this.services.pipeline.mark(this)
  }

  /** Something happened in the user's machine by itself: a promise, a timer, a callback of its own. */
  touch(): void {
    if (this.detached || this.#touched || this.#depth > 0 || isEnded(this.status)) return
    this.#touched = true
    this.services.ready.push(() => {
      this.#touched = false
      this.dispatch(() => {})
    })
  }

  send(event: WorkflowMachineEvent): void {
    this.root?.send(event)
  }

  /** Does `effect` in this dispatch, once the machines are at rest. */
  atOnce(effect: () => void): void {
    this.#atOnce.push(effect)
  }

  /** Does `effect` when all that happened until now is durable. */
  afterCommit(effect: () => void): void {
    this.#afterCommit.push(effect)
  }

  /** Whether the store knows all that happened until now. */
  get isWritten(): boolean {
    return this.#depth === 0 && this.#inCommit === undefined && !this.pipeline.isMarked(this)
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

  journal(type: JournalEventType, data: object = {}, where: Where = {}): void {
    this.journalText(type, JSON.stringify(data), where)
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
    this.#pending.journal(row)
    remember(this.memory, row)
    this.services.chaos?.(this, row)
  }

  ledger(stage: string, key: string): LedgerRow | undefined {
    const row = this.memory.ledger.get(ledgerIdentity(stage, key))
    return row?.state === 'superseded' ? undefined : row
  }

  putLedger(row: LedgerRow): void {
    rememberLedger(this.memory, row)
    this.#pending.ledger(row)
  }

  get pending(): ReturnType<typeof createPendingWrite> {
    return this.#pending
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

  /** Tells the degradation actor of what the journal already says. */
  noteDegraded(part: DegradedPart): void {
    this.services.degraded(part, this)
  }

  /** Remembers why the run fails; the first reason stays. */
  fail(failure: RunFailure): void {
    this.failure ??= failure
  }

  liveStage(name: string): LiveStage | undefined {
    for (const stage of this.stages.values()) if (stage.name === name) return stage
    return undefined
  }

  /** The actors of the run could not be started: its snapshot is not what its definition expects. */
  broken(error: unknown): void {
    if (this.detached || isEnded(this.status)) return
    this.dispatch(() => {
      this.fail({
        status: 'quarantined',
        error: encodeError(
          new SnapshotError(
            `run ${this.id} could not be restored from its snapshot`,
            { runId: this.id },
            { cause: error },
          ),
        ),
      })
      this.#finish('quarantined')
    })
  }

  /** The process stops in order: its end is no crash of this run. */
  stopCleanly(): void {
    this.memory.counters.stoppedCleanly = true
    this.pipeline.mark(this)
  }

  /** The next end of the run. */
  nextResult(): Promise<RunResult> {
    if (this.#outcome && this.#endIsDurable) return Promise.resolve(this.#outcome)
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }))
  }

  /** It only waits or is paused, and the store knows all of it: it may leave memory. */
  get isAsleep(): boolean {
    return (
      (this.status === 'waiting' || this.status === 'paused') &&
      !this.detached &&
      !this.#touched &&
      this.#inCommit === undefined &&
      this.#afterCommit.length === 0 &&
      this.#interrupts.size === 0 &&
      !this.pipeline.isMarked(this)
    )
  }

  /** When it must be back at the latest. */
  get nextDueAt(): number | undefined {
    return this.timers.nextDueAt(this.status === 'paused' ? 'run' : 'all')
  }

  /** Leaves memory, while it is asleep: only the store knows it from here on. Gives those who wait for its end. */
  leave(): { resolve: (result: RunResult) => void; reject: (error: unknown) => void }[] {
    const reason = new CancelledError(`run ${this.id} only waits, and has left memory`, { runId: this.id })
    this.detached = true
    this.timers.forget()
    for (const stage of this.stages.values()) stage.suspend(reason)
    this.stages.clear()
    if (this.root) this.services.dismiss(this)
    return this.#waiters.splice(0)
  }

  /** Lets go of the run: stops its functions and actors, writes nothing more. */
  detach(reason: unknown): void {
    if (this.detached) return
    this.detached = true
    this.#letGo.abort(reason)
    this.timers.forget()
    for (const stage of this.stages.values()) stage.abandon(reason)
    this.stages.clear()
    for (const { reject } of this.#waiters.splice(0)) reject(reason)
    for (const interrupt of this.#interrupts) interrupt(reason)
    this.#interrupts.clear()
  }

  // What the operator may do. Each is one dispatch; the caller waits for `durable`.

  cancel(reason: string | null): void {
    if (this.status === 'cancelling') return
    this.dispatch(() => {
      if (this.status === 'paused') this.#unpark()
      this.journal('run.cancelling', { reason })
      this.fail({
        status: 'cancelled',
        error: encodeError(new CancelledError(reason ?? 'cancelled', { runId: this.id })),
      })
      if (this.root) this.send({ type: 'CANCEL', reason })
      else this.#finish('cancelled')
    })
  }

  /** Holds the run: what is running is stopped, and its actors leave memory until it is resumed. */
  pause(reason: string | null): void {
    if (this.status === 'paused') return
    if (this.status === 'cancelling') {
      throw new HoldfastError('run_not_open', `run ${this.id} is being cancelled, so it cannot be paused`, {
        runId: this.id,
        status: this.status,
      })
    }
    this.dispatch(() => {
      this.journal('run.paused', { reason })
      if (this.root) this.send({ type: 'PAUSE', reason })
      else this.status = 'paused'
    })
    this.#park()
  }

  resume(): void {
    if (this.status !== 'paused') return
    this.dispatch(() => {
      this.memory.counters.resumes++
      this.journal('run.resumed')
      if (this.#snapshot === null) {
        this.status = 'pending'
        return this.services.readmit(this)
      }
      this.#unpark()
      this.send({ type: 'RESUME' })
    })
  }

  // What the binding reports from the machines.

  /** The flow has ended: its own machine's output or error is in `end`. */
  conclude(end: { readonly output?: unknown; readonly error?: unknown }): void {
    this.send(conclude(this, end))
  }

  passDeadline(): void {
    this.journal('run.deadline_passed')
    const error = new TimeoutError(`run ${this.id} passed its deadline`, { runId: this.id, scope: 'local' })
    this.fail({ status: 'failed', error: encodeError(error) })
    if (this.root) this.send({ type: 'FAIL' })
    else this.#finish('failed')
  }

  exceedWallTime(): void {
    const error = new BudgetExceededError(`run ${this.id} has used the time of its budget`, { currency: 'wallTime' })
    this.fail({ status: 'budget_exceeded', error: encodeError(error) })
    if (this.root) this.send({ type: 'EXHAUST_BUDGET' })
    else this.#finish('budget_exceeded')
  }

  // As a Committable.

  takeWrite(): ReturnType<Committable['takeWrite']> {
    if (this.detached) return undefined
    if (!isEnded(this.status) && this.root) {
      try {
        this.#snapshot = this.#persisted(this.root)
      } catch (error) {
        this.#endUnkeepable(error)
      }
    }
    const active = !isEnded(this.status)
    if (!active && !this.#keepsSnapshot) this.#snapshot = null
    if (active && this.definition.origin === 'machine') this.timers.noteScheduled()
    const { counters } = this.memory
    const state: RunState = {
      status: this.status,
      snapshot: this.#snapshot,
      seq: this.#seq,
      updatedAt: this.services.clock.now(),
      endedAt: this.#endedAt,
      counters: countersText(counters),
      outcome: this.#outcome && !active ? JSON.stringify(this.#outcome) : null,
    }
    const { write, journal } = this.#pending.take(this.id, state)
    this.#inCommit = { effects: this.#afterCommit, journal, ends: !active }
    this.#afterCommit = []
    return write
  }

  committed(): void {
    const { effects, journal, ends } = this.#inCommit as InCommit
    this.#inCommit = undefined
    if (journal.length > 0) this.services.announce(this, journal)
    for (const effect of effects) this.services.ready.push(effect)
    if (ends && this.#outcome) {
      const outcome = this.#outcome
      this.#endIsDurable = true
      for (const { resolve } of this.#waiters.splice(0)) resolve(outcome)
      this.services.ended(this)
    }
  }

  /** Why a stage that was stopped by its machine had to stop. */
  stopReason(stage: string): CancelledError {
    const why =
      this.failure?.status === 'cancelled'
        ? 'the run was cancelled'
        : this.failure
          ? 'another stage failed'
          : 'its machine has gone on'
    return new CancelledError(`stage '${stage}' was stopped: ${why}`, { runId: this.id, stage })
  }

  /** Stops every function that is running; their machines stay where they are. */
  suspendStages(): void {
    for (const stage of this.stages.values())
      stage.abandon(new CancelledError(`run ${this.id} was paused`, { runId: this.id, stage: stage.name }))
  }

  /** Lets every stage go on where it was, and what came meanwhile follow. */
  resumeStages(): void {
    for (const stage of [...this.stages.values()]) stage.ref.send({ type: 'RECOVERED' })
    this.send({ type: 'RECOVERED' })
    this.status = 'running'
    this.waits.deliver()
  }

  /** Runs the compensations of the stages that had succeeded, then lets the cancellation end. */
  compensate(): void {
    this.afterCommit(() => {
      compensateStages(this, this.#letGo.signal).then(
        () => this.services.ready.push(() => this.dispatch(() => this.send({ type: 'COMPENSATED' }))),
        error =>
          this.services.log.error(
            { runId: this.id, error: encodeError(error) },
            `the compensations of run ${this.id} could not be carried out`,
          ),
      )
    })
  }

  /** Takes the actors of a paused run out of memory: nothing of them can happen while it is held. */
  #park(): void {
    if (this.status !== 'paused' || !this.root) return
    this.#snapshot = this.#persisted(this.root)
    this.root = undefined
    this.stages.clear()
    this.timers.forget('run')
    this.services.dismiss(this)
    this.scheduled = this.#freshSchedule()
  }

  /** Starts the actors of a paused run again, still paused. */
  #unpark(): void {
    if (this.#snapshot === null) return
    if (!restoreActors(this, 'paused')) return this.#finish('quarantined')
    this.scheduled?.restore()
    this.timers.rearm()
  }

  /** Only a machine of the user's own schedules events by itself. */
  #freshSchedule(): ScheduledEvents | undefined {
    return this.definition.origin === 'machine' ? new ScheduledEvents(this, this.#snapshot !== null) : undefined
  }

  /** @throws ValidationError where the context of a user's machine is no JSON, with the path to what is not */
  #persisted(root: AnyActorRef): JsonText {
    if (this.definition.origin === 'built') return this.services.snapshotText(root)
    return encodeJson(root.getPersistedSnapshot(), `the snapshot of workflow '${this.definition.name}'`) as JsonText
  }

  /** What the actors have become cannot be kept, so the run cannot go on: it alone ends. */
  #endUnkeepable(error: unknown): void {
    this.dispatch(() => {
      this.fail({ status: 'failed', error: encodeError(error) })
      this.send({ type: 'FAIL' })
    })
  }

  // What follows from a dispatch.

  #settle(): void {
    for (;;) {
      for (let effect = this.#atOnce.shift(); effect; effect = this.#atOnce.shift()) effect()
      this.scheduled?.mirror()
      this.#followStatus()
      if (this.#atOnce.length === 0) return
    }
  }

  #followStatus(): void {
    if (!this.root || isEnded(this.status)) return
    const snapshot = this.root.getSnapshot() as { status: string; value: unknown; error?: unknown }
    if (snapshot.status === 'error') {
      return this.broken(snapshot.error)
    }
    const status = statusOf(snapshot.value)
    if (isEnded(status)) return this.#finish(status)
    this.status = status
    if (status !== 'running' && status !== 'waiting') return
    const waits = this.services.waitsOf(this)
    if ((waits !== undefined) === (status === 'waiting')) return
    this.status = waits === undefined ? 'running' : 'waiting'
    this.journal(waits === undefined ? 'run.active' : 'run.waiting', waits === undefined ? {} : { for: waits })
    this.send({ type: waits === undefined ? 'WAIT_ENDED' : 'WAIT_BEGUN' })
  }

  /** What a run that may be reopened goes on from; of a quarantined one, evidence too. */
  get #keepsSnapshot(): boolean {
    if (this.status === 'quarantined') return true
    return this.definition.origin === 'machine' && (this.status === 'failed' || this.status === 'budget_exceeded')
  }

  #finish(status: RunStatus): void {
    this.status = status
    this.#endedAt = this.services.clock.now()
    for (const stage of this.stages.values())
      stage.abandon(new CancelledError(`run ${this.id} has ended`, { runId: this.id }))
    this.stages.clear()
    this.timers.clearAll()
    if (this.#keepsSnapshot) this.timers.keepScheduled()
    const failure = status === 'completed' ? undefined : this.failure
    this.journal(
      `run.${status}` as JournalEventType,
      failure ? { error: failure.error, ...(failure.stage ? { stage: failure.stage } : {}) } : {},
      {},
    )
    const { baselines } = this.services
    const usual = baselines.of(this.spec)
    this.#outcome = buildRunResult(this, status, decodeResult(this.memory.results.get(outputKey)), this.#endedAt, usual)
    if (status === 'completed') baselines.note(this.#outcome)
    this.services.closeChildren(this)
  }
}

/** A run whose process has died so often without progress is set aside: it may be what kills it. */
const mostCrashes = 10

function statusOf(value: unknown): RunStatus {
  if (typeof value === 'object' && value !== null) return (value as { open: RunStatus }).open
  if (value === 'concluding') return 'running'
  return (value === 'budgetExceeded' ? 'budget_exceeded' : value) as RunStatus
}
