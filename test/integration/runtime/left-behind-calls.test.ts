import { expect, it } from 'vitest'
import { defineWorkflow } from '../../../src/index.ts'
import { scriptedProvider } from '../../../src/testing.ts'
import { createWorld, settle } from '../../support/runtime-world.ts'

it('gives up a model call that the function no longer waits for, before the next attempt makes it again', async () => {
  const pair = defineWorkflow({ name: 'pair', version: '1' }).stage('both', async ({ model, attempt }) => {
    const second = model.generate({ prompt: 'slow', key: 'slow' })
    // Until the call has reached the provider.
    for (let turn = 0; attempt === 1 && turn < 50; turn++) await new Promise<void>(resolve => setImmediate(resolve))
    if (attempt === 1) throw new Error('it waits no longer')
    return (await second).text
  })
  const world = createWorld()
  const provider = scriptedProvider([{ text: 'first', delay: '50s' }, 'second'], { clock: world.clock })
  const runtime = await world.open({ workflows: [pair], providers: [provider], mode: 'minimal' })
  const run = await runtime.start(pair, undefined)
  const result = await settle(world.clock, run.result())
  expect(result).toMatchObject({ success: true, output: 'second' })
  expect(provider.calls).toHaveLength(2)
  expect(provider.calls[0]?.context.signal.aborted).toBe(true)
  await runtime.close()
})
