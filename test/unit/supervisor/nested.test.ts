import { describe, expect, it } from 'vitest'
import { createMachine } from 'xstate'
import { RestartIntensityError, type SupervisorEvent } from '../../../src/supervisor.ts'
import { Crash, fail, started, stillborn, worker } from '../../support/supervised-worker.ts'

const leaf = { id: 'x', logic: worker }
const inner = { id: 'inner', logic: { children: [leaf, { id: 'y', logic: worker }] } }

const stubborn = createMachine({ initial: 'on', states: { on: { on: { SHUTDOWN: 'off' } }, off: {} } })

describe('nested supervisors', () => {
  it('start and stop in their place, and their children have a path', async () => {
    const { sup, lines } = await started({
      children: [{ id: 'a', logic: worker }, inner, { id: 'b', logic: worker }],
    })
    expect(sup.whichChildren()[1]).toEqual({ id: 'inner', status: 'running', incarnation: 1, type: 'supervisor' })
    expect(sup.child('inner/x')).toMatchObject({ id: 'x', incarnation: 1 })
    await sup.stop()
    expect(lines()).toEqual([
      '+a1', '+inner/x1', '+inner/y1', '+inner1', '+b1',
      '-b1 shutdown', '-inner/y1 shutdown', '-inner/x1 shutdown', 'inner: stopped shutdown', '-inner1 shutdown',
      '-a1 shutdown', 'stopped shutdown',
    ]) // biome-ignore format: a line a phase
  })

  it('keep refs and handles valid over their restarts', async () => {
    const { sup, clock } = await started({ children: [{ ...inner, logic: { ...inner.logic, intensity: 0 } }] })
    const ref = sup.child('inner/y')
    const handle = sup.supervisor('inner')
    fail(sup, 'inner/x')
    ref.send({ type: 'NOTE', what: 'while it was down' })
    await clock.advance(0)
    expect(ref.getSnapshot().context.seen).toEqual(['while it was down'])
    expect(ref.incarnation).toBe(2)
    expect(handle.whichChildren().map(child => child.incarnation)).toEqual([2, 2])
  })

  it('take children at run time, which do not survive their restart', async () => {
    const { sup, clock } = await started({ children: [{ ...inner, logic: { ...inner.logic, intensity: 0 } }] })
    const adding = sup.supervisor('inner').startChild({ id: 'z', logic: worker })
    expect(sup.child('inner/z').incarnation).toBe(1)
    const ref = await adding
    fail(sup, 'inner/x')
    await clock.advance(0)
    expect(() => sup.child('inner/z')).toThrow()
    ref.send({ type: 'NOTE', what: 1 })
    expect(sup.mailCounts()).toMatchObject({ stashed: 0, deadLettered: 1 })
  })

  it('stop all their children before the one above is told, and keep the chain of causes', async () => {
    const { sup, clock, lines, forget } = await started({
      intensity: 0,
      children: [
        {
          id: 'inner',
          logic: {
            intensity: 0,
            children: [{ id: 'deep', logic: { intensity: 0, children: [leaf, { id: 'y', logic: worker }] } }],
          },
        },
      ],
    })
    forget()
    fail(sup, 'inner/deep/x')
    await clock.advance(0)
    expect(lines()).toEqual([
      '-inner/deep/x1 abnormal', 'refused inner/deep/x intensity', 'inner/deep: escalated',
      '-inner/deep/y1 shutdown', 'inner/deep: stopped intensity', '-inner/deep1 shutdown',
      'refused inner/deep intensity', 'inner: escalated', 'inner: stopped intensity', '-inner1 shutdown',
      'refused inner intensity', 'escalated', 'stopped intensity',
    ]) // biome-ignore format: a line a phase
    const chain: unknown[] = []
    for (let at: unknown = (await sup.stopped).cause; at instanceof Error; at = at.cause) chain.push(at.constructor)
    expect(chain).toEqual([RestartIntensityError, RestartIntensityError, RestartIntensityError, Crash])
  })

  it('end with shutdown, so that a transient one stays down', async () => {
    const { sup, clock, lines } = await started({
      children: [{ ...inner, restart: 'transient', logic: { intensity: 0, children: [leaf] } }],
    })
    fail(sup, 'inner/x')
    await clock.advance(0)
    expect(lines().slice(-2)).toEqual(['-inner1 shutdown', 'refused inner transient-normal'])
  })

  it('fail the start of the one above when a child of theirs fails to start', async () => {
    let isBroken = false
    const { sup, clock, lines, forget } = await started({
      intensity: 1,
      children: [
        {
          id: 'inner',
          logic: { intensity: 0, children: [leaf, { id: 'y', logic: () => (isBroken ? stillborn : worker) }] },
        },
      ],
    })
    forget()
    isBroken = true
    fail(sup, 'inner/x')
    await clock.advance(0)
    expect(lines().slice(-6)).toEqual([
      '!inner [inner]', '+inner/x2', '-inner/x2 shutdown', 'inner: stopped start-failed',
      'refused inner intensity', 'escalated', 'stopped intensity',
    ].slice(-6)) // biome-ignore format: one line
    expect((await sup.stopped).cause).toMatchObject({ cause: { code: 'start_failed', cause: expect.any(Crash) } })
  })

  it('are killed with all below them when their shutdown is over', async () => {
    const { sup, clock, lines, forget } = await started({
      children: [
        {
          id: 'inner',
          shutdown: 1000,
          logic: {
            children: [leaf, { id: 'deep', logic: { children: [{ id: 's', logic: stubborn, shutdown: 'infinity' }] } }],
          },
        },
      ],
    })
    forget()
    const refused = sup
      .supervisor('inner')
      .terminateChild('deep')
      .catch(error => error.code)
    const stopping = sup.stop()
    await clock.advance(1000)
    await stopping
    expect(await refused).toBe('supervisor_stopped')
    expect(lines()).toEqual([
      '-inner/deep/s1 killed', 'inner/deep: stopped shutdown', '-inner/deep1 killed', '-inner/x1 killed',
      'inner: stopped shutdown', '-inner1 killed', 'stopped shutdown',
    ]) // biome-ignore format: a line a level
    expect(clock.pending).toBe(0)
  })

  it('are killed also while they wait for a child of theirs, and leave no timer', async () => {
    const { sup, clock, lines } = await started({
      children: [{ id: 'inner', shutdown: 1000, logic: { children: [{ id: 's', logic: stubborn, shutdown: '1h' }] } }],
    })
    const refused = sup
      .supervisor('inner')
      .terminateChild('s')
      .catch(error => error.code)
    const stopping = sup.stop()
    await clock.advance(1000)
    await stopping
    expect(await refused).toBe('supervisor_stopped')
    expect(lines()).toContain('-inner/s1 killed')
    expect(clock.pending).toBe(0)
  })

  it('are killed also while a supervisor below them is still starting', async () => {
    let isBroken = false
    const deep = {
      intensity: 0,
      children: [
        { id: 's', logic: stubborn, shutdown: '1h' },
        { id: 'x', logic: () => (isBroken ? stillborn : worker) },
      ],
    }
    const { sup, clock, lines, forget } = await started({
      children: [{ id: 'inner', shutdown: 1000, logic: { children: [{ id: 'deep', logic: deep }] } }],
    })
    isBroken = true
    await Promise.all([sup.supervisor('inner/deep').stop(), clock.advance('1h')])
    forget()
    void sup
      .supervisor('inner')
      .restartChild('deep')
      .catch(() => {})
    const stopping = sup.stop()
    await clock.advance(1000)
    await stopping
    expect(lines()).toContain('-inner/deep/s2 killed')
    expect(clock.pending).toBe(0)
  })

  it('have the mail of those below them made dead letters when their restart does not come', async () => {
    const { sup, lines } = await started({
      backoff: { kind: 'fixed', base: 1000 },
      children: [{ ...inner, logic: { ...inner.logic, intensity: 0 } }],
    })
    fail(sup, 'inner/x')
    sup.child('inner/y').send({ type: 'NOTE', what: 1 })
    expect(sup.mailCounts().stashed).toBe(1)
    await sup.terminateChild('inner')
    expect(lines().at(-1)).toBe('dead inner/y NOTE stopped')
  })

  it('may be returned by a function for logic', async () => {
    const { sup } = await started({ children: [{ id: 'inner', logic: () => ({ children: [leaf] }) as never }] })
    expect(sup.child('inner/x').incarnation).toBe(1)
  })

  it('are started and stopped through their handle as children of the one above', async () => {
    const { sup } = await started({ children: [inner] })
    const handle = sup.supervisor('inner')
    const { stopped } = handle
    await handle.stop()
    expect(await stopped).toEqual({ reason: 'shutdown' })
    expect(sup.whichChildren()).toMatchObject([{ id: 'inner', status: 'stopped' }])
    await handle.start()
    expect(sup.child('inner/x').incarnation).toBe(2)
  })

  it('tell their own observer with their own ids', async () => {
    const own: SupervisorEvent[] = []
    await started({ children: [{ id: 'inner', logic: { children: [leaf], onEvent: event => own.push(event) } }] })
    expect(own).toEqual([{ type: 'child.started', id: 'x', incarnation: 1 }])
  })
})
