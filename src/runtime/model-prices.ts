/**
 * What model calls cost where their provider does not say. The price list is large, so it is loaded with the first call
 * that needs it; where it cannot be loaded, prices that were set by hand still hold and the others are unknown.
 */
import { loadPriceList } from '../providers/price-list.ts'
import { noPrices } from '../providers/prices.ts'
import type { Provider } from '../providers/provider.ts'
import { createRegistry, type ModelEntry, type ModelRegistry } from '../providers/registry.ts'
import type { ModelCallOutcome } from '../resilience/model-call.ts'
import type { Clock } from '../time/clock.ts'
import type { Logger } from './api.ts'

export interface ModelPrices {
  /** The same registry for every caller. Never rejects. */
  registry(): Promise<ModelRegistry>
  /** The outcome with its cost, where it can be known. Never rejects. */
  priced(outcome: ModelCallOutcome): Promise<ModelCallOutcome>
}

/** @throws OptionsError for an entry of the wrong form */
export function createModelPrices(
  providers: readonly Provider[],
  entries: readonly ModelEntry[],
  clock: Clock,
  log: Logger,
): ModelPrices {
  const sources = { providers, entries, now: () => clock.now() }
  const byHand = createRegistry({ ...sources, prices: noPrices })
  let loading: Promise<ModelRegistry> | undefined
  const registry = (): Promise<ModelRegistry> => {
    loading ??= loadPriceList().then(
      prices => createRegistry({ ...sources, prices }),
      (error: unknown) => {
        log.warn({ error }, 'the price list cannot be loaded: prices that nobody set are unknown')
        return byHand
      },
    )
    return loading
  }
  return {
    registry,
    async priced(outcome) {
      const { answer, provider } = outcome
      if (answer.cost !== undefined || answer.usage === undefined) return outcome
      // The name that was asked for: servers answer with names of their own.
      const asked = outcome.hops.at(-1)?.model ?? outcome.model
      const { priceOf } = await registry()
      const { usage } = answer
      const known = [asked, outcome.model].map(model => priceOf(provider, model, usage))
      const cost = known.find(usd => usd !== 'unknown')
      return cost === undefined ? outcome : { ...outcome, answer: { ...answer, cost } }
    },
  }
}
