import { describe, expect, it } from 'vitest'
import { type AnyActorScope, type AnyStateMachine, assign, createActor, setup } from 'xstate'
import { type StageMachineInput, stageMachine } from '../../../machines/stage.machine.ts'
import { createFirstTransition } from '../../../src/runtime/actors/first-transition.ts'

const policy = {
  maxRetries: 1,
  retryOn: ['timeout'],
  remedies: ['tidy'],
  restart: 'transient',
  intensity: 2,
  periodMs: 1000,
  livelockAfter: 10,
  onExhausted: 'quarantine',
  fallback: true,
  optional: true,
  preflight: false,
} as const

const inputOf = (stage: string): StageMachineInput => ({
  stage,
  admission: 'run',
  policy: { ...policy, retryOn: [...policy.retryOn], remedies: [...policy.remedies] },
})

describe('a first transition that is cloned', () => {
  it('is the one that the machine makes itself, asks for the same, and goes on the same', () => {
    const asked: string[] = []
    const machine = stageMachine.provide({
      actions: { startAttempt: ({ context }) => asked.push(`${context.stage} ${context.attempt}`) },
    })
    const own = createActor(machine, { input: inputOf('b') })
    const first = createFirstTransition(machine as unknown as AnyStateMachine, inputOf('example'))
    const logic = Object.create(machine, {
      getInitialSnapshot: { value: (scope: AnyActorScope, input: object) => first(scope, input) },
    }) as typeof machine
    const cloned = createActor(logic, { input: inputOf('b') })
    const other = createActor(logic, { input: inputOf('c') })
    expect(cloned.getPersistedSnapshot()).toEqual(own.getPersistedSnapshot())
    expect(asked).toEqual([])
    for (const actor of [own, cloned, other]) actor.start()
    expect(asked).toEqual(['b 1', 'b 1', 'c 1'])
    for (const actor of [own, cloned]) actor.send({ type: 'ATTEMPT_SUCCEEDED', output: 7 })
    expect(cloned.getSnapshot().output).toEqual(own.getSnapshot().output)
    expect(other.getSnapshot().value).toBe('running')
  })

  it('is refused where actions on the way change the context', () => {
    const machine = setup({ actions: { count: assign({ n: 1 }) } }).createMachine({
      id: 'counting',
      context: () => ({ n: 0 }),
      entry: 'count',
    })
    expect(() => createFirstTransition(machine as unknown as AnyStateMachine, {})).toThrow('counting')
  })
})
