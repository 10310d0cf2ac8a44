/**
 * The prices that come with the package `@pydantic/genai-prices`: data on disk, no network. The package is loaded when
 * it is first asked for, since it is large; where it cannot be loaded or does not know a model, the price is unknown.
 * A newer version of a model is not the older one whose name it begins with, whatever the package's patterns say.
 */

import type { ListedModel, PriceList } from './prices.ts'
import type { ModelPrice, TokenPrices } from './provider.ts'

/** When the data of the package's version 0.1.8 was published. */
const listedAt = '2026-09-23'

/** Ids that people use for the providers of the list. An id that merely contains a name is somebody else. */
const listedIds: Readonly<Record<string, string>> = {
  gemini: 'google',
  vertex: 'google',
  'google-vertex': 'google',
  'azure-openai': 'azure',
  bedrock: 'aws',
  'amazon-bedrock': 'aws',
  mistralai: 'mistral',
  xai: 'x-ai',
  togetherai: 'together',
  'fireworks-ai': 'fireworks',
  moonshot: 'moonshotai',
}

type Listed = typeof import('@pydantic/genai-prices')

/** The list of the package. @throws what importing it throws, where it is not installed */
export async function loadPriceList(): Promise<PriceList> {
  const listed = await import('@pydantic/genai-prices')
  return {
    asOf: listedAt,
    find(provider, model, atMs) {
      try {
        return lookUp(listed, provider.toLowerCase(), model, atMs)
      } catch {
        // A fault of the list is no fault of the call: the price is unknown.
        return undefined
      }
    },
  }
}

function lookUp(listed: Listed, provider: string, model: string, atMs: number): ListedModel | undefined {
  const providerId = listedIds[provider] ?? provider
  if (listed.findProvider({ providerId })?.id !== providerId) return undefined
  const timestamp = new Date(atMs)
  const found = listed.calcPrice({ input_tokens: 1, output_tokens: 1 }, model, { providerId, timestamp })
  if (found === null || isNewerVersion(model, found.model.id)) return undefined
  const price = priceFrom(found.model_price)
  if (price === undefined) return undefined
  const { context_window: contextWindow, deprecated } = found.model
  return { price, contextWindow, deprecated }
}

/** Whether the name goes on with a version, as `claude-sonnet-5-5` does after `claude-sonnet-5`; a date is none. */
function isNewerVersion(asked: string, found: string): boolean {
  const name = asked.toLowerCase()
  return name.startsWith(found.toLowerCase()) && /^[-.]?\d{1,2}(?!\d)/.test(name.slice(found.length))
}

const fields = {
  inputUsdPerMTok: 'input_mtok',
  outputUsdPerMTok: 'output_mtok',
  cacheReadUsdPerMTok: 'cache_read_mtok',
  cacheWriteUsdPerMTok: 'cache_write_mtok',
} as const

interface Stepped {
  readonly base: number
  readonly tiers: readonly { readonly start: number; readonly price: number }[]
}

type ListedPrice = Readonly<Record<string, number | Stepped | undefined>>

function priceFrom(listed: ListedPrice): ModelPrice | undefined {
  const base = pricesAt(listed, 0)
  if (base === undefined) return undefined
  const starts = new Set(
    Object.values(fields).flatMap(field => {
      const price = listed[field]
      return typeof price === 'object' ? price.tiers.map(({ start }) => start) : []
    }),
  )
  const longPrompts = [...starts]
    .sort((a, b) => a - b)
    .map(start => ({ aboveInputTokens: start, ...(pricesAt(listed, start + 1) as TokenPrices) }))
  return longPrompts.length === 0 ? base : { ...base, longPrompts }
}

function pricesAt(listed: ListedPrice, inputTokens: number): TokenPrices | undefined {
  const prices: Partial<Record<keyof typeof fields, number>> = {}
  for (const [name, field] of Object.entries(fields)) {
    const price = listed[field]
    if (price === undefined) continue
    const step = typeof price === 'object' ? price.tiers.findLast(({ start }) => inputTokens > start) : undefined
    prices[name as keyof typeof fields] = typeof price === 'object' ? (step?.price ?? price.base) : price
  }
  const { inputUsdPerMTok, outputUsdPerMTok } = prices
  if (inputUsdPerMTok === undefined || outputUsdPerMTok === undefined) return undefined
  return { ...prices, inputUsdPerMTok, outputUsdPerMTok }
}
