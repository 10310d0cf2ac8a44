/**
 * The values of a profile with where each came from: a built-in profile, `defineProfile`, the environment or a flag. For
 * whoever asks why a task is met with just these retries and timeouts.
 */
import { OptionsError } from '../errors.ts'
import { suggestion } from '../options.ts'
import { profileOrigin } from './define-profile.ts'
import { type KnownProfiles, profileOf } from './profile-choice.ts'
import { type ProfileOverrides, withOverrides } from './profile-overrides.ts'
import { builtInProfiles, type ResolvedProfile, taskProfiles } from './profiles.ts'

export interface EffectiveValue {
  /** As `defineProfile` calls it: `retry.max`, `timeout.stage`. Times are ms. */
  readonly name: string
  readonly value: unknown
  /** `built-in profile 'balanced'`, `defineProfile 'mine'`, `environment HOLDFAST_MAX_RETRIES`, `flag --max-retries`. */
  readonly source: string
}

export interface EffectiveProfile {
  readonly task?: string | undefined
  readonly profile: string
  /** Where the profile of the task is said. */
  readonly source: string
  readonly values: readonly EffectiveValue[]
}

/** Overrides of one place, with how that place is called. */
export interface OverrideSource {
  readonly overrides: ProfileOverrides
  /** By override: `flag --max-retries`. */
  readonly sources: { readonly maxRetries: string; readonly timeoutMultiplier: string }
}

/**
 * @param name a task, or a profile
 * @param overriding the strongest first
 * @throws OptionsError for a name that is neither
 */
export function effectiveProfile(
  name: string,
  known: KnownProfiles = {},
  overriding: readonly OverrideSource[] = [],
): EffectiveProfile {
  const { task, profile: profileName, source } = chosen(name, known)
  const base = profileOf(profileName, known)
  const strongest = (key: keyof ProfileOverrides) => overriding.find(({ overrides }) => overrides[key] !== undefined)
  const retries = strongest('maxRetries')
  const timeouts = strongest('timeoutMultiplier')
  const profile = withOverrides(base, {
    maxRetries: retries?.overrides.maxRetries,
    timeoutMultiplier: timeouts?.overrides.timeoutMultiplier,
  })
  const values = valuesOf(profile).map(({ name: key, value }): EffectiveValue => {
    if (key === 'retry.max' && retries) return { name: key, value, source: retries.sources.maxRetries }
    if (key.startsWith('timeout.') && timeouts)
      return { name: key, value, source: `${sourceIn(base, key)} × ${timeouts.sources.timeoutMultiplier}` }
    return { name: key, value, source: sourceIn(base, key) }
  })
  return { ...(task === undefined ? {} : { task }), profile: profile.name, source, values }
}

/** Every task that is known, with its profile. */
export function knownTasks(known: KnownProfiles = {}): Readonly<Record<string, string>> {
  return { ...taskProfiles, ...known.tasks }
}

export function knownProfileNames(known: KnownProfiles = {}): readonly string[] {
  return [...new Set([...Object.keys(builtInProfiles), ...Object.keys(known.profiles ?? {})])]
}

function chosen(name: string, known: KnownProfiles): { task?: string; profile: string; source: string } {
  const tasks = knownTasks(known)
  if (Object.hasOwn(tasks, name)) {
    const isOwn = known.tasks !== undefined && Object.hasOwn(known.tasks, name)
    return {
      task: name,
      profile: tasks[name] as string,
      source: isOwn ? 'the tasks of the runtime' : 'the built-in table of tasks',
    }
  }
  const profiles = knownProfileNames(known)
  if (profiles.includes(name)) return { profile: name, source: 'its name' }
  throw new OptionsError(
    `there is no task and no profile '${name}'${suggestion(name, [...Object.keys(tasks), ...profiles])}`,
    { task: name },
  )
}

function valuesOf(profile: ResolvedProfile): { name: string; value: unknown }[] {
  const { retry, timeout, restart } = profile
  const values: Readonly<Record<string, unknown>> = {
    'retry.max': retry.max,
    'retry.on': retry.on,
    'retry.backoff': retry.backoff,
    failFast: profile.failFast,
    fallback: profile.fallback,
    allowTierDowngrade: profile.allowTierDowngrade,
    cache: profile.cache,
    offline: profile.offline,
    'timeout.attempt': timeout.attemptMs,
    'timeout.call': timeout.callMs,
    'timeout.stage': timeout.stageMs,
    'timeout.run': timeout.runMs ?? 'none',
    circuit: profile.circuit,
    'restart.intensity': restart.intensity,
    'restart.period': restart.periodMs,
    'restart.onExhausted': restart.onExhausted,
    'restart.livelockAfter': restart.livelockAfter,
    causes: profile.causes,
    budget: profile.budget ?? 'none',
    unknownOutcome: profile.unknownOutcome,
  }
  return Object.entries(values).map(([name, value]) => ({ name, value }))
}

/** Whichever profile of the chain of `extends` gave the value. */
function sourceIn(profile: ResolvedProfile, name: string): string {
  const origin = profileOrigin(profile)
  if (!origin) return isBuiltIn(profile) ? `built-in profile '${profile.name}'` : `profile '${profile.name}'`
  return origin.given.includes(name) ? `defineProfile '${profile.name}'` : sourceIn(origin.base, name)
}

const isBuiltIn = (profile: ResolvedProfile): boolean =>
  Object.values<ResolvedProfile>(builtInProfiles).includes(profile)
