import { describe, expect, it } from 'vitest'
import type { RunResult } from '../../../src/runtime/api.ts'
import type { OperatedRuntime } from '../../../src/runtime/operations/operations-api.ts'
import { defineWorkflow } from '../../../src/workflow/define-workflow.ts'
import { createWorld, settle, type World } from '../../support/runtime-world.ts'

const workflow = defineWorkflow({ name: 'w', version: '1' })
  .stage('work', ({ input, sleep }) => sleep((input as { ms: number }).ms))
  .stage('never', { when: () => false }, () => 1)
  .map('each', { over: () => [1] }, () => 1)

async function take(world: World, runtime: OperatedRuntime, ms: number): Promise<RunResult> {
  return settle(world.clock, (await runtime.start(workflow, { ms })).result(), 100)
}

describe('the duration of a stage', () => {
  it('is held against its median over the runs that completed before: below 0.8 is fast, above 1.2 slow', async () => {
    const world = createWorld()
    const runtime = await world.open({ workflows: [workflow] })
    const told = async (ms: number) => (await take(world, runtime, ms)).performance.stages.work
    expect(await told(1000)).toEqual({ durationMs: 1000, status: 'normal', attempts: 1 })
    expect(await told(1200)).toMatchObject({ baselineMs: 1000, ratio: 1.2, status: 'normal' })
    expect(await told(9000)).toMatchObject({ baselineMs: 1100, status: 'slow' })
    // The median of 1000, 1200 and 9000: one that was slow once does not make the next one fast.
    expect(await told(1000)).toMatchObject({ baselineMs: 1200, status: 'normal' })
    expect(await told(800)).toMatchObject({ baselineMs: 1100, status: 'fast' })
    await runtime.close()
  })

  it('is held against that of the last 20, in the next process too', async () => {
    const world = createWorld()
    const first = await world.open({ workflows: [workflow] })
    for (let run = 0; run < 20; run++) await take(world, first, 1000)
    for (let run = 0; run < 11; run++) await take(world, first, 500)
    await first.close()
    const second = await world.open()
    expect((await take(world, second, 500)).performance.stages.work).toMatchObject({
      baselineMs: 500,
      status: 'normal',
    })
    await second.close()
  })

  it('has no baseline where it was skipped, is an item, or its run failed', async () => {
    const world = createWorld()
    const runtime = await world.open({ workflows: [workflow] })
    await take(world, runtime, 1000)
    const cancelled = await runtime.start(workflow, { ms: 3000 })
    await world.clock.advance(2000)
    await cancelled.cancel()
    const { stages } = (await take(world, runtime, 1000)).performance
    expect(stages.work).toMatchObject({ baselineMs: 1000 })
    for (const name of ['never', 'each[0]']) {
      expect(stages[name]).toMatchObject({ status: 'normal' })
      expect(stages[name]).not.toHaveProperty('baselineMs')
    }
    await runtime.close()
  })

  it('is in the diagnostics of a run that goes on, with what is usual', async () => {
    const world = createWorld()
    const runtime = await world.open({ workflows: [workflow] })
    await take(world, runtime, 1000)
    const run = await runtime.start(workflow, { ms: 60_000 })
    await world.clock.advance(5000)
    expect(await runtime.diagnostics(run.id)).toMatchObject({
      stageHistory: { work: { status: 'running', durationMs: 5000, baselineMs: 1000 } },
      performance: { stages: { work: { ratio: 5, status: 'slow' } } },
    })
    await runtime.close()
  })

  it('is as usual where the earlier runs cannot be read, and nothing fails', async () => {
    const world = createWorld()
    const store = { ...world.store, list: () => Promise.reject(new Error('unreadable')) }
    const runtime = await world.open({
      store: Object.setPrototypeOf(store, Object.getPrototypeOf(world.store)),
      workflows: [workflow],
    })
    expect((await take(world, runtime, 1000)).performance.stages.work).toMatchObject({ status: 'normal' })
    await runtime.close()
  })
})
