import { describe, expect, it } from 'vitest'
import { createRuntime, defineWorkflow, memoryStore, type RuntimeOptions } from '../../../src/index.ts'
import { chaos, type SeededChaos, scriptedProvider, virtualClock } from '../../../src/testing.ts'

const work = defineWorkflow({ name: 'work', version: '1', task: 'summarize' })
  .stage('fetch', ({ step }) => step('page', () => 'kelp'))
  .stage('ask', async ({ model }) => (await model.generate({ prompt: 'what is kelp?' })).text)
  .stage('rest', ({ sleep, results }) => sleep('1m').then(() => results.ask))

const model = () => scriptedProvider([{ text: 'a plant', cost: 0.01 }], { loop: true, tier: 'cheap' })

/** Lets one run come to its end, or to that of its runtime. */
async function live(made: SeededChaos | undefined, options: Partial<RuntimeOptions> = {}) {
  const clock = virtualClock()
  const store = memoryStore()
  const runtime = await createRuntime({
    store,
    clock,
    random: () => 0.5,
    logger: false,
    mode: 'minimal',
    providers: [model()],
    chaos: made,
    ...options,
  })
  const run = await runtime.start(work, undefined, { id: 'run', budget: { usd: 5 } })
  let end: unknown
  run.result().then(
    result => {
      end = result
    },
    error => {
      end = error
    },
  )
  // A clock that was set back makes a sleep an hour longer.
  for (let hours = 0; hours < 12 && end === undefined; hours++) await clock.advance('1h')
  const journal = (await store.readJournal('run')).map(row => ({ ...row, data: JSON.parse(row.data) }))
  return { end, journal, injected: journal.filter(({ type }) => type === 'chaos.injected'), runtime }
}

describe('chaos', () => {
  it('is nowhere without the option', async () => {
    const { end, injected } = await live(undefined)
    expect(end).toMatchObject({ status: 'completed', output: 'a plant' })
    expect(injected).toEqual([])
  })

  it('fails the next call, and has that in the journal before it happens', async () => {
    const { injected, journal } = await live(chaos('providers', { seed: 2 }))
    expect(injected[0]).toMatchObject({
      stage: 'ask',
      attempt: 1,
      data: { fault: 'call.failed', seed: 2, profile: 'providers', number: 1, at: { type: 'call.intended' } },
    })
    const failed = journal.find(({ type }) => type === 'call.attempted')
    expect(failed?.seq).toBeGreaterThan(injected[0]?.seq as number)
  })

  it('does the same again with the same seed, and something else with another', async () => {
    const faultsOf = async (seed: number) =>
      (await live(chaos({ crashes: 1, providers: 1, clock: 1 }, { seed, kill: () => {} }))).injected
    const first = await faultsOf(11)
    expect(first.length).toBeGreaterThan(1)
    expect(await faultsOf(11)).toEqual(first)
    expect(await faultsOf(12)).not.toEqual(first)
  })

  it('can do each kind of fault, and every run of the runtime ends or its runtime says why', async () => {
    const seen = new Set<string>()
    for (const profile of ['crashes', 'providers', 'disk', 'clock', 'owners', 'operators'] as const) {
      for (let seed = 1; seed <= 14; seed++) {
        const { end, injected, runtime } = await live(chaos(profile, { seed, kill: () => {} }))
        for (const { data } of injected) seen.add(data.fault)
        const { status, code } = end as { status?: string; code?: string }
        const known = ['completed', 'failed', 'store_full', 'lease_lost']
        expect(known, `${profile}@${seed}: ${JSON.stringify(end)}`).toContain(status ?? code)
        await runtime.close().catch(() => {})
      }
    }
    expect([...seen].sort()).toEqual([
      'call.failed',
      'call.slow',
      'circuit.tripped',
      'clock.jumped',
      'process.killed',
      'run.held',
      'stage.killed',
      'store.failed',
      'store.lost',
      'store.slow',
    ])
  })

  it('trips a circuit for real', async () => {
    for (let seed = 1; ; seed++) {
      const { injected, runtime } = await live(chaos({ providers: 1 }, { seed }))
      if (injected[0]?.data.fault !== 'circuit.tripped') continue
      const [circuit] = await runtime.circuits.list()
      expect(circuit).toMatchObject({ id: 'scripted', trips: 1 })
      return
    }
  })

  it('stands before a provider and a store that are frozen', async () => {
    const providers = [Object.freeze({ ...model() })]
    const store = Object.freeze(memoryStore())
    await live(chaos('providers', { seed: 2 }), { providers, store })
    expect((await store.readJournal('run')).some(({ type }) => type === 'chaos.injected')).toBe(true)
  })

  it('leaves the budget as it is: a slow or failing call is never more than was allowed', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const clock = virtualClock()
      const provider = scriptedProvider([{ text: 'x', cost: 0.4 }], { loop: true, tier: 'cheap' })
      const made = chaos({ providers: 1, crashes: 0.5 }, { seed, kill: () => {} })
      const runtime = await createRuntime({
        store: memoryStore(),
        clock,
        random: () => 0.5,
        logger: false,
        mode: 'minimal',
        providers: [provider],
        chaos: made,
      })
      const asks = defineWorkflow({ name: 'asks', version: '1' }).stage('ask', async ({ model }) => {
        for (const prompt of ['a', 'b', 'c', 'd']) await model.generate({ prompt })
      })
      const run = await runtime.start(asks, undefined, { budget: { usd: 1, calls: 3 } })
      let status: string | undefined
      let calls = 0
      run.result().then(
        result => {
          status = result.status
          calls = result.cost.calls
        },
        () => {},
      )
      for (let minutes = 0; minutes < 60 && status === undefined; minutes++) await clock.advance('1m')
      expect(status, `seed ${seed}`).not.toBe('completed')
      expect(calls).toBeLessThanOrEqual(3)
      await runtime.close()
    }
  })

  it.each([
    [() => chaos('nope'), "no fault profile 'nope'"],
    [() => chaos('all', { sead: 1 } as never), 'sead'],
    [() => chaos({ crashes: 2 }), 'crashes'],
  ])('refuses what it does not know', (make, message) => expect(make).toThrow(message))

  it('names the profiles that there are once', () => {
    const list = 'none, crashes, disk'
    expect(() => chaos('nonsense')).toThrow(new RegExp(`^((?!${list}).)*${list}((?!${list}).)*$`, 's'))
  })

  it('refuses what is no chaos', async () => {
    await expect(createRuntime({ store: ':memory:', chaos: {} as never })).rejects.toThrow('chaos')
  })
})
