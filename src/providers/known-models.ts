/**
 * The models that `openai()` and `anthropic()` offer unless told otherwise, one a tier, with what their providers
 * document of them. Prices are not here: they come from the price list, where they have a date.
 */
import type { Capabilities, Model, Tier } from './provider.ts'

export interface KnownModel extends Omit<Model, 'price'> {
  readonly provider: string
  /** An ISO date after which the provider no longer serves it. */
  readonly deprecated?: string | undefined
}

const all: Capabilities = { tools: true, json: true, vision: true, streaming: true }

const known = (
  provider: string,
  tier: Tier,
  id: string,
  contextWindow: number,
  maxOutputTokens: number,
  deprecated?: string,
): KnownModel => ({
  provider,
  id,
  tier,
  contextWindow,
  maxOutputTokens,
  capabilities: all,
  ...(deprecated === undefined ? {} : { deprecated }),
})

/** When what stands here was last compared with the providers' pages: an ISO date. */
export const knownModelsAsOf = '2026-11-23'

/** The first of a provider's tier is its default. */
export const knownModels: readonly KnownModel[] = [
  known('openai', 'cheap', 'gpt-5.6-luna', 1_050_000, 128_000),
  known('openai', 'capable', 'gpt-5.6-terra', 1_050_000, 128_000),
  known('openai', 'premium', 'gpt-5.6-sol', 1_050_000, 128_000),
  known('anthropic', 'cheap', 'claude-haiku-4-5', 200_000, 64_000),
  known('anthropic', 'capable', 'claude-sonnet-5', 1_000_000, 128_000),
  known('anthropic', 'premium', 'claude-opus-5-5', 1_000_000, 128_000),
]

/** What a provider offers by default: one model a tier, cheap first. */
export function defaultModels(provider: string): readonly Model[] {
  return knownModels
    .filter(model => model.provider === provider && model.deprecated === undefined)
    .map(({ provider: _, deprecated: __, ...model }) => model)
}
