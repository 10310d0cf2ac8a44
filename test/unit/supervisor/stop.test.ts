import { describe, expect, it } from 'vitest'
import { createMachine, fromCallback, setup } from 'xstate'
import { Crash, fail, finish, started, worker } from '../../support/supervised-worker.ts'

/** Takes `ms` to shut down. */
const slow = (ms: number) =>
  createMachine({
    initial: 'working',
    states: {
      working: { on: { SHUTDOWN: 'draining' } },
      draining: { after: { [ms]: 'over' } },
      over: { type: 'final' },
    },
  })

describe('stopping', () => {
  it('stops the children in reverse order and resolves stopped', async () => {
    const { sup, lines } = await started({ children: ['a', 'b'].map(id => ({ id, logic: worker })) })
    await sup.stop()
    expect(lines().slice(2)).toEqual(['-b1 shutdown', '-a1 shutdown', 'stopped shutdown'])
    expect(await sup.stopped).toEqual({ reason: 'shutdown' })
  })

  it('is idempotent, also while it is under way', async () => {
    const { sup, clock, lines } = await started({ children: [{ id: 'a', logic: slow(100) }] })
    const calls = Promise.all([sup.stop(), sup.stop()])
    await clock.advance(100)
    await calls
    await sup.stop()
    expect(lines().filter(line => line.startsWith('stopped'))).toHaveLength(1)
  })

  it('works before the start', async () => {
    const { sup } = await started({})
    await sup.stop()
    expect(sup.countChildren()).toEqual({ specs: 0, active: 0, supervisors: 0, workers: 0 })
  })

  it('lets a child that handles SHUTDOWN drain, one after the other', async () => {
    const { sup, clock, lines, forget } = await started({
      children: [
        { id: 'a', logic: slow(100) },
        { id: 'b', logic: slow(300) },
      ],
    })
    forget()
    const stopping = sup.stop()
    await clock.advance(299)
    expect(lines()).toEqual([])
    await clock.advance(1)
    expect(lines()).toEqual(['-b1 shutdown'])
    await clock.advance(100)
    await stopping
    expect(lines()).toEqual(['-b1 shutdown', '-a1 shutdown', 'stopped shutdown'])
    expect(clock.pending).toBe(0)
  })

  it('forces a child that takes longer than its shutdown', async () => {
    const { sup, clock, lines } = await started({ children: [{ id: 'a', logic: slow(10_000), shutdown: '1s' }] })
    const stopping = sup.stop()
    await clock.advance(1000)
    await stopping
    expect(lines().slice(1)).toEqual(['-a1 killed', 'stopped shutdown'])
    expect(clock.pending).toBe(0)
  })

  it('waits without limit for infinity, and not at all for brutal-kill', async () => {
    const { sup, clock, lines } = await started({
      children: [
        { id: 'a', logic: slow(3_600_000), shutdown: 'infinity' },
        { id: 'b', logic: slow(1000), shutdown: 'brutal-kill' },
      ],
    })
    const stopping = sup.stop()
    expect(lines().slice(2)).toEqual(['-b1 killed'])
    await clock.advance('1h')
    await stopping
    expect(lines().slice(3)).toEqual(['-a1 shutdown', 'stopped shutdown'])
  })

  it('does not take a wildcard for an answer to SHUTDOWN', async () => {
    const logic = createMachine({ initial: 'a', states: { a: { on: { '*': 'a' } } } })
    const { sup, lines } = await started({ children: [{ id: 'a', logic }] })
    await sup.stop()
    expect(lines().slice(1)).toEqual(['-a1 shutdown', 'stopped shutdown'])
  })

  it('tells an error while draining as abnormal and goes on', async () => {
    const logic = setup({
      actions: {
        crash: () => {
          throw new Crash('while draining')
        },
      },
    }).createMachine({ on: { SHUTDOWN: { actions: 'crash' } } })
    const { sup, events, lines } = await started({
      children: [
        { id: 'a', logic: worker },
        { id: 'b', logic },
      ],
    })
    await sup.stop()
    expect(lines().slice(2)).toEqual(['-b1 abnormal', '-a1 shutdown', 'stopped shutdown'])
    expect(events[2]).toMatchObject({ error: expect.any(Crash) })
  })

  it('holds back calls while a child drains, and judges nobody who ends meanwhile', async () => {
    const { sup, clock, lines, forget } = await started({
      strategy: 'one-for-all',
      intensity: 1,
      children: [
        { id: 'a', logic: worker },
        { id: 'b', logic: slow(100) },
        { id: 'c', logic: worker },
      ],
    })
    forget()
    fail(sup, 'c')
    fail(sup, 'a')
    const added = sup.startChild({ id: 'd', logic: worker })
    expect(lines()).toEqual(['-c1 abnormal', '!c [a b c]', '-a1 abnormal'])
    await clock.advance(100)
    await added
    expect(lines().slice(3)).toEqual(['-b1 shutdown', '+d1', '+a2', '+b2', '+c2'])
  })

  it('ends when children die during it', async () => {
    const { sup, clock, lines, forget } = await started({
      children: [
        { id: 'a', logic: worker },
        { id: 'b', logic: slow(100) },
      ],
    })
    forget()
    const stopping = sup.stop()
    finish(sup, 'a')
    await clock.advance(100)
    await stopping
    expect(lines()).toEqual(['-a1 normal', '-b1 shutdown', 'stopped shutdown'])
  })

  it('leaves nothing alive and no timer', async () => {
    const ticking = createMachine({ after: { 1000: { actions: 'missing' } } })
    let cleaned = 0
    const open = fromCallback(() => () => {
      cleaned++
    })
    const { sup, clock } = await started({
      children: [
        { id: 'a', logic: ticking },
        { id: 'b', logic: open },
      ],
    })
    expect(clock.pending).toBe(1)
    await sup.stop()
    expect({ pending: clock.pending, cleaned }).toEqual({ pending: 0, cleaned: 1 })
  })

  it('leaves methods that answer and refuse, and do not throw', async () => {
    const { sup } = await started({ children: [{ id: 'a', logic: worker }] })
    const ref = sup.child('a')
    await sup.stop()
    expect(sup.whichChildren()).toEqual([{ id: 'a', status: 'stopped', incarnation: 1, type: 'worker' }])
    expect(sup.countChildren()).toEqual({ specs: 1, active: 0, supervisors: 0, workers: 1 })
    ref.send({ type: 'NOTE' })
    expect(ref.getSnapshot().status).toBe('stopped')
    for (const call of [
      sup.startChild({ id: 'b', logic: worker }),
      sup.terminateChild('a'),
      sup.restartChild('a'),
      sup.deleteChild('a'),
    ]) {
      await expect(call).rejects.toMatchObject({ code: 'supervisor_stopped' })
    }
  })
})
