import { describe, expect, it } from 'vitest'
import { createMachine, fromCallback, fromPromise } from 'xstate'
import { createSupervisor, OptionsError, SupervisorError } from '../../../src/supervisor.ts'
import { Crash, stage, started, stillborn, worker } from '../../support/supervised-worker.ts'

describe('starting a supervisor', () => {
  it('starts the children in the order of their specs', async () => {
    const { lines } = await started({ children: ['a', 'b', 'c'].map(id => ({ id, logic: worker })) })
    expect(lines()).toEqual(['+a1', '+b1', '+c1'])
  })

  it('tells starts with id and incarnation and nothing else', async () => {
    const { events } = await started({ children: [{ id: 'a', logic: worker }] })
    expect(events).toEqual([{ type: 'child.started', id: 'a', incarnation: 1 }])
  })

  it('stops in reverse what it had started when a child fails to start, and rejects with the cause', async () => {
    const { sup, lines } = stage({
      children: [
        { id: 'a', logic: worker },
        { id: 'b', logic: worker },
        { id: 'c', logic: stillborn },
        { id: 'd', logic: worker },
      ],
    })
    const error = await sup.start().catch(error => error)
    expect(error).toBeInstanceOf(SupervisorError)
    expect(error).toMatchObject({ code: 'start_failed', details: { id: 'c' }, cause: expect.any(Crash) })
    expect(lines()).toEqual(['+a1', '+b1', '-b1 shutdown', '-a1 shutdown', 'stopped start-failed'])
    expect(await sup.stopped).toEqual({ reason: 'start-failed', cause: error })
  })

  it('does not end the process when nobody takes the rejection of start', async () => {
    const { sup } = stage({ children: [{ id: 'a', logic: stillborn }] })
    void sup.start()
    expect((await sup.stopped).reason).toBe('start-failed')
  })

  it('calls a function for logic once for each start attempt', async () => {
    let calls = 0
    const logic = () => {
      calls++
      return worker
    }
    const { sup, clock } = await started({ children: [{ id: 'a', logic }] })
    expect(calls).toBe(1)
    sup.child('a').send({ type: 'FAIL' })
    await clock.advance(0)
    expect(calls).toBe(2)
  })

  it.each([
    [
      'throws',
      () => {
        throw new Crash('no')
      },
    ],
    ['returns a promise', () => Promise.reject(new Error('nobody takes this')) as never],
    ['returns a function', () => (() => worker) as never],
    ['returns nothing', () => undefined as never],
  ])('fails the start when the function for logic %s', async (_, logic) => {
    const { sup } = stage({ children: [{ id: 'a', logic }] })
    await expect(sup.start()).rejects.toMatchObject({ code: 'start_failed' })
  })

  it('keeps the spec of a child that declines, and drops it where it is temporary', async () => {
    const { sup } = await started({
      children: [
        { id: 'a', logic: () => 'ignore' },
        { id: 'b', logic: () => 'ignore', restart: 'temporary' },
      ],
    })
    expect(sup.whichChildren()).toEqual([{ id: 'a', status: 'stopped', incarnation: 0, type: 'worker' }])
  })

  it('gives the input to every incarnation', async () => {
    const logic = createMachine({ context: ({ input }) => ({ input }), on: { FAIL: { actions: 'missing' } } })
    const { sup } = await started({ children: [{ id: 'a', logic, input: { n: 1 } }] })
    expect(sup.child('a').getSnapshot().context).toEqual({ input: { n: 1 } })
  })

  it('takes a child that is done as it starts for one that started and ended', async () => {
    const done = createMachine({ initial: 'end', states: { end: { type: 'final' } } })
    const { lines } = await started({ children: [{ id: 'a', logic: done, restart: 'transient' }] })
    expect(lines()).toEqual(['+a1', '-a1 normal', 'refused a transient-normal'])
  })

  it('starts promises and callbacks like machines', async () => {
    const { sup, clock, lines } = await started({
      children: [
        { id: 'p', logic: fromPromise(async () => 1), restart: 'transient' },
        {
          id: 'q',
          logic: fromPromise(async () => {
            throw new Crash('late')
          }),
          restart: 'temporary',
        },
        { id: 'c', logic: fromCallback(() => () => {}) },
      ],
    })
    await clock.advance(0)
    expect(lines().slice(3).sort()).toEqual(
      ['-p1 normal', 'refused p transient-normal', '-q1 abnormal', 'refused q temporary'].sort(),
    )
    expect(sup.child('c').getSnapshot().status).toBe('active')
  })

  it('refuses a second start, and one after the end', async () => {
    const { sup } = await started({})
    await expect(sup.start()).rejects.toMatchObject({ code: 'already_started' })
    await sup.stop()
    await expect(sup.start()).rejects.toMatchObject({ code: 'supervisor_stopped' })
  })

  it('needs nothing at all', async () => {
    const sup = createSupervisor()
    await sup.start()
    expect(sup.whichChildren()).toEqual([])
    await sup.stop()
    expect(await sup.stopped).toEqual({ reason: 'shutdown' })
  })
})

describe('options', () => {
  it('fills in every default, to be read back', async () => {
    const sup = createSupervisor({
      children: [
        { id: 'a', logic: worker },
        { id: 's', logic: { children: [] } },
      ],
    })
    expect(sup.id).toBe('supervisor')
    expect(sup.options).toMatchObject({
      strategy: 'one-for-one',
      intensity: 3,
      periodMs: 5000,
      autoShutdown: 'never',
      maxChildren: Number.POSITIVE_INFINITY,
      backoff: null,
    })
    expect(sup.childSpec('a')).toMatchObject({
      restart: 'permanent',
      shutdown: 5000,
      significant: false,
      type: 'worker',
    })
    expect(sup.childSpec('s')).toMatchObject({ shutdown: 'infinity', type: 'supervisor' })
    const { backoff } = createSupervisor({ backoff: { kind: 'linear' } }).options
    expect(backoff).toEqual({ kind: 'linear', base: 100, max: 10_000, jitter: 0, resetAfterMs: 10_000 })
  })

  it('takes undefined for absent and durations as text', () => {
    const { options } = createSupervisor({ intensity: undefined, period: '1s', children: undefined })
    expect(options).toMatchObject({ intensity: 3, periodMs: 1000, children: [] })
  })

  it.each([
    ['an unknown key, with the nearest one', { intensty: 3 }, /unknown option 'intensty'; did you mean 'intensity'/],
    ['an unknown strategy', { strategy: 'all-for-one' }, /strategy/],
    ['a period of 0', { period: 0 }, /period/],
    ['a broken intensity', { intensity: 1.5 }, /intensity: must be a whole number/],
    ['a backoff whose cap is below its base', { backoff: { kind: 'fixed', base: 10, max: 5 } }, /below/],
    [
      'an unknown key of a child',
      { children: [{ id: 'a', logic: worker, restrat: 'temporary' }] },
      /child 'a': unknown option 'restrat'; did you mean 'restart'/,
    ],
    ['an unknown key of a nested spec', { children: [{ id: 'a', logic: { strategi: 'one-for-all' } }] }, /'strategy'/],
    ['a child without logic', { children: [{ id: 'a' }] }, /logic/],
    ['an id with a slash', { children: [{ id: 'a/b', logic: worker }] }, /slash/],
    ['an async function for logic', { children: [{ id: 'a', logic: async () => worker }] }, /async/],
    [
      'two children of one id',
      {
        children: [
          { id: 'a', logic: worker },
          { id: 'a', logic: worker },
        ],
      },
      /two children/,
    ],
    [
      'a significant child that nothing comes of',
      { children: [{ id: 'a', logic: worker, restart: 'transient', significant: true }] },
      /autoShutdown/,
    ],
    [
      'a significant child that is permanent',
      { autoShutdown: 'any-significant', children: [{ id: 'a', logic: worker, significant: true }] },
      /permanent/,
    ],
    ['more children than allowed', { maxChildren: 0, children: [{ id: 'a', logic: worker }] }, /maxChildren/],
    ['a broken shutdown', { children: [{ id: 'a', logic: worker, shutdown: 'soon' }] }, /shutdown/],
  ])('refuses %s', (_, options, message) => {
    expect(() => createSupervisor(options as never)).toThrow(OptionsError)
    expect(() => createSupervisor(options as never)).toThrow(message)
  })

  it('refuses a supervisor spec that contains itself', () => {
    const spec: { children: unknown[] } = { children: [] }
    spec.children.push({ id: 'again', logic: spec })
    expect(() => createSupervisor(spec as never)).toThrow(/nested more than/)
  })
})
