/**
 * The circuits of the providers, each an actor below the supervisor of the providers. What they know outlives the
 * process: after each change of state all of them are written to where the next process looks, so an open circuit keeps
 * its remaining time. What an operator may do to them is here, too.
 */
import type { AnyActorLogic, AnyActorScope } from 'xstate'
import { HoldfastError, SnapshotError } from '../../errors.ts'
import { suggestion } from '../../options.ts'
import type { Circuit, CircuitMetrics, CircuitReport } from '../../resilience/circuit.ts'
import type { CircuitActor } from '../../resilience/circuit-actor.ts'
import type { CircuitSettings } from '../../resilience/circuit-options.ts'
import type { CircuitSnapshot } from '../../resilience/circuit-snapshot.ts'
import { type Circuits, createCircuits } from '../../resilience/circuits.ts'
import type { Supervisor } from '../../supervisor/create-supervisor.ts'
import type { Clock } from '../../time/clock.ts'
import { childIdOf } from '../actors/child-name.ts'

/** A circuit as the next process finds it: one that nobody has asked for yet can be looked at and changed, too. */
export interface KeptCircuit extends CircuitSnapshot {
  readonly settings: CircuitSettings
}

export const keptCircuit = (circuit: Circuit): KeptCircuit => ({ ...circuit.snapshot(), settings: circuit.settings })

/** Where circuits are kept between processes. */
export interface CircuitShelf {
  /** By name; empty where there is nothing or it cannot be read. */
  read(): ReadonlyMap<string, KeptCircuit>
  /** Never throws. */
  write(circuits: readonly KeptCircuit[]): void
}

export interface SupervisedCircuitsOptions {
  readonly supervisor: () => Supervisor
  readonly clock: Clock
  readonly shelf: CircuitShelf
  readonly onEvent: (report: CircuitReport) => void
}

export function createSupervisedCircuits({ supervisor, clock, shelf, onEvent }: SupervisedCircuitsOptions): Circuits {
  const known = new Map(shelf.read())
  const circuits = createCircuits({
    clock,
    snapshotOf(name) {
      const snapshot = known.get(name)
      known.delete(name)
      return snapshot
    },
    onEvent(report) {
      onEvent(report)
      if (report.type === 'circuit.changed') keep()
    },
    startActor(name, machine, input, snapshot) {
      const logic: AnyActorLogic = Object.create(machine, {
        getInitialSnapshot: {
          value: (scope: AnyActorScope) => snapshot ?? machine.getInitialSnapshot(scope as never, input),
        },
      })
      const id = childIdOf(`circuit:${name}`)
      void supervisor()
        .startChild({ id, logic })
        .catch(() => {})
      const ref = supervisor().child(id)
      return {
        send: event => ref.send(event),
        getSnapshot: () => ref.getSnapshot(),
        stop: () =>
          void supervisor()
            .terminateChild(id)
            .catch(() => {}),
      } as CircuitActor
    },
  })

  /** Those too that nobody has asked for in this process. */
  function keep(): void {
    shelf.write([...circuits.list().map(keptCircuit), ...known.values()])
  }

  /** One whose snapshot cannot be read, of another version maybe, begins anew. */
  const of: Circuits['of'] = (name, settings) => {
    try {
      return circuits.of(name, settings)
    } catch (error) {
      if (error instanceof SnapshotError) return circuits.of(name, settings)
      throw error
    }
  }

  return {
    ...circuits,
    of,
    // Of an earlier process, though no call has asked for it yet: its settings are those that it was written with.
    find: name => circuits.find(name) ?? revive(name),
    list: () => {
      for (const name of [...known.keys()]) revive(name)
      return circuits.list()
    },
  }

  function revive(name: string): Circuit | undefined {
    const snapshot = known.get(name)
    return snapshot && of(name, snapshot.settings)
  }
}

/** A circuit as it is listed. */
export interface CircuitSummary extends CircuitMetrics {
  readonly id: string
  /** Until it may let a call through, ms; 0 where it would now, absent while an operator holds it. */
  readonly remainingMs?: number | undefined
}

/** What may be done with the circuits of a runtime. */
export interface CircuitOperations {
  list(): Promise<readonly CircuitSummary[]>
  /** Closes it, whatever its state. @throws HoldfastError `circuit_not_found` */
  reset(id: string): Promise<CircuitSummary>
  /** Takes it out: it refuses every call until it is reset. @throws HoldfastError `circuit_not_found` */
  isolate(id: string): Promise<CircuitSummary>
}

export function circuitOperations(circuits: Pick<Circuits, 'find' | 'list'>): CircuitOperations {
  const found = (id: string): Circuit => {
    const circuit = circuits.find(id)
    if (circuit) return circuit
    const names = circuits.list().map(({ name }) => name)
    const there = suggestion(id, names) || '; there is none yet'
    throw new HoldfastError('circuit_not_found', `there is no circuit '${id}'${there}`, { id })
  }
  return {
    list: async () => circuits.list().map(summaryOfCircuit),
    async reset(id) {
      found(id).reset()
      return summaryOfCircuit(found(id))
    },
    async isolate(id) {
      found(id).isolate()
      return summaryOfCircuit(found(id))
    },
  }
}

function summaryOfCircuit(circuit: Circuit): CircuitSummary {
  const remainingMs = circuit.remainingMs()
  return { id: circuit.name, ...circuit.metrics(), ...(remainingMs === undefined ? {} : { remainingMs }) }
}
