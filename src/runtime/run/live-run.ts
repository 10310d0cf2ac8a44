/**
 * A run that is in memory: its root actor, and what reaches it. Every event reaches the run through `dispatch`; when that
 * returns, all mailboxes are empty, so the tree of actors is at rest and is written once. What an event sets off in the
 * world starts only after that write is durable.
 */
import type { AnyActorRef } from 'xstate'
import type { WorkflowMachineEvent } from '../../../machines/workflow.machine.ts'
import { CancelledError } from '../../errors.ts'
import {
  isEnded,
  type JournalRow,
  type JsonText,
  type NewRun,
  type RunWrite,
  type StoredRun,
} from '../../store/store.ts'
import type { WorkflowDefinition } from '../../workflow/definition.ts'
import { encodeJson } from '../../workflow/results.ts'
import { ScheduledEvents } from '../actors/scheduled-events.ts'
import type { DegradedPart, RunResult } from '../api.ts'
import { compensate } from './compensations.ts'
import { conclude } from './conclusion.ts'
import { type HeldRun, pause, resume, resumeStages, suspendStages } from './holding.ts'
import type { LiveRun, LiveStage, RunServices } from './live.ts'
import { RecordedRun } from './recorded-run.ts'
import { type EndWaiter, keepsSnapshot, outcomeText, RunEnd } from './run-end.ts'
import { followStatus } from './run-status.ts'
import { DurableTimers } from './run-timers.ts'
import { LedgeredWaits } from './run-waits.ts'
import { create, revive } from './starting.ts'
import { cancel, endUnkeepable, exceedWallTime, passDeadline, quarantineBroken, stopReason } from './stopping.ts'

export class ActorRun extends RecordedRun implements HeldRun {
  readonly stages = new Map<AnyActorRef, LiveStage>()
  readonly timers: DurableTimers
  readonly waits: LedgeredWaits
  readonly end = new RunEnd()
  /** Only a machine of the user's own schedules events by itself. */
  scheduled: ScheduledEvents | undefined
  root: AnyActorRef | undefined
  lastFailed: LiveRun['lastFailed']
  account: LiveRun['account']
  /** Its actors began afresh and follow what is recorded: what has ended ends at once. */
  isRebuilt = false

  /** Aborted when the process lets go of the run; made when something is to hear of it. */
  #letGo: AbortController | undefined
  #depth = 0
  #touched = false
  #snapshot: JsonText | null
  #atOnce: (() => void)[] = []

  constructor(id: string, definition: WorkflowDefinition, spec: NewRun, services: RunServices, stored?: StoredRun) {
    super(id, definition, spec, services, stored)
    this.#snapshot = stored?.run.snapshot ?? null
    this.timers = new DurableTimers(this, stored?.timers ?? [])
    this.waits = new LedgeredWaits(this)
    this.scheduled = this.#freshSchedule()
  }

  /** Writes the run for the first time. The flow starts at once, or when a place is free. */
  create(launch: boolean): void {
    create(this, launch)
  }

  /** Starts the actors: afresh, or from the saved snapshot. */
  launch(): void {
    this.dispatch(() => this.services.supervise(this))
  }

  /** Goes on with a run that was restored from the store: after another process, or since it only waited. */
  revive(): void {
    revive(this)
  }

  // Events, and what follows from them.

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

  #settle(): void {
    for (;;) {
      for (let effect = this.#atOnce.shift(); effect; effect = this.#atOnce.shift()) effect()
      this.scheduled?.mirror()
      followStatus(this)
      if (this.#atOnce.length === 0) return
    }
  }

  // Its actors, and the snapshot that they begin from.

  attach(root: AnyActorRef): void {
    this.root = root
  }

  /** The actor of the workflow's own machine. */
  get flow(): AnyActorRef | undefined {
    return (this.root?.getSnapshot() as { children?: { flow?: AnyActorRef } } | undefined)?.children?.flow
  }

  liveStage(name: string): LiveStage | undefined {
    for (const stage of this.stages.values()) if (stage.name === name) return stage
    return undefined
  }

  /** The snapshot to restore from, freshly parsed since restoring changes it; undefined before the first. */
  get savedSnapshot(): unknown {
    return this.#snapshot === null ? undefined : JSON.parse(this.#snapshot)
  }

  get snapshotText(): JsonText | null {
    return this.#snapshot
  }

  /** @throws ValidationError where the context of a user's machine is no JSON, with the path to what is not */
  keepSnapshot(root: AnyActorRef): void {
    this.#snapshot =
      this.definition.origin === 'built'
        ? this.services.snapshotText(root)
        : (encodeJson(root.getPersistedSnapshot(), `the snapshot of workflow '${this.definition.name}'`) as JsonText)
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

  dropActors(): void {
    this.root = undefined
    this.stages.clear()
    this.timers.forget('run')
    this.services.dismiss(this)
    this.scheduled = this.#freshSchedule()
  }

  #freshSchedule(): ScheduledEvents | undefined {
    return this.definition.origin === 'machine' ? new ScheduledEvents(this, this.#snapshot !== null) : undefined
  }

  // What an operator may do. Each is one dispatch; the caller waits for `durable`.

  cancel(reason: string | null): void {
    cancel(this, reason)
  }

  pause(reason: string | null): void {
    pause(this, reason)
  }

  resume(): void {
    resume(this)
  }

  // What the timers and the machines report.

  passDeadline(): void {
    passDeadline(this)
  }

  exceedWallTime(): void {
    exceedWallTime(this)
  }

  conclude(end: { readonly output?: unknown; readonly error?: unknown }): void {
    this.send(conclude(this, end))
  }

  broken(error: unknown): void {
    quarantineBroken(this, error)
  }

  compensate(): void {
    this.#letGo ??= new AbortController()
    compensate(this, this.#letGo.signal)
  }

  suspendStages(): void {
    suspendStages(this)
  }

  resumeStages(): void {
    resumeStages(this)
  }

  stopReason(stage: string): CancelledError {
    return stopReason(this, stage)
  }

  /** Tells the degradation actor of what the journal already says. */
  noteDegraded(part: DegradedPart): void {
    this.services.degraded(part, this)
  }

  // What is written of it, and when it ends or leaves memory.

  /** Whether the store knows all that happened until now. */
  get isWritten(): boolean {
    return this.#depth === 0 && this.isCommitted
  }

  takeWrite(): RunWrite | undefined {
    if (this.detached) return undefined
    if (!isEnded(this.status) && this.root) {
      try {
        this.keepSnapshot(this.root)
      } catch (error) {
        endUnkeepable(this, error)
      }
    }
    const active = !isEnded(this.status)
    if (!active && !keepsSnapshot(this)) this.#snapshot = null
    if (active && this.definition.origin === 'machine') this.timers.noteScheduled()
    return this.take(this.#snapshot, this.end.at, active ? null : outcomeText(this))
  }

  protected journalled(row: JournalRow): void {
    this.services.chaos?.(this, row)
  }

  protected endCommitted(): void {
    if (!this.end.result) return
    this.end.tell(this.end.result)
    this.services.ended(this)
  }

  get result(): RunResult | undefined {
    return this.end.result
  }

  /** The next end of the run. */
  nextResult(): Promise<RunResult> {
    return this.end.next()
  }

  /** It only waits or is paused, and the store knows all of it: it may leave memory. */
  get isAsleep(): boolean {
    const rests = this.status === 'waiting' || this.status === 'paused'
    return rests && !this.detached && !this.#touched && !this.awaitsCommit && this.isCommitted
  }

  /** When it must be back at the latest. */
  get nextDueAt(): number | undefined {
    return this.timers.nextDueAt(this.status === 'paused' ? 'run' : 'all')
  }

  /** Leaves memory, while it is asleep: only the store knows it from here on. Gives those who wait for its end. */
  leave(): EndWaiter[] {
    const reason = new CancelledError(`run ${this.id} only waits, and has left memory`, { runId: this.id })
    this.detached = true
    this.timers.forget()
    for (const stage of this.stages.values()) stage.suspend(reason)
    this.stages.clear()
    if (this.root) this.services.dismiss(this)
    return this.end.takeWaiters()
  }

  /** Lets go of the run: stops its functions and actors, writes nothing more. */
  detach(reason: unknown): void {
    if (this.detached) return
    this.detached = true
    this.#letGo?.abort(reason)
    this.timers.forget()
    for (const stage of this.stages.values()) stage.abandon(reason)
    this.stages.clear()
    for (const { reject } of this.end.takeWaiters()) reject(reason)
    this.interrupt(reason)
  }
}
