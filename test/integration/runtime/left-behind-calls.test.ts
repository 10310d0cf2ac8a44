import { expect, it } from 'vitest'
import { z } from 'zod'
import { defineWorkflow } from '../../../src/index.ts'
import { scriptedProvider } from '../../../src/testing.ts'
import type { StageContext } from '../../../src/workflow/stage-context.ts'
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

it('refuses whatever an execution asks for after its end, and nothing of it is recorded or done', async () => {
  const other = defineWorkflow({ name: 'other', version: '1' }).stage('a', () => 1)
  let first: StageContext | undefined
  let done = 0
  const stubborn = defineWorkflow({
    name: 'stubborn',
    version: '1',
    profile: 'tolerant',
    signals: { go: z.object({}) },
  })
    // The first execution ignores its signal, and is left behind when its time is up.
    .stage('a', { timeout: '1m' }, async context => {
      if (context.attempt > 1) return context.sleep('1h')
      first = context as unknown as StageContext
      return new Promise<void>(() => {})
    })
  const world = createWorld()
  const provider = scriptedProvider(['never asked for'], { clock: world.clock })
  const runtime = await world.open({ workflows: [stubborn, other], providers: [provider] })
  const run = await runtime.start(stubborn, undefined, { id: 'r' })
  await world.clock.advance('10m')
  expect(await run.status()).toBe('waiting')
  const before = { journal: await world.store.readJournal('r'), ledger: await world.store.readLedger('r') }
  const { step, sleep, waitFor, startChild, model, progress, degrade } = first as StageContext
  const asked: Record<string, () => unknown> = {
    step: () => step('late', () => done++),
    sleep: () => sleep('1s'),
    waitFor: () => waitFor('go'),
    startChild: () => startChild(other, undefined, { id: 'late' }),
    generate: () => model.generate({ prompt: 'late' }),
    stream: () => model.stream({ prompt: 'late' }).result,
    progress: () => progress(0.5),
    degrade: () => degrade('late'),
  }
  for (const [name, ask] of Object.entries(asked)) {
    const refused = (async () => ask())().catch((error: unknown) => error)
    expect(await settle(world.clock, refused, 1), name).toMatchObject({
      code: expect.stringMatching(/cancelled|timed_out/),
    })
  }
  await world.clock.advance('1m')
  expect({ journal: await world.store.readJournal('r'), ledger: await world.store.readLedger('r') }).toEqual(before)
  expect([done, provider.calls.length, (await runtime.list({ workflow: 'other' })).items.length]).toEqual([0, 0, 0])
  expect(await settle(world.clock, run.result(), 60_000)).toMatchObject({ success: true, degraded: [] })
  await runtime.close()
})
