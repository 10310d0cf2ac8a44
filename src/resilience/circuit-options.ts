/**
 * The options of a circuit and their two presets. Contract section 4: 5 consecutive failures open it, for 30 s, then at
 * most 3 probes, of which 2 successes close it; `strict` stays open for 60 s and admits a single probe.
 */
import { z } from 'zod'
import { OptionsError } from '../errors.ts'
import { parseOptions } from '../options.ts'
import { type Duration, toMs } from '../time/duration.ts'

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
}

export type CircuitPreset = 'default' | 'strict'

/** A single probe decides under `strict`: its success closes the circuit. */
export const circuitPresets: Readonly<Record<CircuitPreset, CircuitSettings>> = {
  default: { failureThreshold: 5, openMs: 30_000, maxProbes: 3, successThreshold: 2, halfOpenMs: 60_000 },
  strict: { failureThreshold: 5, openMs: 60_000, maxProbes: 1, successThreshold: 1, halfOpenMs: 60_000 },
}

const duration = z.custom<Duration>(value => typeof value === 'number' || typeof value === 'string', {
  error: "must be milliseconds or a text such as '30s'",
})

const circuitOptionsShape = z.strictObject({
  preset: z.enum(['default', 'strict']).optional(),
  failureThreshold: z.int().min(1).optional(),
  openTime: duration.optional(),
  maxProbes: z.int().min(1).max(1000).optional(),
  successThreshold: z.int().min(1).optional(),
  halfOpenTime: duration.optional(),
})

/** What a profile's `circuit` takes: a preset by name, or options. */
export const circuitShape = z.union([circuitOptionsShape, z.enum(['default', 'strict'])])

export interface CircuitOptions {
  /** The numbers to start from. @default 'default' */
  readonly preset?: CircuitPreset | undefined
  /** Consecutive failures that open it. @default 5 */
  readonly failureThreshold?: number | undefined
  /** How long it stays open before it admits probes. @default '30s' */
  readonly openTime?: Duration | undefined
  /** Probes under way at once while it is half-open. @default 3 */
  readonly maxProbes?: number | undefined
  /** Successful probes that close it. @default 2 */
  readonly successThreshold?: number | undefined
  /** How long it may stay half-open without a decision. @default '60s' */
  readonly halfOpenTime?: Duration | undefined
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
  const openMs = given.openTime === undefined ? from.openMs : toMs(given.openTime, 'openTime')
  const halfOpenMs = given.halfOpenTime === undefined ? from.halfOpenMs : toMs(given.halfOpenTime, 'halfOpenTime')
  if (openMs <= 0 || halfOpenMs <= 0) throw new OptionsError('circuit options: its times must be above 0 ms')
  return {
    failureThreshold: given.failureThreshold ?? from.failureThreshold,
    openMs,
    maxProbes: given.maxProbes ?? from.maxProbes,
    successThreshold: given.successThreshold ?? from.successThreshold,
    halfOpenMs,
  }
}
