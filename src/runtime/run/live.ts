/**
 * What is alive of a run, as its parts see each other: the run, its stages, their attempts, and what the runtime around
 * them gives. Interfaces only: every part is written against these, so none of them needs to know how another does it.
 */
import type { AnyActorRef } from 'xstate'
import type {
  StageFailure,
  StageMachineContext,
  StageOutcome,
  StagePolicy,
  StageRule,
} from '../../../machines/stage.machine.ts'
import type { WorkflowMachineEvent } from '../../../machines/workflow.machine.ts'
import type { BudgetAccount } from '../../resilience/budget.ts'
import type { PieceSink } from '../../resilience/model-answer.ts'
import type { ResolvedProfile } from '../../resilience/profiles.ts'
import type { JournalRow, JsonText, LedgerRow, NewRun, RunStatus } from '../../store/store.ts'
import type { JournalEventType } from '../../telemetry/catalogue.ts'
import type { Clock } from '../../time/clock.ts'
import type { Random } from '../../time/random.ts'
import type { AnyWorkflow, StageDefinition, WorkflowDefinition } from '../../workflow/definition.ts'
import type { GenerateOptions, GenerateResult, LastFailure, StageMetrics } from '../../workflow/stage-context.ts'
import type { SnapshotText } from '../actors/snapshot-text.ts'
import type { DegradedPart, Logger, Remedy } from '../api.ts'
import type { CommitPipeline } from '../commits/commit-pipeline.ts'
import type { PendingWrite } from '../commits/pending-write.ts'
import type { ReadyQueue } from '../commits/ready-queue.ts'
import type { TimerPurpose } from '../commits/timer-purpose.ts'
import type { TimerWheel } from '../commits/timer-wheel.ts'
import type { RulesOf } from '../stage/stage-rules.ts'
import type { Baselines } from './baselines.ts'
import type { KeptOptions } from './kept-options.ts'
import type { Places } from './places.ts'
import type {
  Answer,
  ChildHandle,
  ChildOptions,
  ItemPlace,
  PreflightReport,
  RunFailure,
  Waiting,
  Where,
} from './run-facts.ts'
import type { RunMemory } from './run-memory.ts'

export interface LiveRun {
  readonly id: string
  readonly definition: WorkflowDefinition
  readonly spec: NewRun
  readonly options: KeptOptions
  readonly input: unknown
  readonly memory: RunMemory
  readonly services: RunServices
  readonly stages: Map<AnyActorRef, LiveStage>
  readonly timers: RunTimers
  readonly waits: RunWaits
  readonly root: AnyActorRef | undefined
  /** The actor of the workflow's own machine. */
  readonly flow: AnyActorRef | undefined
  readonly status: RunStatus
  readonly failure: RunFailure | undefined
  /** The stage that failed last: a machine of one's own that does not handle it ends with its error. */
  lastFailed: { readonly stage: string; readonly attempt: number; readonly message: string } | undefined
  /** Its actors began afresh and follow what is recorded: what has ended ends at once. */
  readonly isRebuilt: boolean
  /** The process has let go of the run without ending it: nothing is written or started any more. */
  readonly detached: boolean
  /** What of its budget is set aside for calls under way; made when the first call asks. */
  account: BudgetAccount | undefined
  /** What the next commit will hold. */
  readonly pending: PendingWrite
  /** Carries out `work`, which may send events to the run's actors, and what follows from it at once; then asks for a commit. */
  dispatch(work: () => void): void
  send(event: WorkflowMachineEvent): void
  pause(reason: string | null): void
  /** Lets a paused run go on. */
  resume(): void
  /** Does `effect` in this dispatch, once the machines are at rest. */
  atOnce(effect: () => void): void
  /** Does `effect` when all that happened until now is durable. */
  afterCommit(effect: () => void): void
  /** Whether the store knows all that happened until now. */
  readonly isWritten: boolean
  /** Resolves when all that happened until now is durable. */
  durable(): Promise<void>
  journal(type: JournalEventType, data?: object, where?: Where): void
  journalText(type: JournalEventType, data: JsonText, where?: Where): void
  ledger(stage: string, key: string): LedgerRow | undefined
  putLedger(row: LedgerRow): void
  resultsOf(names: Iterable<string>): Readonly<Record<string, unknown>>
  liveStage(name: string): LiveStage | undefined
  /** Writes down that something of this run works less well, and tells the degradation actor. */
  degrade(part: DegradedPart): void
  /** Tells the degradation actor of what the journal already says. */
  noteDegraded(part: DegradedPart): void
  /** Remembers why the run fails; the first reason stays. */
  fail(failure: RunFailure): void
  /** The deadline of the run has passed. */
  passDeadline(): void
  /** The `wallTime` of the budget is used up. */
  exceedWallTime(): void
  /** Why a stage that was stopped by its machine had to stop. */
  stopReason(stage: string): Error
}

export interface LiveStage {
  readonly run: LiveRun
  readonly ref: AnyActorRef
  readonly definition: StageDefinition
  /** The stage's name, of an item `name[key]`, of a second start of an invoke id `name#2`. */
  readonly name: string
  readonly item: ItemPlace | undefined
  readonly profile: ResolvedProfile
  readonly policy: StagePolicy
  /** The run's input, or of a machine of one's own what the stage was invoked with. */
  input: unknown
  readonly attempt: Attempt | undefined
  /** What a parked stage waits for: the cause of its last failure has to pass. */
  readonly parked: Waiting | undefined
  /** What went wrong the last time, for a function that starts again. */
  readonly lastFailure: LastFailure | undefined
  readonly timeoutMs: number
  readonly warnAfterMs: number | undefined
  /** The result, for the machine of one's own that invoked the stage. */
  readonly output: unknown
  where(attempt?: Pick<Attempt, 'number' | 'incarnation'>): Where
  itemValue(): unknown
  startAttempt(context: StageMachineContext): void
  runPreflight(): void
  applyRemedy(context: StageMachineContext): void
  runFallback(context: StageMachineContext): void
  setDelay(context: StageMachineContext): void
  passDelay(): void
  /** Writes down which rule decided, with its counters and what else there was. */
  explainDecision(rule: StageRule, context: StageMachineContext): void
  /** The function has ended, or its time is up; `abort` says why a function that still runs is to stop. */
  settle(attempt: Attempt, outcome: { value?: unknown; thrown?: unknown }, abort?: unknown): void
  /** The machine came to an end: writes it down. Gives the error that the actor ends with, if it failed. */
  ended(outcome: StageOutcome, failure: StageFailure | null | undefined): Error | undefined
  /** An operator says how the stage ended, whatever it does now. */
  override(as: 'succeeded' | 'skipped', result: JsonText | undefined): void
  /** Stops what is under way, without a word to the machine: the run pauses or ends, or the process lets go of it. */
  abandon(reason: unknown): void
  /** The run leaves memory while the stage only waits; its function starts again when the run is back. */
  suspend(reason: unknown): void
}

export interface Attempt {
  readonly stage: LiveStage
  readonly number: number
  readonly incarnation: number
  readonly over: boolean
  readonly signal: AbortSignal
  /** For work of ours in the name of the function: aborted when the attempt is over, however it ended. */
  readonly workSignal: AbortSignal
  /** All that the function does is wait. */
  readonly waiting: boolean
  /** What the function waits for. */
  readonly waits: readonly Waiting[]
  /** When the time of the stage is up, were it to work on without a wait, or that of the run if that comes first. */
  readonly deadline: number
  /** Keys of the steps and calls that this execution has asked for. */
  readonly asked: Set<string>
  /** The name of the n-th such question in this execution: `sleep:2`, `step:fetch:1`. */
  nextKey(name: string): string
  /**
   * Does `work`, unless its like is under way: which of two equals was the first could not be told after a restart.
   * @param like what they have in common: their key, or what they ask
   * @throws OptionsError
   */
  alone<T>(like: string, where: string, work: () => Promise<T>): Promise<T>
  /** @throws CancelledError when the attempt is over */
  ensureCurrent(): void
  /** `promise`, or the reason for which the attempt ended first. */
  guard<T>(promise: Promise<T>): Promise<T>
  /** All that happened until now is durable, and the attempt still stands. */
  durable(): Promise<void>
  /** What the run has recorded already may be told: at once where the store knows it too. */
  recorded(): Promise<void>
  /** Counts `work` as work, so the clock runs though something else waits. */
  working<T>(work: () => Promise<T>): Promise<T>
  /** Resolves when `answer` is called for the key. To be called within a dispatch. */
  awaitAnswer(key: string, waiting: Waiting): Promise<unknown>
  /** What was waited for has come and is recorded; the function hears of it after the commit. */
  answer(key: string, answer: Answer): void
}

/** The durable timers of a run. */
export interface RunTimers {
  set(key: string, dueAt: number, purpose: TimerPurpose): void
  /** Sets it unless it is set: the row of one that was lost is made anew by who waits for it. */
  ensure(key: string, dueAt: number, purpose: TimerPurpose): void
  clear(key: string): void
  dueAt(key: string): number | undefined
  /** The timers of one kind, with when they are due. */
  ofKind<TKind extends TimerPurpose['kind']>(
    kind: TKind,
  ): readonly {
    readonly key: string
    readonly dueAt: number
    readonly purpose: Extract<TimerPurpose, { kind: TKind }>
  }[]
}

/** A run as the part that starts its actors, and carries out what they ask for, sees it. */
export interface SupervisedRun extends LiveRun {
  /** The snapshot to restore from, freshly parsed since restoring changes it; undefined before the first. */
  readonly savedSnapshot: unknown
  /** This is the root actor of the run; nothing has happened in it yet. */
  attach(root: AnyActorRef): void
  /** The user's machine did something by itself: a promise, a timer, a callback of its own. */
  touch(): void
  /** The actors of the run could not be started: its snapshot is not what its definition expects. */
  broken(error: unknown): void
  /** The flow has ended: its own machine's output or error is in `end`. */
  conclude(end: { readonly output?: unknown; readonly error?: unknown }): void
  /** Runs the compensations of the stages that had succeeded, then lets the cancellation end. */
  compensate(): void
  /** Stops every function that is running; their machines stay where they are. */
  suspendStages(): void
  /** Lets every stage go on where it was, and what came meanwhile follow. */
  resumeStages(): void
}

/** What the stages of a run wait for. */
export interface RunWaits {
  /** Gives the signals of the inbox to those who wait for them, oldest first. */
  deliver(): void
  /** The stage waits for the next such signal. */
  expect(stage: LiveStage, key: string, name: string): void
  /** The stage no longer waits: its attempt is over. */
  forget(stage: LiveStage): void
  endSleep(stage: string, key: string): void
  /** The time for a signal is up. */
  endWait(stage: string, key: string): void
}

/** What a run needs from the runtime around it. One object, made in the composition root and handed down. */
export interface RunServices {
  /** Of the claim of the store: another one is another process, or another runtime. */
  readonly epoch: number
  readonly clock: Clock
  readonly random: Random
  readonly wheel: TimerWheel
  readonly ready: ReadyQueue
  readonly pipeline: CommitPipeline
  readonly log: Logger
  /** Told of each row as it is journalled, where faults are injected on purpose. */
  readonly chaos: ((run: LiveRun, row: JournalRow) => void) | undefined
  readonly remedies: Readonly<Record<string, Remedy>>
  readonly metrics: { of(stage: string, workflow: string): StageMetrics }
  /** How many attempts may run at once. */
  readonly attempts: Places
  /** What a stage may know of the system around it. */
  systemState(): object
  readonly rulesOf: RulesOf
  /** What stages usually take. */
  readonly baselines: Baselines
  /** The persisted snapshot of a run of a built workflow. */
  readonly snapshotText: SnapshotText
  /** Starts the run's root actor under the supervisor of the runs. */
  supervise(run: SupervisedRun): void
  /** Stops the run's root actor; nobody is told. */
  dismiss(run: LiveRun): void
  /** A run that was held before it had begun waits for a place again. */
  readmit(run: LiveRun): void
  /** Examines the ground by the health monitors. */
  preflight(cwd: string, signal: AbortSignal): Promise<PreflightReport>
  /** Makes a model call with retries, circuits and fallbacks; records it in the ledger. */
  generate(attempt: Attempt, options: GenerateOptions, sink?: PieceSink): Promise<GenerateResult<unknown>>
  /** The run of that id, where it is in memory. */
  findRun(runId: string): LiveRun | undefined
  /** Something of a run works less well. */
  degraded(part: DegradedPart, run: LiveRun): void
  /** What the run waits for, if nothing in it works. */
  waitsOf(run: LiveRun): readonly Waiting[] | undefined
  /** Journal rows of the run are durable. */
  announce(run: Pick<LiveRun, 'id'>, rows: readonly JournalRow[]): void
  /** The run's end is durable. */
  ended(run: LiveRun): void
  /** Starts a child run, or finds the one that was started before. */
  startChild(
    parent: LiveRun,
    stage: string,
    childId: string,
    workflow: AnyWorkflow,
    input: unknown,
    options: ChildOptions,
  ): Promise<ChildHandle>
  /** Cancels the children of a run that has ended, unless they were to be abandoned. */
  closeChildren(run: LiveRun): void
}
