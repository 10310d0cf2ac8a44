import { describe, expect, it } from 'vitest'
import { setup } from 'xstate'
import { z } from 'zod'
import { defineWorkflow } from '../../../src/workflow/define-workflow.ts'
import { workflowFromMachine } from '../../../src/workflow/own-machine.ts'
import { createWorld, settle } from '../../support/runtime-world.ts'

const begin = (name = 'w') => defineWorkflow({ name, version: '1', signals: { go: z.unknown() } })

describe('a run that only waits', () => {
  it('leaves memory after a minute and comes back by a signal: same attempt, next incarnation, steps as recorded', async () => {
    const world = createWorld()
    const seen: string[] = []
    const workflow = begin().stage('a', async ({ step, waitFor, attempt, incarnation }) => {
      seen.push(`${attempt}/${incarnation}`)
      await step('once', () => seen.push('step'))
      return waitFor('go')
    })
    const runtime = await world.open({ workflows: [workflow] })
    const run = await runtime.start(workflow, undefined, { id: 'r' })
    const result = run.result()
    await world.clock.advance('59s')
    expect(world.clock.pending).toBe(1)
    await world.clock.advance('2s')
    expect(world.clock.pending).toBe(0)
    expect(await run.status()).toBe('waiting')
    expect((await runtime.tree()).children.at(-1)?.children).toMatchObject([{ id: 'run:r', status: 'waiting' }])
    await run.signal('go', 7)
    expect(await settle(world.clock, result)).toMatchObject({ output: 7, attempts: 1, resumes: 0 })
    expect(seen).toEqual(['1/1', 'step', '1/2'])
    const types = []
    for await (const event of run.events()) types.push(event.type)
    expect(types.filter(type => type === 'run.woken')).toHaveLength(1)
    await runtime.close()
  })

  it('hears nothing when it leaves: what it awaits never settles, and its signal aborts', async () => {
    const world = createWorld()
    const heard: string[] = []
    const workflow = begin().stage('a', async ({ waitFor, signal, incarnation }) => {
      signal.addEventListener('abort', () => heard.push(`abort ${incarnation}`))
      try {
        return await waitFor('go').catch(() => 'caught')
      } finally {
        heard.push(`finally ${incarnation}`)
      }
    })
    const runtime = await world.open({ workflows: [workflow] })
    const run = await runtime.start(workflow)
    await world.clock.advance('2m')
    expect(heard).toEqual(['abort 1'])
    await run.signal('go', 'there')
    expect(await settle(world.clock, run.result())).toMatchObject({ output: 'there' })
    expect(heard).toEqual(['abort 1', 'finally 2'])
    await runtime.close()
  })

  it('of which there are thousands leave after a second, and memory keeps one timer for all', async () => {
    const world = createWorld()
    const workflow = begin().stage('a', async ({ input, sleep }) => {
      await sleep((input as { days: number }).days * 86_400_000)
      return 'slept'
    })
    const runtime = await world.open({ workflows: [workflow] })
    const runs = await Promise.all(
      Array.from({ length: 1100 }, (_, n) => runtime.start(workflow, { days: 1 + (n % 30) }, { id: `r${n}` })),
    )
    await world.clock.advance('5s')
    // The crowd is gone; of those that are left each has its timer, and there is one for all that sleep.
    const left = (await runtime.tree()).children.at(-1)?.children.filter(node => node.children.length > 0) ?? []
    expect(left.length).toBeGreaterThan(0)
    await world.clock.advance('2m')
    expect(world.clock.pending).toBe(1)
    const done = runs.map(run => run.result())
    await world.clock.advance('31d')
    expect((await Promise.all(done)).filter(result => result.success)).toHaveLength(1100)
    expect(world.clock.pending).toBe(0)
    await runtime.close()
  })

  it('is not started by the next process before it has to be', async () => {
    const world = createWorld()
    let starts = 0
    const workflow = begin().stage('a', async ({ sleep, waitFor }) => {
      starts++
      await sleep('30d')
      return waitFor('go')
    })
    const first = await world.open({ workflows: [workflow] })
    await first.start(workflow, undefined, { id: 'r' })
    await world.clock.advance('1s')
    await first.close()
    const second = await world.open({ workflows: [workflow] })
    await world.clock.advance('29d')
    expect(starts).toBe(1)
    await world.clock.advance('2d')
    expect(starts).toBe(2)
    const run = await second.get('r')
    await run.signal('go', 1)
    expect(await settle(world.clock, run.result())).toMatchObject({ success: true, output: 1, resumes: 1 })
    await second.close()
  })

  it('fails at its deadline, and while it is paused too; a sleep that ends meanwhile does not move it', async () => {
    const world = createWorld()
    const workflow = begin().stage('a', ({ sleep }) => sleep('1d'))
    const runtime = await world.open({ workflows: [workflow] })
    const plain = await runtime.start(workflow, undefined, { id: 'plain', deadline: '2h' })
    const held = await runtime.start(workflow, undefined, { id: 'held', deadline: '3d' })
    await world.clock.advance('1s')
    await held.pause()
    await world.clock.advance('3h')
    expect(await plain.status()).toBe('failed')
    await world.clock.advance('2d')
    expect(await held.status()).toBe('paused')
    await world.clock.advance('1d')
    expect(await held.result()).toMatchObject({ status: 'failed', error: { type: 'timeout' } })
    await runtime.close()
  })

  it('that waits for its child comes back when the child ends, both asleep; and a child with its parent', async () => {
    const world = createWorld()
    const child = begin('child').stage('only', async ({ waitFor }) => waitFor('go'))
    const parent = begin('parent').stage('a', async ({ startChild }) => {
      const result = await (await startChild(child, undefined)).result()
      return result.success ? result.output : result.status
    })
    const runtime = await world.open({ workflows: [parent, child] })
    const one = await runtime.start(parent, undefined, { id: 'one' })
    const two = await runtime.start(parent, undefined, { id: 'two' })
    await world.clock.advance('1h')
    expect(world.clock.pending).toBe(0)
    await (await runtime.get('one.a.1')).signal('go', 'from the child')
    expect(await settle(world.clock, one.result())).toMatchObject({ output: 'from the child' })
    await two.cancel()
    await settle(world.clock, two.result())
    expect(await settle(world.clock, (await runtime.get('two.a.1')).result())).toMatchObject({ status: 'cancelled' })
    expect(await world.store.sleepingTimers()).toEqual([])
    await runtime.close()
  })

  it('and is a machine of one’s own keeps its `after`, its parallel states, its history and its spawned machine', async () => {
    const world = createWorld()
    const pinger = setup({}).createMachine({
      id: 'pinger',
      initial: 'quiet',
      states: { quiet: { after: { 7200000: 'loud' } }, loud: { type: 'final' } },
    })
    const machine = setup({
      types: {} as { context: { rang: boolean }; events: { type: 'LEAVE' } | { type: 'BACK' } },
      actors: { pinger },
    }).createMachine({
      id: 'own',
      context: { rang: false },
      type: 'parallel',
      states: {
        clock: {
          initial: 'ticking',
          states: {
            ticking: { invoke: { id: 'ping', src: 'pinger', onDone: 'rang' } },
            rang: { type: 'final' },
          },
        },
        work: {
          initial: 'in',
          states: {
            in: {
              initial: 'one',
              states: { one: { after: { 3600000: 'two' } }, two: {}, hist: { type: 'history' } },
              on: { LEAVE: 'out' },
            },
            out: { on: { BACK: 'in.hist' }, after: { 86400000: 'over' } },
            over: { type: 'final' },
          },
        },
      },
    } as never)
    const workflow = workflowFromMachine({ name: 'own', version: '1', machine: machine as never })
    const runtime = await world.open({ workflows: [workflow] })
    const run = await runtime.start(workflow, undefined as never, { id: 'r' })
    await world.clock.advance('10m')
    expect(world.clock.pending).toBe(1)
    await world.clock.advance('1h')
    await run.signal('LEAVE')
    await world.clock.advance('10m')
    await run.signal('BACK')
    await world.clock.advance('10m')
    const stored = JSON.parse((await world.store.readRun('r'))?.snapshot ?? '{}')
    expect(stored.children.flow.snapshot.value).toEqual({ clock: 'ticking', work: { in: 'two' } })
    await run.signal('LEAVE')
    const result = run.result()
    await world.clock.advance('2d')
    expect(await result).toMatchObject({ success: true })
    expect(world.clock.pending).toBe(0)
    await runtime.close()
  })

  it('of a workflow that nobody knows sleeps on and is passed over, while others wake', async () => {
    const world = createWorld()
    const known = begin('known').stage('a', ({ sleep }) => sleep('2h'))
    const unknown = begin('unknown').stage('a', ({ sleep }) => sleep('1h'))
    const first = await world.open({ workflows: [known, unknown] })
    await first.start(unknown, undefined, { id: 'u' })
    await first.start(known, undefined, { id: 'k' })
    await world.clock.advance('1s')
    await first.close()
    const second = await world.open({ workflows: [known] })
    await world.clock.advance('3h')
    expect(await (await second.get('k')).status()).toBe('completed')
    expect(await (await second.get('u')).status()).toBe('waiting')
    expect(world.clock.pending).toBe(0)
    const run = await second.get('u', unknown)
    await run.pause()
    await run.resume()
    expect(await settle(world.clock, run.result())).toMatchObject({ success: true })
    await second.close()
  })

  it('and is a child of a workflow that only its parent’s code knows is found again through its parent', async () => {
    for (const waits of [true, false]) {
      const world = createWorld()
      let hangs = !waits
      const child = begin('child').stage('a', ({ waitFor }) => {
        if (waits) return waitFor('go')
        return hangs ? new Promise(() => {}) : 7
      })
      const parent = begin('parent').stage('a', async ({ startChild }) =>
        (await startChild(child, undefined, { id: 'c' })).result(),
      )
      const first = await world.open({ workflows: [parent] })
      await first.start(parent, undefined, { id: 'p' })
      await world.clock.advance('1s')
      expect((await world.store.readRun('c'))?.status).toBe(waits ? 'waiting' : 'running')
      await first.close({ grace: 0 })
      hangs = false
      const second = await world.open({ workflows: [parent] })
      await world.clock.advance('1s')
      if (waits) await (await second.get('c')).signal('go', 7)
      const result = await settle(world.clock, (await second.get('p')).result(), 1000, 3_600_000)
      expect(result).toMatchObject({ output: { output: 7 } })
      await second.close()
    }
  }, 10_000)
})
