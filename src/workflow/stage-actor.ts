/**
 * A stage inside a machine of one's own: actor logic for `setup({ actors })` that carries the stage's function and
 * options. The runtime finds them by `stageOf` and runs them with attempts, timeouts and a ledger as it does any other
 * stage; the invoke id is the stage's name. Outside a runtime the actor fails with a sentence that says so.
 */
import { type AnyActorLogic, fromPromise, type NonReducibleUnknown, type PromiseActorLogic } from 'xstate'
import type { ZodType, z } from 'zod'
import { OptionsError } from '../errors.ts'
import type { StageDefinition } from './definition.ts'
import type { Jsonify } from './jsonify.ts'
import type { StageContext } from './stage-context.ts'
import { parseActorOptions } from './stage-options.ts'
import type { ActorOptions, Checked } from './typed-options.ts'
import type { StageResult } from './typed-results.ts'

const stageSymbol: unique symbol = Symbol.for('holdfast.stage') as never

type ActorInput<TInput extends ZodType> = [TInput] extends [never] ? NonReducibleUnknown : z.input<TInput>

type FunctionInput<TInput extends ZodType> = [TInput] extends [never] ? unknown : z.output<TInput>

/** What the function of a stage of a machine of one's own is given. */
export interface ActorContextOf<TInput> extends StageContext {
  readonly input: TInput
}

/**
 * Actor logic that is a stage, for `setup({ actors })`. The id of its invoke is the stage's name.
 * @throws OptionsError
 */
export function stageActor<TReturned>(
  run: (context: ActorContextOf<unknown>) => TReturned,
): PromiseActorLogic<Jsonify<Awaited<TReturned>>, NonReducibleUnknown>
export function stageActor<
  TReturned,
  TInput extends ZodType = never,
  const TOptional extends boolean | undefined = false,
  TFallback = never,
  TSchema extends ZodType | undefined = never,
>(
  options: ActorOptions<FunctionInput<TInput>, TInput, TOptional, TFallback, TSchema>,
  run: (context: ActorContextOf<FunctionInput<TInput>>) => TReturned,
): PromiseActorLogic<StageResult<Checked<TReturned, TSchema>, never, TOptional, TFallback>, ActorInput<TInput>>
export function stageActor(...rest: readonly unknown[]): PromiseActorLogic<unknown, NonReducibleUnknown> {
  const run = rest.at(-1)
  if (rest.length < 1 || rest.length > 2 || typeof run !== 'function') {
    throw new OptionsError('stageActor takes options and, as its last argument, the function to run')
  }
  const stage: StageDefinition = {
    ...parseActorOptions(rest.length === 2 ? (rest[0] ?? {}) : {}, 'stageActor'),
    name: '',
    kind: 'stage',
    needs: [],
    ancestors: [],
    run: run as (context: StageContext) => unknown,
  }
  const logic = fromPromise<unknown, NonReducibleUnknown>(({ self }) =>
    Promise.reject(
      new OptionsError(
        `stage '${self.id}' runs inside createRuntime: make a workflow of its machine with workflowFromMachine and start that`,
      ),
    ),
  )
  return Object.assign(logic, { [stageSymbol]: stage })
}

/** The stage that an actor logic carries; its name is '' until the invoke id is known. */
export function stageOf(logic: unknown): StageDefinition | undefined {
  if (logic === null || typeof logic !== 'object') return undefined
  return (logic as AnyActorLogic & { [stageSymbol]?: StageDefinition })[stageSymbol]
}
