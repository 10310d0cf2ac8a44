import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineWorkflow } from '../../../src/workflow/define-workflow.ts'
import { createWorld, settle } from '../../support/runtime-world.ts'

const child = defineWorkflow({ name: 'child', version: '1' }).stage('long', async ({ sleep }) => {
  await sleep('2h')
  return 'slept'
})

const parent = (onParentClose: 'cancel' | 'abandon', ends: 'well' | 'badly') =>
  defineWorkflow({ name: 'parent', version: '1', profile: 'critical' }).stage(
    'a',
    { restart: 'temporary' },
    async ({ startChild, sleep }) => {
      await startChild(child, undefined, { id: 'c', onParentClose })
      await sleep('10m')
      if (ends === 'badly') throw new Error('broken')
      return 'ended'
    },
  )

describe('the end of a parent', () => {
  it.each([
    ['cancel', 'well', 'cancelled'],
    ['cancel', 'badly', 'cancelled'],
    ['abandon', 'well', 'completed'],
    ['abandon', 'badly', 'completed'],
  ] as const)(
    'with %s, when it ends %s, leaves its child %s, over a restart of the process',
    async (policy, ends, status) => {
      const world = createWorld()
      const workflow = parent(policy, ends)
      const options = { workflows: [workflow, child] }
      const first = await world.open(options)
      await first.start(workflow, undefined, { id: 'p' })
      await world.clock.advance('5m')
      await first.close()
      const second = await world.open(options)
      await settle(world.clock, (await second.get('p')).result(), 60_000)
      await world.clock.advance('1m')
      await second.close()
      const third = await world.open(options)
      expect(await settle(world.clock, (await third.get('c')).result(), 60_000)).toMatchObject({ status })
      await third.close()
    },
  )
})

describe('a deadline', () => {
  const workflow = defineWorkflow({ name: 'w', version: '1' }).stage('a', ({ sleep }) => sleep('2h'))

  it('that passes while no process has the run ends it as soon as one takes it up', async () => {
    const world = createWorld()
    const first = await world.open({ workflows: [workflow] })
    await first.start(workflow, undefined, { id: 'r', deadline: '1h' })
    await world.clock.advance('1m')
    await first.close()
    await world.clock.advance('3h')
    const second = await world.open({ workflows: [workflow] })
    const began = world.clock.now()
    expect(await settle(world.clock, (await second.get('r')).result(), 100)).toMatchObject({
      status: 'failed',
      error: { code: 'timed_out' },
    })
    expect(world.clock.now() - began).toBeLessThan(1000)
    await second.close()
  })

  it('that has passed no longer counts when the run is retried', async () => {
    const world = createWorld()
    const runtime = await world.open({ workflows: [workflow] })
    const run = await runtime.start(workflow, undefined, { id: 'r', deadline: '1h' })
    expect(await settle(world.clock, run.result(), 60_000)).toMatchObject({ status: 'failed' })
    expect(await settle(world.clock, (await runtime.retry('r')).result(), 60_000)).toMatchObject({
      status: 'completed',
    })
    await runtime.close()
  })

  it('of the run that a fork comes from counts from the fork', async () => {
    const world = createWorld()
    const runtime = await world.open({ workflows: [workflow] })
    const run = await runtime.start(workflow, undefined, { id: 'r', deadline: '1h' })
    await settle(world.clock, run.result(), 60_000)
    await world.clock.advance('5h')
    const fork = await runtime.fork('r', { from: 'a' })
    const began = world.clock.now()
    expect(await settle(world.clock, fork.result(), 60_000)).toMatchObject({ status: 'failed' })
    expect(world.clock.now() - began).toBeGreaterThanOrEqual(3_600_000)
    await runtime.close()
  })
})

describe('a signal', () => {
  const workflow = defineWorkflow({ name: 'w', version: '1', signals: { go: z.object({ n: z.number() }) } }).stage(
    'a',
    async ({ waitFor }) => (await waitFor('go')).n,
  )

  it('to a run that still waits for a place, or that is paused, is kept until it is asked for', async () => {
    const world = createWorld()
    const blocking = defineWorkflow({ name: 'blocking', version: '1' }).stage('b', () => new Promise(() => {}))
    const runtime = await world.open({ workflows: [workflow, blocking], concurrency: { runs: 1 } })
    const blocker = await runtime.start(blocking, undefined, { id: 'blocker' })
    await world.clock.advance('1m')
    const run = await runtime.start(workflow, undefined, { id: 'r' })
    expect(await run.status()).toBe('pending')
    await run.signal('go', { n: 5 })
    await blocker.pause()
    await blocker.cancel()
    expect(await settle(world.clock, run.result())).toMatchObject({ output: 5 })
    const paused = await runtime.start(workflow, undefined, { id: 'p' })
    await world.clock.advance('1m')
    await paused.pause()
    await paused.signal('go', { n: 6 })
    await runtime.close()
    const next = await world.open({ workflows: [workflow] })
    const again = await next.get('p')
    expect(await again.status()).toBe('paused')
    await again.resume()
    expect(await settle(world.clock, again.result())).toMatchObject({ output: 6 })
    await next.close()
  })

  it('that a failed stage had taken is given again when the run is retried', async () => {
    const world = createWorld()
    let broken = true
    const failing = defineWorkflow({
      name: 'f',
      version: '1',
      profile: 'critical',
      signals: { go: z.object({ n: z.number() }) },
    }).stage('a', { restart: 'temporary' }, async ({ waitFor }) => {
      const { n } = await waitFor('go')
      if (broken) throw new Error('broken')
      return n
    })
    const runtime = await world.open({ workflows: [failing] })
    const run = await runtime.start(failing, undefined, { id: 'r' })
    await run.signal('go', { n: 8 })
    expect(await settle(world.clock, run.result())).toMatchObject({ status: 'failed' })
    broken = false
    expect(await settle(world.clock, (await runtime.retry('r')).result())).toMatchObject({ output: 8 })
    await runtime.close()
  })
})
