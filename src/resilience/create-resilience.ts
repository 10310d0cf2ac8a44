/**
 * Retry, time limits, a circuit and a fallback around any function, with no runtime: what `callModel` does for models,
 * for everything else. What fails in the end rejects with the error of the function itself.
 */
import { z } from 'zod'
import { OptionsError } from '../errors.ts'
import { checkFunction, parseOptions } from '../options.ts'
import { type Clock, systemClock } from '../time/clock.ts'
import { type Duration, toMs } from '../time/duration.ts'
import { type Random, systemRandom } from '../time/random.ts'
import { Attempt, type AttemptContext } from './attempt.ts'
import type { Circuit } from './circuit.ts'
import { type CircuitOptions, type CircuitPreset, resolveCircuit } from './circuit-options.ts'
import { createResolvedCircuit } from './create-circuit.ts'
import { createOperationMetrics, figuresOf, type OperationFigures, type OperationMetrics } from './operation-metrics.ts'
import { type OperationName, policyOf } from './operations.ts'
import { type ProfileReference, profileOf } from './profile-choice.ts'
import type { ResolvedProfile } from './profiles.ts'
import { type AttemptEvent, retry } from './retry.ts'
import type { RetryBudget } from './retry-budget.ts'

export interface FallbackFacts {
  readonly error: unknown
  readonly context?: unknown
  /** Aborted when the caller cancels, and when the time of the call is over. */
  readonly signal: AbortSignal
}

export interface ResilienceOptions {
  /** A profile by name, or one made by `defineProfile`. @default 'balanced' */
  readonly profile?: ProfileReference | undefined
  /** A circuit that all calls share: one of your own, options, or a preset. @default none */
  readonly circuit?: Circuit | CircuitOptions | CircuitPreset | undefined
  /** Takes its number of retries and their base from here instead of the profile. */
  readonly operation?: OperationName | undefined
  /**
   * Answers where all attempts failed; not for a cancellation. It has what is left of the call's time, and 50 ms at
   * least, which is enough for what is at hand.
   */
  readonly fallback?: ((facts: FallbackFacts) => unknown) | undefined
  /** A budget of retries that others share too. @default none: the profile alone limits them */
  readonly retryBudget?: RetryBudget | undefined
  /** Counts by operation that others share too. @default its own */
  readonly metrics?: OperationMetrics | undefined
  /** @default the system clock */
  readonly clock?: Clock | undefined
  /** @default Math.random */
  readonly random?: Random | undefined
  readonly onEvent?: ((event: AttemptEvent & { readonly context?: unknown }) => void) | undefined
}

export interface ExecuteOptions {
  /** Whatever says in reports what this call was for. */
  readonly context?: unknown
  /** The limit of one attempt. @default the profile's */
  readonly timeout?: Duration | undefined
  readonly signal?: AbortSignal | undefined
}

export interface Resilience {
  readonly profile: ResolvedProfile
  readonly circuit: Circuit | undefined
  /** What became of the calls of its operation. */
  metrics(): OperationFigures
  /** @throws what `fn` threw last; TimeoutError, CircuitOpenError or CancelledError where that is how it ended */
  execute<T>(fn: (context: AttemptContext) => T | Promise<T>, options?: ExecuteOptions): Promise<T>
  /** The function, made resilient: the same arguments, always a promise. */
  wrap<TArguments extends readonly unknown[], T>(
    fn: (...args: TArguments) => T | Promise<T>,
  ): (...args: TArguments) => Promise<T>
}

const fn = <T>(name: string) =>
  z.custom<T>(value => typeof value === 'function', { error: `${name} must be a function` })

const optionsShape = z.strictObject({
  profile: z.custom<ProfileReference>(() => true).optional(),
  circuit: z.custom<NonNullable<ResilienceOptions['circuit']>>(() => true).optional(),
  operation: z.string().optional(),
  fallback: fn<NonNullable<ResilienceOptions['fallback']>>('fallback').optional(),
  retryBudget: z.custom<RetryBudget>(value => typeof value === 'object' && value !== null).optional(),
  metrics: z.custom<OperationMetrics>(value => typeof value === 'object' && value !== null).optional(),
  clock: z.custom<Clock>(value => typeof value === 'object' && value !== null).optional(),
  random: fn<Random>('random').optional(),
  onEvent: fn<NonNullable<ResilienceOptions['onEvent']>>('onEvent').optional(),
})

const executeShape = z.strictObject({
  context: z.unknown().optional(),
  timeout: z.custom<Duration>(value => typeof value === 'number' || typeof value === 'string').optional(),
  signal: z.custom<AbortSignal>(value => value instanceof AbortSignal, { error: 'must be an AbortSignal' }).optional(),
})

const leastFallbackMs = 50

/**
 * Resilience by a profile, for any function.
 * @throws OptionsError for an unknown option, profile or operation
 */
export function createResilience(options: ResilienceOptions = {}): Resilience {
  const given = parseOptions(optionsShape, options, 'createResilience options')
  const profile = profileOf(given.profile ?? 'balanced')
  const clock = given.clock ?? systemClock
  const operation = given.operation ?? 'resilience'
  const circuit = circuitOf(given.circuit, operation, profile, clock)
  const policy = policyOf(given.operation, profile.retry)
  const what = given.operation ?? 'the call'
  const counts = (given.metrics ?? createOperationMetrics()).of(operation)
  const { random = systemRandom, fallback, onEvent, retryBudget } = given

  const execute = async <T>(
    run: (context: AttemptContext) => T | Promise<T>,
    executeOptions?: ExecuteOptions,
  ): Promise<T> => {
    checkFunction(run, 'execute: its first argument')
    const { context, timeout, signal } = checkedOptions(executeOptions)
    const startedAt = clock.now()
    const ended = await retry(run, {
      policy,
      clock,
      random,
      what,
      attemptMs: timeout === undefined ? profile.timeout.attemptMs : toMs(timeout, 'timeout'),
      deadlineAt: startedAt + profile.timeout.callMs,
      signal,
      circuit,
      budget: retryBudget,
      counts,
      onEvent: onEvent && context !== undefined ? event => onEvent({ ...event, context }) : onEvent,
    })
    if (ended.ok) return ended.value
    if (fallback === undefined || ended.failure.kind === 'cancelled') throw ended.error
    const leftMs = profile.timeout.callMs - Math.max(0, clock.now() - startedAt)
    const limits = { clock, signal, what: `the fallback of ${what}` }
    return new Attempt<T>(ended.attempts + 1, Math.max(leastFallbackMs, leftMs), limits).run(attempt =>
      // The attempt makes its signal when it is first asked for.
      (fallback as (facts: FallbackFacts) => T | Promise<T>)({
        error: ended.error,
        context,
        get signal() {
          return attempt.signal
        },
      }),
    )
  }

  return {
    profile,
    circuit,
    metrics: () => figuresOf(operation, counts),
    execute,
    wrap(run) {
      checkFunction(run, 'wrap: its argument')
      return (...args) => execute(() => run(...args))
    },
  }
}

const noOptions: ExecuteOptions = {}
const executeKeys: ReadonlySet<string> = new Set(Object.keys(executeShape.shape))

/** Parsed in full only where something is wrong: this is done for every call. */
function checkedOptions(options: ExecuteOptions | undefined): ExecuteOptions {
  if (options === undefined) return noOptions
  let plain = typeof options === 'object' && options !== null
  if (plain) {
    for (const key in options) plain &&= executeKeys.has(key)
    plain &&= options.signal === undefined || options.signal instanceof AbortSignal
    plain &&=
      options.timeout === undefined || typeof options.timeout === 'number' || typeof options.timeout === 'string'
  }
  return plain ? options : parseOptions(executeShape, options, 'execute options')
}

function circuitOf(
  given: ResilienceOptions['circuit'],
  name: string,
  profile: ResolvedProfile,
  clock: Clock,
): Circuit | undefined {
  if (given === undefined) return undefined
  if (typeof given === 'object' && 'acquire' in given) return given
  if (typeof given !== 'object' && typeof given !== 'string') {
    throw new OptionsError('createResilience options: circuit must be a circuit, its options, or a preset by name')
  }
  return createResolvedCircuit(name, resolveCircuit(given, profile.circuit), { clock })
}
