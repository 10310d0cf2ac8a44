import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createMachine, fromCallback, sendTo, setup } from 'xstate'
import { createSupervisor } from '../../../src/supervisor.ts'
import { Crash, fail, started, worker } from '../../support/supervised-worker.ts'

describe('what XState actors do to a supervisor', () => {
  const uncaught: unknown[] = []
  const note = (error: unknown): void => {
    uncaught.push(error)
  }

  beforeEach(() => {
    uncaught.length = 0
    process.on('uncaughtException', note)
    process.on('unhandledRejection', note)
  })

  afterEach(async () => {
    // XState throws what nobody took in a timer of 0.
    await new Promise(resolve => setTimeout(resolve, 0))
    await new Promise(resolve => setTimeout(resolve, 0))
    process.off('uncaughtException', note)
    process.off('unhandledRejection', note)
    expect(uncaught).toEqual([])
  })

  it('stops the children, and theirs, of a machine that throws', async () => {
    let open = 0
    const child = fromCallback(() => {
      open++
      return () => {
        open--
      }
    })
    const middle = setup({ actors: { child } }).createMachine({ invoke: { src: 'child', id: 'child' } })
    const outer = setup({
      actors: { child, middle },
      actions: {
        crash: () => {
          throw new Crash('by itself')
        },
      },
    }).createMachine({
      invoke: [
        { src: 'child', id: 'one' },
        { src: 'middle', id: 'two' },
      ],
      on: { FAIL: { actions: 'crash' } },
    })
    const { sup, clock } = await started({ children: [{ id: 'a', logic: outer, restart: 'temporary' }] })
    expect(open).toBe(2)
    fail(sup, 'a')
    expect(open).toBe(0)
    expect(clock.pending).toBe(0)
  })

  it('runs the cleanup of a callback whose listener throws', async () => {
    let held = 0
    const callback = fromCallback(({ receive }) => {
      held++
      receive(() => {
        throw new Error('a listener that throws')
      })
      return () => {
        held--
        throw new Error('a cleanup that throws')
      }
    })
    const { sup, clock, lines } = await started({ children: [{ id: 'a', logic: callback }] })
    fail(sup, 'a')
    expect(held).toBe(0)
    await clock.advance(0)
    expect({ held, lines: lines().slice(-1) }).toEqual({ held: 1, lines: ['+a2'] })
  })

  it('survives observers that throw', async () => {
    const sup = createSupervisor({
      intensity: 0,
      onEvent: () => {
        throw new Error('an observer')
      },
      children: [{ id: 'a', logic: worker }],
    })
    await sup.start()
    fail(sup, 'a')
    expect((await sup.stopped).reason).toBe('intensity')
  })

  it('takes no notice of the late error of an actor that it has stopped meanwhile', async () => {
    let failOther = (): void => {}
    const logic = setup({
      actions: {
        failOther: () => {
          failOther()
          throw new Crash('itself too')
        },
      },
    }).createMachine({ on: { BOTH: { actions: 'failOther' } } })
    const { sup, clock, lines } = await started({
      strategy: 'one-for-all',
      children: [
        { id: 'a', logic },
        { id: 'b', logic: worker },
      ],
    })
    failOther = () => fail(sup, 'b')
    sup.child('a').send({ type: 'BOTH' })
    await clock.advance(0)
    expect(lines().slice(2)).toEqual(['-b1 abnormal', '!b [a b]', '-a1 shutdown', '+a2', '+b2'])
  })

  it('runs the delays of actors on its own clock', async () => {
    const logic = createMachine({
      initial: 'waiting',
      states: { waiting: { after: { 1000: 'over' } }, over: { type: 'final' } },
    })
    const { clock, lines } = await started({ children: [{ id: 'a', logic, restart: 'transient' }] })
    await clock.advance(999)
    expect(lines()).toEqual(['+a1'])
    await clock.advance(1)
    expect(lines()[1]).toBe('-a1 normal')
  })

  it('judges a child whose own child failed it', async () => {
    const child = fromCallback(({ receive }) => {
      receive(() => {
        throw new Crash('below')
      })
    })
    const logic = setup({ actors: { child } }).createMachine({
      invoke: { src: 'child', id: 'child' },
      on: { FAIL: { actions: sendTo('child', { type: 'GO' }) } },
    })
    const { sup, lines, events } = await started({ children: [{ id: 'a', logic }] })
    fail(sup, 'a')
    expect(lines()).toEqual(['+a1', '-a1 abnormal', '!a [a]'])
    expect(events[1]).toMatchObject({ error: expect.any(Crash) })
  })

  it('restarts on the real clock too, in a later macrotask', async () => {
    const sup = createSupervisor({ children: [{ id: 'a', logic: worker }] })
    await sup.start()
    fail(sup, 'a')
    await new Promise(resolve => queueMicrotask(() => resolve(undefined)))
    expect(sup.child('a').incarnation).toBe(1)
    while (sup.child('a').incarnation === 1) await new Promise(resolve => setImmediate(resolve))
    await sup.stop()
  })
})
