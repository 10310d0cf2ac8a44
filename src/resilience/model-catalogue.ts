/** What is known of models, as routing and budgets see it; the registry of the providers is one. */
import type { Capabilities, ModelPrice, Tier, Usage } from '../providers/provider.ts'

export interface ModelFacts {
  readonly tier: Tier
  readonly capabilities: Capabilities
  /** Tokens of prompt and answer together; absent: unknown. */
  readonly contextWindow?: number | undefined
  readonly maxOutputTokens?: number | undefined
  readonly price: ModelPrice | 'unknown'
}

export interface ModelCatalogue {
  find(provider: string, model: string): ModelFacts | undefined
  /** USD for what a call used, or `'unknown'`; never 0 for want of a price. */
  priceOf(provider: string, model: string, usage: Usage): number | 'unknown'
}

/** The catalogue that knows nothing. */
export const noCatalogue: ModelCatalogue = { find: () => undefined, priceOf: () => 'unknown' }
