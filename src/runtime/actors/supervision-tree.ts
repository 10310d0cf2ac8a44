/**
 * The supervision tree of a runtime, made with the same supervisors that users have: services, circuits of the
 * providers, monitors, and the runs, which are added as they are started. A service that fails cannot be repaired by
 * starting it again, since what it holds is in an unknown state: it escalates to the root, and the runtime ends.
 */
import { fromTransition } from 'xstate'
import { degradationMachine } from '../../../machines/degradation.machine.ts'
import type { MonitorSpec } from '../../health/monitors.ts'
import { createSupervisor, type Supervisor } from '../../supervisor/create-supervisor.ts'
import type { SupervisorEvent } from '../../supervisor/events.ts'
import type { Clock } from '../../time/clock.ts'
import type { Random } from '../../time/random.ts'

export interface SupervisionTreeOptions {
  readonly clock: Clock
  readonly random: Random
  readonly monitors: readonly MonitorSpec[]
  /** Without them nothing is told of what works less well. */
  readonly withDegradation: boolean
  readonly onEvent?: ((event: SupervisorEvent) => void) | undefined
}

type ServiceEvent = { type: 'FAILED'; error: unknown }

/** A part of the runtime as an actor: it lives until it is told that it failed. */
const service = fromTransition(
  (state: { failed: boolean }, event: ServiceEvent) => {
    if (event.type === 'FAILED') throw event.error
    return state
  },
  { failed: false },
)

export function createSupervisionTree(options: SupervisionTreeOptions): Supervisor {
  const { clock, random, onEvent } = options
  return createSupervisor({
    id: 'root',
    intensity: 0,
    clock,
    random,
    onEvent,
    children: [
      {
        id: 'services',
        type: 'supervisor',
        logic: {
          strategy: 'rest-for-one',
          intensity: 0,
          children: [
            { id: 'store', logic: service },
            { id: 'journal', logic: service },
            { id: 'timers', logic: service },
          ],
        },
      },
      { id: 'providers', type: 'supervisor', logic: { strategy: 'one-for-one', intensity: 10, children: [] } },
      {
        id: 'monitors',
        type: 'supervisor',
        restart: 'transient',
        logic: {
          strategy: 'one-for-one',
          intensity: 10,
          children: [
            ...options.monitors.map(({ id, logic, input }) => ({ id, logic, input })),
            ...(options.withDegradation ? [{ id: 'degradation', logic: degradationMachine }] : []),
          ],
        },
      },
      { id: 'runs', type: 'supervisor', logic: { strategy: 'one-for-one', children: [] } },
    ],
  })
}
