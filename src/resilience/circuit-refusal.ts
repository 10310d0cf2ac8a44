/** The error of a call that a circuit refuses: why, and until when. */
import type { CircuitState } from '../../machines/circuit.machine.ts'
import { CircuitOpenError } from '../errors.ts'

/** @param remainingMs until it may let a call through; undefined where no waiting helps */
export function refusalOf(circuit: string, state: CircuitState, remainingMs: number | undefined): CircuitOpenError {
  const until =
    remainingMs === undefined
      ? 'until an operator resets it'
      : state === 'half-open'
        ? 'while its probes are under way'
        : `for another ${Math.ceil(remainingMs)} ms`
  return new CircuitOpenError(`circuit '${circuit}' is ${state} and refuses calls ${until}`, {
    circuit,
    state,
    // An isolated circuit lets nothing through by waiting.
    transient: remainingMs !== undefined,
    ...(remainingMs === undefined ? {} : { remainingMs, retryAfterMs: remainingMs }),
  })
}
