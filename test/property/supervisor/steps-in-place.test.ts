import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { type AnyStateMachine, assign, createActor, type EventObject, setup } from 'xstate'
import { type SupervisorMachineInput, supervisorMachine } from '../../../machines/supervisor.machine.ts'
import { withStepsInPlace } from '../../../src/supervisor/steps-in-place.ts'
import { propertyRuns, propertyTimeoutMs } from '../../support/supervised-worker.ts'

vi.setConfig({ testTimeout: propertyTimeoutMs })

/** What can be told of a machine after each event. */
function statesOf(machine: AnyStateMachine, events: readonly EventObject[], input?: unknown): unknown[] {
  const actor = createActor(machine, { input, clock: { setTimeout: () => 0, clearTimeout: () => {} } } as never)
  actor.subscribe({ error: () => {} })
  actor.start()
  return events.map(event => {
    if (actor.getSnapshot().status === 'active') actor.send(event)
    const { value, context, status, tags, output } = actor.getSnapshot()
    return { value, context, status, output, tags: [...tags], degraded: actor.getSnapshot().hasTag('degraded') }
  })
}

const facts = {
  id: fc.constantFrom('a', 'b'),
  at: fc.integer({ min: 0, max: 100 }),
  unit: fc.double({ min: 0, max: 0.999, noNaN: true }),
  failures: fc.nat(5),
  previousDelayMs: fc.nat(100),
}

const supervisorEvents = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('CHILD_EXITED'),
      ...facts,
      restart: fc.constantFrom('permanent', 'transient', 'temporary'),
      significant: fc.boolean(),
      reason: fc.constantFrom('normal', 'abnormal', 'shutdown'),
      ranMs: fc.nat(200),
      otherSignificant: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('START_FAILED'), ...facts }) },
  fc.record({ type: fc.constantFrom('RESTARTS_SETTLED', 'STOP', 'CHILDREN_STOPPED', 'START', 'UNKNOWN') }),
)

const supervisorInputs: fc.Arbitrary<SupervisorMachineInput> = fc.record({
  strategy: fc.constantFrom('one-for-one' as const, 'one-for-all' as const, 'rest-for-one' as const),
  intensity: fc.integer({ min: 0, max: 10 }),
  periodMs: fc.integer({ min: 1, max: 50 }),
  autoShutdown: fc.constantFrom('never' as const, 'any-significant' as const, 'all-significant' as const),
  backoff: fc.constantFrom(null, { kind: 'exponential' as const, base: 10, max: 90, jitter: 0.5, resetAfterMs: 60 }),
})

const counting = setup({
  types: {} as { context: { count: number; seen: number; last: string; entered: number } },
  guards: { isEven: ({ context }) => context.count % 2 === 0 },
  actions: {
    add: assign({ count: ({ context }) => context.count + 1, seen: ({ context }) => context.count }),
    note: assign(({ event }) => ({ last: event.type })),
    fix: assign({ seen: 42 }),
    crash: () => {
      throw new Error('an action that throws')
    },
    enter: assign({ entered: ({ context }) => context.entered + 1 }),
  },
})

const context = { count: 0, seen: 0, last: '', entered: 0 }
const states = {
  one: {
    entry: 'enter',
    on: {
      ADD: { actions: ['add', 'note', 'fix', 'add'] },
      EVEN: [{ guard: 'isEven', actions: 'add' }, { target: 'two' }],
      AGAIN: { target: 'one', reenter: true, actions: 'add' },
      CRASH: { actions: ['add', 'crash'] },
      FORBIDDEN: {},
    },
  },
  two: { entry: 'enter', on: { ADD: { actions: 'add' }, EVEN: 'one', '*': { actions: 'note' } } },
} as const
const plain = counting.createMachine({ context, initial: 'one', states, on: { ADD: { actions: 'fix' } } })
const moving = counting.createMachine({
  context,
  initial: 'one',
  states: {
    ...states,
    one: { ...states.one, always: { guard: ({ context: { count } }) => count > 3, target: 'two' } },
  },
})

describe('a machine with steps in place', () => {
  const check = (machine: AnyStateMachine, event: fc.Arbitrary<EventObject>, input?: fc.Arbitrary<unknown>): void =>
    fc.assert(
      fc.property(fc.array(event, { maxLength: 30 }), input ?? fc.constant(undefined), (events, given) => {
        const all = input ? [{ type: 'START' }, { type: 'CHILDREN_STARTED' }, ...events] : events
        expect(statesOf(withStepsInPlace(machine), all, given)).toEqual(statesOf(machine, all, given))
      }),
      { numRuns: propertyRuns },
    )

  const words = fc.constantFrom('ADD', 'ADD', 'EVEN', 'AGAIN', 'CRASH', 'FORBIDDEN', 'OTHER').map(type => ({ type }))

  it('does what XState makes of the supervisor machine', () =>
    check(supervisorMachine, supervisorEvents, supervisorInputs))

  it('does what XState makes of assignments, guards, targets, wildcards and actions that throw', () =>
    check(plain, words))

  it('leaves a machine with eventless transitions to XState', () => {
    expect(withStepsInPlace(moving)).toBe(moving)
    check(moving, words)
  })

  it('assigns without the interpreter: no other machine step is asked for', () => {
    const machine = withStepsInPlace(plain)
    const actor = createActor(machine).start()
    const asked = vi.spyOn(plain, 'transition')
    actor.send({ type: 'ADD' })
    expect(actor.getSnapshot().context).toEqual({ count: 2, seen: 1, last: 'ADD', entered: 1 })
    expect(asked).not.toHaveBeenCalled()
    actor.send({ type: 'AGAIN' })
    expect(asked).toHaveBeenCalledOnce()
  })
})
