/**
 * The root actors of the runs: each is started and stopped under the supervisor of the runs. A run of a machine of the
 * user's own hears that something in it has changed, and the `inspect` listener hears everything.
 */
import type { AnyActorScope } from 'xstate'
import { encodeError } from '../../errors.ts'
import type { Supervisor } from '../../supervisor/create-supervisor.ts'
import type { LiveRun, SupervisedRun } from '../run/live.ts'
import type { ResolvedOptions } from '../runtime-options.ts'
import { createBinding } from './binding.ts'
import { childIdOf } from './child-name.ts'

export interface RunActors {
  /** Starts the run's root actor. */
  supervise(run: SupervisedRun): void
  /** Stops the run's root actor; nobody is told. */
  dismiss(run: LiveRun): void
}

/** @param supervisor of the runs */
export function createRunActors(
  supervisor: () => Supervisor,
  { inspect, log }: Pick<ResolvedOptions, 'inspect' | 'log'>,
): RunActors {
  const watch = ({ self, system }: AnyActorScope, run: SupervisedRun): void => {
    if (run.definition.origin === 'machine') system.inspect(event => event.type === '@xstate.snapshot' && run.touch())
    if (!inspect) return
    const tell = (event: { type: string; actorRef?: unknown }): void => {
      try {
        inspect(event)
      } catch (error) {
        log.warn({ error: encodeError(error) }, 'the inspect listener threw')
      }
    }
    tell({ type: '@xstate.actor', actorRef: self })
    system.inspect(tell)
  }
  const binding = createBinding(() => inspect !== undefined, watch)

  return {
    supervise(run) {
      const started = supervisor().startChild({
        id: childIdOf(run.id),
        restart: 'temporary',
        logic: binding.logicOf(run),
      })
      const { root } = run
      started.catch(error => {
        if (run.root === root) run.broken(error)
      })
    },
    dismiss(run) {
      supervisor()
        .terminateChild(childIdOf(run.id))
        .catch(error => log.error({ error: encodeError(error) }, `the actors of run ${run.id} could not be stopped`))
    },
  }
}
