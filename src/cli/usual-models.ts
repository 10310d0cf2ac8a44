/** The providers and models that a run of this command line would be given: those that the environment names. */
import {
  createRegistry,
  loadPriceList,
  type ModelRegistry,
  noPrices,
  type Provider,
  providersFromEnvironment,
  systemClock,
} from '../index.ts'

export interface UsualModels {
  readonly providers: readonly Provider[]
  readonly registry: ModelRegistry
}

export async function usualModels(): Promise<UsualModels> {
  const providers = providersFromEnvironment(systemClock)
  const prices = await loadPriceList().catch(() => noPrices)
  return { providers, registry: createRegistry({ providers, prices, now: () => systemClock.now() }) }
}
