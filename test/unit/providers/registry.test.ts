import { beforeAll, describe, expect, it } from 'vitest'
import { offline } from '../../../src/providers/offline.ts'
import { loadPriceList } from '../../../src/providers/price-list.ts'
import type { PriceList } from '../../../src/providers/prices.ts'
import { createRegistry, type ModelEntry } from '../../../src/providers/registry.ts'
import { scriptedProvider } from '../../../src/testing/scripted-provider.ts'

const now = () => Date.parse('2026-11-23T12:00:00Z')
const usage = { inputTokens: 1_000_000, outputTokens: 100_000 }
let prices: PriceList

beforeAll(async () => {
  prices = await loadPriceList()
})

const registryOf = (entries: ModelEntry[] = [], id = 'openai', model = 'gpt-4o') =>
  createRegistry({
    providers: [scriptedProvider([], { id, models: [{ id: model, tier: 'capable' }] }), offline()],
    entries,
    prices,
    now,
  })

describe('the price of a model', () => {
  it('comes from the list where nobody set one', () => {
    expect(registryOf().find('openai', 'gpt-4o')).toMatchObject({
      price: { inputUsdPerMTok: 2.5, outputUsdPerMTok: 10 },
      priceSource: 'list',
      asOf: '2026-09-23',
    })
    expect(registryOf().priceOf('openai', 'gpt-4o', usage)).toBeCloseTo(3.5, 10)
  })

  it('is what the user set, 0 included', () => {
    const free = { inputUsdPerMTok: 0, outputUsdPerMTok: 0 }
    const registry = registryOf([{ provider: 'openai', model: 'gpt-4o', price: free, asOf: '2026-11-01' }])
    expect(registry.find('openai', 'gpt-4o')).toMatchObject({ priceSource: 'set', asOf: '2026-11-01' })
    expect(registry.priceOf('openai', 'gpt-4o', usage)).toBe(0)
  })

  it('is unknown, and not 0, for a model that is on no list', () => {
    const registry = registryOf([], 'my-server', 'llama')
    expect(registry.find('my-server', 'llama')).toMatchObject({ price: 'unknown', priceSource: 'none', offered: true })
    expect(registry.priceOf('my-server', 'llama', usage)).toBe('unknown')
    expect(registry.priceOf('nobody', 'nothing', { inputTokens: 0, outputTokens: 0 })).toBe('unknown')
  })

  it('is not taken from a provider whose name only contains a known one', () => {
    expect(registryOf([], 'my-openai').priceOf('my-openai', 'gpt-4o', usage)).toBe('unknown')
  })

  it('is not guessed for a newer version from the older one whose name it begins with', () => {
    const { find } = registryOf()
    expect(find('anthropic', 'claude-sonnet-5')?.price).toMatchObject({ inputUsdPerMTok: 2 })
    expect(find('anthropic', 'claude-sonnet-5-20260101')?.price).toMatchObject({ inputUsdPerMTok: 2 })
    expect(find('anthropic', 'claude-sonnet-5-5')).toBeUndefined()
  })

  it('changes at the date from which the list says so', () => {
    const at = (date: string) => prices.find('openai', 'gpt-5.6-luna', Date.parse(date))?.price.inputUsdPerMTok
    expect([at('2026-07-20'), at('2026-08-20')]).toEqual([1, 0.2])
  })

  it('is looked up once a minute, and is another one in the minute in which the list changes it', () => {
    let atMs = Date.parse('2026-11-23T12:00:30Z')
    let lookUps = 0
    const changing: PriceList = {
      asOf: '2026-11-23',
      find(_provider, _model, at) {
        lookUps++
        const inputUsdPerMTok = at < Date.parse('2026-11-23T12:01:00Z') ? 1 : 2
        return { price: { inputUsdPerMTok, outputUsdPerMTok: 0 } }
      },
    }
    const registry = createRegistry({ providers: [], prices: changing, now: () => atMs })
    const priced = () => registry.priceOf('openai', 'gpt-4o', usage)
    expect([priced(), priced(), lookUps]).toEqual([1, 1, 1])
    atMs = Date.parse('2026-11-23T12:01:00Z')
    expect([priced(), priced(), lookUps]).toEqual([2, 2, 2])
    atMs = Date.parse('2026-11-23T12:00:59Z')
    expect([priced(), lookUps]).toEqual([1, 3])
  })

  it('keeps to itself whatever names an answer has: no number of them stays in memory', () => {
    let lookUps = 0
    const counting: PriceList = { asOf: '2026-11-23', find: () => void lookUps++ }
    const registry = createRegistry({ providers: [], prices: counting, now })
    for (let i = 0; i < 1000; i++) registry.find('openai', `model ${i}`)
    registry.find('openai', 'model 0')
    expect(lookUps).toBe(1001)
  })

  it('is unknown for tokens that make no sense', () => {
    const { priceOf } = registryOf()
    expect(priceOf('openai', 'gpt-4o', { inputTokens: -5, outputTokens: 1 })).toBe('unknown')
    expect(priceOf('openai', 'gpt-4o', { inputTokens: Number.NaN, outputTokens: 1 })).toBe('unknown')
  })

  it('is unknown where there is no list', () => {
    const registry = createRegistry({ providers: [], now })
    expect(registry.priceOf('openai', 'gpt-4o', usage)).toBe('unknown')
  })

  it('is 0 for the offline provider', () => {
    expect(registryOf().priceOf('offline', 'extractive', usage)).toBe(0)
  })
})

describe('the list of models', () => {
  it('has the default models of OpenAI and Anthropic in every tier, by provider and tier', () => {
    const listed = registryOf()
      .list()
      .filter(({ provider, model }) => provider === 'anthropic' || model.startsWith('gpt-5.6'))
    expect(listed.map(({ provider, tier, offered }) => [provider, tier, offered])).toEqual([
      ['anthropic', 'cheap', false],
      ['anthropic', 'capable', false],
      ['anthropic', 'premium', false],
      ['openai', 'cheap', false],
      ['openai', 'capable', false],
      ['openai', 'premium', false],
    ])
  })

  it('takes what the user says over what the provider and the list say', () => {
    const registry = registryOf([
      { provider: 'openai', model: 'gpt-4o', tier: 'premium', contextWindow: 1000, capabilities: { vision: false } },
    ])
    expect(registry.find('openai', 'gpt-4o')).toMatchObject({
      tier: 'premium',
      contextWindow: 1000,
      capabilities: { vision: false },
      price: { inputUsdPerMTok: 2.5 },
    })
  })

  it.each([
    [[{ provider: 'a', model: 'b', prise: 1 }], /models\[0\]: unknown option 'prise'; did you mean 'price'/],
    [
      [{ provider: 'a', model: 'b', price: { inputUsdPerMTok: -1, outputUsdPerMTok: 0 } }],
      /models\[0\]: price\.inputUsdPerMTok: must be at least 0/,
    ],
    [
      [
        { provider: 'a', model: 'b' },
        { provider: 'a', model: 'b' },
      ],
      /models\[1\]: 'b' of 'a' is there twice/,
    ],
  ])('refuses %j', (entries, message) => {
    expect(() => registryOf(entries as ModelEntry[])).toThrow(message)
  })
})
