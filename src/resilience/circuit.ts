/**
 * What a circuit is to whoever calls through it or looks at it: its permits, its state and figures, what it reports, and
 * the gate that tries go through. `createCircuit` makes one.
 */
import type { CircuitState } from '../../machines/circuit.machine.ts'
import type { CircuitOpenError } from '../errors.ts'
import type { CircuitTransition } from './circuit-history.ts'
import type { CircuitSettings } from './circuit-options.ts'
import type { CircuitSnapshot } from './circuit-snapshot.ts'
import type { WindowTally } from './circuit-window.ts'

/** The right to make one call. The first of its three methods counts, later ones do nothing. */
export interface CircuitPermit {
  success(): void
  failure(): void
  /** The call ended without saying anything about the other side: it was cancelled, or was at fault itself. */
  release(): void
}

/** What a circuit reports, as plain data. */
export type CircuitReport =
  | ({ readonly type: 'circuit.changed'; readonly circuit: string } & CircuitTransition)
  | {
      /** A success while failures are counted, or of a probe; others are not reported. */
      readonly type: 'circuit.failed' | 'circuit.succeeded'
      readonly circuit: string
      readonly at: number
      /** Consecutive failures, this call included. */
      readonly failureCount: number
    }
  | { readonly type: 'circuit.refused'; readonly circuit: string; readonly at: number; readonly state: CircuitState }

export interface CircuitMetrics {
  readonly state: CircuitState
  readonly failureCount: number
  readonly calls: number
  readonly successes: number
  readonly failures: number
  readonly refusals: number
  /** Times that it opened; `trips` are those from closed. */
  readonly opens: number
  readonly trips: number
  /** How long the last open period that has ended was. */
  readonly lastOpenMs: number
  /** What the window holds, where there is one. */
  readonly window?: WindowTally | undefined
  /** The current period included. */
  readonly timeInStateMs: Readonly<Record<CircuitState, number>>
  /** The last 100. */
  readonly transitions: readonly CircuitTransition[]
}

export interface Circuit {
  readonly name: string
  readonly state: CircuitState
  /** Consecutive failures; while it is not closed those that opened it, 0 where an operator did. */
  readonly failureCount: number
  readonly settings: CircuitSettings
  /** Whether a call would be let through now. */
  isAvailable(): boolean
  /** The time until it may let a call through, in ms; 0 where it would now, undefined while an operator holds it. */
  remainingMs(): number | undefined
  metrics(): CircuitMetrics
  /** Closes it, whatever its state. */
  reset(): void
  /** Takes it out: it refuses every call until it is reset. */
  isolate(): void
  snapshot(): CircuitSnapshot
  /** The right to make a call, or undefined where it is refused. */
  acquire(): CircuitPermit | undefined
  /** The error of a refused call. */
  refusal(): CircuitOpenError
  /**
   * Makes a call through the circuit. A fault of the request itself and a cancellation do not count.
   * @throws CircuitOpenError when the call is refused, else what `fn` throws
   */
  execute<T>(fn: () => T | Promise<T>): Promise<T>
  /** It refuses everything after. */
  stop(): void
}

/** What tries go through: a circuit, or several that are asked as one. */
export type Gate = Pick<Circuit, 'name' | 'isAvailable' | 'remainingMs' | 'acquire' | 'refusal'>
