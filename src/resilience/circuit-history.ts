/**
 * The last 100 changes of a circuit, each packed into one number, so that a circuit with all of them stays below 5 kB:
 * from its low end 2 bits for each of the two states, 4 for the reason, then the time in whole milliseconds.
 */
import { type CircuitReason, type CircuitState, circuitReasons } from '../../machines/circuit.machine.ts'

export interface CircuitTransition {
  readonly from: CircuitState
  readonly to: CircuitState
  readonly at: number
  readonly reason: CircuitReason
}

const states: readonly CircuitState[] = ['closed', 'open', 'half-open', 'isolated']
const mostTransitions = 100

/** The packed history with one more change, the oldest dropped where it is full. */
export function withTransition(history: readonly number[], change: CircuitTransition): number[] {
  const edge = states.indexOf(change.from) * 4 + states.indexOf(change.to)
  const packed = Math.round(change.at) * 256 + circuitReasons.indexOf(change.reason) * 16 + edge
  // A copy of the exact length: an array that is pushed to keeps room for half as many again.
  return [...history.slice(history.length >= mostTransitions ? history.length - mostTransitions + 1 : 0), packed]
}

export function transitionsOf(history: readonly number[]): CircuitTransition[] {
  return history.map(packed => {
    const at = Math.floor(packed / 256)
    const code = packed - at * 256
    return {
      from: states[(code >> 2) & 3] as CircuitState,
      to: states[code & 3] as CircuitState,
      at,
      reason: circuitReasons[code >> 4] as CircuitReason,
    }
  })
}
