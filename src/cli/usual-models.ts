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

/** The price list, which takes a moment to load, is wanted also where nobody would be paid. */
export const usualModels = (): Promise<UsualModels> => modelsOf(providersFromEnvironment(systemClock))

/** Undefined where nobody would be paid: there is only the offline provider. */
export async function paidModels(): Promise<UsualModels | undefined> {
  const providers = providersFromEnvironment(systemClock)
  return providers.every(({ id }) => id === 'offline') ? undefined : modelsOf(providers)
}

async function modelsOf(providers: readonly Provider[]): Promise<UsualModels> {
  const prices = await loadPriceList().catch(() => noPrices)
  return { providers, registry: createRegistry({ providers, prices, now: () => systemClock.now() }) }
}
