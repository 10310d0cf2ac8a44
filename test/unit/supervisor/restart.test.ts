import { describe, expect, it } from 'vitest'
import { RestartIntensityError } from '../../../src/supervisor.ts'
import { Crash, fail, finish, started, stillborn, worker } from '../../support/supervised-worker.ts'

const abc = ['a', 'b', 'c'].map(id => ({ id, logic: worker }))

describe('restarts', () => {
  it('never happen in the macrotask of the failure', async () => {
    const { sup, clock, lines } = await started({ children: abc })
    fail(sup, 'b')
    await Promise.resolve()
    expect(lines().slice(3)).toEqual(['-b1 abnormal', '!b [b]'])
    expect(sup.whichChildren()[1]).toMatchObject({ status: 'restarting', incarnation: 1 })
    await clock.advance(0)
    expect(lines().at(-1)).toBe('+b2')
  })

  it('restart only the failed child under one-for-one', async () => {
    const { sup, clock } = await started({ children: abc })
    fail(sup, 'b')
    await clock.advance(0)
    expect(sup.whichChildren().map(child => child.incarnation)).toEqual([1, 2, 1])
  })

  it('stop the siblings in reverse and start all forward under one-for-all', async () => {
    const { sup, clock, lines, forget } = await started({ strategy: 'one-for-all', children: abc })
    forget()
    fail(sup, 'b')
    await clock.advance(0)
    expect(lines()).toEqual(['-b1 abnormal', '!b [a b c]', '-c1 shutdown', '-a1 shutdown', '+a2', '+b2', '+c2'])
  })

  it('concern the failed child and those after it under rest-for-one', async () => {
    const { sup, clock, lines, forget } = await started({ strategy: 'rest-for-one', children: abc })
    forget()
    fail(sup, 'b')
    await clock.advance(0)
    expect(lines()).toEqual(['-b1 abnormal', '!b [b c]', '-c1 shutdown', '+b2', '+c2'])
  })

  it('follow the restart type', async () => {
    const { sup, clock, lines, forget } = await started({
      intensity: 10,
      children: [
        { id: 'p', logic: worker },
        { id: 't', logic: worker, restart: 'transient' },
        { id: 'x', logic: worker, restart: 'temporary' },
      ],
    })
    forget()
    for (const [act, id] of [
      [finish, 'p'],
      [fail, 'p'],
      [fail, 't'],
      [finish, 't'],
      [fail, 'x'],
    ] as const) {
      act(sup, id)
      await clock.advance(0)
    }
    expect(lines()).toEqual([
      '-p1 normal', '!p [p]', '+p2',
      '-p2 abnormal', '!p [p]', '+p3',
      '-t1 abnormal', '!t [t]', '+t2',
      '-t2 normal', 'refused t transient-normal',
      '-x1 abnormal', 'refused x temporary',
    ]) // biome-ignore format: a line a step
    expect(sup.whichChildren().map(child => `${child.id} ${child.status}`)).toEqual(['p running', 't stopped'])
  })

  it('carry rule and counters, and the error of the child', async () => {
    const { sup, events, forget } = await started({ intensity: 2, period: 1000, children: abc })
    forget()
    fail(sup, 'a')
    expect(events).toEqual([
      { type: 'child.exited', id: 'a', incarnation: 1, reason: 'abnormal', error: expect.any(Crash) },
      {
        type: 'restart.decided',
        id: 'a',
        group: ['a'],
        rule: 'permanent',
        counters: { restarts: 1, intensity: 2, periodMs: 1000 },
      },
    ])
  })

  it('that fail to start are tried again and cost units', async () => {
    let attempts = 0
    const { sup, clock, lines, forget } = await started({
      intensity: 3,
      children: [{ id: 'a', logic: () => ([2, 3].includes(++attempts) ? stillborn : worker) }],
    })
    forget()
    fail(sup, 'a')
    await clock.advance(0)
    expect(lines()).toEqual(['-a1 abnormal', '!a [a]', '!a [a]', '!a [a]', '+a2'])
  })

  it('of a group that stay half done are done anew from the child that failed to start', async () => {
    let attempts = 0
    const { sup, clock, lines, forget } = await started({
      strategy: 'one-for-all',
      children: [
        { id: 'a', logic: worker },
        { id: 'b', logic: () => (++attempts === 2 ? stillborn : worker) },
        { id: 'c', logic: worker },
      ],
    })
    forget()
    fail(sup, 'c')
    await clock.advance(0)
    expect(lines()).toEqual([
      '-c1 abnormal', '!c [a b c]', '-b1 shutdown', '-a1 shutdown', '+a2',
      '!b [a b c]', '-a2 shutdown', '+a3', '+b2', '+c2',
    ]) // biome-ignore format: a line a round
  })

  it('of a whole group cost one unit', async () => {
    const { sup, clock, events } = await started({ strategy: 'one-for-all', intensity: 1, children: abc })
    fail(sup, 'c')
    await clock.advance(0)
    expect(events.filter(event => event.type === 'restart.decided')).toHaveLength(1)
    expect(sup.whichChildren().every(child => child.status === 'running')).toBe(true)
  })

  it('of a group stop temporary members for good', async () => {
    const { sup, clock, lines } = await started({
      strategy: 'one-for-all',
      children: [
        { id: 'a', logic: worker },
        { id: 't', logic: worker, restart: 'temporary' },
      ],
    })
    fail(sup, 'a')
    await clock.advance(0)
    expect(lines().slice(2)).toEqual(['-a1 abnormal', '!a [a]', '-t1 shutdown', '+a2'])
    expect(sup.whichChildren()).toHaveLength(1)
  })

  it('that are under way are taken over by the next failure that covers them', async () => {
    const { sup, clock, lines, forget } = await started({ strategy: 'rest-for-one', children: abc })
    forget()
    fail(sup, 'c')
    fail(sup, 'a')
    await clock.advance(0)
    expect(lines()).toEqual([
      '-c1 abnormal', '!c [c]', '-a1 abnormal', '!a [a b c]', '-b1 shutdown', '+a2', '+b2', '+c2',
    ]) // biome-ignore format: one line
    expect(clock.pending).toBe(0)
  })
})

describe('intensity', () => {
  it('lets exactly that many restarts pass within the period, and then escalates', async () => {
    const { sup, clock, lines, events } = await started({ intensity: 2, period: 1000, children: abc })
    for (let n = 0; n < 3; n++) {
      fail(sup, 'b')
      await clock.advance(0)
    }
    expect(lines().slice(-6)).toEqual([
      '-b3 abnormal', 'refused b intensity', 'escalated', '-c1 shutdown', '-a1 shutdown', 'stopped intensity',
    ]) // biome-ignore format: one line
    const end = await sup.stopped
    expect(end).toMatchObject({ reason: 'intensity', cause: { code: 'restart_intensity', cause: expect.any(Crash) } })
    expect(end.cause).toBeInstanceOf(RestartIntensityError)
    expect(events.find(event => event.type === 'escalated')).toEqual({
      type: 'escalated',
      rule: 'intensity',
      counters: { restarts: 3, intensity: 2, periodMs: 1000 },
      cause: expect.any(Crash),
    })
  })

  it.each([
    [1000, 'intensity'],
    [1001, 'running'],
  ])('at an age of %i ms of 1000 leaves it %s', async (age, outcome) => {
    const { sup, clock } = await started({ intensity: 1, period: 1000, children: abc })
    fail(sup, 'a')
    await clock.advance(age)
    fail(sup, 'a')
    await clock.advance(0)
    const now = await Promise.race([sup.stopped.then(end => end.reason), clock.advance(0).then(() => 'running')])
    expect(now).toBe(outcome)
  })

  it('of 0 escalates on the first failure', async () => {
    const { sup } = await started({ intensity: 0, children: abc })
    fail(sup, 'a')
    expect((await sup.stopped).reason).toBe('intensity')
  })
})

describe('backoff', () => {
  it('delays each restart, longer from failure to failure', async () => {
    const { sup, clock } = await started({
      intensity: 10,
      backoff: { kind: 'exponential', base: 100, max: 300 },
      children: abc,
    })
    for (const delay of [100, 200, 300, 300]) {
      fail(sup, 'a')
      const before = sup.child('a').incarnation
      await clock.advance(delay - 1)
      expect(sup.child('a').incarnation).toBe(before)
      await clock.advance(1)
      expect(sup.child('a').incarnation).toBe(before + 1)
    }
  })

  it('begins anew after a child ran for resetAfter, and not before', async () => {
    const { sup, clock } = await started({
      intensity: 10,
      backoff: { kind: 'linear', base: 100, max: 1000, resetAfter: '2s' },
      children: abc,
    })
    const delayAfter = async (ranMs: number): Promise<number> => {
      await clock.advance(ranMs)
      const before = sup.child('a').incarnation
      const from = clock.now()
      fail(sup, 'a')
      while (sup.child('a').incarnation === before) await clock.advance(50)
      return clock.now() - from
    }
    expect([await delayAfter(0), await delayAfter(1949), await delayAfter(2000)]).toEqual([100, 200, 100])
  })

  it('is cancelled by a stop, and by terminating the child', async () => {
    const { sup, clock, lines } = await started({ backoff: { kind: 'fixed', base: 1000 }, children: abc })
    fail(sup, 'a')
    fail(sup, 'b')
    await sup.terminateChild('a')
    expect(clock.pending).toBe(1)
    await sup.stop()
    expect(clock.pending).toBe(0)
    await clock.advance('1m')
    expect(lines().filter(line => line.startsWith('+'))).toEqual(['+a1', '+b1', '+c1'])
  })
})

describe('auto-shutdown', () => {
  const pair = [
    { id: 'a', logic: worker, restart: 'transient' as const, significant: true },
    { id: 'b', logic: worker, restart: 'temporary' as const, significant: true },
    { id: 'c', logic: worker },
  ]

  it('any-significant ends the supervisor with the first significant child that ends for good', async () => {
    const { sup, clock, lines } = await started({ autoShutdown: 'any-significant', children: pair })
    fail(sup, 'a')
    await clock.advance(0)
    expect(sup.countChildren().active).toBe(3)
    finish(sup, 'a')
    expect(await sup.stopped).toEqual({ reason: 'auto-shutdown' })
    expect(lines().slice(-3)).toEqual(['-c1 shutdown', '-b1 shutdown', 'stopped auto-shutdown'])
  })

  it('all-significant ends it with the last one', async () => {
    const { sup } = await started({ autoShutdown: 'all-significant', children: pair })
    finish(sup, 'a')
    expect(sup.countChildren().active).toBe(2)
    fail(sup, 'b')
    expect((await sup.stopped).reason).toBe('auto-shutdown')
  })

  it('does not come of a child that was terminated, nor of one that is not significant', async () => {
    const { sup, clock } = await started({
      autoShutdown: 'any-significant',
      children: [...pair, { id: 'd', logic: worker, restart: 'temporary' as const }],
    })
    await sup.terminateChild('a')
    finish(sup, 'd')
    await clock.advance(0)
    expect(sup.countChildren().active).toBe(2)
  })
})
