import { describe, expect, it } from 'vitest'
import type { RunResult } from '../../../src/runtime/api.ts'
import { defineWorkflow } from '../../../src/workflow/define-workflow.ts'
import type { AnyWorkflow } from '../../../src/workflow/definition.ts'
import { createWorld, settle } from '../../support/runtime-world.ts'

const begin = () => defineWorkflow({ name: 'w', version: '1' })

/** Runs the workflow to its end, and once more from the store in another process. */
async function endOf(workflow: AnyWorkflow): Promise<RunResult> {
  const world = createWorld()
  const runtime = await world.open()
  const run = await runtime.start(workflow, undefined)
  const result = await settle(world.clock, run.result())
  await runtime.close()
  const later = await world.open()
  expect(await (await later.get(run.id)).result()).toEqual(result)
  await later.close()
  return result
}

describe('the key of an item', () => {
  it.each([
    ['undefined', () => undefined, "the key of item 0 of map 'each' must be a text or a number, and is undefined"],
    ['an object', () => ({ file: 'a' }), 'must be a text or a number, and is a value of type object'],
    [
      'a throw',
      () => {
        throw new Error('no file')
      },
      "`key` of map 'each' threw for item 0: no file",
    ],
  ])('is no %s: the map is refused before an item starts', async (_, key, message) => {
    let started = 0
    const result = await endOf(begin().map('each', { over: () => ['a', 'b'], key: key as never }, () => started++))
    expect(result).toMatchObject({
      success: false,
      error: { stage: 'each', message: expect.stringContaining(message) },
    })
    expect(started).toBe(0)
  })

  it('may be a number, and says so in the name of its stage', async () => {
    const workflow = begin().map(
      'each',
      { over: () => ['a', 'b'], key: (_, index) => index * 10 },
      ({ stage }) => stage,
    )
    expect(await endOf(workflow)).toMatchObject({ output: ['each[0]', 'each[10]'] })
  })
})

describe('an optional map', () => {
  it('whose items cannot be found is lost as a whole, and its result is the list of no items', async () => {
    const workflow = begin()
      .map(
        'each',
        {
          over: (): number[] => {
            throw new Error('no list')
          },
          optional: true,
        },
        ({ item }) => item,
      )
      .stage('sum', ({ results }) => results.each.map(value => value ?? 0).length)
    expect(await endOf(workflow)).toMatchObject({
      success: true,
      output: 0,
      degraded: [{ stage: 'each', reason: "`over` of map 'each' threw: no list" }],
    })
  })

  it('has undefined where an item was lost for the stages after it, and null in the output of the run', async () => {
    let seen: unknown
    const lossy = begin().map('each', { over: () => [0, 1], optional: true, restart: 'temporary' }, ({ item }) => {
      if (item === 1) throw new Error('broken')
      return item
    })
    expect(await endOf(lossy)).toMatchObject({ success: true, output: [0, null] })
    await endOf(
      lossy.stage('see', ({ results }) => {
        seen = results.each
      }),
    )
    expect(seen).toEqual([0, undefined])
  })
})

describe('a map whose run is cancelled', () => {
  it('is undone item by item, the last one first, each told its item and what it had given', async () => {
    const world = createWorld()
    const runtime = await world.open()
    const undone: unknown[] = []
    const workflow = begin()
      .map(
        'each',
        {
          over: () => [{ file: 'a' }, { file: 'b' }],
          concurrency: 1,
          compensate: ({ item, result }) => void undone.push(`${item.file}: ${result}`),
        },
        ({ item }) => `made ${item.file}`,
      )
      .stage('wait', ({ sleep }) => sleep('1h'))
    const run = await runtime.start(workflow)
    await world.clock.advance('1m')
    await run.cancel()
    expect(await settle(world.clock, run.result())).toMatchObject({ status: 'cancelled' })
    expect(undone).toEqual(['b: made b', 'a: made a'])
    await runtime.close()
  })
})

describe('an output', () => {
  it('that throws fails the run, named and with its cause', async () => {
    const workflow = begin()
      .stage('a', () => 1)
      .output(() => {
        throw new TypeError('cannot add that up')
      })
    expect(await endOf(workflow)).toMatchObject({
      success: false,
      status: 'failed',
      error: {
        code: 'run_failed',
        message: "`output` of workflow 'w' threw: cannot add that up",
        cause: { name: 'TypeError', message: 'cannot add that up' },
      },
    })
  })
})
