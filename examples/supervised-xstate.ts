/**
 * A plain XState program made supervised in ten lines: two machines that know nothing of Holdfast, one of which crashes
 * now and then. Run it with `npx tsx examples/supervised-xstate.ts`.
 */
import { assign, setup } from 'xstate'
import { createSupervisor } from '../src/supervisor.ts'

const counter = setup({
  actions: { count: assign({ count: ({ context }) => context.count + 1 }) },
  types: {} as { context: { count: number } },
}).createMachine({ context: { count: 0 }, on: { TICK: { actions: 'count' } } })

const fragile = setup({
  actions: {
    crash: () => {
      throw new Error('a bad event came in')
    },
  },
}).createMachine({ on: { BAD: { actions: 'crash' } } })

const supervisor = createSupervisor({
  id: 'app',
  intensity: 2,
  period: '10s',
  children: [
    { id: 'counter', logic: counter },
    { id: 'fragile', logic: fragile },
  ],
  onEvent: event => console.log(event.type, 'id' in event ? event.id : ''),
})
await supervisor.start()

supervisor.child('counter').send({ type: 'TICK' })
// The third crash is one too many within ten seconds; what was sent meanwhile waits for the next incarnation.
for (let crash = 0; crash < 3; crash++) supervisor.child('fragile').send({ type: 'BAD' })

const { reason, cause } = await supervisor.stopped
console.log(`ended: ${reason}`, cause instanceof Error ? `(${cause.message})` : '')
