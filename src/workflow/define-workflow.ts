/**
 * `defineWorkflow`: the typed surface of a workflow that is built from stages. Types follow the needs: a stage sees the
 * results of its ancestors and no others, as JSON gives them back, and undefined where a stage may have none.
 */
import type { ZodType, z } from 'zod'
import { BuiltWorkflow } from './built-workflow.ts'
import type { Jsonify } from './jsonify.ts'
import type {
  Checked,
  FactsOf,
  ItemContextOf,
  MapOptions,
  Schemas,
  StageContextOf,
  StageOptions,
} from './typed-options.ts'
import type {
  AncestorsThrough,
  AnyEntry,
  DefaultNeeds,
  EntryOf,
  MapResult,
  ResultsOf,
  ResultsThrough,
  StageEntry,
  StageResult,
} from './typed-results.ts'
import type { Workflow } from './typed-workflow.ts'

export interface WorkflowOptions<TInput extends ZodType = ZodType, TSignals extends Schemas = Schemas> {
  /** Letters, digits, `_`, `-` and `.`. Runs are found by it. */
  readonly name: string
  readonly version: string
  /** Checks the input when a run is started. Without it any JSON is taken. */
  readonly input?: TInput | undefined
  /** Which resilience profile, unless a stage says otherwise. */
  readonly task?: string | undefined
  readonly profile?: string | object | undefined
  /** The signals that stages wait for, and the form of their payloads. */
  readonly signals?: TSignals | undefined
  readonly description?: string | undefined
}

/** What `.output` made, or where it was not called the result of the last stage; both as JSON: a lost item is null. */
type RunOutput<TEntries extends AnyEntry, TLast extends string, TOutput> = [TOutput] extends [never]
  ? Jsonify<EntryOf<TEntries, TLast>['result']>
  : TOutput

/**
 * Stages, one added after the other. Immutable: every method returns a new builder, and each of them is a workflow.
 * Without type parameters it is any builder, its results untyped: for workflows that are made in a loop.
 */
export interface WorkflowBuilder<
  // biome-ignore-start lint/suspicious/noExplicitAny: untyped by default
  TStart = any,
  TInput = any,
  TSignals extends Schemas = any,
  TEntries extends AnyEntry = AnyEntry,
  TLast extends string = string,
  TBefore extends string = string,
  TOutput = any,
  // biome-ignore-end lint/suspicious/noExplicitAny: untyped by default
> extends Workflow<TStart, RunOutput<TEntries, TLast, TOutput>> {
  stage<const TName extends string, TReturned>(
    name: TName,
    run: (context: StageContextOf<TInput, ResultsOf<TEntries, TBefore>, TSignals>) => TReturned,
  ): WithStage<
    TStart,
    TInput,
    TSignals,
    TEntries,
    TOutput,
    StageEntry<TName, StageResult<TReturned, never, false, never>, TBefore>
  >
  stage<
    const TName extends string,
    TReturned,
    const TNeeds extends TEntries['name'] | DefaultNeeds = DefaultNeeds,
    TSkips extends boolean = never,
    const TOptional extends boolean | undefined = false,
    TFallback = never,
    TSchema extends ZodType | undefined = never,
  >(
    name: TName,
    options: StageOptions<
      TInput,
      ResultsThrough<TEntries, TNeeds, TBefore>,
      TNeeds,
      TSkips,
      TOptional,
      TFallback,
      TSchema
    >,
    run: (context: StageContextOf<TInput, ResultsThrough<TEntries, TNeeds, TBefore>, TSignals>) => TReturned,
  ): WithStage<
    TStart,
    TInput,
    TSignals,
    TEntries,
    TOutput,
    StageEntry<
      TName,
      StageResult<Checked<TReturned, TSchema>, TSkips, TOptional, TFallback>,
      AncestorsThrough<TEntries, TNeeds, TBefore>
    >
  >
  map<
    const TName extends string,
    TItems extends readonly unknown[],
    TReturned,
    const TNeeds extends TEntries['name'] | DefaultNeeds = DefaultNeeds,
    TSkips extends boolean = never,
    const TOptional extends boolean | undefined = false,
    TFallback = never,
    TSchema extends ZodType | undefined = never,
  >(
    name: TName,
    options: MapOptions<
      TInput,
      ResultsThrough<TEntries, TNeeds, TBefore>,
      TNeeds,
      TItems,
      TSkips,
      TOptional,
      TFallback,
      TSchema
    >,
    run: (
      context: ItemContextOf<TInput, ResultsThrough<TEntries, TNeeds, TBefore>, TSignals, Jsonify<TItems[number]>>,
    ) => TReturned,
  ): WithStage<
    TStart,
    TInput,
    TSignals,
    TEntries,
    TOutput,
    StageEntry<
      TName,
      MapResult<Checked<TReturned, TSchema>, TSkips, TOptional, TFallback>,
      AncestorsThrough<TEntries, TNeeds, TBefore>
    >
  >
  /** The run's output, from the results of all stages. Pure and synchronous. */
  output<TReturned>(
    output: (facts: FactsOf<TInput, ResultsOf<TEntries, TEntries['name']>>) => TReturned,
  ): WorkflowBuilder<TStart, TInput, TSignals, TEntries, TLast, TBefore, Jsonify<TReturned>>
}

/** The builder with one stage more, which is what the next one comes after. */
type WithStage<
  TStart,
  TInput,
  TSignals extends Schemas,
  TEntries extends AnyEntry,
  TOutput,
  TEntry extends AnyEntry,
> = WorkflowBuilder<
  TStart,
  TInput,
  TSignals,
  TEntries | TEntry,
  TEntry['name'],
  TEntry['ancestors'] | TEntry['name'],
  TOutput
>

/**
 * Begins a workflow.
 * @throws OptionsError for an unknown option or a name that cannot be one
 */
export function defineWorkflow<
  TInput extends ZodType = never,
  // biome-ignore lint/complexity/noBannedTypes: no signals
  TSignals extends Schemas = {},
>(
  options: WorkflowOptions<TInput, TSignals>,
): WorkflowBuilder<StartInput<TInput>, StageInput<TInput>, TSignals, never, never, never, never> {
  return BuiltWorkflow.begin(options) as unknown as WorkflowBuilder<
    StartInput<TInput>,
    StageInput<TInput>,
    TSignals,
    never,
    never,
    never,
    never
  >
}

type StartInput<TInput extends ZodType> = [TInput] extends [never] ? unknown : z.input<TInput>
type StageInput<TInput extends ZodType> = [TInput] extends [never] ? unknown : z.output<TInput>
