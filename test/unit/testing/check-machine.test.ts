import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { assign, createMachine, fromPromise, raise, setup, spawnChild } from 'xstate'
import { z } from 'zod'
import { checkMachine, checkTrace, coverageOf, eventsOf, machineMatchers } from '../../../src/testing.ts'

expect.extend(machineMatchers)

const light = setup({}).createMachine({
  id: 'light',
  initial: 'green',
  states: {
    green: { after: { 30000: 'yellow' }, on: { BREAK: 'dark' } },
    yellow: { after: { 3000: 'red' } },
    red: { after: { 20000: 'green' } },
    dark: { on: { MEND: 'green' } },
  },
})

const till = setup({
  types: {} as {
    context: { paid: number }
    events: { type: 'PAY'; amount: number } | { type: 'REFUND' } | { type: 'LOOK' }
  },
  guards: { isEnough: ({ event }) => event.type === 'PAY' && event.amount > 10 },
  actions: {
    take: assign({ paid: ({ context, event }) => context.paid + (event.type === 'PAY' ? event.amount : 0) }),
    giveTwenty: assign({ paid: ({ context }) => context.paid - 20 }),
  },
}).createMachine({
  id: 'till',
  initial: 'open',
  context: { paid: 0 },
  states: {
    open: { on: { PAY: { guard: 'isEnough', actions: 'take', target: 'paid' }, LOOK: {} } },
    paid: { on: { REFUND: { actions: 'giveTwenty', target: 'open' }, LOOK: {} } },
  },
})

const payments = { PAY: z.object({ amount: z.int().positive() }) }
const neverNegative = { 'never negative': ({ context }: { context: { paid: number } }) => context.paid >= 0 }

describe('checkMachine', () => {
  it('finds within seconds that a restored machine has lost its timer, and how little it takes', () => {
    const began = performance.now()
    const { ok, seed, trace, violation, path } = checkMachine(light)
    expect(performance.now() - began).toBeLessThan(5000)
    expect(ok).toBe(false)
    expect(seed).toBe(1)
    expect(trace).toEqual([{ type: 'holdfast.crash' }, { type: 'holdfast.time', ms: 30_000 }])
    expect(violation).toMatchObject({ invariant: 'crash and restore' })
    expect(violation?.message).toContain("in 'yellow', resumed after it in 'green'")
    expect(path).toContain('--30s passes--> yellow   (resumed after the crash: green)')
  })

  it('holds the same machine for sound where the timers outlive the crash', () => {
    const { ok, coverage } = checkMachine(light, { persistence: 'holdfast' })
    expect(ok).toBe(true)
    expect(coverage.states.never).toEqual([])
    expect(coverage.transitions).toMatchObject({ total: 5, never: [] })
  })

  it('breaks an invariant with as few and as plain events as it takes', () => {
    const { ok, trace, violation, replay } = checkMachine(till, { invariants: neverNegative, events: payments })
    expect(ok).toBe(false)
    expect(violation?.invariant).toBe('never negative')
    expect(trace).toEqual([{ type: 'PAY', amount: 11 }, { type: 'REFUND' }])
    expect(replay).toMatch(/^checkMachine\(till, \{ seeds: \[\d+\], invariants, events \}\)$/)
  })

  it('finds the same again from the seed alone', () => {
    const first = checkMachine(till, { invariants: neverNegative, events: payments })
    const again = checkMachine(till, { invariants: neverNegative, events: payments, seeds: [first.seed as number] })
    expect(again.trace).toEqual(first.trace)
  })

  it('goes on looking for what the user asks after it has found that a crash is not survived', () => {
    const both = light.provide({})
    const { violation, trace } = checkMachine(both, {
      invariants: [
        function neverDark(s) {
          return s.value !== 'dark'
        },
      ],
    })
    expect(violation?.invariant).toBe('neverDark')
    expect(trace).toEqual([{ type: 'BREAK' }])
  })

  it('finds what does not survive JSON in a context', () => {
    const dated = setup({ types: {} as { context: { at?: Date }; events: { type: 'STAMP' } } }).createMachine({
      id: 'dated',
      context: {},
      on: { STAMP: { actions: assign({ at: () => new Date(0) }) } },
    })
    const { trace, violation } = checkMachine(dated)
    expect(trace).toEqual([{ type: 'STAMP' }, { type: 'holdfast.crash' }])
    expect(violation?.message).toContain('context.at')
    expect(violation?.message).toContain('a Date')
  })

  it('does not mind a key that is undefined before a crash and absent after it', () => {
    const machine = setup({ types: {} as { context: { user: string | undefined } } }).createMachine({
      id: 'plain',
      context: { user: undefined },
      on: { GO: {} },
    })
    expect(checkMachine(machine).ok).toBe(true)
  })

  it('finds an actor that has no name to be restored by', () => {
    const machine = createMachine({
      id: 'inline',
      initial: 'idle',
      states: {
        idle: { on: { GO: 'busy' } },
        busy: {
          entry: spawnChild(
            fromPromise(async () => 1),
            { id: 'work' },
          ),
        },
      },
    })
    const { trace, violation } = checkMachine(machine)
    expect(trace).toEqual([{ type: 'GO' }, { type: 'holdfast.crash' }])
    expect(violation?.message).toContain('cannot be persisted')
  })

  it('finds a guard that throws, and says what may be missing', () => {
    const { violation } = checkMachine(
      setup({
        guards: { isLong: ({ event }) => (event as unknown as { text: string }).text.length > 3 },
      }).createMachine({ id: 'talk', on: { SAY: { guard: 'isLong' } } }),
    )
    expect(violation?.invariant).toBe('nothing throws')
    expect(violation?.message).toContain('events: { "SAY": z.object({ … }) }')
  })

  it('ends invoked actors with what they give, or with an error, and says where it knows of nothing', () => {
    const fetching = setup({
      types: {} as { context: { name: string } },
      actors: { load: fromPromise(async () => ({ name: 'a' })) },
      actions: { keep: assign({ name: (_, params: { name: string }) => params.name }) },
    }).createMachine({
      id: 'fetching',
      initial: 'loading',
      context: { name: '' },
      states: {
        loading: {
          invoke: {
            src: 'load',
            id: 'user',
            onDone: { target: 'shown', actions: { type: 'keep', params: ({ event }) => event.output } },
            onError: 'failed',
          },
        },
        shown: { type: 'final' },
        failed: { on: { AGAIN: 'loading' } },
      },
    })
    const blind = checkMachine(fetching)
    expect(blind.coverage.states.never).toEqual(['shown'])
    expect(blind.report).toContain("'user' never ended well")
    const seeing = checkMachine(fetching, { outputs: { load: z.object({ name: z.string() }) } })
    expect(seeing.ok).toBe(true)
    expect(seeing.coverage.states.never).toEqual([])
    expect(seeing.report).not.toContain('never ended well')
  })

  it('takes delayed events of its own and their cancelling for timers too', () => {
    const machine = setup({}).createMachine({
      id: 'late',
      initial: 'waiting',
      states: {
        waiting: { entry: raise({ type: 'RING' }, { delay: 50, id: 'ring' }), on: { RING: 'rung', HUSH: 'hushed' } },
        rung: {},
        hushed: { entry: ({ self }) => self },
      },
    })
    expect(checkMachine(machine).trace).toEqual([{ type: 'holdfast.crash' }, { type: 'holdfast.time', ms: 50 }])
  })

  it('gives a machine that reads the clock by itself the same time on both ways', () => {
    const machine = setup({ types: {} as { context: { at: number } } }).createMachine({
      id: 'clocked',
      context: { at: 0 },
      on: { TICK: { actions: assign({ at: () => Date.now() + Math.floor(Math.random() * 0) }) } },
    })
    expect(checkMachine(machine).ok).toBe(true)
    expect(Math.abs(Date.now() - Date.UTC(2026, 0, 1))).not.toBeLessThan(1000)
  })

  it('says of transitions that go round for ever where they do, and comes to an end itself', () => {
    const round = createMachine({ id: 'round', initial: 'a', states: { a: { always: 'b' }, b: { always: 'a' } } })
    const { violation } = checkMachine(round)
    expect(violation).toMatchObject({ invariant: 'nothing throws', message: expect.stringContaining('for ever') })
  })

  it('sends an event for each wildcard of the machine', () => {
    const mouse = createMachine({
      id: 'mouse',
      initial: 'idle',
      states: { idle: { on: { 'mouse.*': 'moved', '*': 'lost' } }, moved: {}, lost: { on: { BACK: 'idle' } } },
    })
    expect(checkMachine(mouse).coverage.transitions.never).toEqual([])
    const types = new Set(fc.sample(eventsOf(mouse), { numRuns: 50, seed: 1 }).map(({ type }) => type))
    expect([...types].sort()).toEqual(['BACK', 'any', 'mouse.any'])
  })

  it('names an actor without an implementation', () => {
    const calls = createMachine({ id: 'calls', initial: 'a', states: { a: { invoke: { id: 'load', src: 'load' } } } })
    expect(checkMachine(calls).violation?.message).toContain("actor 'load' has no implementation")
  })

  it('takes chance that a machine draws in a transition for no loss in a crash, nor the sign of a zero', () => {
    const draws = createMachine({
      id: 'draws',
      context: () => ({ drawn: Math.random(), zero: 0 }),
      on: { DRAW: { actions: assign({ drawn: () => Math.random(), zero: -0 }) } },
    })
    const { ok, report } = checkMachine(draws)
    expect(ok, report).toBe(true)
  })

  it.each([
    [{ invariants: { a: 1 } }, 'must be functions, by name or in a list'],
    [{ invariant: {} }, "did you mean 'invariants'?"],
    [{ seeds: 0 }, 'seeds'],
    [{ events: { PAYY: z.object({}) } }, "did you mean 'PAY'?"],
    [{ events: { PAY: z.object({ by: z.custom<object>() }) } }, 'events.PAY.by'],
    [{ events: { PAY: z.string() } }, 'must describe an object'],
    [{ invariants: [async () => true] }, 'must be synchronous'],
  ])('refuses %o and says how to mend it', (options, message) => {
    expect(() => checkMachine(till, options as never)).toThrow(message)
  })

  it('refuses what is no machine', () => {
    expect(() => checkMachine({ initial: 'a', states: {} } as never)).toThrow('is a configuration')
  })
})

describe('the test that it writes', () => {
  it('fails for the machine as it is, and passes for the mended one', () => {
    const { trace, test } = checkMachine(till, { invariants: neverNegative, events: payments })
    expect(test).toContain("{ type: 'PAY', amount: 11 },")
    expect(test).toContain('checkTrace(machine, trace, { invariants })')
    expect(checkTrace(till, trace ?? [], { invariants: neverNegative }).ok).toBe(false)
    const mended = till.provide({ actions: { giveTwenty: assign({ paid: 0 }) } })
    expect(checkTrace(mended, trace ?? [], { invariants: neverNegative }).ok).toBe(true)
  })
})

describe('coverageOf', () => {
  it('names the states and transitions that no trace reached', () => {
    const coverage = coverageOf(light, [['BREAK'], [{ type: 'holdfast.time', ms: 30_000 }]])
    expect(coverage.states).toEqual({ total: 4, reached: ['green', 'yellow', 'dark'], never: ['red'] })
    expect(coverage.transitions.never.map(({ name }) => name)).toEqual([
      'yellow --after 3000--> red',
      'red --after 20000--> green',
      'dark --MEND--> green',
    ])
    expect(String(coverage)).toContain('never taken: dark --MEND--> green')
    expect(JSON.parse(JSON.stringify(coverage)).transitions.reached[0]).toEqual({
      name: 'green --BREAK--> dark',
      source: 'light.green',
      event: 'BREAK',
      targets: ['light.dark'],
    })
  })
})

describe('coverageOf of what cannot be covered', () => {
  it.each([['BREAK'], [['BREAK']].map(() => 'BREAK'), undefined])('refuses %j in place of a list of traces', traces => {
    expect(() => coverageOf(light, traces as never)).toThrow('coverageOf(machine, [trace])')
  })

  it('says that an input is missing', () => {
    const fed = createMachine({ id: 'fed', context: ({ input }) => ({ n: (input as { n: number }).n }) })
    expect(() => coverageOf(fed, [['GO']])).toThrow('give it as `input`')
  })

  it('gives a drawing each node and transition by their ids, beside what is written as JSON', () => {
    const coverage = coverageOf(light, [['BREAK']])
    const { states, transitions } = coverage.overlay()
    expect(states.filter(({ covered }) => covered).map(({ id }) => id)).toEqual(['light.green', 'light.dark'])
    expect(transitions).toContainEqual(
      expect.objectContaining({ source: 'light.dark', event: 'MEND', targets: ['light.green'], covered: false }),
    )
    expect(Object.keys(JSON.parse(JSON.stringify(coverage)))).toEqual(['states', 'transitions'])
  })
})

describe('the matchers', () => {
  it('pass and fail with the report', () => {
    expect(light).toHoldInvariants({}, { persistence: 'holdfast' })
    expect(till).not.toHoldInvariants(neverNegative, { events: payments })
    expect(() => expect(light).toHoldInvariants()).toThrow('CRASH+RESTORE')
    expect(() => expect(light).toBeCoveredBy([['BREAK']])).toThrow('never entered: yellow')
    expect(light).toBeCoveredBy([['BREAK', 'MEND'], [{ type: 'holdfast.time', ms: 60_000 }]])
  })
})
