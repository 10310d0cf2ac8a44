/** What a run waits for when nothing in it works. */
import type { AnyActorRef } from 'xstate'
import type { LiveRun } from './live.ts'
import type { Waiting } from './run-facts.ts'

/** Undefined while something works, or is only between two attempts. */
export function waitsOf(run: LiveRun): readonly Waiting[] | undefined {
  const waits: Waiting[] = []
  for (const stage of run.stages.values()) {
    const { attempt } = stage
    if (attempt ? !attempt.waiting : !stage.parked) return undefined
    waits.push(...(attempt ? attempt.waits : [stage.parked as Waiting]))
  }
  if (run.definition.origin === 'built') return waits.length === 0 ? undefined : waits
  const { flow } = run
  if (!flow || hasWorkingActor(flow)) return undefined
  const scheduled = run.timers.ofKind('scheduled').map((timer): Waiting => ({ kind: 'sleep', until: timer.dueAt }))
  return [...waits, ...scheduled, { kind: 'event' }]
}

/** Whether an actor of the user's that is no machine, and so may be at work, is alive in the tree. */
function hasWorkingActor(actor: AnyActorRef): boolean {
  const { children = {} } = actor.getSnapshot() as { children?: Record<string, AnyActorRef | undefined> }
  return Object.values(children).some(child => {
    const snapshot = child?.getSnapshot() as { status: string; value?: unknown; machine?: unknown } | undefined
    if (!child || snapshot?.status !== 'active') return false
    return 'machine' in snapshot ? snapshot.machine !== undefined && hasWorkingActor(child) : true
  })
}
