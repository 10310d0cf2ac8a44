/**
 * What moves the machine of a circuit: an actor below a supervisor, where there is one, else a value that goes from one
 * snapshot to the next. A root actor of its own would take about 4 kB (`npm run bench:resilience`) and do the same.
 */
import { initialTransition, transition } from 'xstate'
import type { CircuitContext, CircuitEvent, CircuitState, circuitMachine } from '../../machines/circuit.machine.ts'
import type { CircuitSettings } from './circuit-options.ts'

/** What holds and moves the machine of a circuit: a live actor, or a value by itself. */
export interface CircuitActor {
  send(event: CircuitEvent): void
  getSnapshot(): { readonly value: CircuitState; readonly context: CircuitContext }
  stop(): void
}

/** How the machine of a circuit is started: by itself, or as an actor below a supervisor. */
export type StartCircuitActor = (
  name: string,
  logic: typeof circuitMachine,
  input: { readonly settings: CircuitSettings; readonly at: number },
  snapshot: ReturnType<typeof circuitMachine.resolveState> | undefined,
) => CircuitActor

/** By pure transitions. */
export const startAlone: StartCircuitActor = (_name, logic, input, restored) => {
  let [snapshot] = restored === undefined ? initialTransition(logic, input) : [restored]
  return {
    send(event) {
      snapshot = transition(logic, snapshot, event)[0]
    },
    getSnapshot: () => snapshot,
    stop() {},
  }
}
