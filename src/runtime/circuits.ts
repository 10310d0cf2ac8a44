/** The circuits of the providers, each an actor below the supervisor of the providers. */
import type { AnyActorLogic, AnyActorScope } from 'xstate'
import type { CircuitActor } from '../resilience/circuit-actor.ts'
import { type Circuits, createCircuits } from '../resilience/circuits.ts'
import type { Supervisor } from '../supervisor/create-supervisor.ts'
import type { Clock } from '../time/clock.ts'

export function createSupervisedCircuits(supervisor: () => Supervisor, clock: Clock): Circuits {
  return createCircuits({
    clock,
    startActor(name, machine, input, snapshot) {
      const logic: AnyActorLogic = Object.create(machine, {
        getInitialSnapshot: {
          value: (scope: AnyActorScope) => snapshot ?? machine.getInitialSnapshot(scope as never, input),
        },
      })
      const id = `circuit:${name}`
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
}
