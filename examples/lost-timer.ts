/**
 * A property of a plain XState machine, found to be broken: once its snapshot was persisted and restored, a machine with
 * `after` waits for ever. Run it with `npx tsx examples/lost-timer.ts`.
 */
import { setup } from 'xstate'
import { checkMachine } from '../src/testing.ts'

const light = setup({}).createMachine({
  id: 'light',
  initial: 'green',
  states: {
    green: { after: { 30000: 'yellow' } },
    yellow: { after: { 3000: 'red' } },
    red: { after: { 20000: 'green' } },
  },
})

const check = checkMachine(light, {
  invariants: { 'is lit': ({ value }) => ['green', 'yellow', 'red'].includes(value) },
})
console.log(check.report)

// The same machine on a runtime that keeps what is scheduled.
console.log(checkMachine(light, { persistence: 'holdfast' }).report)
