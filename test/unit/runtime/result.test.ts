import { describe, expect, it } from 'vitest'
import { defineWorkflow } from '../../../src/workflow/define-workflow.ts'
import { createWorld, settle } from '../../support/runtime-world.ts'

describe('the result of a run', () => {
  it('tells how long each stage took, what failed on the way, and a grade', async () => {
    const world = createWorld()
    const runtime = await world.open()
    const workflow = defineWorkflow({ name: 'w', version: '1' })
      .stage('short', ({ sleep }) => sleep('10s'))
      .stage('long', async ({ sleep, attempt }) => {
        await sleep('60s')
        if (attempt === 1) throw new Error('once')
      })
    const result = await settle(world.clock, (await runtime.start(workflow)).result())
    expect(result.performance).toMatchObject({ errorRate: 1 / 3, recoveryRate: 1, bottlenecks: ['long'], grade: 'B' })
    expect(result.performance.score).toBeCloseTo(1 - 1 / 6)
    expect(result.performance.stages).toMatchObject({
      short: { durationMs: 10_000, attempts: 1 },
      long: { attempts: 2 },
    })
    expect(result.cost).toMatchObject({ usd: 0, calls: 0, baselineUsd: 0, warnings: [] })
    await runtime.close()
  })

  it('names the failure, the stage and what to do next', async () => {
    const world = createWorld()
    const runtime = await world.open()
    const workflow = defineWorkflow({ name: 'w', version: '1' }).stage('a', { restart: 'temporary' }, () => {
      throw new Error('broken', { cause: new Error('deep down') })
    })
    const run = await runtime.start(workflow)
    const result = await settle(world.clock, run.result())
    expect(result).toMatchObject({
      success: false,
      status: 'failed',
      error: {
        type: 'runtime',
        kind: 'unknown',
        category: 'critical',
        code: 'stage_failed',
        message: 'broken',
        transient: false,
        scope: 'local',
        stage: 'a',
        cause: { message: 'deep down' },
      },
    })
    expect(!result.success && result.error.recommendations).toEqual([expect.stringContaining(run.id)])
    await runtime.close()
  })

  it('of a workflow whose output throws is a failure with a code of the catalogue', async () => {
    const world = createWorld()
    const runtime = await world.open()
    const workflow = defineWorkflow({ name: 'w', version: '1' })
      .stage('a', () => 1)
      .output(() => {
        throw new Error('no output')
      })
    expect(await settle(world.clock, (await runtime.start(workflow)).result())).toMatchObject({
      success: false,
      error: { code: 'run_failed', message: "`output` of workflow 'w' threw: no output" },
    })
    await runtime.close()
  })

  it('says unknown where a call has no price, and never 0', async () => {
    const world = createWorld()
    const { scriptedProvider } = await import('../../../src/testing/scripted-provider.ts')
    const runtime = await world.open({ providers: [scriptedProvider(['hello'], { clock: world.clock })] })
    const workflow = defineWorkflow({ name: 'w', version: '1' }).stage(
      'a',
      async ({ model }) => (await model.generate({ prompt: 'hi' })).cost,
    )
    expect(await settle(world.clock, (await runtime.start(workflow)).result())).toMatchObject({
      output: 'unknown',
      cost: { usd: 'unknown', calls: 1, unpricedCalls: 1, warnings: [expect.stringContaining('1 of 1')] },
    })
    await runtime.close()
  })
})

describe('metrics that a stage records', () => {
  it('are points with the stage and the workflow as tags', async () => {
    const world = createWorld()
    const runtime = await world.open()
    const workflow = defineWorkflow({ name: 'w', version: '1' }).stage('a', async ({ metrics, sleep }) => {
      const stop = metrics.timer('wait')
      metrics.increment('files')
      metrics.increment('files', 2, { kind: 'ts' })
      metrics.gauge('depth', 3)
      await sleep('5s')
      stop()
    })
    await settle(world.clock, (await runtime.start(workflow)).result())
    const tags = { stage: 'a', workflow: 'w' }
    expect(await runtime.metrics()).toMatchObject([
      { metric: 'files', value: 1, tags },
      { metric: 'files', value: 2, tags: { ...tags, kind: 'ts' } },
      { metric: 'depth', value: 3, tags },
      { metric: 'wait', value: 5000, tags },
    ])
    await runtime.close()
  })
})
