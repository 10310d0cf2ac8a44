/**
 * What an operator changes in every profile at once, without knowing which are used: how often failures are retried, by
 * how much every timeout is longer or shorter, and whether a model may be asked that is not on this machine. It comes
 * from a flag or the environment and is kept with the run.
 */
import type { ResolvedProfile } from './profiles.ts'

export interface ProfileOverrides {
  /** In the place of `retry.max`. */
  readonly maxRetries?: number | undefined
  /** Every timeout of a profile, and a stage's own, times this. */
  readonly timeoutMultiplier?: number | undefined
  /** Only providers of this machine are asked: nothing leaves it, and nobody is paid. */
  readonly local?: boolean | undefined
}

export function withOverrides(
  profile: ResolvedProfile,
  { maxRetries, timeoutMultiplier, local }: ProfileOverrides,
): ResolvedProfile {
  if (maxRetries === undefined && timeoutMultiplier === undefined && !local) return profile
  const { attemptMs, callMs, stageMs, runMs } = profile.timeout
  const scaled = (ms: number): number => scaledMs(ms, timeoutMultiplier)
  return {
    ...profile,
    retry: { ...profile.retry, max: maxRetries ?? profile.retry.max },
    timeout: {
      attemptMs: scaled(attemptMs),
      callMs: scaled(callMs),
      stageMs: scaled(stageMs),
      ...(runMs === undefined ? {} : { runMs: scaled(runMs) }),
    },
    ...(local ? { local } : {}),
  }
}

/** Never 0, which would be no time at all. */
export const scaledMs = (ms: number, multiplier = 1): number => Math.max(1, Math.round(ms * multiplier))
