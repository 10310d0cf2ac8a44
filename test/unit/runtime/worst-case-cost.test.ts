import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import { offline } from '../../../src/providers/offline.ts'
import type { Model, Provider } from '../../../src/providers/provider.ts'
import { createRegistry } from '../../../src/providers/registry.ts'
import { defineProfile } from '../../../src/resilience/define-profile.ts'
import { planOf } from '../../../src/runtime/planning/plan.ts'
import { scriptedProvider } from '../../../src/testing/scripted-provider.ts'
import { defineWorkflow } from '../../../src/workflow/define-workflow.ts'
import { createWorld, settle } from '../../support/runtime-world.ts'
import { propertyRuns, propertyTimeoutMs } from '../../support/supervised-worker.ts'

vi.setConfig({ testTimeout: propertyTimeoutMs })

const size = { contextWindow: 1000, maxOutputTokens: 100 }
const model = (id: string, usdPerMTok: number | undefined, more: Partial<Model> = {}): Model => ({
  id,
  tier: 'capable',
  ...size,
  ...(usdPerMTok === undefined ? {} : { price: { inputUsdPerMTok: usdPerMTok, outputUsdPerMTok: usdPerMTok } }),
  ...more,
})
const known = (providers: readonly Provider[]) => ({
  providers,
  catalogue: createRegistry({ providers, now: () => 0 }),
})
const asked = (models: readonly Model[]) => known([scriptedProvider([], { id: 'p', models })])

const profile = defineProfile({ retry: { max: 1 }, restart: { intensity: 0 }, fallback: 'none' })
const asking = defineWorkflow({ name: 'w', version: '1', profile })
  .stage('read', ({ input }) => input)
  .stage('ask', { restart: 'temporary' }, async ({ model }) => (await model.generate({ prompt: 'x' })).text)

const reaching = defineWorkflow({ name: 'w', version: '1' }).stage(
  'ask',
  { profile: defineProfile({ extends: profile, fallback: 'any_available' }), restart: 'temporary' },
  async ({ model }) => (await model.generate({ prompt: 'x' })).text,
)

/** USD of a request that fills the window of a model at 1000 USD. */
const perRequest = (1100 * 1000) / 1_000_000
/** What says in a second request what was wrong with the first answer. */
const mendingTokens = 250
/** Two tries, and once more for an answer of the wrong form. */
const perCall = 4

describe('the worst-case cost of a run', () => {
  it('is by the prices of the models: starts of the code × tries × the longest request', () => {
    const plan = planOf(asking, asked([model('m', 1000)]))
    expect(plan.stages[0]?.cost).toBeUndefined()
    expect(plan.stages[1]?.cost).toEqual({
      models: [{ provider: 'p', model: 'm', requests: perCall, usdPerRequest: perRequest }],
      calls: 2,
      requests: 2 * perCall,
      usd: 2 * perCall * perRequest,
    })
    expect(plan.cost).toMatchObject({ usd: 2 * perCall * perRequest, requests: 8, heldBy: 'prices' })
    expect(plan.cost.assumptions).toEqual([expect.stringMatching(/makes one model call for each place/)])
  })

  it('counts each place in the code that asks, and each item of a map', () => {
    const twice = defineWorkflow({ name: 'w', version: '1', profile })
      .stage('list', () => [1, 2, 3])
      .map('ask', { over: ({ results }) => results.list, restart: 'temporary' }, async ({ item, model }) => [
        await model.generate({ prompt: `one ${item}` }),
        await model.stream({ prompt: `two ${item}` }).result,
      ])
    const plan = planOf(twice, { ...asked([model('m', 1000)]), texts: { ask: { items: 3 } } })
    expect(plan.stages[1]?.cost).toMatchObject({ calls: 2 * 2 * 3, requests: 2 * 2 * 3 * perCall })
  })

  it('counts every model that the profile may fall back to, each with its price, and every key', () => {
    const keys = { ...scriptedProvider([], { id: 'q', models: [model('n', 500)] }), keyCount: 3 }
    const providers = [scriptedProvider([], { id: 'p', models: [model('m', 1000)] }), keys]
    const plan = planOf(asking, known(providers))
    expect(plan.stages[1]?.cost?.models).toEqual([
      { provider: 'p', model: 'm', requests: 4, usdPerRequest: perRequest },
    ])
    const wide = defineProfile({ extends: profile, fallback: 'cross_provider' })
    const workflow = defineWorkflow({ name: 'w', version: '1', profile: wide }).stage(
      'a',
      ({ model: asks }) => typeof asks,
    )
    expect(planOf(workflow, known(providers)).stages[0]?.cost?.models).toEqual([
      { provider: 'p', model: 'm', requests: 4, usdPerRequest: perRequest },
      { provider: 'q', model: 'n', requests: 12, usdPerRequest: perRequest / 2 },
    ])
  })

  it('is unknown and never 0 where a price is unknown, unless a budget holds it', () => {
    const unpriced = asked([model('m', undefined)])
    expect(planOf(asking, unpriced).cost).toMatchObject({
      usd: 'unknown',
      byPrices: 'unknown',
      heldBy: 'nothing',
      assumptions: ["the price of 'm' of 'p' is unknown", expect.anything()],
    })
    expect(planOf(asking, { ...unpriced, budget: { calls: 3 } }).cost).toMatchObject({ usd: 'unknown', requests: 3 })
    expect(planOf(reaching, asked([model('m', undefined), model('n', 0)])).cost.usd).toBe('unknown')
  })

  it('is unknown where nobody knows how much a model takes, and says so', () => {
    const endless = model('m', 1, { contextWindow: undefined, maxOutputTokens: undefined })
    const { cost } = planOf(asking, asked([endless]))
    expect(cost).toMatchObject({
      usd: 'unknown',
      assumptions: ["how much 'm' of 'p' takes is unknown", expect.anything()],
    })
    const texts = { ask: { inputTokens: 10, outputTokens: 5 } }
    expect(planOf(asking, { ...asked([endless]), texts }).cost.usd).toBeCloseTo(
      (2 * perCall * (10 + 5 + mendingTokens + 5)) / 1_000_000,
      12,
    )
  })

  it('is held by a budget of money, or of calls, where that is less', () => {
    const priced = asked([model('m', 1000)])
    expect(planOf(asking, { ...priced, budget: { usd: 1 } }).cost).toMatchObject({
      usd: 1,
      heldBy: 'budget',
      byPrices: 8.8,
    })
    expect(planOf(asking, { ...priced, budget: { usd: 100 } }).cost).toMatchObject({ usd: 8.8, heldBy: 'prices' })
    expect(planOf(asking, { ...priced, budget: { calls: 2 } }).cost).toMatchObject({
      usd: 2.2,
      heldBy: 'budget',
      requests: 2,
    })
  })

  it('leaves out who would be refused: models without a price under a budget of money', () => {
    const both = asked([model('m', undefined), model('n', 1000)])
    const { cost } = planOf(reaching, { ...both, budget: { usd: 50 } })
    expect(cost).toMatchObject({ usd: 8.8, heldBy: 'prices' })
  })

  it('counts the items of a map that are known, else the most that there may be, and says so', () => {
    const mapping = defineWorkflow({ name: 'w', version: '1', profile })
      .stage('list', { needs: [] }, () => [1])
      .map('each', { over: ({ results }) => results.list, restart: 'temporary' }, ({ model }) => typeof model)
    const priced = asked([model('m', 1000)])
    expect(planOf(mapping, priced).cost).toMatchObject({
      usd: 88_000,
      assumptions: [expect.anything(), "'each' is counted with the most items that a map may have"],
    })
    const counted = planOf(mapping, { ...priced, texts: { each: { items: 3 } } })
    expect(counted.cost).toMatchObject({ usd: 26.4, assumptions: [expect.anything()] })
    expect(counted.bound).toMatchObject({ attempts: 2 * 1 + 2 * 3 })
  })

  it('is 0 where nobody is paid: offline alone, prices of 0, or only providers of this machine', () => {
    expect(planOf(asking).cost).toMatchObject({ usd: 0, heldBy: 'prices', assumptions: [] })
    expect(planOf(asking, asked([model('m', 0)])).cost.usd).toBe(0)
    expect(planOf(asking, { ...asked([model('m', 1000)]), local: true }).cost.usd).toBe(0)
    const free = planOf(asking, { ...known([offline()]), profile: 'tolerant' })
    expect(free.cost.usd).toBe(0)
  })

  it('takes the step of long prompts that a full window reaches', () => {
    const price = { inputUsdPerMTok: 1, outputUsdPerMTok: 1 }
    const steps = [{ aboveInputTokens: 500, inputUsdPerMTok: 2, outputUsdPerMTok: 3 }]
    const { cost } = planOf(asking, asked([model('m', 0, { price: { ...price, longPrompts: steps } })]))
    expect(cost.usd).toBeCloseTo((8 * (1000 * 2 + 100 * 3)) / 1_000_000, 12)
  })

  it('counts in what is asked once more the answer that was of the wrong form', () => {
    const texts = { ask: { inputTokens: 300, outputTokens: 50 } }
    const inputs = ({ contextWindow }: { contextWindow: number }) => {
      const wide = model('m', 0, { contextWindow, price: { inputUsdPerMTok: 1_000_000, outputUsdPerMTok: 0 } })
      return planOf(asking, { ...asked([wide]), texts }).stages[1]?.cost?.models[0]?.usdPerRequest
    }
    expect(inputs({ contextWindow: 1000 })).toBe(300 + 50 + mendingTokens)
    expect(inputs({ contextWindow: 500 })).toBe(500)
  })

  it('is never passed by a run whose every answer is paid for and of no use', async () => {
    const settings = fc.record({
      max: fc.nat(2),
      intensity: fc.nat(2),
      items: fc.integer({ min: 1, max: 3 }),
      temporary: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(settings, async ({ max, intensity, items, temporary }) => {
        const models = [model('m', 1000), model('n', 700)]
        const usage = { inputTokens: size.contextWindow, outputTokens: size.maxOutputTokens }
        let calls = 0
        const useless: Provider = {
          id: 'p',
          models,
          async generate(request) {
            calls++
            return { text: 'no JSON', usage, model: request.model }
          },
        }
        const own = defineProfile({ retry: { max, on: ['invalid_response'] }, restart: { intensity } })
        const workflow = defineWorkflow({ name: 'w', version: '1', profile: own })
          .stage('list', () => Array.from({ length: items }, (_, at) => at))
          .map(
            'each',
            { over: ({ results }) => results.list, optional: true, restart: temporary ? 'temporary' : 'transient' },
            async ({ model: asks }) => {
              const { object } = await asks.generate({ prompt: 'x', schema: z.object({ a: z.string() }) })
              return object
            },
          )
        const plan = planOf(workflow, { ...known([useless]), texts: { each: { items } } })
        const world = createWorld()
        const runtime = await world.open({ providers: [useless], workflows: [workflow] })
        const { cost } = await settle(world.clock, (await runtime.start(workflow)).result())
        await runtime.close()
        expect(calls).toBeGreaterThan(0)
        expect(cost.usd).toBeLessThanOrEqual(plan.cost.usd as number)
        expect(calls).toBeLessThanOrEqual(plan.cost.requests as number)
      }),
      { numRuns: Math.ceil(propertyRuns / 5) },
    )
  })
})
