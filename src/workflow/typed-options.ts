/**
 * The types of what is written for a stage: its options and the context of its function, narrowed to the workflow's
 * input, signals and the results that the stage can see.
 */
import type { ZodType, z } from 'zod'
import type { Duration } from '../time/duration.ts'
import type { AnyWorkflow } from './definition.ts'
import type { Jsonify } from './jsonify.ts'
import type { ChildResult, ChildRun, StageContext, StartChildOptions } from './stage-context.ts'
import type { DefaultNeeds, UntypedResults } from './typed-results.ts'
import type { InputOf, OutputOf } from './typed-workflow.ts'

export type Schemas = Readonly<Record<string, ZodType>>

export interface FactsOf<TInput, TResults> {
  readonly input: TInput
  readonly results: TResults
}

interface FallbackFactsOf<TInput, TResults> extends FactsOf<TInput, TResults> {
  readonly error: Error
  readonly signal: AbortSignal
}

interface CompensationFactsOf<TInput, TResults> extends FactsOf<TInput, TResults> {
  /** What the stage had returned. */
  readonly result: unknown
  readonly idempotencyKey: string
  readonly signal: AbortSignal
}

interface ItemFacts<TItem> {
  readonly item: TItem
}

/** What a stage's function is given. */
export interface StageContextOf<TInput, TResults, TSignals extends Schemas>
  extends Omit<StageContext, 'input' | 'results' | 'item' | 'index' | 'waitFor' | 'startChild'> {
  readonly input: TInput
  /** The results of the stages before this one through `needs`. */
  readonly results: TResults
  /** The payload of the oldest such signal that nobody took; it may have come before. */
  waitFor<TName extends keyof TSignals & string>(
    signal: TName,
    options?: { readonly timeout?: Duration | undefined },
  ): Promise<Jsonify<z.output<TSignals[TName]>>>
  startChild<TWorkflow extends AnyWorkflow>(
    workflow: TWorkflow,
    input: InputOf<TWorkflow>,
    options?: StartChildOptions,
  ): Promise<ChildRunOf<OutputOf<TWorkflow>>>
}

/** A child run whose output is typed by its workflow. */
export interface ChildRunOf<TOutput> extends Omit<ChildRun, 'result'> {
  /** The child's result once it has ended; recorded, so that it is the same after a restart. */
  result(): Promise<Omit<ChildResult, 'output'> & { readonly output?: TOutput }>
}

/** What a map's function is given for one item. */
export interface ItemContextOf<TInput, TResults, TSignals extends Schemas, TItem>
  extends StageContextOf<TInput, TResults, TSignals> {
  readonly item: TItem
  /** Its place in the array of `over`, from 0. */
  readonly index: number
}

/** What may be said of any stage, wherever it runs. */
interface SharedOptions<TOptional, TSchema extends ZodType | undefined> {
  readonly task?: string | undefined
  readonly profile?: string | object | undefined
  /** Of running time: waits do not count. @default the profile's */
  readonly timeout?: Duration | undefined
  readonly warnAfter?: Duration | undefined
  /** Check the health of the system before the stage. @default false */
  readonly preflight?: boolean | undefined
  /** A failure degrades the run and does not fail it. @default false */
  readonly optional?: TOptional
  readonly remedies?: readonly string[] | undefined
  /** @default 'transient' */
  readonly restart?: 'transient' | 'temporary' | undefined
  /** Checks the result, and types it. */
  readonly output?: TSchema
  readonly description?: string | undefined
}

interface FlowOptions<TInput, TResults, TNeeds, TSkips> {
  /** Names of earlier stages. @default the stage before; `[]` starts at once */
  readonly needs?: readonly TNeeds[] | undefined
  /** Pure and synchronous; false skips the stage, and those after it run all the same. */
  readonly when?: ((facts: FactsOf<TInput, TResults>) => TSkips) | undefined
}

/** What follows when every attempt has failed, and when the run is cancelled. A map's functions are told `TMore` too. */
interface RescueOptions<TInput, TResults, TFallback, TMore = unknown> {
  /** The result when every attempt has failed; in a map that of the item. */
  readonly fallback?: ((facts: FallbackFactsOf<TInput, TResults> & TMore) => TFallback) | undefined
  /** Undoes the stage, in a map that of an item, in reverse order, when the run is cancelled. */
  readonly compensate?: ((facts: CompensationFactsOf<TInput, TResults> & TMore) => unknown) | undefined
}

/** The options of a stage of a machine of one's own: the machine says when it runs. */
export interface ActorOptions<
  TInput,
  TSchemaIn extends ZodType,
  TOptional,
  TFallback,
  TSchema extends ZodType | undefined,
> extends SharedOptions<TOptional, TSchema>,
    RescueOptions<TInput, UntypedResults, TFallback> {
  /** Checks what the invoke gives, and types it. */
  readonly input?: TSchemaIn | undefined
}

export interface StageOptions<
  TInput,
  TResults,
  TNeeds extends string | DefaultNeeds,
  TSkips,
  TOptional,
  TFallback,
  TSchema extends ZodType | undefined,
> extends SharedOptions<TOptional, TSchema>,
    FlowOptions<TInput, TResults, TNeeds, TSkips>,
    RescueOptions<TInput, TResults, TFallback> {}

export interface MapOptions<
  TInput,
  TResults,
  TNeeds extends string | DefaultNeeds,
  TItems extends readonly unknown[],
  TSkips,
  TOptional,
  TFallback,
  TSchema extends ZodType | undefined,
> extends SharedOptions<TOptional, TSchema>,
    FlowOptions<TInput, TResults, TNeeds, TSkips>,
    RescueOptions<TInput, TResults, TFallback, ItemFacts<Jsonify<TItems[number]>>> {
  /** Pure and synchronous: the items, found once. */
  readonly over: (facts: FactsOf<TInput, TResults>) => TItems
  /** Names an item among the others. @default its index */
  readonly key?: ((item: Jsonify<TItems[number]>, index: number) => string | number) | undefined
  /** At most so many items run at a time, 1 to 100. @default 10 */
  readonly concurrency?: number | undefined
}

/** What a function returned, or what the schema makes of it; either, where it is not known whether there is one. */
export type Checked<TReturned, TSchema extends ZodType | undefined> = [TSchema] extends [never]
  ? TReturned
  : TSchema extends ZodType
    ? z.output<TSchema>
    : TReturned
