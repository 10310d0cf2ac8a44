import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineWorkflow } from '../../../src/workflow/define-workflow.ts'
import { createWorld, settle } from '../../support/runtime-world.ts'

const begin = (name = 'w') => defineWorkflow({ name, version: '1', signals: { go: z.any() } })

describe('the deadline that a stage sees', () => {
  it('is its own, or that of the run if that comes first', async () => {
    const world = createWorld()
    const runtime = await world.open()
    const startedAt = world.clock.now()
    const workflow = begin().stage('a', { timeout: '10m' }, ({ deadline }) => deadline - startedAt)
    const leftWith = async (options: object): Promise<unknown> => {
      const result = await settle(world.clock, (await runtime.start(workflow, undefined, options)).result(), 0, 1)
      return result.success && result.output
    }
    expect(await leftWith({})).toBe(600_000)
    expect(await leftWith({ deadline: '1h' })).toBe(600_000)
    expect(await leftWith({ deadline: '5m' })).toBe(300_000)
    expect(await leftWith({ deadline: '5m', budget: { wallTime: '1m' } })).toBe(60_000)
    await runtime.close()
  })
})

describe('a wait that nobody ended in time', () => {
  it('blames no provider, and says what to do about it', async () => {
    const world = createWorld()
    const runtime = await world.open()
    const workflow = begin().stage('a', ({ waitFor }) => waitFor('go', { timeout: '10s' }))
    expect(await settle(world.clock, (await runtime.start(workflow)).result())).toMatchObject({
      success: false,
      restarts: 0,
      error: {
        type: 'timeout',
        kind: 'timeout',
        code: 'timed_out',
        scope: 'local',
        recommendations: expect.arrayContaining([expect.stringContaining('`waitFor` a longer `timeout`')]),
      },
    })
    await runtime.close()
  })
})

describe('a duration that is none', () => {
  it.each([
    ['createRuntime({ budget: { wallTime } })', { budget: { wallTime: 'soon' } }],
    ['createRuntime({ retention })', { retention: { failed: 'soon' } }],
  ])('is refused by %s', async (_, options) => {
    await expect(createWorld().open(options)).rejects.toMatchObject({
      name: 'OptionsError',
      message: expect.stringMatching(/createRuntime: .*"soon"/),
    })
  })

  it('is refused by start, which starts nothing then', async () => {
    const runtime = await createWorld().open()
    const workflow = begin().stage('a', () => 1)
    for (const options of [{ deadline: 'soon' }, { deadline: -1 }, { budget: { wallTime: 'soon' } }]) {
      await expect(runtime.start(workflow, undefined, options)).rejects.toMatchObject({ name: 'OptionsError' })
    }
    expect((await runtime.list()).items).toEqual([])
    await runtime.close()
  })
})
