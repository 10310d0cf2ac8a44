/**
 * `defineProfile`: a profile of one's own, made from another one. What is not given is that one's; where each value is
 * from can be asked afterwards.
 */
import { z } from 'zod'
import { OptionsError } from '../errors.ts'
import { parseOptions } from '../options.ts'
import type { Backoff } from '../time/backoff.ts'
import { type Duration, toMs } from '../time/duration.ts'
import { type Causes, causeAnswers } from './causes.ts'
import { circuitShape, resolveCircuit } from './circuit-options.ts'
import { failureKinds } from './kinds.ts'
import { profileOf } from './profile-choice.ts'
import { builtInProfiles, type ProfileBudget, type ProfileName, type ResolvedProfile } from './profiles.ts'

const duration = z.custom<Duration>(value => typeof value === 'number' || typeof value === 'string', {
  error: "must be milliseconds or a text such as '30s'",
})
const count = z.int().min(0)

const backoffShape = z.strictObject({
  kind: z.enum(['exponential', 'linear', 'fixed', 'decorrelated']).optional(),
  base: duration.optional(),
  max: duration.optional(),
  jitter: z.number().min(0).max(1).optional(),
})

const profileShape = z.strictObject({
  name: z.string().min(1).optional(),
  extends: z.unknown().optional(),
  retry: z
    .strictObject({
      max: count.optional(),
      on: z.array(z.enum(failureKinds)).optional(),
      backoff: z.union([backoffShape, z.enum(['exponential', 'linear', 'fixed', 'decorrelated'])]).optional(),
    })
    .optional(),
  failFast: z.boolean().optional(),
  fallback: z.enum(['none', 'cross_provider', 'same_tier_then_down', 'any_available']).optional(),
  allowTierDowngrade: z.boolean().optional(),
  cache: z.boolean().optional(),
  offline: z.boolean().optional(),
  timeout: z
    .strictObject({
      attempt: duration.optional(),
      call: duration.optional(),
      stage: duration.optional(),
      run: duration.optional(),
    })
    .optional(),
  circuit: circuitShape.optional(),
  restart: z
    .strictObject({
      intensity: count.optional(),
      period: duration.optional(),
      onExhausted: z.enum(['fail', 'quarantine']).optional(),
      livelockAfter: z.int().min(1).optional(),
    })
    .optional(),
  causes: z.partialRecord(z.enum(failureKinds), z.enum(causeAnswers).optional()).optional(),
  budget: z
    .strictObject({
      usd: z.number().min(0).optional(),
      tokens: count.optional(),
      calls: count.optional(),
      restarts: count.optional(),
      wallTime: duration.optional(),
    })
    .optional(),
  unknownOutcome: z.enum(['retry', 'ask', 'fail']).optional(),
})

/** What `defineProfile` takes: every key may be left out, and then is that of `extends`. */
export type ProfileOptions = Omit<z.input<typeof profileShape>, 'extends'> & {
  /**
   * A built-in profile by name, or another profile.
   * @default 'balanced'
   */
  readonly extends?: ProfileName | ResolvedProfile | undefined
}

/**
 * A profile of one's own, from another one.
 * @throws OptionsError for an unknown key or value
 */
export function defineProfile(options: ProfileOptions = {}): ResolvedProfile {
  const given = parseOptions(profileShape, options, 'defineProfile options')
  const base = baseProfile(given.extends)
  const { retry, timeout, restart, budget } = given
  const runMs = timeout?.run === undefined ? base.timeout.runMs : toMs(timeout.run, 'timeout.run')
  const profileBudget = budget === undefined ? base.budget : resolveBudget(budget)
  const profile: ResolvedProfile = {
    name: given.name ?? `custom(${base.name})`,
    retry: {
      max: retry?.max ?? base.retry.max,
      on: retry?.on ?? base.retry.on,
      backoff: resolveBackoff(retry?.backoff, base.retry.backoff),
    },
    failFast: given.failFast ?? base.failFast,
    fallback: given.fallback ?? base.fallback,
    allowTierDowngrade: given.allowTierDowngrade ?? base.allowTierDowngrade,
    cache: given.cache ?? base.cache,
    offline: given.offline ?? base.offline,
    timeout: {
      attemptMs: ms(timeout?.attempt, base.timeout.attemptMs, 'timeout.attempt'),
      callMs: ms(timeout?.call, base.timeout.callMs, 'timeout.call'),
      stageMs: ms(timeout?.stage, base.timeout.stageMs, 'timeout.stage'),
      ...(runMs === undefined ? {} : { runMs }),
    },
    circuit: given.circuit === undefined ? base.circuit : resolveCircuit(given.circuit, base.circuit),
    restart: {
      intensity: restart?.intensity ?? base.restart.intensity,
      periodMs: ms(restart?.period, base.restart.periodMs, 'restart.period'),
      onExhausted: restart?.onExhausted ?? base.restart.onExhausted,
      livelockAfter: restart?.livelockAfter ?? base.restart.livelockAfter,
    },
    causes: { ...base.causes, ...present(given.causes) },
    ...(profileBudget === undefined ? {} : { budget: profileBudget }),
    unknownOutcome: given.unknownOutcome ?? base.unknownOutcome,
  }
  const origin: ProfileOrigin = { base, given: namesIn(given) }
  return Object.defineProperty(profile, originKey, { value: origin })
}

const originKey: unique symbol = Symbol.for('holdfast.profile.origin') as never

/** Where the values of a defined profile are from. */
interface ProfileOrigin {
  readonly base: ResolvedProfile
  /** The values that it was given itself: `retry.max`, `causes`. */
  readonly given: readonly string[]
}

/** Undefined for a built-in profile, and for one that came back from JSON. */
export const profileOrigin = (profile: ResolvedProfile): ProfileOrigin | undefined =>
  (profile as { readonly [originKey]?: ProfileOrigin })[originKey]

/** The groups whose values are told one by one. */
const groups: readonly string[] = ['retry', 'timeout', 'restart']

const namesIn = (given: object): string[] =>
  Object.entries(given)
    .filter(([, value]) => value !== undefined)
    .flatMap(([name, value]) =>
      groups.includes(name) ? namesIn(value as object).map(inner => `${name}.${inner}`) : [name],
    )

function baseProfile(base: unknown): ResolvedProfile {
  if (base === undefined) return builtInProfiles.balanced
  if (typeof base === 'string' || (typeof base === 'object' && base !== null)) return profileOf(base)
  throw new OptionsError('defineProfile options: extends must be the name of a profile, or a profile')
}

function resolveBackoff(given: z.output<typeof backoffShape> | Backoff['kind'] | undefined, base: Backoff): Backoff {
  if (given === undefined) return base
  if (typeof given === 'string') return { ...base, kind: given }
  const first = ms(given.base, base.base, 'retry.backoff.base')
  const longest = ms(given.max, Math.max(base.max, first), 'retry.backoff.max')
  if (longest < first) throw new OptionsError('defineProfile options: retry.backoff.max is below its base')
  return { kind: given.kind ?? base.kind, base: first, max: longest, jitter: given.jitter ?? base.jitter }
}

function resolveBudget(given: NonNullable<z.output<typeof profileShape>['budget']>): ProfileBudget {
  const { wallTime, ...counts } = given
  return wallTime === undefined ? counts : { ...counts, wallTimeMs: toMs(wallTime, 'budget.wallTime') }
}

/** Without the keys whose value is undefined: they are absent. */
function present(causes: Readonly<Record<string, unknown>> | undefined): Causes {
  return Object.fromEntries(Object.entries(causes ?? {}).filter(([, answer]) => answer !== undefined)) as Causes
}

function ms(given: Duration | undefined, otherwise: number, name: string): number {
  return given === undefined ? otherwise : toMs(given, name)
}
