/**
 * What works less well, told to the degradation actor. The actor is optional: where it is not running, nothing is told,
 * and nothing fails for it.
 */
import type { DegradationMachineContext } from '../../machines/degradation.machine.ts'
import type { Supervisor } from '../supervisor/create-supervisor.ts'
import type { Clock } from '../time/clock.ts'

export interface Degradation {
  /** @param component the component, or the run and stage, that works less well */
  report(component: string, reason: string): void
  /** It works again, or what it was told of has ended. */
  recovered(component: string): void
  /** `healthy`, `degraded`, `offline`, or `unknown` where nobody keeps it. */
  level(): string
  /** What works less well at the moment. */
  components(): readonly { readonly component: string; readonly reason: string; readonly since: number }[]
}

/** @param monitors the supervisor that has the actor */
export function createDegradation(monitors: () => Supervisor, clock: Clock): Degradation {
  const actor = () => {
    const supervisor = monitors()
    const running = supervisor.whichChildren().some(({ id, status }) => id === 'degradation' && status === 'running')
    return running ? supervisor.child('degradation') : undefined
  }
  return {
    report: (component, reason) =>
      actor()?.send({ type: 'DEGRADED', component, reason, level: 'degraded', at: clock.now() }),
    recovered: component => actor()?.send({ type: 'RECOVERED', component, at: clock.now() }),
    level: () => (actor()?.getSnapshot() as { value: string } | undefined)?.value ?? 'unknown',
    components: () =>
      (actor()?.getSnapshot() as { context: DegradationMachineContext } | undefined)?.context.current.map(
        ({ component, reason, since }) => ({ component, reason, since }),
      ) ?? [],
  }
}
