import { describe, expect, it } from 'vitest'
import { createMachine } from 'xstate'
import { OptionsError } from '../../../src/supervisor.ts'
import { Crash, fail, finish, stage, started, stillborn, worker } from '../../support/supervised-worker.ts'

const one = { children: [{ id: 'a', logic: worker }] }

describe('startChild', () => {
  it('adds at the end and starts before the call returns', async () => {
    const { sup, lines } = await started(one)
    const adding = sup.startChild({ id: 'b', logic: worker })
    expect(lines()).toEqual(['+a1', '+b1'])
    expect((await adding).getSnapshot().value).toBe('working')
    expect(sup.whichChildren().map(child => child.id)).toEqual(['a', 'b'])
  })

  it('starts also while another child waits for its restart', async () => {
    const { sup, clock } = await started({ ...one, backoff: { kind: 'fixed', base: 1000 } })
    fail(sup, 'a')
    await sup.startChild({ id: 'b', logic: worker })
    expect(sup.whichChildren().map(child => child.status)).toEqual(['restarting', 'running'])
    await clock.advance(1000)
    expect(sup.countChildren().active).toBe(2)
  })

  it('refuses an id that runs, one that is there, and one child too many', async () => {
    const { sup } = await started({ ...one, maxChildren: 2 })
    await expect(sup.startChild({ id: 'a', logic: worker })).rejects.toMatchObject({ code: 'already_started' })
    await sup.terminateChild('a')
    await expect(sup.startChild({ id: 'a', logic: worker })).rejects.toMatchObject({ code: 'already_present' })
    await sup.startChild({ id: 'b', logic: worker })
    await expect(sup.startChild({ id: 'c', logic: worker })).rejects.toMatchObject({ code: 'max_children' })
  })

  it('refuses an id that is being restarted as one that has started, which is what OTP says of it', async () => {
    const { sup } = await started({ ...one, backoff: { kind: 'fixed', base: 1000 } })
    fail(sup, 'a')
    await expect(sup.startChild({ id: 'a', logic: worker })).rejects.toMatchObject({ code: 'already_started' })
    expect(sup.whichChildren().map(child => child.status)).toEqual(['restarting'])
  })

  it('keeps no spec of a child that failed to start', async () => {
    const { sup } = await started(one)
    const error = await sup.startChild({ id: 'b', logic: stillborn }).catch(error => error)
    expect(error).toMatchObject({ code: 'start_failed', cause: expect.any(Crash) })
    expect(sup.whichChildren()).toHaveLength(1)
  })

  it('keeps the spec of one that declines, unless it is temporary', async () => {
    const { sup } = await started(one)
    const kept = await sup.startChild({ id: 'b', logic: () => 'ignore' })
    await sup.startChild({ id: 'c', logic: () => 'ignore', restart: 'temporary' })
    expect(kept.incarnation).toBe(0)
    expect(sup.whichChildren().map(child => `${child.id} ${child.status}`)).toEqual(['a running', 'b stopped'])
  })

  it('refuses a spec of the wrong form by a rejection', async () => {
    const { sup } = await started(one)
    await expect(sup.startChild({ id: 'b' } as never)).rejects.toBeInstanceOf(OptionsError)
  })

  it('is refused before the start', async () => {
    const { sup } = stage(one)
    await expect(sup.startChild({ id: 'b', logic: worker })).rejects.toMatchObject({ code: 'supervisor_stopped' })
  })
})

describe('terminateChild', () => {
  it('keeps the spec, costs no unit and is no failure', async () => {
    const { sup, lines } = await started({ ...one, intensity: 0 })
    await sup.terminateChild('a')
    await sup.terminateChild('a')
    expect(lines()).toEqual(['+a1', '-a1 shutdown'])
    expect(sup.whichChildren()).toMatchObject([{ id: 'a', status: 'stopped' }])
  })

  it('removes a temporary child', async () => {
    const { sup } = await started({ children: [{ id: 'a', logic: worker, restart: 'temporary' }] })
    await sup.terminateChild('a')
    await expect(sup.terminateChild('a')).rejects.toMatchObject({ code: 'not_found' })
  })

  it('takes a child out of the group that waits for its restart', async () => {
    const { sup, clock } = await started({
      strategy: 'one-for-all',
      children: ['a', 'b', 'c'].map(id => ({ id, logic: worker })),
    })
    fail(sup, 'a')
    await sup.terminateChild('b')
    await clock.advance(0)
    expect(sup.whichChildren().map(child => child.status)).toEqual(['running', 'stopped', 'running'])
  })
})

describe('restartChild and deleteChild', () => {
  it('work on stopped children only', async () => {
    const { sup, clock } = await started(one)
    for (const method of ['restartChild', 'deleteChild'] as const) {
      await expect(sup[method]('x')).rejects.toMatchObject({ code: 'not_found' })
      await expect(sup[method]('a')).rejects.toMatchObject({ code: 'running' })
    }
    fail(sup, 'a')
    for (const method of ['restartChild', 'deleteChild'] as const) {
      await expect(sup[method]('a')).rejects.toMatchObject({ code: 'restarting' })
    }
    await clock.advance(0)
    await sup.terminateChild('a')
    expect((await sup.restartChild('a')).incarnation).toBe(3)
    await sup.terminateChild('a')
    await sup.deleteChild('a')
    expect(sup.whichChildren()).toEqual([])
    expect((await sup.startChild({ id: 'a', logic: worker })).incarnation).toBe(1)
  })

  it('keep the spec of a child that fails to start again', async () => {
    let isBroken = false
    const { sup } = await started({ children: [{ id: 'a', logic: () => (isBroken ? stillborn : worker) }] })
    await sup.terminateChild('a')
    isBroken = true
    await expect(sup.restartChild('a')).rejects.toMatchObject({ code: 'start_failed' })
    expect(sup.whichChildren()).toMatchObject([{ id: 'a', status: 'stopped' }])
  })

  it('bring back a transient child that had finished', async () => {
    const { sup } = await started({ children: [{ id: 'a', logic: worker, restart: 'transient' }] })
    finish(sup, 'a')
    await sup.restartChild('a')
    expect(sup.countChildren()).toEqual({ specs: 1, active: 1, supervisors: 0, workers: 1 })
  })
})

describe('a child that has ended and is not yet judged', () => {
  it('counts as running: a call that came before the judgement neither starts nor removes it', async () => {
    const over = createMachine({ initial: 'over', states: { over: { type: 'final' } } })
    const replies: string[] = []
    let attempts = 0
    const { sup, lines, clock } = await started({ children: [{ id: 'x', logic: worker }] })
    const logic = () => {
      if (attempts++ > 0) return worker
      for (const method of ['restartChild', 'deleteChild'] as const) {
        void sup[method]('a').catch(error => replies.push(error.code))
      }
      return over
    }
    await sup.startChild({ id: 'a', logic })
    await clock.advance(0)
    expect(replies).toEqual(['running', 'running'])
    expect(lines()).toEqual(['+x1', '+a1', '-a1 normal', '!a [a]', '+a2'])
  })
})

describe('a call that comes while a restart fails to start', () => {
  it('goes before the next attempt', async () => {
    const { sup, lines, clock, forget } = await started({ children: [] })
    let attempts = 0
    const logic = () => {
      if (attempts++ === 0) return worker
      if (attempts === 2) void sup.terminateChild('a')
      return stillborn
    }
    await sup.startChild({ id: 'a', logic })
    forget()
    fail(sup, 'a')
    await clock.advance(0)
    expect(lines()).toEqual(['-a1 abnormal', '!a [a]'])
    expect(sup.whichChildren()).toMatchObject([{ id: 'a', status: 'stopped' }])
    expect(attempts).toBe(2)
  })

  it('leaves no group half started when it takes out the one that failed', async () => {
    let attempts = 0
    const fragile = () => {
      if (attempts++ !== 1) return worker
      void sup.terminateChild('b')
      return stillborn
    }
    const children = [
      { id: 'a', logic: worker },
      { id: 'b', logic: fragile },
      { id: 'c', logic: worker },
    ]
    const { sup, clock, lines, forget } = await started({ strategy: 'one-for-all', children })
    forget()
    fail(sup, 'a')
    await clock.advance(0)
    expect(lines().slice(-2)).toEqual(['+a2', '+c2'])
    expect(sup.whichChildren().map(child => child.status)).toEqual(['running', 'stopped', 'running'])
  })
})
