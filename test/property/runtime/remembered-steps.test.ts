import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type AnyActorLogic,
  type AnyActorRef,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  assign,
  createActor,
  createMachine,
  raise,
  sendTo,
  setup,
} from 'xstate'
import { stageMachine } from '../../../machines/stage.machine.ts'
import { workflowMachine } from '../../../machines/workflow.machine.ts'
import { rememberSteps } from '../../../src/runtime/actors/remembered-steps.ts'
import { definitionOf } from '../../../src/workflow/definition.ts'
import { buildWorkflow, childWorkflow, workflowSpecs } from '../../support/random-workflow.ts'
import { propertyRuns } from '../../support/supervised-worker.ts'

/** What an actor did that others can see, in order. */
type Trace = unknown[]

/** An invoked actor that lives until it is told to end or to fail. */
const invoked = (trace: Trace): AnyActorLogic =>
  ({
    getInitialSnapshot: ({ id }: { id: string }, input: unknown) => {
      trace.push(['invoked', id, input])
      return { status: 'active' }
    },
    start: (_: unknown, { id }: { id: string }) => trace.push(['started', id]),
    transition: (snapshot: object, { type }: { type: string }, { id }: { id: string }) => {
      trace.push(['told', id, type])
      if (type === 'END') return { status: 'done', output: { stage: id } }
      return type === 'FAIL' ? { status: 'error', error: `${id} failed` } : snapshot
    },
    getPersistedSnapshot: (snapshot: object) => snapshot,
  }) as unknown as AnyActorLogic

/** Every action without effect of its own is written down. */
function traced(machine: AnyStateMachine, trace: Trace): AnyStateMachine {
  const names = Object.entries(machine.implementations.actions).filter(
    ([, action]) => !('resolve' in (action as object)),
  )
  const actions = names.map(([name]) => [
    name,
    ({ context, event }: { context: unknown; event: unknown }, params: unknown) =>
      trace.push(['asked', name, params, JSON.stringify(context), event]),
  ])
  const actors = Object.keys(machine.implementations.actors).map(name => [name, invoked(trace)])
  return machine.provide({ actions: Object.fromEntries(actions), actors: Object.fromEntries(actors) } as never)
}

type Command = { readonly child: number; readonly tell: 'END' | 'FAIL' } | { readonly event: object }

interface Life {
  readonly input?: unknown
  readonly commands: readonly Command[]
}

const livesOf = (commands: fc.Arbitrary<Command>, input: fc.Arbitrary<unknown> = fc.constant(undefined)) =>
  fc.array(fc.record({ input, commands: fc.array(commands, { maxLength: 30 }) }), { minLength: 2, maxLength: 6 })

function obey(actor: AnyActorRef, command: Command): void {
  if ('event' in command) return actor.send(command.event as never)
  const { children } = actor.getSnapshot() as AnyMachineSnapshot
  const alive = (Object.values(children) as AnyActorRef[]).filter(child => child.getSnapshot().status === 'active')
  alive[command.child % Math.max(1, alive.length)]?.send({ type: command.tell })
}

/** The commands given to the machine itself and to the one that remembers: nobody can tell them apart. */
function expectSame(machine: AnyStateMachine, lives: readonly Life[]): number {
  const [plainTrace, rememberedTrace]: [Trace, Trace] = [[], []]
  const plain = traced(machine, plainTrace)
  const base = traced(machine, rememberedTrace)
  let workedOut = 0
  const counted = Object.create(base, {
    transition: {
      value: (...given: Parameters<AnyStateMachine['transition']>) => {
        workedOut++
        return base.transition(...given)
      },
    },
  }) as AnyStateMachine
  const remembering = rememberSteps(counted, () => false)
  let told = 0
  for (const { input, commands } of lives) {
    const own = createActor(plain, { input })
    const other = createActor(remembering, { input })
    const actors = [own, other]
    for (const actor of actors) actor.subscribe({ error: () => {} })
    for (const actor of actors) actor.start()
    const compare = (): void => {
      expect(rememberedTrace).toEqual(plainTrace)
      expect(visible(other)).toEqual(visible(own))
    }
    compare()
    for (const command of commands) {
      if (own.getSnapshot().status !== 'active') break
      told++
      for (const actor of actors) obey(actor, command)
      compare()
    }
  }
  return told - workedOut
}

function visible(actor: AnyActorRef): unknown {
  const snapshot = actor.getSnapshot() as AnyMachineSnapshot
  const persisted = (actor as unknown as { getPersistedSnapshot(): object }).getPersistedSnapshot()
  return {
    persisted,
    value: snapshot.value,
    tags: [...snapshot.tags],
    nodes: snapshot._nodes.map(({ id }) => id).sort(),
  }
}

const childCommands = fc.record({
  child: fc.nat(20),
  tell: fc.oneof(
    { weight: 9, arbitrary: fc.constant('END' as const) },
    { weight: 1, arbitrary: fc.constant('FAIL' as const) },
  ),
})

const eventsNamed = (...types: string[]): fc.Arbitrary<Command> =>
  fc.constantFrom(...types).map(type => ({ event: { type, reason: 'why', failure: null, at: 1, delayMs: 1 } }))

describe('a machine that remembers its steps', () => {
  it('does as XState does, for the flow of any workflow', () => {
    fc.assert(
      fc.property(workflowSpecs, livesOf(childCommands), (spec, lives) => {
        const witness = { saw() {} } as never
        const { machine } = definitionOf(buildWorkflow(spec, witness, childWorkflow(witness)))
        expectSame(machine, lives)
      }),
      { numRuns: propertyRuns },
    )
  })

  it('does as XState does, for the life of a run', () => {
    const commands = fc.oneof(
      childCommands,
      eventsNamed('WAIT_BEGUN', 'WAIT_ENDED', 'PAUSE', 'RESUME', 'CANCEL', 'RECOVER', 'RECOVERED'),
      eventsNamed('COMPLETE', 'FAIL', 'QUARANTINE', 'EXHAUST_BUDGET', 'COMPENSATED'),
    )
    fc.assert(
      fc.property(livesOf(commands, fc.constant({ runId: 'r', workflow: 'w' })), lives => {
        expectSame(workflowMachine as unknown as AnyStateMachine, lives)
      }),
      { numRuns: propertyRuns },
    )
  })

  it('does as XState does, for a stage', () => {
    const commands = fc.oneof(
      eventsNamed('ATTEMPT_SUCCEEDED', 'WAIT_BEGUN', 'WAIT_ENDED', 'RECOVERED', 'DELAY_PASSED', 'PREFLIGHT_PASSED'),
      fc
        .constantFrom('ATTEMPT_FAILED', 'PREFLIGHT_FAILED', 'FALLBACK_FAILED', 'REMEDY_FAILED')
        .map(type => ({ event: { type, failure, at: 1, delayMs: 1, restartBudgetLeft: true } })),
      eventsNamed('REMEDY_APPLIED', 'FALLBACK_SUCCEEDED'),
    )
    const policies = fc.record({
      maxRetries: fc.nat(2),
      retryOn: fc.constant(['timeout']),
      remedies: fc.constantFrom([], ['tidy']),
      restart: fc.constantFrom('transient', 'temporary'),
      intensity: fc.nat(2),
      periodMs: fc.constant(1000),
      onExhausted: fc.constantFrom('fail', 'quarantine'),
      fallback: fc.boolean(),
      optional: fc.boolean(),
      preflight: fc.boolean(),
    })
    const inputs = fc.record({
      stage: fc.constantFrom('a', 'b'),
      policy: policies,
      admission: fc.constantFrom('run', 'run', 'run', 'skip', 'refuse'),
    })
    fc.assert(
      fc.property(livesOf(commands, inputs), lives => {
        expectSame(stageMachine as unknown as AnyStateMachine, lives)
      }),
      { numRuns: propertyRuns },
    )
  })

  it('does as XState does, whatever a machine is made of', () => {
    const events = eventsNamed(
      'GO',
      'BACK',
      'AGAIN',
      'COUNT',
      'SAY',
      'SPLIT',
      'LEFT',
      'RIGHT',
      'JUMP',
      'HOME',
      'STOP',
      'X',
    )
    fc.assert(
      fc.property(
        livesOf(
          fc.oneof(events, childCommands, fc.constant<Command>({ child: 0, tell: 'FAIL' })),
          fc.record({ open: fc.boolean() }),
        ),
        lives => {
          expectSame(motley('split', {}), lives)
          expectSame(motley('split.last', { last: { type: 'history', history: 'deep' } }), lives)
        },
      ),
      { numRuns: propertyRuns * 4 },
    )
  }, 60_000)

  it('works each step of a chain out once', () => {
    const ends = Array.from({ length: 3 }, (): Command => ({ child: 0, tell: 'END' }))
    const spec = ['a', 'b', 'c'].map((name, index) => ({
      ...plainStage,
      name,
      needs: index === 0 ? [] : ['ab'[index - 1]],
    }))
    const witness = { saw() {} } as never
    const { machine } = definitionOf(buildWorkflow(spec as never, witness, childWorkflow(witness)))
    expect(expectSame(machine, [{ commands: ends }, { commands: ends }, { commands: ends }])).toBe(6)
  })
})

interface Given {
  readonly context: { readonly count: number }
}

/** Something of everything that makes one transition unlike the next. */
const motley = (split: string, history: object): AnyStateMachine =>
  setup({
    types: {} as { context: { open: boolean; count: number }; input: { open: boolean } },
    actors: { work: createMachine({}) },
    guards: { isOpen: ({ context }) => context.open, isMany: ({ context }) => context.count > 1 },
    actions: {
      greet: () => {},
      say: (_, _params: { count: number }) => {},
      count: assign({ count: ({ context }) => context.count + 1 }),
      pass: raise({ type: 'COUNT' } as never),
      nudge: sendTo('work', { type: 'NUDGE' }),
    },
  }).createMachine({
    id: 'motley',
    context: ({ input }: { input: { open: boolean } }) => ({ open: input.open, count: 0 }),
    initial: 'one',
    on: {
      HOME: { target: '.one', actions: 'greet' },
      JUMP: { target: '.split.left.far' },
      SAY: { actions: { type: 'say', params: ({ context }: Given) => ({ count: context.count }) } },
    },
    states: {
      one: {
        invoke: {
          id: 'work',
          src: 'work',
          input: ({ context }: Given) => context.count,
          onDone: 'two',
          onError: 'lost',
        },
        entry: 'greet',
        exit: { type: 'say', params: { count: 7 } },
        on: {
          GO: [{ guard: 'isOpen', target: 'three' }, { target: 'gate' }],
          AGAIN: { target: 'one', reenter: true },
          BACK: { target: 'one' },
          COUNT: { actions: 'count' },
          X: { actions: 'nudge' },
          SPLIT: 'split',
        },
      },
      gate: {
        always: [{ guard: 'isMany', target: 'two' }],
        on: { COUNT: { actions: ['count', 'greet'] }, BACK: 'one' },
      },
      two: { entry: 'pass', on: { COUNT: { actions: 'count', target: 'three' }, SPLIT: 'split', STOP: 'end' } },
      three: { on: { BACK: split, GO: 'four', '*': { actions: 'greet' } } },
      four: { initial: 'inner', onDone: 'one', states: { inner: { on: { GO: 'over' } }, over: { type: 'final' } } },
      split: {
        type: 'parallel',
        onDone: 'one',
        on: { HOME: '.left.near', STOP: 'end' },
        states: {
          left: {
            initial: 'near',
            onDone: { actions: 'greet' },
            states: {
              near: { on: { LEFT: 'far' } },
              far: { on: { LEFT: 'near', BACK: 'over' } },
              over: { type: 'final' },
            },
          },
          right: {
            initial: 'near',
            invoke: { id: 'side', src: 'work', onDone: '.far', onError: '#motley.lost' },
            states: { near: { on: { RIGHT: 'far' } }, far: { on: { RIGHT: 'over' } }, over: { type: 'final' } },
          },
          ...history,
        },
      },
      lost: { on: { GO: [{ guard: 'isOpen', target: 'one' }, { target: 'three' }], BACK: 'gate' } },
      end: { type: 'final', entry: 'greet', output: ({ context }: Given) => context.count },
    },
    output: ({ event }: { event: { output?: unknown } }) => event.output,
  } as never) as unknown as AnyStateMachine

const failure = { error: { name: 'Error', message: 'no' }, type: 'runtime', kind: 'timeout', exhausted: false }

const plainStage = {
  acts: [],
  failures: [],
  items: undefined,
  concurrency: 1,
  failsAfter: 0,
  when: 'absent',
  optional: false,
  fallback: 'none',
  restart: 'transient',
}
