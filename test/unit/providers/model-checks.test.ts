import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { beforeAll, describe, expect, it } from 'vitest'
import { defaultModels, knownModels } from '../../../src/providers/known-models.ts'
import { checkModels, type ModelChecksInput, pingModels } from '../../../src/providers/model-checks.ts'
import { offline } from '../../../src/providers/offline.ts'
import { openaiCompatible } from '../../../src/providers/openai-compatible.ts'
import { loadPriceList } from '../../../src/providers/price-list.ts'
import type { PriceList } from '../../../src/providers/prices.ts'
import type { Tier } from '../../../src/providers/provider.ts'
import { createRegistry, type ModelEntry, type ModelInfo } from '../../../src/providers/registry.ts'
import { scriptedProvider } from '../../../src/testing/scripted-provider.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'
import { servers } from '../../support/model-calls.ts'

const nowMs = Date.parse('2026-11-23T12:00:00Z')
const serve = servers()
let prices: PriceList

beforeAll(async () => {
  prices = await loadPriceList()
})

const tiers: readonly Tier[] = ['cheap', 'capable', 'premium']
const providers = ['openai', 'anthropic'].map(id => scriptedProvider([], { id, models: defaultModels(id) }))

function findingsOf(entries: readonly ModelEntry[] = [], input: Partial<ModelChecksInput> = {}) {
  const { models } = { models: createRegistry({ providers, entries, prices, now: () => nowMs }).list() }
  return checkModels({ models, providers: providers.map(({ id }) => id), tasks: {}, nowMs, ...input })
}

const codesOf = (findings: ReturnType<typeof findingsOf>) => findings.map(({ level, code }) => `${level} ${code}`)
const priced = (inputUsdPerMTok: number, outputUsdPerMTok: number): ModelEntry => ({
  provider: 'openai',
  model: 'gpt-5.6-luna',
  price: { inputUsdPerMTok, outputUsdPerMTok },
})

describe('the default models', () => {
  it('pass their own checks, every tier covered', () => {
    expect(findingsOf([], { tasks: { review: ['premium'], research: ['cheap'], plan: ['capable'] } })).toEqual([])
  })

  it('are one a tier for each provider, each with a price on the list', () => {
    for (const provider of ['openai', 'anthropic']) {
      expect(defaultModels(provider).map(({ tier }) => tier)).toEqual(tiers)
    }
    for (const { provider, id, contextWindow } of knownModels) {
      const listed = prices.find(provider, id, nowMs)
      expect({ id, usd: listed?.price.inputUsdPerMTok }).toEqual({ id, usd: expect.any(Number) })
      expect({ id, contextWindow }).toEqual({ id, contextWindow: listed?.contextWindow })
    }
  })

  it('cost more in every tier than in the one below', () => {
    for (const provider of ['openai', 'anthropic']) {
      const usd = defaultModels(provider).map(({ id }) => prices.find(provider, id, nowMs)?.price.outputUsdPerMTok ?? 0)
      expect(usd).toEqual([...usd].sort((a, b) => a - b))
    }
  })

  it('are names that the official clients know', () => {
    const require = createRequire(import.meta.url)
    const typesOf = (file: string) => readFileSync(require.resolve(file).replace(/\.m?js$/, '.d.ts'), 'utf8')
    const known = typesOf('openai/resources/shared.js') + typesOf('@anthropic-ai/sdk/resources/messages/messages.js')
    for (const { id } of knownModels) expect({ id, known: known.includes(`'${id}'`) }).toEqual({ id, known: true })
  })
})

describe('checkModels', () => {
  it.each([
    [priced(0, 0), []],
    [priced(2, 10), []],
    [priced(5000, 9000), ['error implausible_price', 'error implausible_price']],
    [priced(0.00001, 0.00001), ['warning implausible_price', 'warning implausible_price']],
    [priced(10, 2), ['warning implausible_price']],
    [{ ...priced(1, 1), price: 'unknown' }, ['warning unknown_price']],
    [{ provider: 'openai', model: 'gpt-5.6-luna', deprecated: true }, ['warning deprecated']],
    [{ provider: 'openai', model: 'gpt-5.6-luna', deprecated: '2027-01-01' }, ['warning deprecated']],
    [{ provider: 'openai', model: 'gpt-5.6-luna', deprecated: '2026-01-01' }, ['error deprecated']],
    [{ provider: 'openai', model: 'gpt-5.6-luna', contextWindow: 1000 }, ['error implausible_size']],
    [{ ...priced(1, 1), model: 'gpt-9' }, ['warning unknown_provider']],
    [{ ...priced(1, 1), provider: 'opnai' }, ['error unknown_provider']],
  ] as readonly [ModelEntry, string[]][])('finds in %j: %j', (entry, expected) => {
    expect(codesOf(findingsOf([entry]))).toEqual(expected)
  })

  it('says which provider was perhaps meant', () => {
    expect(findingsOf([{ ...priced(1, 1), provider: 'opnai' }])[0]?.message).toMatch(/did you mean 'openai'/)
  })

  it('finds a task that no offered model is for', () => {
    const models = createRegistry({ providers: [offline()], prices, now: () => nowMs }).list()
    const found = findingsOf([], {
      models,
      providers: ['offline'],
      tasks: { review: ['premium', 'capable'], sum: ['cheap'] },
    })
    expect(found).toMatchObject([{ level: 'error', code: 'task_without_model', task: 'review' }])
  })

  it('finds prices that cannot be, and tiers that are none, wherever they come from', () => {
    const info = { ...(createRegistry({ providers, prices, now: () => nowMs }).list()[0] as ModelInfo), offered: true }
    const price = { inputUsdPerMTok: Number.NaN, outputUsdPerMTok: -1 }
    const models = [{ ...info, price, tier: 'best' as Tier }]
    expect(codesOf(findingsOf([], { models }))).toEqual([
      'error unknown_tier',
      'error impossible_price',
      'error impossible_price',
    ])
  })
})

describe('pingModels', () => {
  it('asks each model once, and skips who has no key', async () => {
    const server = await serve(call => (call.body.model === 'bad' ? { status: 401 } : 'ok'))
    const at = { baseURL: server.url, models: ['good', 'bad'] }
    const results = await pingModels(
      [
        openaiCompatible({ ...at, id: 'with', apiKey: 'sk-012345' }),
        openaiCompatible({ ...at, id: 'without' }),
        offline(),
      ],
      { clock: virtualClock(), signal: new AbortController().signal },
    )
    expect(results.map(({ provider, model, outcome }) => `${provider} ${model} ${outcome}`)).toEqual([
      'with good answered',
      'with bad failed',
      'without good skipped',
      'without bad skipped',
      'offline extractive skipped',
    ])
    expect(server.calls).toHaveLength(2)
    expect(results[1]?.reason).toMatch(/answered 401/)
  })

  it('waits for each model for 10 s at the most', async () => {
    const clock = virtualClock()
    const provider = scriptedProvider([{ text: 'late', delay: '1m' }, 'ok'], {
      clock,
      models: [
        { id: 'slow', tier: 'cheap' },
        { id: 'quick', tier: 'cheap' },
      ],
    })
    const pending = pingModels([provider], { clock, signal: new AbortController().signal })
    await clock.advance('30s')
    expect(await pending).toMatchObject([
      { model: 'slow', outcome: 'failed', latencyMs: 10_000, reason: 'no answer within 10 s' },
      { model: 'quick', outcome: 'answered' },
    ])
  })
})
