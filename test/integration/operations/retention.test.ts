import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineWorkflow } from '../../../src/workflow/define-workflow.ts'
import { createWorld, settle } from '../../support/runtime-world.ts'

const child = defineWorkflow({ name: 'child', version: '1' }).stage('only', () => 1)
const workflow = defineWorkflow({
  name: 'w',
  version: '1',
  profile: 'critical',
  input: z.object({ how: z.enum(['well', 'badly', 'never', 'with a child']) }),
}).stage('a', { restart: 'temporary' }, async ({ input, sleep, startChild }) => {
  if (input.how === 'badly') throw new Error('broken')
  if (input.how === 'never') await sleep('300d')
  if (input.how === 'with a child') await (await startChild(child, undefined)).result()
  return input.how
})

describe('retention', () => {
  it('deletes what has been kept long enough, by how it ended, and never what is unfinished', async () => {
    const world = createWorld()
    const runtime = await world.open({
      workflows: [workflow, child],
      retention: { completed: '30d', failed: '60d' },
    })
    for (const how of ['well', 'badly', 'never', 'with a child'] as const) {
      const run = await runtime.start(workflow, { how }, { id: how.replaceAll(' ', '-') })
      if (how !== 'never') await settle(world.clock, run.result())
    }
    const ids = async () => (await runtime.list()).items.map(({ id }) => id).sort()
    expect(await ids()).toEqual(['badly', 'never', 'well', 'with-a-child', 'with-a-child.a.1'])
    await world.clock.advance('29d')
    expect(await ids()).toHaveLength(5)
    await world.clock.advance('2d')
    expect(await ids()).toEqual(['badly', 'never'])
    await world.clock.advance('30d')
    expect(await ids()).toEqual(['never'])
    await world.clock.advance('300d')
    expect(await ids()).toEqual([])
    await runtime.close()
  })

  it('is strict about what it is told', async () => {
    const world = createWorld()
    const refused = await world.open({ retention: { complete: '30d' } as never }).catch(error => error)
    expect(refused.message).toContain("did you mean 'completed'?")
    expect((await world.open({ retention: { failed: 'soon' } }).catch(error => error)).code).toBe('invalid_options')
  })

  it('deletes many in small batches, and answered commands after a day', async () => {
    const world = createWorld()
    const runtime = await world.open({ workflows: [workflow], retention: { completed: '1h' } })
    for (let n = 0; n < 120; n++)
      await settle(world.clock, (await runtime.start(workflow, { how: 'well' })).result(), 10)
    await world.clock.advance('2h')
    expect((await runtime.list()).items).toEqual([])
    await world.store.enqueueCommand({ id: 'c', name: 'cancel', runId: 'nobody', args: '{}', at: world.clock.now() })
    await world.clock.advance('1h')
    expect(await world.store.readReply('c')).toBeDefined()
    await world.clock.advance('25h')
    expect(await world.store.readReply('c')).toBeUndefined()
    await runtime.close()
  })
})
