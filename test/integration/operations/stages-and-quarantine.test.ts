import { describe, expect, it } from 'vitest'
import { setup } from 'xstate'
import { z } from 'zod'
import { defineProfile } from '../../../src/resilience/define-profile.ts'
import { defineWorkflow } from '../../../src/workflow/define-workflow.ts'
import { workflowFromMachine } from '../../../src/workflow/own-machine.ts'
import { stageActor } from '../../../src/workflow/stage-actor.ts'
import { createWorld, settle } from '../../support/runtime-world.ts'

const begin = () =>
  defineWorkflow({ name: 'w', version: '1', profile: 'critical', signals: { go: z.object({ n: z.number() }) } })
const once = { restart: 'temporary' } as const
const why = { reason: 'we know better', by: 'ann' }

describe('stage skip', () => {
  it('lets a failed run go on without the stage', async () => {
    const world = createWorld()
    const workflow = begin()
      .stage('a', () => 1)
      .stage('b', once, (): number => {
        throw new Error('broken')
      })
      .stage('c', ({ results }) => [results.a, results.b ?? null])
    const runtime = await world.open({ workflows: [workflow] })
    const run = await runtime.start(workflow, undefined, { id: 'r' })
    await settle(world.clock, run.result())
    const again = await runtime.stage.skip('r', 'b', why)
    expect(await settle(world.clock, again.result())).toMatchObject({ status: 'completed', output: [1, null] })
    const told = (await world.store.readJournal('r')).find(({ type }) => type === 'stage.overridden')
    expect(told?.stage).toBe('b')
    const story = (await runtime.explain('r')).story.map(({ text }) => text)
    expect(story).toContain('reopened by ann (skip): we know better')
    expect(story).toContain("stage 'b' was skipped by ann: we know better")
    expect(JSON.parse(told?.data ?? '')).toEqual({ how: 'skip', ...why })
    await runtime.close()
  })

  it('ends a stage that is at work, and passes over one that has not begun, over a restart of the process', async () => {
    const world = createWorld()
    const stopped: unknown[] = []
    const workflow = begin()
      .stage('a', async ({ signal, waitFor }) => {
        signal.addEventListener('abort', () => stopped.push('a'))
        return (await waitFor('go')).n
      })
      .stage('b', async ({ sleep }) => {
        await sleep('1h')
        return 'b'
      })
      .stage('c', (): string => {
        throw new Error('c must not run')
      })
      .output(({ results }) => [results.a ?? null, results.b, results.c ?? null])
    const runtime = await world.open({ workflows: [workflow] })
    await runtime.start(workflow, undefined, { id: 'r' })
    await world.clock.advance('1m')
    await runtime.stage.skip('r', 'a', why)
    await runtime.stage.skip('r', 'c', why)
    expect(stopped).toEqual(['a'])
    await world.clock.advance('1m')
    await runtime.close()
    const next = await world.open({ workflows: [workflow] })
    expect(await settle(world.clock, (await next.get('r')).result(), 60_000)).toMatchObject({
      status: 'completed',
      output: [null, 'b', null],
    })
    await next.close()
  })

  it('needs a reason, a stage that is there, and one that has not ended', async () => {
    const world = createWorld()
    const workflow = begin()
      .stage('a', () => 1)
      .stage('b', ({ sleep }) => sleep('1h'))
    const runtime = await world.open({ workflows: [workflow] })
    await runtime.start(workflow, undefined, { id: 'r' })
    await world.clock.advance('1m')
    for (const [stage, options, text] of [
      ['b', {}, 'reason'],
      ['z', why, "has no stage 'z'; it has 'a', 'b'"],
      ['a', why, 'has ended already'],
    ] as const) {
      const refused = await runtime.stage.skip('r', stage, options as never).catch(error => error)
      expect(refused).toMatchObject({ code: 'invalid_options', message: expect.stringContaining(text) })
    }
    expect(await runtime.stage.skip('nobody', 'a', why).catch(error => error)).toMatchObject({ code: 'run_not_found' })
    await runtime.close()
  })

  it('of a paused run holds when it is resumed', async () => {
    const world = createWorld()
    const workflow = begin().stage('a', async ({ waitFor }) => (await waitFor('go')).n)
    const runtime = await world.open({ workflows: [workflow] })
    const run = await runtime.start(workflow, undefined, { id: 'r' })
    await world.clock.advance('1m')
    await run.pause()
    await runtime.stage.complete('r', 'a', { ...why, result: 4 })
    expect(await run.status()).toBe('paused')
    await run.resume()
    expect(await settle(world.clock, run.result())).toMatchObject({ status: 'completed', output: 4 })
    await runtime.close()
  })
})

describe('stage complete', () => {
  it('gives the result by hand, checked by what the stage declares', async () => {
    const world = createWorld()
    const workflow = begin()
      .stage('a', { output: z.object({ n: z.number() }), ...once }, (): { n: number } => {
        throw new Error('broken')
      })
      .stage('b', ({ results }) => results.a.n + 1)
    const runtime = await world.open({ workflows: [workflow] })
    await settle(world.clock, (await runtime.start(workflow, undefined, { id: 'r' })).result())
    const refused = await runtime.stage.complete('r', 'a', { ...why, result: { n: 'x' } }).catch(error => error)
    expect(refused).toMatchObject({ code: 'invalid_value' })
    const again = await runtime.stage.complete('r', 'a', { ...why, result: { n: 41 } })
    expect(await settle(world.clock, again.result())).toMatchObject({ output: 42 })
    await runtime.close()
  })

  it('gives a machine of one’s own what its stage would have given', async () => {
    const world = createWorld()
    const machine = setup({
      actors: { ask: stageActor({}, async ({ sleep }) => sleep('30d')) },
      types: {} as { context: { got: unknown } },
    }).createMachine({
      id: 'own',
      context: { got: null },
      initial: 'one',
      states: {
        one: {
          invoke: { src: 'ask', id: 'ask', onDone: { target: 'end', actions: [] } },
        },
        end: { type: 'final' },
      },
    })
    const workflow = workflowFromMachine({ name: 'own', version: '1', machine })
    const runtime = await world.open({ workflows: [workflow] })
    const run = await runtime.start(workflow, undefined, { id: 'r' })
    await world.clock.advance('1m')
    await runtime.stage.complete('r', 'ask', { ...why, result: 1 })
    expect(await settle(world.clock, run.result())).toMatchObject({ status: 'completed' })
    await runtime.close()
  })
})

describe('stage redo', () => {
  it('runs an ended stage of a failed run again with nothing of its record, and what depends on it', async () => {
    const world = createWorld()
    const ran: string[] = []
    let good = false
    const workflow = begin()
      .stage('a', ({ stage, step }) => step('x', () => ran.push(stage)))
      .stage('b', ({ stage }) => ran.push(stage))
      .stage('beside', { needs: [] }, ({ stage }) => ran.push(stage))
      .stage('c', { needs: ['b', 'beside'], ...once }, ({ stage }) => {
        ran.push(stage)
        if (!good) throw new Error('what a gave was wrong')
      })
    const runtime = await world.open({ workflows: [workflow] })
    await settle(world.clock, (await runtime.start(workflow, undefined, { id: 'r' })).result())
    ran.length = 0
    good = true
    const again = await runtime.stage.redo('r', 'a', why)
    expect(await settle(world.clock, again.result())).toMatchObject({ status: 'completed' })
    expect(ran).toEqual(['a', 'b', 'c'])
    await runtime.close()
  })

  it('starts a stage that is at work again from nothing', async () => {
    const world = createWorld()
    const steps: number[] = []
    const workflow = begin().stage('a', async ({ step, waitFor, incarnation }) => {
      await step('x', () => steps.push(incarnation))
      return (await waitFor('go')).n
    })
    const runtime = await world.open({ workflows: [workflow] })
    const run = await runtime.start(workflow, undefined, { id: 'r' })
    await world.clock.advance('1s')
    await runtime.stage.redo('r', 'a', why)
    await world.clock.advance('1m')
    expect(steps).toEqual([1, 2])
    await run.signal('go', { n: 9 })
    expect(await settle(world.clock, run.result())).toMatchObject({ output: 9 })
    await runtime.close()
  })
})

describe('quarantine', () => {
  const quarantining = defineProfile({ extends: 'critical', restart: { onExhausted: 'quarantine' } })

  async function quarantined() {
    const world = createWorld()
    const state = { good: false }
    const workflow = begin()
      .stage('a', () => 1)
      .stage('b', { profile: quarantining, ...once }, ({ results }) => {
        if (!state.good) throw new Error('outer', { cause: new TypeError('inner') })
        return results.a + 1
      })
    const runtime = await world.open({ workflows: [workflow] })
    await settle(world.clock, (await runtime.start(workflow, undefined, { id: 'r' })).result())
    return { world, state, runtime }
  }

  it('lists its runs, and shows the evidence', async () => {
    const { runtime } = await quarantined()
    expect((await runtime.quarantine.list()).items).toMatchObject([
      { id: 'r', workflow: 'w', stage: 'b', message: 'outer' },
    ])
    const evidence = await runtime.quarantine.show('r')
    expect(evidence).toMatchObject({
      status: 'quarantined',
      causes: [{ message: 'outer' }, { message: 'inner', name: 'TypeError' }],
      snapshot: { sha256: expect.stringMatching(/^[0-9a-f]{64}$/), bytes: expect.any(Number) },
      spend: { usd: 0 },
      attempts: 2,
    })
    expect(evidence.lastEvents.at(-1)).toMatchObject({ type: 'run.quarantined' })
    await runtime.close()
  })

  it('lets a run go on, audited', async () => {
    const { world, state, runtime } = await quarantined()
    state.good = true
    const run = await runtime.quarantine.release('r', why)
    expect(await settle(world.clock, run.result())).toMatchObject({ output: 2 })
    const told = (await world.store.readJournal('r')).find(({ type }) => type === 'quarantine.released')
    expect(JSON.parse(told?.data ?? '')).toEqual(why)
    const story = (await runtime.explain('r')).story.map(({ text }) => text)
    expect(story.filter(text => text.includes('ann'))).toEqual(['let out of quarantine by ann: we know better'])
    expect((await runtime.quarantine.list()).items).toEqual([])
    expect(await runtime.quarantine.release('r').catch(error => error)).toMatchObject({ code: 'run_not_open' })
    await runtime.close()
  })

  it('gives a run up for good, audited', async () => {
    const { world, runtime } = await quarantined()
    await runtime.quarantine.discard('r', why)
    expect(await world.store.readRun('r')).toMatchObject({ status: 'cancelled', snapshot: null })
    expect(await (await runtime.get('r')).result()).toMatchObject({
      status: 'cancelled',
      error: { message: 'discarded from quarantine: we know better' },
    })
    expect(await runtime.retry('r').catch(error => error)).toMatchObject({ code: 'run_not_open' })
    const told = (await world.store.readJournal('r')).find(({ type }) => type === 'quarantine.discarded')
    expect(JSON.parse(told?.data ?? '')).toEqual(why)
    await runtime.close()
  })
})
