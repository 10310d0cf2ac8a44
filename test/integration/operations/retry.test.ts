import { describe, expect, it } from 'vitest'
import { createMachine, setup } from 'xstate'
import { z } from 'zod'
import type { RunResult } from '../../../src/runtime/api.ts'
import { scriptedProvider } from '../../../src/testing/scripted-provider.ts'
import { defineWorkflow } from '../../../src/workflow/define-workflow.ts'
import { workflowFromMachine } from '../../../src/workflow/own-machine.ts'
import { stageActor } from '../../../src/workflow/stage-actor.ts'
import { createWorld, settle } from '../../support/runtime-world.ts'

const begin = () =>
  defineWorkflow({ name: 'w', version: '1', profile: 'critical', signals: { go: z.object({ n: z.number() }) } })

/** What the test turns to let a stage succeed at last. */
const createFault = () => ({ isThere: true })

const once = { restart: 'temporary' } as const

describe('retry', () => {
  it('runs the failed stage and what follows, and keeps the results of the others', async () => {
    const world = createWorld()
    const fault = createFault()
    const ran: string[] = []
    const workflow = begin()
      .stage('a', ({ stage }) => ran.push(stage))
      .stage('b', once, ({ stage, attempt, incarnation }) => {
        ran.push(`${stage} ${attempt} ${incarnation}`)
        if (fault.isThere) throw new Error('broken')
        return 'b'
      })
      .stage('c', ({ stage, results }) => {
        ran.push(stage)
        return `${results.a} ${results.b} c`
      })
      .output(({ results }) => results.c)
    const runtime = await world.open({ workflows: [workflow] })
    const run = await runtime.start(workflow, undefined, { id: 'r' })
    expect(await settle(world.clock, run.result())).toMatchObject({ status: 'failed', attempts: 2 })
    fault.isThere = false
    const again = await runtime.retry('r', { reason: 'the disk was mended', by: 'ann' })
    expect(await settle(world.clock, again.result())).toMatchObject({
      status: 'completed',
      attempts: 4,
      resumes: 1,
    })
    expect(ran).toEqual(['a', 'b 1 1', 'b 2 2', 'c'])
    const rows = await world.store.readJournal('r')
    expect(rows.map(({ seq }) => seq)).toEqual(rows.map((_, index) => index + 1))
    expect(rows.filter(({ type, stage }) => type === 'stage.succeeded' && stage === 'a')).toHaveLength(1)
    expect(JSON.parse(rows.find(({ type }) => type === 'run.reopened')?.data ?? '')).toMatchObject({
      how: 'retry',
      again: ['b'],
      reason: 'the disk was mended',
      by: 'ann',
    })
    expect(await runtime.retry('r').catch(error => error)).toMatchObject({ code: 'run_not_open' })
    expect(await runtime.retry('nobody').catch(error => error)).toMatchObject({ code: 'run_not_found' })
    await runtime.close()
  })

  it('runs only the failed items of a map, found once', async () => {
    const world = createWorld()
    const fault = createFault()
    const ran: string[] = []
    let asked = 0
    const workflow = begin()
      .map(
        'each',
        {
          over: () => {
            asked++
            return ['x', 'y', 'z']
          },
          key: item => item,
          concurrency: 1,
          ...once,
        },
        ({ item, stage }) => {
          ran.push(stage)
          if (item === 'y' && fault.isThere) throw new Error('y is broken')
          return item.toUpperCase()
        },
      )
      .output(({ results }) => results.each)
    const runtime = await world.open({ workflows: [workflow] })
    const run = await runtime.start(workflow, undefined, { id: 'r' })
    expect(await settle(world.clock, run.result())).toMatchObject({ status: 'failed', error: { stage: 'each[y]' } })
    fault.isThere = false
    expect(await settle(world.clock, (await runtime.retry('r')).result())).toMatchObject({ output: ['X', 'Y', 'Z'] })
    expect(ran).toEqual(['each[x]', 'each[y]', 'each[y]', 'each[z]'])
    expect(asked).toBe(1)
    await runtime.close()
  })

  it('gives recorded successes again; with `fresh` they are asked anew, stay booked, and the journal says so', async () => {
    for (const fresh of [false, true]) {
      const world = createWorld()
      const fault = createFault()
      const steps: string[] = []
      const provider = scriptedProvider([() => ({ text: 'an answer', cost: 1 })], { clock: world.clock, loop: true })
      const workflow = begin().stage('a', once, async ({ step, model }) => {
        await step('x', () => steps.push('x'))
        const { text } = await model.generate({ prompt: 'what?' })
        if (fault.isThere) throw new Error('broken')
        return text
      })
      const runtime = await world.open({ workflows: [workflow], providers: [provider] })
      const run = await runtime.start(workflow, undefined, { id: 'r' })
      await settle(world.clock, run.result())
      fault.isThere = false
      const result = await settle(world.clock, (await runtime.retry('r', { fresh })).result())
      expect(result).toMatchObject({ status: 'completed', cost: { usd: fresh ? 2 : 1, replayedCalls: fresh ? 0 : 1 } })
      expect(steps).toEqual(fresh ? ['x', 'x'] : ['x'])
      const superseded = (await world.store.readJournal('r')).filter(({ type }) => type === 'ledger.superseded')
      expect(superseded).toHaveLength(fresh ? 1 : 0)
      await runtime.close()
    }
  })

  it('with `fresh` asks only the items anew that run again, and leaves the record of the others alone', async () => {
    const world = createWorld()
    const fault = createFault()
    const steps: string[] = []
    const workflow = begin().map(
      'each',
      { over: () => ['x', 'y'], key: item => item, concurrency: 1, ...once },
      async ({ item, step }) => {
        await step('pay', () => steps.push(item))
        if (item === 'y' && fault.isThere) throw new Error('y is broken')
        return item
      },
    )
    const runtime = await world.open({ workflows: [workflow] })
    await settle(world.clock, (await runtime.start(workflow, undefined, { id: 'r' })).result())
    fault.isThere = false
    const result = await settle(world.clock, (await runtime.retry('r', { fresh: true })).result())
    expect(result).toMatchObject({ status: 'completed', output: ['x', 'y'] })
    expect(steps).toEqual(['x', 'y', 'y'])
    const superseded = (await world.store.readJournal('r')).filter(({ type }) => type === 'ledger.superseded')
    expect(superseded.map(({ stage }) => stage)).toEqual(['each[y]'])
    const ofX = (await world.store.readLedger('r')).filter(({ stage }) => stage === 'each[x]')
    expect(ofX.map(({ state }) => state)).toEqual(['succeeded'])
    await runtime.close()
  })

  it('asks another tier where told, and still gives what was recorded', async () => {
    const world = createWorld()
    const fault = createFault()
    const tiers: unknown[] = []
    const provider = scriptedProvider(
      [
        request => {
          tiers.push(request.tier)
          return { text: 'yes', cost: 0 }
        },
      ],
      { clock: world.clock, loop: true },
    )
    const workflow = begin().stage('a', once, async ({ model }) => {
      await model.generate({ prompt: 'one' })
      if (fault.isThere) throw new Error('broken')
      await model.generate({ prompt: 'two' })
    })
    const runtime = await world.open({ workflows: [workflow], providers: [provider] })
    await settle(world.clock, (await runtime.start(workflow, undefined, { id: 'r' })).result())
    fault.isThere = false
    await settle(world.clock, (await runtime.retry('r', { tier: 'premium' })).result())
    expect(tiers).toEqual(['capable', 'premium'])
    await runtime.close()
  })

  it('lets a stage that was stopped beside the failed one sleep and wait out what is left', async () => {
    const world = createWorld()
    const fault = createFault()
    const workflow = begin()
      .stage('long', { needs: [] }, async ({ sleep, waitFor }) => {
        await sleep('1h')
        return (await waitFor('go')).n
      })
      .stage('bad', { needs: [], ...once }, async ({ sleep }) => {
        await sleep('10m')
        if (fault.isThere) throw new Error('broken')
        return 1
      })
      .output(({ results }) => results.long)
    const runtime = await world.open({ workflows: [workflow] })
    const run = await runtime.start(workflow, undefined, { id: 'r' })
    const began = world.clock.now()
    expect(await settle(world.clock, run.result(), 60_000)).toMatchObject({ status: 'failed' })
    fault.isThere = false
    const again = await runtime.retry('r')
    await again.signal('go', { n: 7 })
    expect(await settle(world.clock, again.result(), 60_000)).toMatchObject({ status: 'completed', output: 7 })
    expect(world.clock.now() - began).toBeLessThan(62 * 60_000)
    await runtime.close()
  })

  it('waits again where a wait for a signal had timed out', async () => {
    const world = createWorld()
    const workflow = begin().stage('gate', once, async ({ waitFor }) => (await waitFor('go', { timeout: '1h' })).n)
    const runtime = await world.open({ workflows: [workflow] })
    const run = await runtime.start(workflow, undefined, { id: 'r' })
    expect(await settle(world.clock, run.result(), 60_000)).toMatchObject({ status: 'failed' })
    const again = await runtime.retry('r')
    await world.clock.advance('10m')
    await again.signal('go', { n: 3 })
    expect(await settle(world.clock, again.result(), 60_000)).toMatchObject({ output: 3 })
    await runtime.close()
  })

  it('hears a child that was retried itself, and starts another for one that was cancelled with it', async () => {
    const world = createWorld()
    const fault = createFault()
    const child = defineWorkflow({ name: 'child', version: '1', profile: 'critical' }).stage('only', once, () => {
      if (fault.isThere) throw new Error('the child is broken')
      return 5
    })
    const endless = defineWorkflow({ name: 'endless', version: '1' }).stage('only', async ({ sleep }) => {
      await sleep(fault.isThere ? '30d' : '1s')
      return 6
    })
    const workflow = begin().stage('a', once, async ({ startChild }) => {
      const other = await startChild(endless, undefined)
      const result = await (await startChild(child, undefined)).result()
      if (!result.success) throw new Error(`child ${result.status}`)
      const second = await other.result()
      return [result.output, second.success && second.output]
    })
    const runtime = await world.open({ workflows: [workflow, child, endless] })
    const run = await runtime.start(workflow, undefined, { id: 'r' })
    expect(await settle(world.clock, run.result())).toMatchObject({ status: 'failed' })
    await world.clock.advance('1m')
    expect((await world.store.readRun('r.a.1'))?.status).toBe('cancelled')
    fault.isThere = false
    expect(await settle(world.clock, (await runtime.retry('r.a.2')).result())).toMatchObject({ status: 'completed' })
    expect(await settle(world.clock, (await runtime.retry('r')).result())).toMatchObject({ output: [5, 6] })
    expect((await world.store.readRun('r.a.1~2'))?.status).toBe('completed')
    await runtime.close()
  })

  it('goes on with a machine of one’s own from its last snapshot, its `after` included', async () => {
    const world = createWorld()
    const fault = createFault()
    const ran: string[] = []
    const stage = (name: string) =>
      stageActor({ restart: 'temporary' }, ({ attempt }: { attempt: number }) => {
        ran.push(`${name} ${attempt}`)
        if (name === 'bad' && fault.isThere) throw new Error('broken')
        return name
      })
    const machine = setup({ actors: { first: stage('first'), bad: stage('bad') } }).createMachine({
      id: 'own',
      initial: 'one',
      context: { seen: 0 },
      states: {
        one: { invoke: { src: 'first', id: 'first', onDone: 'work' } },
        work: {
          type: 'parallel',
          states: {
            stage: {
              initial: 'resting',
              states: {
                resting: { after: { 600000: 'trying' } },
                trying: { invoke: { src: 'bad', id: 'bad', onDone: 'done' } },
                done: { type: 'final' },
              },
            },
            clock: { initial: 'ticking', states: { ticking: { after: { 3600000: 'done' } }, done: { type: 'final' } } },
          },
          onDone: 'end',
        },
        end: { type: 'final' },
      },
    })
    const workflow = workflowFromMachine({ name: 'own', version: '1', profile: 'critical', machine })
    const runtime = await world.open({ workflows: [workflow] })
    const began = world.clock.now()
    const run = await runtime.start(workflow, undefined, { id: 'r' })
    const failed: RunResult = await settle(world.clock, run.result(), 60_000)
    expect(failed).toMatchObject({ status: 'failed', error: { stage: 'bad' } })
    await runtime.close()
    fault.isThere = false
    const next = await world.open({ workflows: [workflow] })
    const result = await settle(world.clock, (await next.retry('r')).result(), 60_000)
    expect(result).toMatchObject({ status: 'completed' })
    expect(ran).toEqual(['first 1', 'bad 1', 'bad 2'])
    const took = world.clock.now() - began
    expect(took).toBeGreaterThanOrEqual(3_600_000)
    expect(took).toBeLessThan(3_720_000)
    await next.close()
  })

  it('is refused for a run that goes on, that was completed, and whose workflow has changed', async () => {
    const world = createWorld()
    const sleeper = begin().stage('a', ({ sleep }) => sleep('1h'))
    const runtime = await world.open({ workflows: [sleeper] })
    await runtime.start(sleeper, undefined, { id: 'r' })
    expect(await runtime.retry('r').catch(error => error)).toMatchObject({ code: 'run_open' })
    await runtime.close()
    const failing = begin().stage('b', once, () => {
      throw new Error('broken')
    })
    const second = await world.open({ workflows: [failing], recover: false })
    await settle(world.clock, (await second.start(failing, undefined, { id: 'f' })).result())
    await second.close()
    const third = await world.open({ workflows: [sleeper], recover: false })
    expect(await third.retry('f').catch(error => error)).toMatchObject({ code: 'workflow_changed' })
    await third.close()
  })
})

describe('resume with a budget', () => {
  const spender = (calls: () => number) =>
    begin().stage('a', once, async ({ model }) => {
      for (let n = 0; n < calls(); n++) await model.generate({ prompt: `${n}` })
      return 'spent'
    })

  it('goes on with a run that was out of it, and says what it needs', async () => {
    const world = createWorld()
    const provider = scriptedProvider([() => ({ text: 'yes', cost: 1 })], { clock: world.clock, loop: true })
    const workflow = spender(() => 3)
    const runtime = await world.open({ workflows: [workflow], providers: [provider] })
    const run = await runtime.start(workflow, undefined, { id: 'r', budget: { calls: 2 } })
    expect(await settle(world.clock, run.result())).toMatchObject({ status: 'budget_exceeded' })
    expect(await run.resume().catch(error => error.message)).toContain('larger')
    expect(await run.resume({ budget: { calls: 2 } }).catch(error => error.message)).toContain('2 are spent already')
    await run.resume({ budget: { calls: 5 }, reason: 'worth it' })
    expect(await settle(world.clock, run.result())).toMatchObject({ status: 'completed', cost: { usd: 3, calls: 3 } })
    expect(provider.calls).toHaveLength(3)
    await runtime.close()
  })

  it('keeps the new budget over a crash', async () => {
    const world = createWorld()
    const provider = scriptedProvider([() => ({ text: 'yes', cost: 1 })], { clock: world.clock, loop: true })
    const workflow = begin().stage('a', once, async ({ model, sleep }) => {
      await model.generate({ prompt: 'one' })
      await model.generate({ prompt: 'two' })
      await sleep('1h')
      await model.generate({ prompt: 'three' })
    })
    const options = { workflows: [workflow], providers: [provider] }
    const runtime = await world.open(options)
    const run = await runtime.start(workflow, undefined, { id: 'r', budget: { usd: 1 } })
    expect(await settle(world.clock, run.result())).toMatchObject({ status: 'budget_exceeded' })
    await run.resume({ budget: { usd: 3 } })
    await world.clock.advance('10m')
    await runtime.close()
    const next = await world.open(options)
    expect(await settle(world.clock, (await next.get('r')).result(), 60_000)).toMatchObject({ status: 'completed' })
    await next.close()
  })
})

describe('a bare machine', () => {
  it('that broke before its first snapshot begins anew', async () => {
    const world = createWorld()
    let broken = true
    const machine = createMachine({
      id: 'own',
      initial: 'a',
      context: () => {
        if (broken) throw new Error('no context')
        return {}
      },
      states: { a: { type: 'final' } },
    })
    const workflow = workflowFromMachine({ name: 'own', version: '1', machine })
    const runtime = await world.open({ workflows: [workflow] })
    const run = await runtime.start(workflow, undefined, { id: 'r' })
    expect(await settle(world.clock, run.result())).toMatchObject({ success: false })
    broken = false
    expect(await settle(world.clock, (await runtime.retry('r')).result())).toMatchObject({ success: true })
    await runtime.close()
  })
})
