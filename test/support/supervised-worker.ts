/** A worker for tests of supervision: it counts, fails and finishes on demand, and what happened to it can be read. */
import { assign, setup } from 'xstate'
import {
  createSupervisor,
  type Supervisor,
  type SupervisorEvent,
  type SupervisorOptions,
} from '../../src/supervisor.ts'
import { type VirtualClock, virtualClock } from '../../src/testing/virtual-clock.ts'

export class Crash extends Error {}

export const worker = setup({
  types: {} as { context: { seen: unknown[] }; events: { type: 'FAIL' | 'FINISH' } | { type: 'NOTE'; what: unknown } },
  actions: {
    crash: () => {
      throw new Crash('crashed on demand')
    },
    note: assign({
      seen: ({ context, event }) => (event.type === 'NOTE' ? [...context.seen, event.what] : context.seen),
    }),
  },
}).createMachine({
  context: { seen: [] },
  initial: 'working',
  states: {
    working: { on: { FAIL: { actions: 'crash' }, FINISH: 'finished', NOTE: { actions: 'note' } } },
    finished: { type: 'final' },
  },
})

/** Fails as it starts. */
export const stillborn = setup({
  actions: {
    crash: () => {
      throw new Crash('crashed at start')
    },
  },
}).createMachine({ entry: 'crash' })

export interface Stage {
  readonly sup: Supervisor
  readonly clock: VirtualClock
  readonly events: SupervisorEvent[]
  /** The events as short lines: `+a1` started, `-a1 abnormal` exited, `!a [a b]` restart decided. */
  lines(): string[]
  forget(): void
}

/** A supervisor under a virtual clock, with its events. */
export function stage(options: SupervisorOptions): Stage {
  const clock = virtualClock()
  const events: SupervisorEvent[] = []
  const sup = createSupervisor({ clock, random: () => 0.5, ...options, onEvent: event => events.push(event) })
  return {
    sup,
    clock,
    events,
    lines: () => events.map(lineOf),
    forget: () => {
      events.length = 0
    },
  }
}

export async function started(options: SupervisorOptions): Promise<Stage> {
  const staged = stage(options)
  await staged.sup.start()
  return staged
}

export function lineOf(event: SupervisorEvent): string {
  const whose = event.supervisor === undefined ? '' : `${event.supervisor}: `
  switch (event.type) {
    case 'child.started':
      return `+${event.id}${event.incarnation}`
    case 'child.exited':
      return `-${event.id}${event.incarnation} ${event.reason}`
    case 'restart.decided':
      return `!${event.id} [${event.group.join(' ')}]`
    case 'restart.refused':
      return `refused ${event.id} ${event.rule}`
    case 'escalated':
      return `${whose}escalated`
    case 'supervisor.stopped':
      return `${whose}stopped ${event.reason}`
    case 'dead-letter':
      return `dead ${event.id} ${event.event.type} ${event.reason}`
  }
}

export const fail = (sup: Supervisor, path: string): void => sup.child(path).send({ type: 'FAIL' })
export const finish = (sup: Supervisor, path: string): void => sup.child(path).send({ type: 'FINISH' })

export const propertyRuns = Number(process.env.HOLDFAST_PROPERTY_RUNS ?? 100)
/** Properties are given the time that their number of runs needs. */
export const propertyTimeoutMs = Math.max(60_000, propertyRuns * 200)
