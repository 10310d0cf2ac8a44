/**
 * The options of a circuit and their two presets. Contract section 4: 5 consecutive failures open it, for 30 s, then at
 * most 3 probes, of which 2 successes close it; `strict` stays open for 60 s and admits one probe at a time.
 */
import { z } from 'zod'
import { OptionsError } from '../errors.ts'
import { parseOptions } from '../options.ts'
import { type Duration, toMs } from '../time/duration.ts'
import { mostWindowCalls, type WindowRules } from './circuit-window.ts'

/** A circuit's numbers, resolved: plain JSON. */
export interface CircuitSettings {
  /** Consecutive failures that open it. */
  readonly failureThreshold: number
  /** How long it stays open before it admits probes. */
  readonly openMs: number
  /** Probes that may be under way at once while it is half-open. */
  readonly maxProbes: number
  /** Successful probes that close it. */
  readonly successThreshold: number
  /** How long it may stay half-open without a decision before it opens again. */
  readonly halfOpenMs: number
  /** How the open time grows; absent: it does not. */
  readonly growth?: { readonly factor: number; readonly longestMs: number; readonly calmMs: number } | undefined
  /** What else opens it, beside consecutive failures; absent: nothing. */
  readonly window?: WindowRules | undefined
}

export type CircuitPreset = 'default' | 'strict'

/** Under `strict` two probes, one after the other, have to succeed. */
export const circuitPresets: Readonly<Record<CircuitPreset, CircuitSettings>> = {
  default: { failureThreshold: 5, openMs: 30_000, maxProbes: 3, successThreshold: 2, halfOpenMs: 60_000 },
  strict: { failureThreshold: 5, openMs: 60_000, maxProbes: 1, successThreshold: 2, halfOpenMs: 60_000 },
}

const duration = z.custom<Duration>(value => typeof value === 'number' || typeof value === 'string', {
  error: "must be milliseconds or a text such as '30s'",
})

const ratio = z.number().gt(0).max(1)

const windowShape = z.strictObject({
  calls: z.int().min(1).max(mostWindowCalls).optional(),
  time: duration.optional(),
  minimumCalls: z.int().min(1).optional(),
  failureRatio: ratio.optional(),
  slowRatio: ratio.optional(),
  slowAfter: duration.optional(),
})

const circuitOptionsShape = z.strictObject({
  preset: z.enum(['default', 'strict']).optional(),
  failureThreshold: z.union([z.int().min(1), z.literal('none')]).optional(),
  openTime: duration.optional(),
  openGrowth: z.number().min(1).max(100).optional(),
  longestOpenTime: duration.optional(),
  calmTime: duration.optional(),
  maxProbes: z.int().min(1).max(1000).optional(),
  successThreshold: z.int().min(1).optional(),
  halfOpenTime: duration.optional(),
  window: windowShape.optional(),
})

/** What a profile's `circuit` takes: a preset by name, or options. */
export const circuitShape = z.union([circuitOptionsShape, z.enum(['default', 'strict'])])

export interface CircuitOptions {
  /** The numbers to start from. @default 'default' */
  readonly preset?: CircuitPreset | undefined
  /** Consecutive failures that open it; 'none': only the window does. @default 5 */
  readonly failureThreshold?: number | 'none' | undefined
  /** How long it stays open before it admits probes. @default '30s' */
  readonly openTime?: Duration | undefined
  /** By what the open time is multiplied at each opening that no calm while came before, 1 to 100. @default 1 */
  readonly openGrowth?: number | undefined
  /** The open time grows no longer than this. @default '10m', or `openTime` where that is longer */
  readonly longestOpenTime?: Duration | undefined
  /** So long closed, and the next opening takes `openTime` again. @default '5m' */
  readonly calmTime?: Duration | undefined
  /** Probes under way at once while it is half-open. @default 3 */
  readonly maxProbes?: number | undefined
  /** Successful probes that close it. @default 2 */
  readonly successThreshold?: number | undefined
  /** How long a probe may be under way without a decision. @default '60s' */
  readonly halfOpenTime?: Duration | undefined
  /** Judges the last calls as a whole, beside the consecutive failures. @default none */
  readonly window?: CircuitWindowOptions | undefined
}

export interface CircuitWindowOptions {
  /** The last so many calls, 1 to 1000. @default 100, where `time` is not given */
  readonly calls?: number | undefined
  /** The calls of the last so much time, instead. */
  readonly time?: Duration | undefined
  /** Nothing is judged below so many calls. @default 10, or `calls` where that is less */
  readonly minimumCalls?: number | undefined
  /** The share of failed calls that opens it, above 0 to 1. @default 0.5, or not judged where `slowAfter` is given */
  readonly failureRatio?: number | undefined
  /** The share of slow calls that opens it, above 0 to 1. @default 0.5, where `slowAfter` is given */
  readonly slowRatio?: number | undefined
  /** A call that took longer is slow, whatever its outcome. @default none is */
  readonly slowAfter?: Duration | undefined
}

/**
 * The numbers of a circuit.
 * @param base what the options leave out, where they name no preset
 * @throws OptionsError for an unknown option or a wrong value
 */
export function resolveCircuit(
  options: CircuitOptions | CircuitPreset = {},
  base: CircuitSettings = circuitPresets.default,
): CircuitSettings {
  if (typeof options === 'string' && Object.hasOwn(circuitPresets, options)) return circuitPresets[options]
  const given = parseOptions(circuitOptionsShape, options, 'circuit options')
  const from = given.preset === undefined ? base : circuitPresets[given.preset]
  const openMs = positiveMs(given.openTime, 'openTime') ?? from.openMs
  const growth = resolveGrowth(given, openMs) ?? from.growth
  const window = given.window === undefined ? from.window : resolveWindow(given.window)
  const failureThreshold = given.failureThreshold ?? from.failureThreshold
  if (given.failureThreshold === 'none' && window === undefined) {
    throw new OptionsError("circuit options: failureThreshold 'none' needs a window, or nothing would ever open it")
  }
  return {
    failureThreshold: failureThreshold === 'none' ? Number.MAX_SAFE_INTEGER : failureThreshold,
    openMs,
    maxProbes: given.maxProbes ?? from.maxProbes,
    successThreshold: given.successThreshold ?? from.successThreshold,
    halfOpenMs: positiveMs(given.halfOpenTime, 'halfOpenTime') ?? from.halfOpenMs,
    ...(growth === undefined ? {} : { growth }),
    ...(window === undefined ? {} : { window }),
  }
}

type GivenOptions = z.output<typeof circuitOptionsShape>

function resolveGrowth(given: GivenOptions, openMs: number): CircuitSettings['growth'] {
  const { openGrowth, longestOpenTime, calmTime } = given
  if (openGrowth === undefined) {
    if (longestOpenTime === undefined && calmTime === undefined) return undefined
    throw new OptionsError('circuit options: longestOpenTime and calmTime mean something only with openGrowth')
  }
  const longestMs = positiveMs(longestOpenTime, 'longestOpenTime') ?? Math.max(600_000, openMs)
  if (longestMs < openMs) throw new OptionsError('circuit options: longestOpenTime is below openTime')
  const calmMs = calmTime === undefined ? 300_000 : toMs(calmTime, 'calmTime')
  return { factor: openGrowth, longestMs, calmMs }
}

function resolveWindow(given: NonNullable<GivenOptions['window']>): WindowRules {
  const { calls, time, slowRatio } = given
  if (calls !== undefined && time !== undefined) {
    throw new OptionsError('circuit options: window: it has either calls or time, not both')
  }
  const slowAfterMs = given.slowAfter === undefined ? undefined : toMs(given.slowAfter, 'window.slowAfter')
  if (slowRatio !== undefined && slowAfterMs === undefined) {
    throw new OptionsError('circuit options: window: slowRatio needs slowAfter, from when on a call is slow')
  }
  const size = positiveMs(time, 'window.time') ?? calls ?? 100
  const minimumCalls = given.minimumCalls ?? (time === undefined ? Math.min(10, size) : 10)
  if (time === undefined && minimumCalls > size) {
    throw new OptionsError(`circuit options: window: it never holds ${minimumCalls} calls, for it has ${size}`)
  }
  const failureRatio = given.failureRatio ?? (slowAfterMs === undefined ? 0.5 : undefined)
  return {
    kind: time === undefined ? 'calls' : 'time',
    size,
    minimumCalls,
    ...(failureRatio === undefined ? {} : { failureRatio }),
    ...(slowAfterMs === undefined ? {} : { slow: { ratio: slowRatio ?? 0.5, afterMs: slowAfterMs } }),
  }
}

function positiveMs(given: Duration | undefined, name: string): number | undefined {
  if (given === undefined) return undefined
  const ms = toMs(given, name)
  if (ms <= 0) throw new OptionsError(`circuit options: ${name} must be above 0 ms`)
  return ms
}
