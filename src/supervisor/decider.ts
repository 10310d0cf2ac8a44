/**
 * The supervisor machine of one incarnation of a supervisor: it is told what happened, and decides. Every decision is
 * kept with what it was made from.
 */
import { type Actor, createActor } from 'xstate'
import {
  type ChildExitedEvent,
  type StartFailedEvent,
  type SupervisorDecision,
  type SupervisorMachineEvent,
  supervisorMachine,
} from '../../machines/supervisor.machine.ts'
import type { ResolvedSupervisorSpec } from './child-spec.ts'
import { withStepsInPlace } from './steps-in-place.ts'
import type { Tree } from './tree.ts'

const decidingMachine = withStepsInPlace(supervisorMachine)

export class Decider {
  readonly actor: Actor<typeof supervisorMachine>
  readonly #supervisor: string
  readonly #tree: Tree

  constructor(supervisor: string, spec: ResolvedSupervisorSpec, tree: Tree) {
    const { strategy, intensity, periodMs, autoShutdown, backoff } = spec
    this.#supervisor = supervisor
    this.#tree = tree
    this.actor = createActor(decidingMachine, {
      id: supervisor,
      clock: tree.actorClock,
      input: { strategy, intensity, periodMs, autoShutdown, backoff },
    })
    this.actor.subscribe({ error: () => {} })
    this.actor.start()
  }

  tell(event: SupervisorMachineEvent): void {
    if (this.actor.getSnapshot().status === 'active') this.actor.send(event)
  }

  decide(fact: ChildExitedEvent | StartFailedEvent): SupervisorDecision | undefined {
    const before = this.actor.getSnapshot().context
    this.tell(fact)
    const { decision } = this.actor.getSnapshot().context
    if (decision === null) return undefined
    this.#tree.decisions.add({ supervisor: this.#supervisor, before, fact, decision })
    return decision
  }

  close(): void {
    this.tell({ type: 'CHILDREN_STOPPED' })
    this.actor.stop()
  }
}
