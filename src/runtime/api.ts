/** What users of the runtime touch: its handles, its results and its options, as types. */

import type { HealthCheck } from '../health/check.ts'
import type { Provider } from '../providers/provider.ts'
import type { ModelEntry } from '../providers/registry.ts'
import type { Page, RunStatus, Store, StoreDescription } from '../store/store.ts'
import type { JournalEvent } from '../telemetry/catalogue.ts'
import type { MetricPoint } from '../telemetry/metrics.ts'
import type { Clock } from '../time/clock.ts'
import type { Duration } from '../time/duration.ts'
import type { Ids } from '../time/ids.ts'
import type { Random } from '../time/random.ts'
import type { AnyWorkflow } from '../workflow/definition.ts'
import type { InputOf, OutputOf } from '../workflow/typed-workflow.ts'
import type { CircuitOperations } from './calls/circuits.ts'
import type { Incident } from './calls/incidents.ts'
import type { Chaos } from './chaos.ts'
import type { ExplainOptions, Explanation } from './explain/explanation.ts'

/** The most that a run may use; an absent currency is not bounded. */
export interface Budget {
  readonly usd?: number | undefined
  readonly tokens?: number | undefined
  readonly calls?: number | undefined
  readonly restarts?: number | undefined
  readonly wallTime?: Duration | undefined
}

export interface StartOptions {
  /** @default `<workflow>-YYYYMMDD-HHMMSS-<8 letters and digits>` */
  readonly id?: string | undefined
  readonly tags?: readonly string[] | undefined
  /** The name of a profile, or one made by `defineProfile`; below a stage's own, above the workflow's. */
  readonly profile?: string | object | undefined
  readonly budget?: Budget | undefined
  /** From the start, or as a Date or ms since the epoch; the run fails with a timeout when it has passed. */
  readonly deadline?: Duration | Date | undefined
  /** Higher first where runs must wait for a place. @default 0 */
  readonly priority?: number | undefined
  /** In the place of `retry.max` in every profile of this run. @default `HOLDFAST_MAX_RETRIES` */
  readonly maxRetries?: number | undefined
  /** Every timeout of this run times this. @default `HOLDFAST_TIMEOUT_MULTIPLIER` */
  readonly timeoutMultiplier?: number | undefined
  /** Only providers of this machine are asked, by child runs too: the offline one, and servers on loopback. @default false */
  readonly local?: boolean | undefined
  /** Recorded with the run. @default the directory of the process */
  readonly cwd?: string | undefined
}

export interface RunError {
  readonly type: string
  readonly kind?: string | undefined
  readonly category: string
  readonly code: string
  readonly message: string
  readonly transient: boolean
  readonly scope: string
  readonly stage?: string | undefined
  readonly attempt?: number | undefined
  readonly cause?: unknown
  readonly recommendations: readonly string[]
}

export interface RunCost {
  readonly usd: number | 'unknown'
  readonly inputTokens: number
  readonly outputTokens: number
  readonly calls: number
  readonly unpricedCalls: number
  readonly cachedCalls: number
  readonly replayedCalls: number
  readonly wastedUsd: number
  readonly baselineUsd: number | 'unknown'
  readonly savedUsd: number | 'unknown'
  readonly savingsPercent: number | 'unknown'
  readonly warnings: readonly string[]
}

export interface StagePerformance {
  readonly durationMs: number
  readonly baselineMs?: number | undefined
  readonly ratio?: number | undefined
  readonly status: 'fast' | 'normal' | 'slow'
  readonly attempts: number
}

export interface RunPerformance {
  readonly durationMs: number
  readonly stages: Readonly<Record<string, StagePerformance>>
  /** 0 to 1; docs/glossary.md has the formula. */
  readonly score: number
  readonly grade: 'A' | 'B' | 'C' | 'D' | 'F'
  readonly errorRate: number
  readonly recoveryRate: number
  readonly bottlenecks: readonly string[]
}

export interface DegradedPart {
  readonly stage?: string | undefined
  readonly component?: string | undefined
  readonly reason: string
}

interface RunResultCommon {
  readonly runId: string
  readonly workflow: string
  readonly version: string
  readonly degraded: readonly DegradedPart[]
  readonly cost: RunCost
  readonly performance: RunPerformance
  /** Attempts of all stages and items. */
  readonly attempts: number
  /** Restarts of all stages and items. */
  readonly restarts: number
  /** How often the run was taken up again: by a new process, or after a pause. */
  readonly resumes: number
}

export interface RunSucceeded<TOutput = unknown> extends RunResultCommon {
  readonly success: true
  readonly status: 'completed'
  readonly output: TOutput
}

export interface RunFailed extends RunResultCommon {
  readonly success: false
  readonly status: 'failed' | 'cancelled' | 'quarantined' | 'budget_exceeded'
  readonly error: RunError
}

/** How a run ended. */
export type RunResult<TOutput = unknown> = RunSucceeded<TOutput> | RunFailed

export interface Subscription {
  unsubscribe(): void
}

export interface ResumeOptions {
  readonly budget?: Budget | undefined
  readonly reason?: string | undefined
  readonly by?: string | undefined
}

export interface EventsOptions {
  /** The first `seq` to give. @default 1 */
  readonly from?: number | undefined
}

export interface Run<TOutput = unknown> {
  readonly id: string
  readonly workflow: string
  status(): Promise<RunStatus>
  /** The next end of the run; at once where it has ended. Rejects only when the runtime closes or its store fails. */
  result(): Promise<RunResult<TOutput>>
  /** Stops every stage, runs the compensations, ends as `cancelled`. Resolves when the command is durable. */
  cancel(reason?: string): Promise<void>
  pause(reason?: string): Promise<void>
  /**
   * Lets a paused run go on. With a budget, larger than what is spent, a run that ended as `budget_exceeded`: the
   * currencies that are named replace those of the run; `wallTime` counts from now.
   */
  resume(options?: ResumeOptions): Promise<void>
  /** Resolves when the signal is durable; it is kept until a stage asks for it. */
  signal(name: string, payload?: unknown): Promise<void>
  /** Calls `listener` with each journal event once it is durable. What it throws is logged. */
  subscribe(listener: (event: JournalEvent) => void): Subscription
  /** The journal from `from` on, then what comes, until the run has ended. */
  events(options?: EventsOptions): AsyncIterable<JournalEvent>
}

/** What a run waits for. */
export interface WaitSummary {
  readonly stage?: string
  /** `signal`, `sleep`, `child`, `event`, or `definition` where the workflow has changed since the run began. */
  readonly kind: string
  /** The signal's name, the child's id, or the definition: its workflow, version and hash. */
  readonly name?: string
  readonly until?: number
}

/** A run as it is listed. */
export interface RunSummary {
  readonly id: string
  readonly workflow: string
  readonly version: string
  readonly status: RunStatus
  readonly tags: readonly string[]
  readonly createdAt: number
  readonly updatedAt: number
  readonly endedAt?: number | undefined
  readonly parent?: string | undefined
  /** Of a run that waits. */
  readonly waitingFor?: readonly WaitSummary[] | undefined
}

export interface ListOptions {
  readonly status?: RunStatus | readonly RunStatus[] | undefined
  readonly workflow?: string | undefined
  readonly tags?: readonly string[] | undefined
  readonly text?: string | undefined
  /** Milliseconds since the epoch, or a Date. */
  readonly since?: number | Date | undefined
  /** 1 to 1000. @default 100 */
  readonly limit?: number | undefined
  readonly cursor?: string | undefined
}

/** An actor in the supervision tree. */
export interface TreeNode {
  readonly id: string
  readonly type: 'supervisor' | 'service' | 'circuit' | 'monitor' | 'run' | 'flow' | 'map' | 'stage' | 'actor'
  readonly status: string
  /** The state value of its machine, where it has one. */
  readonly state?: unknown
  readonly attempt?: number | undefined
  readonly incarnation?: number | undefined
  /** Of a stage: restarts and waits so far, and the rule of its last decision. */
  readonly restarts?: number | undefined
  readonly waits?: number | undefined
  readonly rule?: string | undefined
  readonly children: readonly TreeNode[]
}

/** A remedy: a named recovery action. What it throws makes it failed. */
export type Remedy = (context: {
  readonly runId: string
  readonly stage: string
  readonly error: Error
  readonly signal: AbortSignal
}) => unknown

/** What the logger must have; a pino logger does. */
export interface Logger {
  debug(data: object, message: string): void
  info(data: object, message: string): void
  warn(data: object, message: string): void
  error(data: object, message: string): void
}

/** What `inspect` is given: the inspection events of XState. */
export type InspectListener = (event: { readonly type: string; readonly actorRef?: unknown }) => void

export interface RetentionOptions {
  readonly completed?: Duration | undefined
  readonly cancelled?: Duration | undefined
  readonly failed?: Duration | undefined
  readonly quarantined?: Duration | undefined
  readonly budget_exceeded?: Duration | undefined
  readonly commands?: Duration | undefined
}

export interface RuntimeOptions {
  /** A path, `':memory:'`, or a store. @default '.holdfast/holdfast.db' */
  readonly store?: string | Store | undefined
  /** The workflows whose unfinished runs are recovered. */
  readonly workflows?: readonly AnyWorkflow[] | undefined
  /** In order of preference. @default those whose keys the environment has, then `offline()` */
  readonly providers?: readonly Provider[] | undefined
  /**
   * What is known of models: tier, capabilities, context window, price. It stands above what their providers and the
   * price list say.
   */
  readonly models?: readonly ModelEntry[] | undefined
  /** Profiles by name, beside the built-in ones. */
  readonly profiles?: Readonly<Record<string, object>> | undefined
  /** Which profile a task has, beside the built-in table. */
  readonly tasks?: Readonly<Record<string, string>> | undefined
  /** Checks beside the built-in `node`, `disk` and `git`. */
  readonly health?: { readonly checks?: readonly HealthCheck[] | undefined } | undefined
  readonly remedies?: Readonly<Record<string, Remedy>> | undefined
  /**
   * How long ended runs are kept, by how they ended, and commands that were answered. What is not named is kept; what is
   * unfinished always is, and a child as long as its parent.
   * @default {}, and commands for a day
   */
  readonly retention?: RetentionOptions | undefined
  /** For every run that has none of its own. */
  readonly budget?: Budget | undefined
  /** @default { runs: 1000, stages: 256 } */
  readonly concurrency?: { readonly runs?: number | undefined; readonly stages?: number | undefined } | undefined
  /** A pino logger, pino options, or false. @default warnings and errors to stderr */
  readonly logger?: Logger | object | false | undefined
  /** `minimal`: nothing optional is started: no health monitors, no degradation actor. @default 'full' */
  readonly mode?: 'full' | 'minimal' | undefined
  /** Told of every inspection event of every run's actors. */
  readonly inspect?: InspectListener | false | undefined
  readonly clock?: Clock | undefined
  readonly random?: Random | undefined
  readonly ids?: Ids | undefined
  /** Whether the unfinished runs are taken up at once. @default true */
  readonly recover?: boolean | undefined
  /** Faults on purpose, in development: made by `chaos` of `holdfast/testing`. @default none */
  readonly chaos?: Chaos | undefined
}

export interface CloseOptions {
  /** How long running attempts may go on. @default 0 */
  readonly grace?: Duration | undefined
}

/** The input may be left out where the workflow takes none. */
export type StartArguments<TWorkflow extends AnyWorkflow> =
  undefined extends InputOf<TWorkflow>
    ? [input?: InputOf<TWorkflow>, options?: StartOptions]
    : [input: InputOf<TWorkflow>, options?: StartOptions]

export interface Runtime {
  /** Resolves when the start is durable. */
  start<TWorkflow extends AnyWorkflow>(
    workflow: TWorkflow,
    ...args: StartArguments<TWorkflow>
  ): Promise<Run<OutputOf<TWorkflow>>>
  /** @throws RunNotFoundError */
  get<TWorkflow extends AnyWorkflow = AnyWorkflow>(
    runId: string,
    workflow?: TWorkflow,
  ): Promise<Run<OutputOf<TWorkflow>>>
  list(options?: ListOptions): Promise<Page<RunSummary>>
  /** Takes up every unfinished run whose workflow is known; says which were, and which were not and why. */
  recover(): Promise<RecoveryReport>
  tree(): Promise<TreeNode>
  /** The circuits of providers, models and keys. */
  readonly circuits: CircuitOperations
  /** How much of the system works, and the outages that there are and were. */
  degradation(): Promise<DegradationReport>
  /**
   * What became of a run and why: the story, the rules that decided, the causes, what happens next and what to do.
   * @throws RunNotFoundError; OptionsError for a stage that it does not have
   */
  explain(runId: string, options?: ExplainOptions): Promise<Explanation>
  /** The journal events of all runs, from now on. */
  events(): AsyncIterable<JournalEvent>
  /** The points that stages have recorded, oldest first. */
  metrics(): Promise<readonly MetricPoint[]>
  /** What the store says of itself. */
  storeDescription(): Promise<StoreDescription>
  /** Stops starting work, gives running attempts `grace`, stops every actor, closes the store. Idempotent. */
  close(options?: CloseOptions): Promise<void>
}

/** How much of the system works. */
export interface DegradationReport {
  /** `healthy`, `degraded`, `offline`, or `unknown` where nobody keeps it (mode `minimal`). */
  readonly level: string
  readonly components: readonly {
    readonly component: string
    readonly reason: string
    /** Milliseconds since the epoch. */
    readonly since: number
  }[]
  readonly incidents: {
    readonly open: readonly Incident[]
    /** The last 100. */
    readonly closed: readonly Incident[]
  }
}

export interface RecoveryReport {
  readonly recovered: readonly string[]
  readonly skipped: readonly { readonly id: string; readonly reason: string }[]
}
