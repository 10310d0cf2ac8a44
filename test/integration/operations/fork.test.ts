import { describe, expect, it } from 'vitest'
import { setup } from 'xstate'
import { z } from 'zod'
import { scriptedProvider } from '../../../src/testing/scripted-provider.ts'
import { defineWorkflow } from '../../../src/workflow/define-workflow.ts'
import { workflowFromMachine } from '../../../src/workflow/own-machine.ts'
import { stageActor } from '../../../src/workflow/stage-actor.ts'
import { createWorld, settle } from '../../support/runtime-world.ts'

const begin = (version = '1') =>
  defineWorkflow({ name: 'w', version, input: z.object({ n: z.number() }), signals: { go: z.object({}) } })

describe('fork', () => {
  it('copies what came before, runs the rest with the edited input, and says what that had cost', async () => {
    const world = createWorld()
    const ran: string[] = []
    const provider = scriptedProvider(
      [() => ({ text: 'yes', cost: 0.5, usage: { inputTokens: 10, outputTokens: 2 } })],
      { clock: world.clock, loop: true },
    )
    const workflow = begin()
      .stage('a', async ({ stage, input, model }) => {
        ran.push(stage)
        await model.generate({ prompt: 'a' })
        return input.n
      })
      .stage('b', async ({ stage, input, results, model }) => {
        ran.push(stage)
        await model.generate({ prompt: 'b' })
        return results.a * 10 + input.n
      })
      .stage('c', ({ stage, results }) => {
        ran.push(stage)
        return results.b
      })
    const runtime = await world.open({ workflows: [workflow], providers: [provider] })
    const run = await runtime.start(workflow, { n: 1 }, { id: 'r', tags: ['blue'] })
    expect(await settle(world.clock, run.result())).toMatchObject({ output: 11 })
    const fork = await runtime.fork('r', { from: 'b', input: { n: 2 } })
    expect(fork.plan).toMatchObject({
      runId: 'r',
      from: 'b',
      copied: ['a'],
      rerun: ['b', 'c'],
      cost: { usd: 0.5, calls: 1, inputTokens: 10, outputTokens: 2, unknown: [] },
    })
    expect(fork.id).not.toBe('r')
    expect(await settle(world.clock, fork.result())).toMatchObject({
      status: 'completed',
      output: 12,
      attempts: 2,
      cost: { usd: 0.5, calls: 1 },
    })
    expect(ran).toEqual(['a', 'b', 'c', 'b', 'c'])
    expect((await runtime.list({ tags: ['blue'] })).items).toHaveLength(2)
    expect((await world.store.readRun('r'))?.status).toBe('completed')
    const rows = await world.store.readJournal(fork.id)
    expect(rows.map(({ seq }) => seq)).toEqual(rows.map((_, index) => index + 1))
    await runtime.close()
  })

  it('of a run that goes on leaves that one alone', async () => {
    const world = createWorld()
    const workflow = begin()
      .stage('a', ({ input }) => input.n)
      .stage('b', async ({ waitFor, results }) => {
        await waitFor('go')
        return results.a
      })
    const runtime = await world.open({ workflows: [workflow] })
    const run = await runtime.start(workflow, { n: 1 }, { id: 'r' })
    await world.clock.advance('1m')
    const fork = await runtime.fork('r', { from: 'b', id: 'mine' })
    expect(fork.id).toBe('mine')
    await fork.signal('go', {})
    expect(await settle(world.clock, fork.result())).toMatchObject({ output: 1 })
    expect(await run.status()).toBe('waiting')
    expect(await runtime.fork('r', { from: 'b', id: 'mine' }).catch(error => error)).toMatchObject({
      code: 'run_conflict',
    })
    await runtime.close()
  })

  it('keeps branches that do not depend on the stage, and the other items of a map', async () => {
    const world = createWorld()
    const ran: string[] = []
    const noted = ({ stage }: { stage: string }) => ran.push(stage)
    const workflow = begin()
      .map('each', { needs: [], over: () => ['x', 'y'], key: item => item, concurrency: 1 }, noted)
      .stage('beside', { needs: [] }, noted)
      .stage('after', { needs: ['each'] }, noted)
      .stage('end', { needs: ['after', 'beside'] }, noted)
    const runtime = await world.open({ workflows: [workflow] })
    await settle(world.clock, (await runtime.start(workflow, { n: 1 }, { id: 'r' })).result())
    ran.length = 0
    const fork = await runtime.fork('r', { from: 'each[y]' })
    expect(fork.plan).toMatchObject({ rerun: ['each', 'after', 'end', 'each[y]'] })
    await settle(world.clock, fork.result())
    expect(ran).toEqual(['each[y]', 'after', 'end'])
    ran.length = 0
    await settle(world.clock, (await runtime.fork('r', { from: 'each' })).result())
    expect(ran).toEqual(['each[x]', 'each[y]', 'after', 'end'])
    await runtime.close()
  })

  it('goes over to a newer definition, which is how a built workflow migrates', async () => {
    const world = createWorld()
    const old = begin()
      .stage('a', () => 1)
      .stage('b', ({ sleep }) => sleep('1h'))
    const first = await world.open({ workflows: [old] })
    await first.start(old, { n: 1 }, { id: 'r' })
    await world.clock.advance('1m')
    await first.close()
    const newer = begin('2')
      .stage('a', () => 0)
      .stage('between', ({ results }) => results.a + 1)
      .stage('b', ({ results }) => results.between + 1)
    const second = await world.open({ workflows: [newer] })
    const fork = await second.fork('r', { from: 'between' })
    expect(await settle(world.clock, fork.result())).toMatchObject({ version: '2', output: 3 })
    expect(await second.fork('r', { from: 'b' }).catch(error => error)).toMatchObject({ code: 'run_conflict' })
    await second.close()
  })

  it('begins a machine of one’s own at its start and answers its stages until there', async () => {
    const world = createWorld()
    const ran: string[] = []
    const stage = (name: string) => stageActor({}, () => ran.push(name))
    const machine = setup({ actors: { look: stage('look'), act: stage('act') } }).createMachine({
      id: 'own',
      initial: 'one',
      states: {
        one: { invoke: { src: 'look', id: 'look', onDone: 'two' } },
        two: { invoke: { src: 'look', id: 'look', onDone: 'three' } },
        three: { invoke: { src: 'act', id: 'act', onDone: 'four' } },
        four: { invoke: { src: 'look', id: 'look', onDone: 'end' } },
        end: { type: 'final' },
      },
    })
    const workflow = workflowFromMachine({ name: 'own', version: '1', machine })
    const runtime = await world.open({ workflows: [workflow] })
    await settle(world.clock, (await runtime.start(workflow, undefined, { id: 'r' })).result())
    expect(ran).toEqual(['look', 'look', 'act', 'look'])
    ran.length = 0
    const fork = await runtime.fork('r', { from: 'act' })
    expect(fork.plan).toMatchObject({ copied: ['look', 'look#2'], rerun: ['act', 'look#3'] })
    expect(await settle(world.clock, fork.result())).toMatchObject({ status: 'completed', attempts: 2 })
    expect(ran).toEqual(['act', 'look'])
    await runtime.close()
  })

  it('that is cancelled undoes what it did itself, and nothing of the run that it comes from', async () => {
    const world = createWorld()
    const undone: string[] = []
    const workflow = begin()
      .stage('a', { compensate: ({ idempotencyKey }) => undone.push(idempotencyKey) }, () => 1)
      .stage('b', { compensate: ({ idempotencyKey }) => undone.push(idempotencyKey) }, () => 2)
      .stage('c', ({ waitFor }) => waitFor('go'))
    const runtime = await world.open({ workflows: [workflow] })
    await runtime.start(workflow, { n: 1 }, { id: 'r' })
    await world.clock.advance('1m')
    const fork = await runtime.fork('r', { from: 'b', id: 'f' })
    await world.clock.advance('1m')
    await fork.cancel()
    expect(await settle(world.clock, fork.result())).toMatchObject({ status: 'cancelled' })
    expect(undone).toEqual(['f/b/compensate'])
    await runtime.close()
  })

  it('refuses a stage that there is not, and an input of the wrong form, before anything is written', async () => {
    const world = createWorld()
    const workflow = begin().stage('a', () => 1)
    const runtime = await world.open({ workflows: [workflow] })
    await settle(world.clock, (await runtime.start(workflow, { n: 1 }, { id: 'r' })).result())
    expect(await runtime.fork('r', { from: 'z' }).catch(error => error)).toMatchObject({ code: 'invalid_options' })
    expect(await runtime.fork('r', { from: 'a', input: {} }).catch(error => error)).toMatchObject({
      code: 'invalid_value',
    })
    expect((await runtime.list()).items).toHaveLength(1)
    await runtime.close()
  })
})
