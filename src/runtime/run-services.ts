/** What a run needs from the runtime around it. One object, made in the composition root and handed down. */

import type { ResolvedProfile } from '../resilience/profiles.ts'
import type { JournalRow } from '../store/store.ts'
import type { Clock } from '../time/clock.ts'
import type { Random } from '../time/random.ts'
import type { AnyWorkflow, StageDefinition } from '../workflow/definition.ts'
import type { GenerateOptions, GenerateResult, StageMetrics } from '../workflow/stage-context.ts'
import type { DegradedPart, Logger, Remedy, RunResult } from './api.ts'
import type { Attempt } from './attempt.ts'
import type { CommitPipeline } from './commit-pipeline.ts'
import type { LiveRun } from './live-run.ts'
import type { Places } from './places.ts'
import type { ReadyQueue } from './ready-queue.ts'
import type { TimerWheel } from './timer-wheel.ts'

/** What a run that does not work waits for. */
export interface Waiting {
  readonly stage?: string | undefined
  readonly kind: 'signal' | 'sleep' | 'child' | 'event'
  /** The signal's name or the child's id. */
  readonly name?: string | undefined
  readonly until?: number | undefined
}

export interface RunServices {
  readonly clock: Clock
  readonly random: Random
  readonly wheel: TimerWheel
  readonly ready: ReadyQueue
  readonly pipeline: CommitPipeline
  readonly log: Logger
  readonly remedies: Readonly<Record<string, Remedy>>
  readonly metrics: StageMetricsSource
  /** What a stage may know of the system around it. */
  systemState(): object
  /** How many attempts may run at once. */
  readonly attempts: Places
  profileOf(run: LiveRun, stage: StageDefinition): ResolvedProfile
  /** Starts the run's root actor under the supervisor of the runs. */
  supervise(run: LiveRun): void
  /** Examines the ground by the health monitors. */
  preflight(cwd: string, signal: AbortSignal): Promise<PreflightReport>
  /** Makes a model call with retries, circuits and fallbacks; records it in the ledger. */
  generate(attempt: Attempt, options: GenerateOptions): Promise<GenerateResult<unknown>>
  /** Something of a run works less well. */
  degraded(part: DegradedPart, run: LiveRun): void
  /** What the run waits for, if nothing in it works. */
  waitsOf(run: LiveRun): readonly Waiting[] | undefined
  /** Journal rows of the run are durable. */
  announce(run: LiveRun, rows: readonly JournalRow[]): void
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

export interface ChildOptions {
  readonly onParentClose: 'cancel' | 'abandon'
  readonly budget?: object | undefined
}

export interface ChildHandle {
  result(): Promise<RunResult>
  signal(name: string, payload?: unknown): Promise<void>
  cancel(reason?: string): Promise<void>
}

export interface PreflightReport {
  /** No critical monitor found a fault. */
  readonly healthy: boolean
  readonly monitors: readonly {
    readonly name: string
    readonly critical: boolean
    readonly healthy: boolean
    readonly message: string
  }[]
}

export interface StageMetricsSource {
  of(stage: string, workflow: string): StageMetrics
}
