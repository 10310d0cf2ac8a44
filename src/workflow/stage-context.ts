/** What a stage's function is given. The runtime makes it; a stage sees nothing else of Holdfast. */
import type { ZodType } from 'zod'
import type { Message, MessagePart, Tier, ToolCall, Usage } from '../providers/provider.ts'
import type { Backoff } from '../time/backoff.ts'
import type { Duration } from '../time/duration.ts'
import type { WorkflowName } from './workflow-name.ts'

export interface StageLog {
  debug(message: string, data?: object): void
  info(message: string, data?: object): void
  warn(message: string, data?: object): void
  error(message: string, data?: object): void
}

export interface StageMetrics {
  /** @param by default 1 */
  increment(name: string, by?: number, tags?: Readonly<Record<string, string>>): void
  gauge(name: string, value: number, tags?: Readonly<Record<string, string>>): void
  /** Starts a timer; what it returns records the milliseconds since. */
  timer(name: string, tags?: Readonly<Record<string, string>>): () => void
}

export interface ToolDefinition {
  readonly description: string
  readonly input: ZodType
}

/** One call to a model: either `prompt` or `messages`. */
export interface GenerateOptions<TSchema extends ZodType = ZodType> {
  readonly prompt?: string | undefined
  readonly messages?: readonly Message[] | undefined
  readonly system?: string | undefined
  /** The answer must be JSON of this form; it comes back typed as `object`. */
  readonly schema?: TSchema | undefined
  readonly tools?: Readonly<Record<string, ToolDefinition>> | undefined
  /** False, or a sentence of what is wrong: the answer is recorded as failed and never replayed. */
  readonly check?: ((answer: GenerateResult<unknown>) => boolean | string | undefined) | undefined
  /** Names the call within its stage; without it a call is known by what it asks and its place among equals. */
  readonly key?: string | undefined
  readonly maxOutputTokens?: number | undefined
  readonly temperature?: number | undefined
  readonly tier?: Tier | undefined
  readonly capabilities?: readonly string[] | undefined
}

export interface GenerateResult<TObject> {
  readonly text: string
  readonly object: TObject
  readonly toolCalls: readonly ToolCall[]
  readonly message: { readonly role: 'assistant'; readonly content: readonly MessagePart[] }
  readonly finishReason: string
  readonly usage: Usage
  /** USD; `'unknown'` where neither the provider nor a price list says. */
  readonly cost: number | 'unknown'
  readonly provider: string
  readonly model: string
  readonly tier: Tier
  readonly cached: boolean
  readonly degraded: boolean
  /** Tries that this answer took, 1 or more. */
  readonly attempts: number
}

export interface GenerateStream<TObject> extends AsyncIterable<string> {
  readonly result: Promise<GenerateResult<TObject>>
}

export interface StageModel {
  generate<TSchema extends ZodType>(
    options: GenerateOptions<TSchema> & { readonly schema: TSchema },
  ): Promise<GenerateResult<TSchema['_output']>>
  generate(options: GenerateOptions): Promise<GenerateResult<undefined>>
  stream<TSchema extends ZodType>(
    options: GenerateOptions<TSchema> & { readonly schema: TSchema },
  ): GenerateStream<TSchema['_output']>
  stream(options: GenerateOptions): GenerateStream<undefined>
}

export interface StepContext {
  readonly signal: AbortSignal
  /** The same each time this step is tried. */
  readonly idempotencyKey: string
}

/** A kind, some numbers, or the same delay each time; what is not said is the profile's. */
export type StepBackoff =
  | Backoff['kind']
  | {
      readonly kind?: Backoff['kind'] | undefined
      readonly base?: Duration | undefined
      readonly max?: Duration | undefined
      readonly jitter?: number | undefined
    }
  | Duration

export interface StepOptions {
  /** Names the step among those of the same name; equal ones that run in parallel need it. */
  readonly key?: string | undefined
  readonly timeout?: Duration | undefined
  /** Without it a step is tried once. */
  readonly retry?: { readonly max: number; readonly backoff?: StepBackoff | undefined } | undefined
}

export interface ChildRun {
  readonly id: string
  readonly workflow: string
  /** The child's result once it has ended; recorded, so that it is the same after a restart. */
  result(): Promise<ChildResult>
  signal(name: string, payload?: unknown): Promise<void>
  cancel(reason?: string): Promise<void>
}

/** The end of a child run: `output` where it succeeded, else `error`. */
export interface ChildResult {
  readonly runId: string
  readonly workflow: string
  readonly status: string
  readonly success: boolean
  readonly output?: unknown
  readonly error?: { readonly type: string; readonly code: string; readonly message: string } | undefined
}

export interface StartChildOptions {
  /** Names the child, also within its stage. Default: made from the parent's id, the stage and the order of the calls. */
  readonly id?: string | undefined
  /** What becomes of the child when the parent ends first; default `'cancel'`. */
  readonly onParentClose?: 'cancel' | 'abandon' | undefined
  readonly budget?: object | undefined
}

/** What went wrong the last time the function ran, so that it can do otherwise this time. */
export interface LastFailure {
  readonly type: string
  readonly kind: string | null
  readonly message: string
}

/** Erased: `builder.ts` narrows `input`, `results`, `item` and `waitFor` for each stage. */
export interface StageContext {
  readonly input: unknown
  /** The results of the stages before this one through `needs`. */
  readonly results: Readonly<Record<string, unknown>>
  /** Of a map: the item and its place. */
  readonly item?: unknown
  readonly index?: number | undefined
  readonly runId: string
  /** The stage's name; of a map's item `name[key]`. */
  readonly stage: string
  /** From 1; one more after each failure that was tried again. */
  readonly attempt: number
  /** From 1; one more each time the function starts again in a restart, a recovery or after a long wait. */
  readonly incarnation: number
  /** What went wrong the last time; absent as long as nothing has. */
  readonly lastFailure?: LastFailure | undefined
  /** The same for every attempt of this stage in this run. */
  readonly idempotencyKey: string
  /** Aborted when the stage times out, is cancelled, or the runtime closes. */
  readonly signal: AbortSignal
  /** When the time of the stage is up, or that of the run if that comes first; ms since the epoch. */
  readonly deadline: number
  readonly log: StageLog
  readonly metrics: StageMetrics
  /** @param fraction 0 to 1 */
  progress(fraction: number, note?: string): void
  readonly model: StageModel
  step<T>(name: string, fn: (context: StepContext) => T | Promise<T>): Promise<T>
  step<T>(name: string, options: StepOptions, fn: (context: StepContext) => T | Promise<T>): Promise<T>
  /** Durable: survives the process, of any length. */
  sleep(duration: Duration): Promise<void>
  /** The payload of the oldest such signal that nobody took; it may have come before. */
  waitFor(signal: string, options?: { readonly timeout?: Duration | undefined }): Promise<unknown>
  startChild(workflow: WorkflowName, input: unknown, options?: StartChildOptions): Promise<ChildRun>
  /** Marks this stage's result, and so the run, as degraded. */
  degrade(reason: string): void
  readonly system: { state(): object }
}
