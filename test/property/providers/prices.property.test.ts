import { calcPrice } from '@pydantic/genai-prices'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { knownModels } from '../../../src/providers/known-models.ts'
import { loadPriceList } from '../../../src/providers/price-list.ts'
import { usdOf } from '../../../src/providers/prices.ts'
import { propertyRuns } from '../../support/supervised-worker.ts'

const atMs = Date.parse('2026-11-23T12:00:00Z')
const models = [
  ...knownModels.map(({ provider, id }) => [provider, id] as const),
  ['anthropic', 'claude-sonnet-4-5'],
  ['openai', 'gpt-4o'],
  ['openai', 'gpt-5.5-pro'],
] as const

const share = fc.double({ min: 0, max: 0.5, noNaN: true })

describe('the cost of a call', () => {
  it('is what the price list itself says of it, cache and long prompts included', async () => {
    const prices = await loadPriceList()
    fc.assert(
      fc.property(
        fc.constantFrom(...models),
        fc.integer({ min: 0, max: 900_000 }),
        fc.integer({ min: 0, max: 128_000 }),
        share,
        share,
        ([provider, model], inputTokens, outputTokens, read, write) => {
          const cacheReadTokens = Math.floor(inputTokens * read)
          const cacheWriteTokens = Math.floor(inputTokens * write)
          const own = usdOf(prices.find(provider, model, atMs)?.price ?? 'unknown', {
            inputTokens,
            outputTokens,
            cacheReadTokens,
            cacheWriteTokens,
          })
          const usage = {
            input_tokens: inputTokens,
            output_tokens: outputTokens,
            cache_read_tokens: cacheReadTokens,
            cache_write_tokens: cacheWriteTokens,
          }
          const listed = calcPrice(usage, model, { providerId: provider, timestamp: new Date(atMs) })
          expect(own).toBeCloseTo(listed?.total_price as number, 9)
        },
      ),
      { numRuns: propertyRuns },
    )
  })

  it('never falls when more is used', async () => {
    const prices = await loadPriceList()
    const tokens = fc.integer({ min: 0, max: 900_000 })
    fc.assert(
      fc.property(fc.constantFrom(...models), tokens, tokens, tokens, ([provider, model], input, output, more) => {
        const price = prices.find(provider, model, atMs)?.price ?? 'unknown'
        const before = usdOf(price, { inputTokens: input, outputTokens: output }) as number
        const after = usdOf(price, { inputTokens: input + more, outputTokens: output }) as number
        expect(after).toBeGreaterThanOrEqual(before)
      }),
      { numRuns: propertyRuns },
    )
  })
})
