import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createClient } from '../../../src/runtime/client.ts'
import { memoryStore } from '../../../src/store/memory-store.ts'
import { defineWorkflow } from '../../../src/workflow/define-workflow.ts'
import { createWorld, settle } from '../../support/runtime-world.ts'

const begin = () =>
  defineWorkflow({ name: 'w', version: '1', profile: 'critical', signals: { go: z.object({ n: z.number() }) } })
const once = { restart: 'temporary' } as const
const why = { reason: 'x' }

describe('operations in odd orders', () => {
  it('two retries at once are one, and the other is refused', async () => {
    const world = createWorld()
    let broken = true
    const ran: number[] = []
    const workflow = begin().stage('a', once, ({ attempt }) => {
      ran.push(attempt)
      if (broken) throw new Error('broken')
    })
    const runtime = await world.open({ workflows: [workflow] })
    const run = await runtime.start(workflow, undefined, { id: 'r' })
    await settle(world.clock, run.result())
    broken = false
    const both = await Promise.allSettled([runtime.retry('r'), runtime.retry('r'), runtime.stage.skip('r', 'a', why)])
    expect(both.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThanOrEqual(1)
    expect(both[1]).toMatchObject({ status: 'rejected', reason: { code: 'run_open' } })
    expect(await settle(world.clock, run.result())).toMatchObject({ success: true })
    const rows = await world.store.readJournal('r')
    expect(rows.filter(({ type }) => type === 'run.reopened')).toHaveLength(1)
    await runtime.close()
  })

  it('a retry asked for in the moment of the end comes after it', async () => {
    const world = createWorld()
    let broken = true
    const workflow = begin().stage('a', once, async ({ sleep }) => {
      await sleep(10)
      if (broken) throw new Error('broken')
      return 1
    })
    const runtime = await world.open({ workflows: [workflow] })
    const run = await runtime.start(workflow, undefined, { id: 'r' })
    const again = new Promise(resolve => {
      run.subscribe(({ type }) => {
        if (type !== 'run.failed') return
        broken = false
        resolve(runtime.retry('r'))
      })
    })
    await settle(world.clock, again)
    expect(await settle(world.clock, run.result())).toMatchObject({ output: 1 })
    await runtime.close()
  })

  it('an item of a live map is skipped, completed and redone', async () => {
    const world = createWorld()
    const ran: string[] = []
    const workflow = begin()
      .map(
        'm',
        { over: () => ['x', 'y', 'z', 'u'], key: item => item, concurrency: 2 },
        async ({ item, waitFor, stage }) => {
          ran.push(stage)
          if (item !== 'u') await waitFor('go')
          return item
        },
      )
      .output(({ results }) => results.m.map(value => value ?? null))
    const runtime = await world.open({ workflows: [workflow] })
    const run = await runtime.start(workflow, undefined, { id: 'r' })
    await world.clock.advance('1m')
    await runtime.stage.redo('r', 'm[x]', why)
    await runtime.stage.skip('r', 'm[y]', why)
    await runtime.stage.complete('r', 'm[x]', { ...why, result: 'X' })
    await world.clock.advance('1m')
    expect(await runtime.stage.skip('r', 'm', why).catch(error => error.message)).toContain('items one by one')
    expect(await runtime.stage.skip('r', 'm[q]', why).catch(error => error.message)).toBe(
      "the map has no item 'm[q]'; its keys are 'x', 'y', 'z' and 1 more",
    )
    await runtime.stage.complete('r', 'm[z]', { ...why, result: 'Z' })
    expect(await settle(world.clock, run.result())).toMatchObject({ output: ['X', null, 'Z', 'u'] })
    expect(ran.filter(stage => stage === 'm[x]')).toHaveLength(2)
    await runtime.close()
  })

  it('a run that is being cancelled takes no decision about its stages', async () => {
    const world = createWorld()
    const workflow = begin()
      .stage('a', { compensate: () => new Promise(() => {}) }, () => 1)
      .stage('b', ({ waitFor }) => waitFor('go'))
    const runtime = await world.open({ workflows: [workflow] })
    const run = await runtime.start(workflow, undefined, { id: 'r' })
    await world.clock.advance('1m')
    await run.cancel()
    expect(await run.status()).toBe('cancelling')
    for (const refused of [runtime.stage.skip('r', 'b', why), runtime.stage.redo('r', 'b', why)])
      expect(await refused.catch(error => error)).toMatchObject({ code: 'run_not_open' })
    await runtime.close()
  })

  it('a stage that backs off is redone at once, and one that is skipped then is not run', async () => {
    const world = createWorld()
    const ran: string[] = []
    const workflow = defineWorkflow({ name: 'w', version: '1' })
      .stage('a', { needs: [] }, ({ attempt }) => {
        ran.push(`a ${attempt}`)
        if (attempt === 1) throw Object.assign(new Error('busy'), { status: 503, headers: { 'retry-after': '3600' } })
        return 'a'
      })
      .stage('b', { needs: [] }, ({ attempt }) => {
        ran.push(`b ${attempt}`)
        throw Object.assign(new Error('busy'), { status: 503 })
      })
      .output(({ results }) => results.a)
    const runtime = await world.open({ workflows: [workflow] })
    const run = await runtime.start(workflow, undefined, { id: 'r' })
    await world.clock.advance(1)
    await runtime.stage.redo('r', 'a', why)
    await runtime.stage.skip('r', 'b', why)
    expect(await settle(world.clock, run.result())).toMatchObject({ status: 'completed', output: 'a' })
    expect(ran.filter(what => what.startsWith('b'))).toEqual(['b 1'])
    await runtime.close()
  })

  it('a command that its owner had no time to answer is carried out by the next, a fork once', async () => {
    const world = createWorld()
    const workflow = begin().stage('a', () => 1)
    const store = memoryStore()
    const first = await world.open({ store, workflows: [workflow] })
    await settle(world.clock, (await first.start(workflow, undefined, { id: 'r' })).result())
    await first.close()
    const args = JSON.stringify({ from: 'a', id: 'forked' })
    for (const id of ['one', 'two']) await store.enqueueCommand({ id, name: 'fork', runId: 'r', args, at: 0 })
    const second = await world.open({ store, workflows: [workflow], retention: { commands: '30d' } })
    await world.clock.advance('1m')
    for (const id of ['one', 'two']) {
      expect(JSON.parse((await store.readReply(id))?.value ?? '{}')).toMatchObject({ id: 'forked' })
    }
    expect((await second.list()).items.map(({ id }) => id).sort()).toEqual(['forked', 'r'])
    await second.close()
    expect((await createClient({ store }).get('forked')).result).toMatchObject({ success: true })
  })

  it('a decision about a stage of a run that no process has is kept for the next, paused runs too', async () => {
    const world = createWorld()
    const ran: string[] = []
    const workflow = begin()
      .stage('a', async ({ waitFor, stage }) => {
        ran.push(stage)
        return (await waitFor('go')).n
      })
      .stage('b', ({ results, stage }) => {
        ran.push(stage)
        return results.a
      })
    const first = await world.open({ workflows: [workflow] })
    await first.start(workflow, undefined, { id: 'r' })
    const paused = await first.start(workflow, undefined, { id: 'p' })
    await world.clock.advance('1m')
    await paused.pause()
    await first.close()
    const second = await world.open({ workflows: [workflow], recover: false })
    await second.stage.complete('r', 'a', { ...why, result: 3, hold: true })
    await second.stage.redo('p', 'a', { ...why, hold: true })
    expect(ran).toEqual(['a', 'a'])
    expect(await (await second.get('p')).status()).toBe('paused')
    await second.close()
    const third = await world.open({ workflows: [workflow] })
    expect(await settle(world.clock, (await third.get('r')).result())).toMatchObject({ output: 3 })
    const held = await third.get('p')
    expect(await held.status()).toBe('paused')
    await held.resume()
    await held.signal('go', { n: 4 })
    expect(await settle(world.clock, held.result())).toMatchObject({ output: 4 })
    expect(ran).toEqual(['a', 'a', 'b', 'a', 'b'])
    await third.close()
  })
})
