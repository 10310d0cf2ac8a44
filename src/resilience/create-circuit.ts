/** Circuits from options, from a preset, or from numbers that are resolved already. */
import { OptionsError } from '../errors.ts'
import type { Clock } from '../time/clock.ts'
import type { Circuit, CircuitReport } from './circuit.ts'
import { CircuitBreaker, type CircuitParts } from './circuit-breaker.ts'
import { type CircuitOptions, type CircuitPreset, type CircuitSettings, resolveCircuit } from './circuit-options.ts'
import type { CircuitSnapshot } from './circuit-snapshot.ts'

export interface CircuitSetup extends CircuitOptions {
  /** @default the system clock */
  readonly clock?: Clock | undefined
  /** Told of every failure, refusal and change of state; what it throws is dropped. */
  readonly onEvent?: ((report: CircuitReport) => void) | undefined
  /** To go on from, as `snapshot()` gave it; an open circuit keeps its remaining time. */
  readonly snapshot?: CircuitSnapshot | undefined
}

/**
 * A circuit breaker. By default 5 consecutive failures open it for 30 s, then at most 3 probes run at once and 2
 * successes close it.
 * @param options numbers by option, or a preset by name
 * @throws OptionsError for an unknown option, SnapshotError for a snapshot that is none
 */
export function createCircuit(name: string, options: CircuitSetup | CircuitPreset = {}): Circuit {
  if (typeof name !== 'string' || name === '') throw new OptionsError('createCircuit: a circuit needs a name')
  if (typeof options === 'string') return new CircuitBreaker(name, resolveCircuit(options), {})
  const { clock, onEvent, snapshot, ...numbers } = options
  return new CircuitBreaker(name, resolveCircuit(numbers), { clock, onEvent, snapshot })
}

/** The same, from numbers that are resolved already. */
export function createResolvedCircuit(name: string, settings: CircuitSettings, setup: CircuitParts): Circuit {
  return new CircuitBreaker(name, settings, setup)
}
