import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  type AnyActorLogic,
  assign,
  createMachine,
  fromCallback,
  fromObservable,
  fromPromise,
  fromTransition,
  raise,
} from 'xstate'
import { createSupervisor, type Supervisor } from '../../../src/supervisor.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'

const boom = (): never => {
  throw new Error('boom')
}
const throwUndefined = (): never => {
  throw undefined
}
/** What types would refuse. */
const anyway = (value: unknown): never => value as never
const inB = (b: object): AnyActorLogic => createMachine(anyway({ initial: 'a', states: { a: { on: { GO: 'b' } }, b } }))

const logics: Record<string, AnyActorLogic> = {
  'an action that throws': createMachine({ on: { GO: { actions: boom } } }),
  'a guard that throws': createMachine({ on: { GO: { guard: boom, actions: boom } } }),
  'an entry that throws': inB({ entry: boom }),
  'an exit that throws': createMachine({ initial: 'a', states: { a: { on: { GO: 'b' }, exit: boom }, b: {} } }),
  'an exit that would throw at the stop': createMachine({ exit: boom }),
  'an assignment that throws': createMachine({ on: { GO: { actions: assign(boom) } } }),
  'a delayed transition that throws': inB({ after: { 10: { actions: boom } } }),
  'an eventless transition that throws': inB({ always: { guard: boom, target: 'a' } }),
  'a raised event that throws': createMachine({ on: { GO: { actions: raise({ type: 'X' }) }, X: { actions: boom } } }),
  'a context that throws': createMachine({ context: anyway(boom) }),
  'what is no error': createMachine({ on: { GO: { actions: throwUndefined } } }),
  'an invoked callback that throws': inB({ invoke: { src: fromCallback(boom) } }),
  'an invoked promise that rejects': inB({ invoke: { src: fromPromise(anyway(async () => boom())) } }),
  'an unknown invoked source': createMachine(anyway({ invoke: { src: 'nowhere' } })),
  'a drain that rejects': createMachine({
    initial: 'a',
    states: { a: { on: { SHUTDOWN: 'b' } }, b: { invoke: { src: fromPromise(anyway(async () => boom())) } } },
  }),
  'a callback that throws': fromCallback(boom),
  'a callback whose receiver throws': fromCallback(({ receive }) => receive(boom)),
  'a callback whose cleanup throws': fromCallback(() => boom),
  'a promise that rejects': fromPromise(anyway(async () => boom())),
  'a promise that throws': fromPromise(anyway(boom)),
  'a promise that never settles': fromPromise(() => new Promise(() => {})),
  'an observable that throws': fromObservable(() => anyway({ subscribe: boom })),
  'an observable whose end throws': fromObservable(() => anyway({ subscribe: () => ({ unsubscribe: boom }) })),
  'a reducer that throws': fromTransition(boom, {}),
}

let uncaught: unknown[] = []
const note = (error: unknown): void => void uncaught.push(error)

beforeEach(() => {
  uncaught = []
  process.on('unhandledRejection', note).on('uncaughtException', note)
})

afterEach(async () => {
  await new Promise(resolve => setTimeout(resolve, 0))
  process.off('unhandledRejection', note).off('uncaughtException', note)
  expect(uncaught).toEqual([])
})

function sendWherePossible(sup: Supervisor, path: string): void {
  try {
    sup.child(path).send({ type: 'GO' })
  } catch (error) {
    // Only a child that is gone with its supervisor may be refused.
    expect(error).toMatchObject({ code: 'not_found' })
  }
}

describe.each(Object.keys(logics))('%s', name => {
  const logic = logics[name] as AnyActorLogic

  it.each(['one-for-one', 'one-for-all', 'rest-for-one'] as const)('harms nobody else under %s', async strategy => {
    for (const shutdown of [100, 0, 'brutal-kill'] as const) {
      const clock = virtualClock()
      const sup = createSupervisor({
        clock,
        strategy,
        intensity: 2,
        children: [
          { id: 'sound', logic: createMachine({}) },
          { id: 'a', logic, shutdown },
          { id: 'n', logic: { children: [{ id: 'm', logic: { children: [{ id: 'b', logic, shutdown }] } }] } },
        ],
        onEvent: boom,
      })
      sup.start().catch(() => {})
      for (const path of ['a', 'n/m/b', 'a']) sendWherePossible(sup, path)
      await clock.advance(50)
      sendWherePossible(sup, 'n/m/b')
      await clock.advance(50)
      const stopping = Promise.all([sup.stop(), sup.stop()])
      await clock.advance(1000)
      await stopping
      await sup.stopped
      const { accepted, processed, stashed, deadLettered } = sup.mailCounts()
      expect(accepted).toBe(processed + deadLettered)
      expect({ stashed, pending: clock.pending, active: sup.countChildren().active }).toEqual({
        stashed: 0,
        pending: 0,
        active: 0,
      })
    }
  })
})

describe('an observer that calls back', () => {
  const calls: Record<string, (sup: Supervisor) => unknown> = {
    stop: sup => sup.stop(),
    terminateChild: sup => sup.terminateChild('b'),
    restartChild: sup => sup.restartChild('b'),
    deleteChild: sup => sup.deleteChild('b'),
    startChild: sup => sup.startChild({ id: 'd', logic: createMachine({}) }),
    send: sup => sup.child('b').send({ type: 'GO' }),
    watch: sup => sup.child('b').watch(() => sup.child('a').send({ type: 'GO' })),
    look: sup => [sup.whichChildren(), sup.countChildren(), sup.child('b').getSnapshot()],
  }

  it.each(Object.keys(calls))('with %s, from any event, neither blocks nor breaks it', async name => {
    for (const strategy of ['one-for-one', 'one-for-all', 'rest-for-one'] as const) {
      for (let nth = 0; nth < 12; nth++) {
        const clock = virtualClock()
        let count = 0
        const logic = logics['an action that throws'] as AnyActorLogic
        const sup: Supervisor = createSupervisor({
          clock,
          strategy,
          intensity: 20,
          children: ['a', 'b', 'c'].map(id => ({ id, logic })),
          onEvent: () => {
            if (count++ === nth) Promise.resolve(calls[name]?.(sup)).catch(() => {})
          },
        })
        sup.start().catch(() => {})
        sendWherePossible(sup, 'a')
        await clock.advance(0)
        await sup.stop()
        const { accepted, processed, deadLettered } = sup.mailCounts()
        expect(accepted).toBe(processed + deadLettered)
        expect({ pending: clock.pending, active: sup.countChildren().active }).toEqual({ pending: 0, active: 0 })
      }
    }
  })
})
