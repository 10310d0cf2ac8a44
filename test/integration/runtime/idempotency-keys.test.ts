import { expect, it } from 'vitest'
import { scriptedProvider } from '../../../src/testing/scripted-provider.ts'
import { defineWorkflow } from '../../../src/workflow/define-workflow.ts'
import { createWorld, settle } from '../../support/runtime-world.ts'

const busy = () => Object.assign(new Error('busy'), { status: 503 })

it('gives each stage, item, step and call one idempotency key, over its attempts and its processes, and no two the same', async () => {
  const heard = new Map<string, string[]>()
  const hear = (place: string, key: string): number => {
    const keys = [...(heard.get(place) ?? []), key]
    heard.set(place, keys)
    return keys.length
  }
  /** Fails the first time, is under way at the death of its process the second, and is done the third. */
  const third = (place: string, key: string): unknown => {
    const times = hear(place, key)
    if (times === 1) throw busy()
    return times === 2 ? new Promise(() => {}) : times
  }
  const world = createWorld()
  const answer = async ({ messages }: { messages: unknown }, { idempotencyKey }: { idempotencyKey: string }) => {
    await third(JSON.stringify(messages), idempotencyKey)
    return 'yes'
  }
  const provider = scriptedProvider([answer as never], { clock: world.clock, loop: true })
  const workflow = defineWorkflow({ name: 'w', version: '1' })
    .stage('own', { needs: [] }, ({ runId, idempotencyKey }) => third(`${runId} stage`, idempotencyKey))
    .stage('steps', { needs: [] }, async ({ runId, step }) => {
      await step('charge', ({ idempotencyKey }) => hear(`${runId} step once`, idempotencyKey))
      await step('charge', ({ idempotencyKey }) => third(`${runId} step again`, idempotencyKey))
    })
    .stage('call', { needs: [] }, async ({ runId, model }) => (await model.generate({ prompt: `${runId} call` })).text)
    .map('items', { needs: [], over: () => ['x', 'y'], key: item => item }, ({ runId, item, idempotencyKey }) =>
      third(`${runId} item ${item}`, idempotencyKey),
    )
  const options = { workflows: [workflow], providers: [provider] }
  const first = await world.open(options)
  for (const id of ['r1', 'r2']) await first.start(workflow, undefined, { id })
  await world.clock.advance('1m')
  await first.close({ grace: 0 })
  const second = await world.open(options)
  for (const id of ['r1', 'r2'])
    expect(await settle(world.clock, (await second.get(id)).result())).toMatchObject({ success: true })
  await second.close()

  const keys = [...heard.values()]
  expect(keys.map(({ length }) => length).sort()).toEqual([1, 1, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3])
  for (const [place, given] of heard) expect(new Set(given).size, place).toBe(1)
  expect(new Set(keys.map(([key]) => key)).size).toBe(keys.length)
})
