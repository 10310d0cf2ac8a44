/**
 * Retry, time limits, a circuit and a fallback around any function, with no runtime: what `callModel` does for models,
 * for everything else. What fails in the end rejects with the error of the function itself.
 */
import { z } from 'zod'
import { OptionsError } from '../errors.ts'
import { parseOptions } from '../options.ts'
import { type Clock, systemClock } from '../time/clock.ts'
import { type Duration, toMs } from '../time/duration.ts'
import { type Random, systemRandom } from '../time/random.ts'
import type { AttemptContext } from './attempt.ts'
import { type Circuit, createResolvedCircuit } from './circuit.ts'
import { type CircuitOptions, type CircuitPreset, resolveCircuit } from './circuit-options.ts'
import { type OperationName, policyOf } from './operations.ts'
import { type ProfileReference, profileOf, type ResolvedProfile } from './profiles.ts'
import { type AttemptEvent, type RetryOptions, retry } from './retry.ts'

export interface FallbackFacts {
  readonly error: unknown
  readonly context?: unknown
  readonly signal?: AbortSignal | undefined
}

export interface ResilienceOptions {
  /** A profile by name, or one made by `defineProfile`. @default 'balanced' */
  readonly profile?: ProfileReference | undefined
  /** A circuit that all calls share: one of your own, options, or a preset. @default none */
  readonly circuit?: Circuit | CircuitOptions | CircuitPreset | undefined
  /** Takes its number of retries and their base from here instead of the profile. */
  readonly operation?: OperationName | undefined
  /** Answers where all attempts failed; not for a cancellation. */
  readonly fallback?: ((facts: FallbackFacts) => unknown) | undefined
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
  clock: z.custom<Clock>(value => typeof value === 'object' && value !== null).optional(),
  random: fn<Random>('random').optional(),
  onEvent: fn<NonNullable<ResilienceOptions['onEvent']>>('onEvent').optional(),
})

const executeShape = z.strictObject({
  context: z.unknown().optional(),
  timeout: z.custom<Duration>(value => typeof value === 'number' || typeof value === 'string').optional(),
  signal: z.custom<AbortSignal>(value => value instanceof AbortSignal).optional(),
})

/**
 * Resilience by a profile, for any function.
 * @throws OptionsError for an unknown option, profile or operation
 */
export function createResilience(options: ResilienceOptions = {}): Resilience {
  const given = parseOptions(optionsShape, options, 'createResilience options')
  const profile = profileOf(given.profile ?? 'balanced')
  const clock = given.clock ?? systemClock
  const circuit = circuitOf(given.circuit, given.operation ?? 'resilience', profile, clock)
  const policy = policyOf(given.operation, profile.retry)
  const { random = systemRandom, fallback, onEvent } = given

  const execute = async <T>(
    run: (context: AttemptContext) => T | Promise<T>,
    executeOptions: ExecuteOptions = {},
  ): Promise<T> => {
    const { context, timeout, signal } = parseOptions(executeShape, executeOptions, 'execute options')
    const retryOptions: RetryOptions = {
      policy,
      clock,
      random,
      what: given.operation ?? 'the call',
      attemptMs: timeout === undefined ? profile.timeout.attemptMs : toMs(timeout, 'timeout'),
      deadlineAt: clock.now() + profile.timeout.callMs,
      signal,
      circuit,
      onEvent: onEvent && (event => onEvent(context === undefined ? event : { ...event, context })),
    }
    const ended = await retry(run, retryOptions)
    if (ended.ok) return ended.value
    if (fallback === undefined || ended.failure.kind === 'cancelled') throw ended.error
    return (await fallback({ error: ended.error, context, signal })) as T
  }

  return {
    profile,
    circuit,
    execute,
    wrap:
      run =>
      (...args) =>
        execute(() => run(...args)),
  }
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
