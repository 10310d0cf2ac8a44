/**
 * Resilience profiles: what a task may cost in retries, fallbacks and time before it is given up. Three are built in,
 * each task of the table has one of them, and `defineProfile` makes others from them. A resolved profile is plain JSON
 * with milliseconds, so that it can be recorded with the run that it governs.
 */
import { z } from 'zod'
import { OptionsError } from '../errors.ts'
import { parseOptions, suggestion } from '../options.ts'
import type { Backoff } from '../time/backoff.ts'
import { type Duration, toMs } from '../time/duration.ts'
import { type Causes, causeAnswers } from './causes.ts'
import { type CircuitSettings, circuitPresets, circuitShape, resolveCircuit } from './circuit-options.ts'
import { type FailureKind, failureKinds } from './kinds.ts'

export type FallbackPolicy = 'none' | 'cross_provider' | 'same_tier_then_down' | 'any_available'
export type UnknownOutcome = 'retry' | 'ask' | 'fail'

/** A profile with everything decided: plain JSON, times in milliseconds. */
export interface ResolvedProfile {
  readonly name: string
  readonly retry: {
    /** Tries after the first attempt. */
    readonly max: number
    readonly on: readonly FailureKind[]
    readonly backoff: Backoff
  }
  /** A failure that is not understood ends the call; otherwise another provider is tried first. */
  readonly failFast: boolean
  readonly fallback: FallbackPolicy
  readonly allowTierDowngrade: boolean
  /** Whether a cached answer may stand in, marked as such. */
  readonly cache: boolean
  /** Whether the offline provider may stand in, marked as such. */
  readonly offline: boolean
  /** Whether only providers of this machine are asked; no profile says so by itself, see `ProfileOverrides`. */
  readonly local?: boolean | undefined
  readonly timeout: {
    readonly attemptMs: number
    readonly callMs: number
    readonly stageMs: number
    /** Absent: a run may take for ever. */
    readonly runMs?: number | undefined
  }
  readonly circuit: CircuitSettings
  readonly restart: {
    readonly intensity: number
    readonly periodMs: number
    readonly onExhausted: 'fail' | 'quarantine'
    /** Restarts and waits in a row for the same failure in the same state; one more is a livelock. */
    readonly livelockAfter: number
  }
  /** What a stage does about a cause, where it is not the usual; see `usualAnswers`. */
  readonly causes: Causes
  readonly budget?: ProfileBudget | undefined
  /** What happens to a call or step of which nobody knows whether it was done. */
  readonly unknownOutcome: UnknownOutcome
}

export interface ProfileBudget {
  readonly usd?: number | undefined
  readonly tokens?: number | undefined
  readonly calls?: number | undefined
  readonly restarts?: number | undefined
  readonly wallTimeMs?: number | undefined
}

/** Defaults of contract section 4, "Backoff 100 ms × 2^n, cap 10 s, ±20 % jitter never above the cap". */
export const defaultBackoff: Backoff = { kind: 'exponential', base: 100, max: 10_000, jitter: 0.2 }

/** Contract section 4: one attempt of a model call 60 s, a call 3 min, an incarnation of a stage 30 min, a run none. */
const defaultTimeout = { attemptMs: 60_000, callMs: 180_000, stageMs: 1_800_000 } as const

/** Contract section 4: `restart` defaults, period 1 h, `onExhausted: 'fail'`; the intensity differs by profile. */
const restartWithin = (intensity: number): ResolvedProfile['restart'] => ({
  intensity,
  periodMs: 3_600_000,
  onExhausted: 'fail',
  livelockAfter: 10,
})

/** Contract section 4, the table of profiles: critical retries on these two, the others "also" on three more. */
const criticalKinds: readonly FailureKind[] = ['rate_limit', 'timeout']
const usualKinds: readonly FailureKind[] = [...criticalKinds, 'overloaded', 'server_error', 'connection']

/** The three of the contract's table. */
export const builtInProfiles = {
  critical: {
    name: 'critical',
    retry: { max: 1, on: criticalKinds, backoff: defaultBackoff },
    failFast: true,
    fallback: 'cross_provider',
    allowTierDowngrade: false,
    cache: false,
    offline: false,
    timeout: defaultTimeout,
    circuit: circuitPresets.default,
    restart: restartWithin(1),
    causes: {},
    unknownOutcome: 'retry',
  },
  balanced: {
    name: 'balanced',
    retry: { max: 2, on: usualKinds, backoff: defaultBackoff },
    failFast: false,
    fallback: 'same_tier_then_down',
    allowTierDowngrade: true,
    cache: true,
    offline: false,
    timeout: defaultTimeout,
    circuit: circuitPresets.default,
    restart: restartWithin(3),
    causes: {},
    unknownOutcome: 'retry',
  },
  tolerant: {
    name: 'tolerant',
    retry: { max: 3, on: usualKinds, backoff: { ...defaultBackoff, kind: 'linear' } },
    failFast: false,
    fallback: 'any_available',
    allowTierDowngrade: true,
    cache: true,
    offline: true,
    timeout: defaultTimeout,
    circuit: circuitPresets.default,
    restart: restartWithin(3),
    causes: {},
    unknownOutcome: 'retry',
  },
} as const satisfies Record<string, ResolvedProfile>

export type ProfileName = keyof typeof builtInProfiles

/** Contract section 4, the column `tasks`. */
export const taskProfiles = {
  security_audit: 'critical',
  code_review: 'critical',
  bug_predict: 'balanced',
  refactor_plan: 'balanced',
  pr_review: 'balanced',
  summarize: 'tolerant',
  document_gen: 'tolerant',
  research: 'tolerant',
} as const satisfies Record<string, ProfileName>

export type TaskName = keyof typeof taskProfiles

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

/** A profile as a stage, a workflow or `start` names it: by name, or the object that `defineProfile` made. */
export type ProfileReference = string | object

export interface ProfileChoice {
  readonly stage?: { readonly profile?: ProfileReference | undefined; readonly task?: string | undefined } | undefined
  /** Of `start` or `--profile`. */
  readonly start?: ProfileReference | undefined
  readonly workflow?:
    | { readonly profile?: ProfileReference | undefined; readonly task?: string | undefined }
    | undefined
}

export interface KnownProfiles {
  /** By name, beside the three that are built in; one of the same name replaces it. */
  readonly profiles?: Readonly<Record<string, ResolvedProfile>> | undefined
  /** Which profile a task has, beside the table above. */
  readonly tasks?: Readonly<Record<string, string>> | undefined
}

/**
 * The profile that governs a stage. Contract section 1: stage `profile` > stage `task` > `start` > workflow `profile` >
 * workflow `task` > `balanced`.
 * @throws OptionsError for a name of a profile or task that nobody knows, and for an object that is no profile
 */
export function resolveProfile(choice: ProfileChoice, known: KnownProfiles = {}): ResolvedProfile {
  const { stage, start, workflow } = choice
  const ofStageTask = stage?.task === undefined ? undefined : profileOfTask(stage.task, known)
  const ofWorkflowTask = workflow?.task === undefined ? undefined : profileOfTask(workflow.task, known)
  return profileOf(stage?.profile ?? ofStageTask ?? start ?? workflow?.profile ?? ofWorkflowTask ?? 'balanced', known)
}

/** Which of them decides, in words. */
export function choiceOf({ stage, start, workflow }: ProfileChoice): string {
  if (stage?.profile !== undefined) return 'the stage'
  if (stage?.task !== undefined) return `the stage's task '${stage.task}'`
  if (start !== undefined) return 'the start'
  if (workflow?.profile !== undefined) return 'the workflow'
  return workflow?.task === undefined ? 'the default' : `the workflow's task '${workflow.task}'`
}

/** The profile that a reference means. @throws OptionsError when it means none */
export function profileOf(reference: ProfileReference, known: KnownProfiles = {}): ResolvedProfile {
  if (typeof reference === 'string') {
    const profiles: Readonly<Record<string, ResolvedProfile>> = { ...builtInProfiles, ...known.profiles }
    const found = Object.hasOwn(profiles, reference) ? profiles[reference] : undefined
    if (found) return found
    throw new OptionsError(`unknown profile '${reference}'${suggestion(reference, Object.keys(profiles))}`, {
      profile: reference,
    })
  }
  if (isProfile(reference)) return reference
  throw new OptionsError('a profile must be a name, or an object made by defineProfile')
}

/** The name of the profile of a task. @throws OptionsError for a task that nobody knows */
function profileOfTask(task: string, known: KnownProfiles = {}): string {
  const tasks: Readonly<Record<string, string>> = { ...taskProfiles, ...known.tasks }
  const found = Object.hasOwn(tasks, task) ? tasks[task] : undefined
  if (found) return found
  throw new OptionsError(`unknown task '${task}'${suggestion(task, Object.keys(tasks))}`, { task })
}

function baseProfile(base: unknown): ResolvedProfile {
  if (base === undefined) return builtInProfiles.balanced
  if (typeof base === 'string' || (typeof base === 'object' && base !== null)) return profileOf(base)
  throw new OptionsError('defineProfile options: extends must be the name of a profile, or a profile')
}

/** By its form and not by a mark, so that a profile that came back from JSON is one. */
function isProfile(value: object): value is ResolvedProfile {
  const profile = value as Partial<Record<keyof ResolvedProfile, unknown>>
  const parts = [profile.retry, profile.timeout, profile.circuit, profile.restart]
  return (
    typeof profile.name === 'string' &&
    parts.every(part => typeof part === 'object' && part !== null) &&
    'backoff' in (profile.retry as object) &&
    'attemptMs' in (profile.timeout as object)
  )
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
