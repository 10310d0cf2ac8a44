import { describe, expect, it } from 'vitest'
import { type AnyStateMachine, createMachine, fromPromise, getInitialSnapshot, setup } from 'xstate'
import { z } from 'zod'
import { defineWorkflow } from '../../src/workflow/define-workflow.ts'
import { type AnyWorkflow, definitionOf } from '../../src/workflow/definition.ts'
import { faultsOf } from '../support/machine-rules.ts'
import { readMachines } from '../support/machines.ts'

const machines = await readMachines()

describe('every machine in machines/', () => {
  it('is there', () => {
    expect(machines.map(({ machine }) => machine.id)).toEqual([
      'circuit',
      'degradation',
      'health-monitor',
      'map',
      'stage',
      'supervisor',
      'workflow',
    ])
  })

  it.each(machines)('$file can be drawn and persisted', ({ machine }) => {
    expect(faultsOf(machine)).toEqual([])
  })

  it.each(machines)('$file begins with a context that its schema accepts and JSON keeps', ({ machine, exports }) => {
    const schemas = Object.entries(exports).filter(([name]) => /Context(?:Schema)?$/.test(name))
    expect(schemas).toHaveLength(1)
    const schema = schemas[0]?.[1] as z.ZodObject
    const { context } = getInitialSnapshot(machine, inputs[machine.id] as never)
    expect(z.strictObject(schema.shape).parse(context)).toEqual(context)
    expect(JSON.parse(JSON.stringify(context))).toEqual(context)
  })
})

const policy = {
  maxRetries: 1,
  retryOn: ['timeout'],
  remedies: [],
  restart: 'transient',
  intensity: 1,
  periodMs: 1000,
  livelockAfter: 10,
  onExhausted: 'fail',
  fallback: false,
  optional: false,
  preflight: false,
}

const inputs: Readonly<Record<string, unknown>> = {
  circuit: {
    settings: { openMs: 1, maxProbes: 1, successThreshold: 1, halfOpenMs: 1 },
    at: 0,
  },
  'health-monitor': { name: 'git', critical: false, failuresUntilFailed: 3 },
  map: { stage: 'review', admission: 'run', optional: false, concurrency: 2 },
  stage: { stage: 'review', policy, admission: 'run' },
  supervisor: { strategy: 'one-for-one', intensity: 1, periodMs: 1000, autoShutdown: 'never', backoff: null },
  workflow: { runId: 'r', workflow: 'w' },
}

const run = () => 1
const begin = () => defineWorkflow({ name: 'shape', version: '1' })

const shapes: readonly (readonly [string, AnyWorkflow])[] = [
  ['one stage', begin().stage('a', run)],
  ['a chain', begin().stage('a', run).stage('b', run).stage('c', run)],
  [
    'a map',
    begin()
      .stage('a', run)
      .map('b', { over: () => [1] }, run),
  ],
  [
    'a fork and its join',
    begin()
      .stage('a', run)
      .stage('b', { needs: ['a'] }, run)
      .stage('c', { needs: ['a'] }, run)
      .stage('d', { needs: ['b', 'c'] }, run),
  ],
  [
    'a fork in a fork',
    begin()
      .stage('a', { needs: [] }, run)
      .stage('b', { needs: [] }, run)
      .stage('c', { needs: ['b'] }, run)
      .stage('d', { needs: ['b'] }, run)
      .stage('e', { needs: ['c', 'd'] }, run)
      .stage('f', { needs: ['a', 'e'] }, run),
  ],
  [
    'a graph without a join',
    begin()
      .stage('a', { needs: [] }, run)
      .stage('b', { needs: [] }, run)
      .stage('c', { needs: ['a'] }, run)
      .stage('d', { needs: ['a', 'b'] }, run),
  ],
]

describe('the machine of a workflow', () => {
  it.each(shapes)('that is %s can be drawn and persisted', (_, workflow) => {
    expect(faultsOf(definitionOf(workflow).machine)).toEqual([])
  })
})

/** A good machine with one state changed for the worse. */
function badMachine(state: object): AnyStateMachine {
  return setup({
    actions: { note: () => {} },
    guards: { ready: () => true },
    delays: { soon: 10 },
    actors: { work: fromPromise(async () => 1) },
  }).createMachine({
    id: 'bad',
    description: 'A machine with a fault.',
    initial: 'first',
    states: { first: { description: 'The state.', ...state }, second: { description: 'Another.', type: 'final' } },
  } as never) as unknown as AnyStateMachine
}

const good = { id: 'work', src: 'work', onDone: 'second', onError: 'second' }

describe('the check of machines', () => {
  it('accepts names in every place', () => {
    const machine = badMachine({
      entry: 'note',
      exit: [{ type: 'note', params: { a: 1 } }],
      on: { GO: [{ guard: 'ready', target: 'second', actions: ['note'] }, 'second'] },
      after: { soon: { target: 'second' } },
      always: { guard: 'ready', target: 'second' },
      invoke: good,
    })
    expect(faultsOf(machine)).toEqual([])
  })

  it.each([
    ['a state without a description', { description: undefined }, 'bad.first: no description'],
    ['an inline entry action', { entry: () => {} }, 'bad.first entry: the action is written inline'],
    ['an inline exit action', { exit: [() => {}] }, 'bad.first exit: the action is written inline'],
    [
      'an inline action of a transition',
      { on: { GO: { actions: () => {} } } },
      'bad.first on GO: the action is written inline',
    ],
    ['an action that setup does not name', { entry: 'other' }, "bad.first entry: action 'other' has no name in setup"],
    ['an inline guard', { on: { GO: { guard: () => true } } }, 'bad.first on GO: the guard is written inline'],
    [
      'an inline guard of always',
      { always: { guard: () => false, target: 'second' } },
      'bad.first always: the guard is written inline',
    ],
    ['a delay in numbers', { after: { 100: 'second' } }, 'bad.first: delay 100 has no name in setup'],
    [
      'an actor in the config',
      { invoke: { ...good, src: createMachine({}) } },
      'bad.first: the src of an actor is no string',
    ],
    [
      'an actor that setup does not name',
      { invoke: { ...good, src: 'rest' } },
      "bad.first: actor 'rest' has no name in setup",
    ],
    ['an actor without an id', { invoke: { ...good, id: undefined } }, 'bad.first: an actor has no id'],
    [
      'an actor whose end is not handled',
      { invoke: { ...good, onDone: undefined } },
      'bad.first: an actor has no onDone',
    ],
    [
      'an actor whose failure is not handled',
      { invoke: { ...good, onError: undefined } },
      'bad.first: an actor has no onError',
    ],
    [
      'an inline action on the end of an actor',
      { invoke: { ...good, onDone: { actions: () => {} } } },
      'bad.first onDone: the action is written inline',
    ],
    [
      'a transition for every event',
      { on: { '*': 'second' } },
      "bad.first: a transition for every event ('*') would swallow crashes",
    ],
    [
      'a state inside without a description',
      { initial: 'inner', states: { inner: {} } },
      'bad.first.inner: no description',
    ],
  ])('refuses %s', (_, state, fault) => {
    expect(faultsOf(badMachine(state))).toEqual([fault])
  })

  it('looks into the machines that a machine invokes', () => {
    const inner = createMachine({ id: 'inner', description: 'Inside.', initial: 'a', states: { a: {} } })
    const outer = setup({ actors: { inner } }).createMachine({
      id: 'outer',
      description: 'Outside.',
      invoke: { id: 'inner', src: 'inner', onDone: {}, onError: {} },
    })
    expect(faultsOf(outer)).toEqual(['inner.a: no description'])
  })
})
