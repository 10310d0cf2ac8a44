import { describe, expect, it } from 'vitest'
import { defineProfile } from '../../../src/resilience/define-profile.ts'
import type { RunResult, Runtime } from '../../../src/runtime/api.ts'
import { faultyStore } from '../../../src/testing/faulty-store.ts'
import { scriptedProvider } from '../../../src/testing/scripted-provider.ts'
import { defineWorkflow } from '../../../src/workflow/define-workflow.ts'
import type { AnyWorkflow } from '../../../src/workflow/definition.ts'
import { createWorld, settle, type World } from '../../support/runtime-world.ts'

const asking = defineProfile({ extends: 'balanced', unknownOutcome: 'ask' })
const failing = defineProfile({ extends: 'balanced', unknownOutcome: 'fail', restart: { intensity: 0 } })
const begin = () => defineWorkflow({ name: 'w', version: '1' })

/** Lets the process die while the step or call is under way: at the write that would have recorded it. */
async function dieUnderWay(world: World, workflow: AnyWorkflow, options: object = {}): Promise<void> {
  for (let crashAt = 2; crashAt < 12; crashAt++) {
    const runtime = await world
      .open({ store: faultyStore(world.store, { crashAt }), workflows: [workflow], ...options })
      .catch(() => undefined)
    await runtime?.start(workflow, undefined, { id: 'r' }).catch(() => {})
    await world.clock.advance('1s')
    await runtime?.close().catch(() => {})
    const ledger = await world.store.readLedger('r')
    if (ledger.some(row => row.state === 'intended' && (row.kind === 'step' || row.kind === 'call'))) return
  }
  throw new Error('it was never under way')
}

const waitingFor = async (runtime: Runtime): Promise<unknown> => {
  let waits: unknown
  for await (const { type, data } of (await runtime.get('r')).events()) {
    if (type === 'run.waiting') waits = data.for
    if (type === 'run.waiting') break
  }
  return waits
}

describe('a step whose outcome is unknown', () => {
  const done: string[] = []
  const pay = () =>
    begin().stage('pay', { profile: asking }, ({ step }) =>
      step('charge', () => {
        done.push('charged')
        return 'receipt 1'
      }),
    )

  async function asked(): Promise<{ world: World; runtime: Runtime }> {
    done.length = 0
    const world = createWorld()
    const workflow = pay()
    await dieUnderWay(world, workflow)
    expect(done).toEqual(['charged'])
    const runtime = await world.open({ workflows: [workflow] })
    await world.clock.advance('1s')
    return { world, runtime }
  }
  const about = { stage: 'pay', key: 'step:charge:1' }

  it('is asked about where the profile says so: the run waits and names what for, also after it left memory', async () => {
    const { world, runtime } = await asked()
    const run = await runtime.get('r')
    expect(await run.status()).toBe('waiting')
    expect(await waitingFor(runtime)).toEqual([
      { stage: 'pay', kind: 'signal', name: 'holdfast.outcome', about: 'step:charge:1' },
    ])
    expect((await world.store.readLedger('r')).find(row => row.kind === 'step')?.state).toBe('unknown')
    await world.clock.advance('1d')
    await run.signal('holdfast.outcome', { ...about, outcome: 'succeeded', value: 'receipt 7' })
    expect(await settle(world.clock, run.result())).toMatchObject({ success: true, output: 'receipt 7', attempts: 1 })
    expect(done).toEqual(['charged'])
    await runtime.close()
  })

  it('is made again when the answer is `retry`, and asked about anew when the process dies again', async () => {
    const { world, runtime } = await asked()
    await (await runtime.get('r')).signal('holdfast.outcome', { ...about, outcome: 'retry' })
    const result = await settle(world.clock, (await runtime.get('r')).result())
    expect(result).toMatchObject({ success: true, output: 'receipt 1' })
    expect(done).toEqual(['charged', 'charged'])
    await runtime.close()

    // The answer is there, and the process dies in the middle of the second try.
    let again = await asked()
    for (let crashAt = 2; crashAt < 12; crashAt++) {
      await again.runtime.close()
      const store = faultyStore(again.world.store, { crashAt })
      const dying = await again.world.open({ store, workflows: [pay()] }).catch(() => undefined)
      await again.world.clock.advance('1s')
      const run = await dying?.get('r').catch(() => undefined)
      run?.signal('holdfast.outcome', { ...about, outcome: 'retry' }).catch(() => {})
      await again.world.clock.advance('1s')
      await dying?.close().catch(() => {})
      const [row] = await again.world.store.readLedger('r')
      if (done.length === 2 && row?.state === 'intended') break
      again = await asked()
    }
    expect(done).toEqual(['charged', 'charged'])
    const last = await again.world.open({ workflows: [pay()] })
    await again.world.clock.advance('1s')
    const before = done.length
    expect(await (await last.get('r')).status()).toBe('waiting')
    expect(done).toHaveLength(before)
    await (await last.get('r')).signal('holdfast.outcome', { ...about, outcome: 'succeeded', value: 'found' })
    expect(await settle(again.world.clock, (await last.get('r')).result())).toMatchObject({ output: 'found' })
    await last.close()
  })

  it('fails the attempt when the answer is `failed`', async () => {
    const { world, runtime } = await asked()
    const run = await runtime.get('r')
    await run.signal('holdfast.outcome', { ...about, outcome: 'failed', message: 'the card was refused' })
    await world.clock.advance('1m')
    const events = []
    for await (const event of run.events()) {
      events.push(event)
      if (event.type === 'attempt.failed') break
    }
    expect(events.at(-1)?.data).toMatchObject({ error: { message: 'the card was refused' } })
    await runtime.close()
  })

  it('takes no answer to what nobody asks, nor one of another form', async () => {
    const { runtime } = await asked()
    const run = await runtime.get('r')
    const refused = { name: 'ValidationError' }
    await expect(run.signal('holdfast.outcome', { ...about, outcome: 'maybe' })).rejects.toMatchObject(refused)
    await expect(
      run.signal('holdfast.outcome', { stage: 'pay', key: 'step:other:1', outcome: 'retry' }),
    ).rejects.toMatchObject({ ...refused, message: expect.stringContaining('no such step') })
    expect(await run.status()).toBe('waiting')
    await runtime.close()
  })

  it('fails the stage where the profile says `fail`, and is kept as unknown', async () => {
    const world = createWorld()
    let charged = 0
    const workflow = begin().stage('pay', { profile: failing }, ({ step }) => step('charge', () => ++charged))
    await dieUnderWay(world, workflow)
    const runtime = await world.open({ workflows: [workflow] })
    const result: RunResult = await settle(world.clock, (await runtime.get('r')).result())
    expect(result).toMatchObject({ status: 'failed', error: { message: expect.stringContaining("says 'fail'") } })
    expect(charged).toBe(1)
    expect((await world.store.readLedger('r'))[0]?.state).toBe('unknown')
    await runtime.close()
  })
})

describe('a model call whose outcome is unknown', () => {
  it('is asked about, and its answer may be told', async () => {
    const world = createWorld()
    const keys: (string | undefined)[] = []
    const provider = scriptedProvider(
      [
        (_request: unknown, context: { idempotencyKey?: string }) => {
          keys.push(context?.idempotencyKey)
          return { text: 'paid for', cost: 2 }
        },
      ] as never,
      { clock: world.clock, loop: true },
    )
    const workflow = begin().stage('ask', { profile: asking }, async ({ model }) => {
      return (await model.generate({ prompt: 'dear', key: 'dear' })).text
    })
    await dieUnderWay(world, workflow, { providers: [provider] })
    const runtime = await world.open({ workflows: [workflow], providers: [provider] })
    await world.clock.advance('1s')
    const run = await runtime.get('r')
    expect(await run.status()).toBe('waiting')
    await run.signal('holdfast.outcome', {
      stage: 'ask',
      key: 'call:(dear)',
      outcome: 'succeeded',
      value: 'found in the log',
    })
    expect(await settle(world.clock, run.result())).toMatchObject({ success: true, output: 'found in the log' })
    expect(keys.length).toBe(1)
    await runtime.close()
  })

  it('keeps what it has cost and how often it was unknown when it is made again and fails', async () => {
    const world = createWorld()
    const providers = [scriptedProvider([{ text: 'no', cost: 2 }], { clock: world.clock, loop: true })]
    const profile = defineProfile({ extends: asking, restart: { intensity: 0 } })
    const workflow = begin().stage('ask', { profile, fallback: () => 'instead' }, async ({ model }) => {
      return (await model.generate({ prompt: 'dear', key: 'dear', check: () => false })).text
    })
    await dieUnderWay(world, workflow, { providers })
    const runtime = await world.open({ workflows: [workflow], providers })
    await world.clock.advance('1s')
    const run = await runtime.get('r')
    await run.signal('holdfast.outcome', { stage: 'ask', key: 'call:(dear)', outcome: 'retry' })
    expect(await settle(world.clock, run.result(), 60_000)).toMatchObject({
      success: true,
      output: 'instead',
      cost: { warnings: expect.arrayContaining([expect.stringMatching(/^1 call.*under way/)]) },
    })
    const row = (await world.store.readLedger('r')).find(({ key }) => key === 'call:(dear)')
    expect(row?.state).toBe('failed')
    expect(JSON.parse(row?.data ?? '{}')).toMatchObject({ doubts: 1, spend: { usd: expect.any(Number) } })
    expect(JSON.parse(row?.data ?? '{}').spend.usd).toBeGreaterThan(0)
    await runtime.close()
  })
})

describe('code that changed what it asks', () => {
  it('is told by the journal: what was recorded and is not asked for any more', async () => {
    const world = createWorld()
    const asks = (steps: string[]) =>
      begin().stage('a', async ({ step, sleep }) => {
        for (const name of steps) await step(name, () => name)
        await sleep('1h')
        return steps
      })
    const first = await world.open({ workflows: [asks(['one', 'two'])] })
    await first.start(asks(['one', 'two']), undefined, { id: 'r' })
    await world.clock.advance('1s')
    await first.close()
    const second = await world.open({ workflows: [asks(['one', 'three'])] })
    const run = await second.get('r')
    expect(await settle(world.clock, run.result(), 60_000)).toMatchObject({ output: ['one', 'three'] })
    const diverged = []
    for await (const event of run.events()) if (event.type === 'ledger.diverged') diverged.push(event)
    expect(diverged).toMatchObject([{ stage: 'a', data: { unasked: ['step:two:1'] } }])
    await second.close()
  })
})
