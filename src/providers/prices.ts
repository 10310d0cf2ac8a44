/**
 * What tokens cost. One formula for every provider: tokens by what was done with them, times the price of 10^6; where
 * long prompts cost more, the whole call is at the price of the longest step that its prompt passes. What is not known
 * is `'unknown'` and never 0.
 */
import type { ModelPrice, TokenPrices, Usage } from './provider.ts'

export type Price = ModelPrice | 'unknown'

/** Where prices come from that nobody set by hand. */
export interface PriceList {
  /** When the list was known to hold: an ISO date. */
  readonly asOf: string
  /** What the model costs at that time, and how much it takes in; undefined: it is not on the list. Never throws. */
  find(provider: string, model: string, atMs: number): ListedModel | undefined
}

export interface ListedModel {
  readonly price: ModelPrice
  readonly contextWindow?: number | undefined
  readonly deprecated?: boolean | undefined
}

/** The list on which nothing is. */
export const noPrices: PriceList = { asOf: 'never', find: () => undefined }

const tokensPerPrice = 1_000_000

/** USD for what was used. Tokens that make no sense (negative, not a number) make the cost unknown. */
export function usdOf(price: Price, usage: Usage): number | 'unknown' {
  if (price === 'unknown') return 'unknown'
  const { inputTokens, outputTokens, cacheReadTokens = 0, cacheWriteTokens = 0 } = usage
  const counts = [inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens]
  if (!counts.every(count => Number.isFinite(count) && count >= 0)) return 'unknown'
  const at = pricesFor(price, inputTokens)
  const fresh = Math.max(0, inputTokens - cacheReadTokens - cacheWriteTokens)
  const sum =
    fresh * at.inputUsdPerMTok +
    cacheReadTokens * (at.cacheReadUsdPerMTok ?? at.inputUsdPerMTok) +
    cacheWriteTokens * (at.cacheWriteUsdPerMTok ?? at.inputUsdPerMTok) +
    outputTokens * at.outputUsdPerMTok
  return sum / tokensPerPrice
}

function pricesFor(price: ModelPrice, inputTokens: number): TokenPrices {
  let prices: TokenPrices & { readonly aboveInputTokens?: number } = price
  for (const step of price.longPrompts ?? []) {
    if (inputTokens > step.aboveInputTokens && step.aboveInputTokens >= (prices.aboveInputTokens ?? 0)) prices = step
  }
  return prices
}
