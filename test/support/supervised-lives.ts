/** Random lives of dynamic children, and what must hold of any life: for tests of live supervisors. */
import fc from 'fast-check'
import { expect } from 'vitest'
import type { ChildSpec, SupervisorEvent } from '../../src/supervisor.ts'
import { type Stage, started, worker } from './supervised-worker.ts'

export const ids = ['a', 'b', 'c', 'd', 'e']

export type Restart = 'permanent' | 'transient' | 'temporary'

export const workers = (types: readonly Restart[]): ChildSpec[] =>
  types.map((restart, index) => ({ id: ids[index] as string, logic: worker, restart }))

/** At most one live incarnation an id, numbers that go up by one, no exit without a start. */
export function checkIncarnations(events: readonly SupervisorEvent[]): void {
  const live = new Map<string, number>()
  const last = new Map<string, number>()
  for (const event of events) {
    if (event.type === 'child.started') {
      expect(live.has(event.id)).toBe(false)
      expect(event.incarnation).toBe((last.get(event.id) ?? 0) + 1)
      live.set(event.id, event.incarnation)
      last.set(event.id, event.incarnation)
    } else if (event.type === 'child.exited') {
      expect(live.get(event.id)).toBe(event.incarnation)
      live.delete(event.id)
    }
  }
}

export interface Population {
  readonly maxChildren: number
  readonly commands: readonly (readonly ['add' | 'fail' | 'finish' | 'terminate' | 'restart' | 'advance', string])[]
}

export const populations: fc.Arbitrary<Population> = fc.record({
  maxChildren: fc.integer({ min: 1, max: 4 }),
  commands: fc.array(
    fc.tuple(
      fc.constantFrom(
        'add' as const,
        'add' as const,
        'fail' as const,
        'finish' as const,
        'terminate' as const,
        'restart' as const,
        'advance' as const,
      ),
      fc.constantFrom(...ids),
    ),
    { maxLength: 30 },
  ),
})

/** A random life of dynamic children, and then the stop; `after` is told after each command. */
export async function populated(
  { maxChildren, commands }: Population,
  after: (staged: Stage, id: string) => Promise<void>,
  logic: ChildSpec['logic'] = worker,
): Promise<Stage> {
  const staged = await started({ maxChildren, intensity: 100, backoff: { kind: 'fixed', base: 10 } })
  const { sup, clock } = staged
  const ignore = (): void => {}
  for (const [command, id] of commands) {
    if (command === 'add') await sup.startChild({ id, logic, restart: 'transient' }).catch(ignore)
    else if (command === 'terminate') await sup.terminateChild(id).catch(ignore)
    else if (command === 'restart') await sup.restartChild(id).catch(ignore)
    else if (command === 'advance') await clock.advance(5)
    else if (sup.whichChildren().some(child => child.id === id && child.status === 'running')) {
      sup.child(id).send({ type: command === 'fail' ? 'FAIL' : 'FINISH' })
    }
    await after(staged, id)
  }
  await sup.stop()
  return staged
}
