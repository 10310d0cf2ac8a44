/** Durations as people write them: milliseconds as a number, or `'250ms' '30s' '2m' '1h' '30d'`. */
import { OptionsError } from '../errors.ts'

/** Milliseconds, or a number with a unit: `ms`, `s`, `m`, `h`, `d`, `w`. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd' | 'w'}` | (string & {})

const unitMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
}

const pattern = /^\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)\s*$/

/**
 * The milliseconds of a duration.
 * @throws OptionsError when it is negative, not finite, or not of the form above; `name` says which option it was.
 */
export function toMs(duration: Duration, name = 'duration'): number {
  if (typeof duration === 'number') {
    if (Number.isFinite(duration) && duration >= 0) return duration
    throw new OptionsError(`${name} must be a duration of 0 ms or more, and is ${duration}`, { option: name })
  }
  const match = pattern.exec(String(duration))
  if (!match) {
    throw new OptionsError(
      `${name} must be milliseconds or a text such as '250ms', '30s', '2m', '1h' or '30d', and is ${JSON.stringify(duration)}`,
      { option: name },
    )
  }
  return Number(match[1]) * (unitMs[match[2] as string] as number)
}

/** A duration for people, in at most two units: `830ms`, `4.2s`, `2m 05s`, `3h 10m`, `2d 4h`. */
export function formatMs(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)}ms`
  if (ms < 60_000) return `${(ms / 1000).toFixed(1).replace(/\.0$/, '')}s`
  const seconds = Math.round(ms / 1000)
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${String(seconds % 60).padStart(2, '0')}s`
  const minutes = Math.round(seconds / 60)
  if (minutes < 1440) return `${Math.floor(minutes / 60)}h ${String(minutes % 60).padStart(2, '0')}m`
  return `${Math.floor(minutes / 1440)}d ${Math.floor((minutes % 1440) / 60)}h`
}
