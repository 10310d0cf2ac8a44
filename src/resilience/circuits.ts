/** The circuits of one runtime, by name: made when first asked for, listed, and stopped together. */
import { type Clock, systemClock } from '../time/clock.ts'
import type { Circuit, CircuitReport } from './circuit.ts'
import type { StartCircuitActor } from './circuit-actor.ts'
import { type CircuitSettings, circuitPresets } from './circuit-options.ts'
import type { CircuitSnapshot } from './circuit-snapshot.ts'
import { createResolvedCircuit } from './create-circuit.ts'

export interface Circuits {
  /** The circuit of that name, made with these numbers if there is none yet. */
  of(name: string, settings?: CircuitSettings): Circuit
  find(name: string): Circuit | undefined
  list(): readonly Circuit[]
  /** Stops every circuit; they refuse calls after. */
  stop(): void
}

export interface CircuitsOptions {
  readonly clock?: Clock | undefined
  readonly onEvent?: ((report: CircuitReport) => void) | undefined
  /** What a former process knew of a circuit. */
  readonly snapshotOf?: ((name: string) => CircuitSnapshot | undefined) | undefined
  /** Starts a circuit as an actor below a supervisor; by default each is a value of its own. */
  readonly startActor?: StartCircuitActor | undefined
}

export function createCircuits(options: CircuitsOptions = {}): Circuits {
  const circuits = new Map<string, Circuit>()
  const { clock = systemClock, onEvent, snapshotOf, startActor } = options
  return {
    of(name, settings = circuitPresets.default) {
      const known = circuits.get(name)
      if (known) return known
      const circuit = createResolvedCircuit(name, settings, {
        clock,
        onEvent,
        snapshot: snapshotOf?.(name),
        startActor,
      })
      circuits.set(name, circuit)
      return circuit
    },
    find: name => circuits.get(name),
    list: () => [...circuits.values()],
    stop() {
      for (const circuit of circuits.values()) circuit.stop()
    },
  }
}
