/**
 * What model calls need that is not made at once: the registry, whose price list is loaded where a model has no price of
 * its own, and the response cache. Neither can keep a runtime from starting.
 */
import { encodeError } from '../../errors.ts'
import { loadPriceList } from '../../providers/price-list.ts'
import { noPrices, type PriceList } from '../../providers/prices.ts'
import { createRegistry, type ModelRegistry } from '../../providers/registry.ts'
import { memoryCache, type ResponseCache } from '../../resilience/response-cache.ts'
import { loadSqliteDriver } from '../../store/sqlite-driver.ts'
import type { ResolvedOptions } from '../runtime-options.ts'
import { fileCache } from './response-cache-file.ts'

export interface ModelParts {
  readonly catalogue: ModelRegistry
  readonly cache: ResponseCache
}

/** @throws OptionsError for `models` that are not of their form */
export async function modelPartsOf(options: ResolvedOptions): Promise<ModelParts> {
  const { providers, models, clock } = options
  const now = (): number => clock.now()
  const alone = createRegistry({ providers, entries: models, now })
  const isPriced = alone.list().every(({ offered, price }) => !offered || price !== 'unknown')
  const catalogue = isPriced
    ? alone
    : createRegistry({ providers, entries: models, now, prices: await priceListOf(options) })
  return { catalogue, cache: await cacheOf(options) }
}

async function priceListOf({ log }: ResolvedOptions): Promise<PriceList> {
  try {
    return await loadPriceList()
  } catch (error) {
    log.warn({ error: encodeError(error) }, 'the price list could not be loaded: prices that are not set are unknown')
    return noPrices
  }
}

async function cacheOf({ besideStore, clock, log }: ResolvedOptions): Promise<ResponseCache> {
  if (besideStore === undefined) return memoryCache(clock)
  return fileCache(`${besideStore}.cache.db`, await loadSqliteDriver(), clock, error =>
    log.warn({ error: encodeError(error) }, `the response cache cannot be used: ${besideStore}.cache.db`),
  )
}
