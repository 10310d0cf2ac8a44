/**
 * The models that there are: what each can do, how much it takes in and what it costs, from several sources. What was
 * set by hand wins, then what the provider says of its model, then what is known of it, then the price list. What no
 * source tells stays unknown.
 */
import { z } from 'zod'
import { OptionsError } from '../errors.ts'
import { parseOptions } from '../options.ts'
import { type KnownModel, knownModels, knownModelsAsOf } from './known-models.ts'
import { noPrices, type Price, type PriceList, usdOf } from './prices.ts'
import type { Capabilities, Model, ModelPrice, Provider, Tier, Usage } from './provider.ts'

export interface ModelInfo {
  readonly provider: string
  readonly model: string
  readonly tier: Tier
  readonly capabilities: Capabilities
  /** Tokens; absent: unknown. */
  readonly contextWindow?: number | undefined
  readonly maxOutputTokens?: number | undefined
  readonly price: Price
  readonly priceSource: 'set' | 'provider' | 'list' | 'none'
  /** When what stands here was known to hold: an ISO date. */
  readonly asOf: string
  /** `true`, or the date after which it is no longer served. */
  readonly deprecated?: string | boolean | undefined
  /** Whether one of the runtime's providers offers it. */
  readonly offered: boolean
}

/** What a user says of a model; it wins over every other source. */
export interface ModelEntry {
  readonly provider: string
  readonly model: string
  /** @default what is known of it, else 'capable' */
  readonly tier?: Tier | undefined
  readonly capabilities?: Capabilities | undefined
  readonly contextWindow?: number | undefined
  readonly maxOutputTokens?: number | undefined
  /** USD for 10^6 tokens; 0 is a price. `'unknown'` forgets what other sources say. */
  readonly price?: Price | undefined
  /** An ISO date. */
  readonly asOf?: string | undefined
  readonly deprecated?: string | boolean | undefined
}

export interface ModelRegistry {
  /** By provider, then from cheap to premium. */
  list(): readonly ModelInfo[]
  /** Also for a model that is on no list, where the price list knows it. */
  find(provider: string, model: string): ModelInfo | undefined
  /** USD for what a call used, or `'unknown'`; never 0 for want of a price. */
  priceOf(provider: string, model: string, usage: Usage): number | 'unknown'
}

export interface RegistrySources {
  readonly providers: readonly Provider[]
  readonly entries?: readonly ModelEntry[] | undefined
  readonly prices?: PriceList | undefined
  /** The time that prices are asked for. */
  readonly now: () => number
}

const perMTok = z.number().min(0)
const tokenPrices = {
  inputUsdPerMTok: perMTok,
  outputUsdPerMTok: perMTok,
  cacheReadUsdPerMTok: perMTok.optional(),
  cacheWriteUsdPerMTok: perMTok.optional(),
}
export const modelPriceSchema = z.strictObject({
  ...tokenPrices,
  longPrompts: z.array(z.strictObject({ ...tokenPrices, aboveInputTokens: z.int().min(1) })).optional(),
})

/** The strict form of what a user says of a model beside its name. */
export const modelFieldsSchema = {
  tier: z.enum(['cheap', 'capable', 'premium']).optional(),
  capabilities: z
    .strictObject({
      tools: z.boolean().optional(),
      json: z.boolean().optional(),
      vision: z.boolean().optional(),
      streaming: z.boolean().optional(),
    })
    .optional(),
  contextWindow: z.int().min(1).optional(),
  maxOutputTokens: z.int().min(1).optional(),
}

/** One entry of `createRuntime({ models })`. */
const modelEntrySchema = z.strictObject({
  provider: z.string().min(1),
  model: z.string().min(1),
  ...modelFieldsSchema,
  price: z
    .union([modelPriceSchema, z.literal('unknown')], {
      error: "must be 'unknown' or { inputUsdPerMTok, outputUsdPerMTok }, in USD for a million tokens",
    })
    .optional(),
  asOf: z.iso.date().optional(),
  deprecated: z.union([z.boolean(), z.iso.date()]).optional(),
})

const tiers: readonly Tier[] = ['cheap', 'capable', 'premium']

/** @throws OptionsError for an entry of the wrong form, or two entries for one model */
export function createRegistry(sources: RegistrySources): ModelRegistry {
  const entries = new Map(
    parseModelEntries(sources.entries ?? []).map(entry => [nameOf(entry.provider, entry.model), entry]),
  )
  const prices = sources.prices ?? noPrices
  const { providers, now } = sources

  const describedAt = (provider: string, model: string, atMs: number): ModelInfo | undefined => {
    const offer = providers
      .filter(({ id }) => id === provider)
      .flatMap(({ models }) => models)
      .find(({ id }) => id === model)
    const entry = entries.get(nameOf(provider, model))
    const known = knownModels.find(other => other.provider === provider && other.id === model)
    return describe({ provider, model, entry, offer, known, prices, atMs })
  }

  const namesOfAll = (): Iterable<readonly [string, string]> => {
    const names = new Map<string, readonly [string, string]>()
    const add = (provider: string, model: string): void => void names.set(nameOf(provider, model), [provider, model])
    for (const { id, models } of providers) for (const model of models) add(id, model.id)
    for (const { provider, model } of entries.values()) add(provider, model)
    for (const { provider, id } of knownModels) add(provider, id)
    return names.values()
  }

  let current = new Descriptions(Number.NaN, describedAt)
  const ofThisMinute = (): Descriptions => {
    const minute = Math.floor(now() / minuteMs)
    if (current.minute !== minute || current.isFull) current = new Descriptions(minute, describedAt)
    return current
  }

  const find = (provider: string, model: string): ModelInfo | undefined => ofThisMinute().find(provider, model)
  return {
    list: () => ofThisMinute().list(namesOfAll),
    find,
    priceOf: (provider, model, usage) => usdOf(find(provider, model)?.price ?? 'unknown', usage),
  }
}

const minuteMs = 60_000
/** Names come from answers too, so there is no end to them. */
const mostDescriptions = 1000

/**
 * What was found out about models within one minute: every call asks for its model several times, and a look at the
 * price list takes many times what else a call does. Prices change at full minutes at the soonest.
 */
class Descriptions {
  readonly minute: number
  readonly #describe: (provider: string, model: string, atMs: number) => ModelInfo | undefined
  readonly #byProvider = new Map<string, Map<string, ModelInfo | undefined>>()
  #count = 0
  #list: readonly ModelInfo[] | undefined

  constructor(minute: number, describe: (provider: string, model: string, atMs: number) => ModelInfo | undefined) {
    this.minute = minute
    this.#describe = describe
  }

  get isFull(): boolean {
    return this.#count >= mostDescriptions
  }

  find(provider: string, model: string): ModelInfo | undefined {
    let ofProvider = this.#byProvider.get(provider)
    if (ofProvider === undefined) {
      ofProvider = new Map()
      this.#byProvider.set(provider, ofProvider)
    }
    const known = ofProvider.get(model)
    if (known !== undefined || ofProvider.has(model)) return known
    const found = this.#describe(provider, model, this.minute * minuteMs)
    ofProvider.set(model, found)
    this.#count++
    return found
  }

  list(names: () => Iterable<readonly [string, string]>): readonly ModelInfo[] {
    this.#list ??= [...names()]
      .map(([provider, model]) => this.find(provider, model) as ModelInfo)
      .sort(byProviderAndTier)
    return this.#list
  }
}

function byProviderAndTier(a: ModelInfo, b: ModelInfo): number {
  if (a.provider !== b.provider) return a.provider < b.provider ? -1 : 1
  return tiers.indexOf(a.tier) - tiers.indexOf(b.tier) || (a.model < b.model ? -1 : 1)
}

const nameOf = (provider: string, model: string): string => JSON.stringify([provider, model])

/** What users say of models. @throws OptionsError for an entry of the wrong form, or two entries for one model */
export function parseModelEntries(given: readonly ModelEntry[]): readonly ModelEntry[] {
  const entries = new Map<string, ModelEntry>()
  for (const [at, one] of given.entries()) {
    const entry = parseOptions(modelEntrySchema, one, `models[${at}]`)
    const name = nameOf(entry.provider, entry.model)
    if (entries.has(name)) {
      throw new OptionsError(`models[${at}]: '${entry.model}' of '${entry.provider}' is there twice`)
    }
    entries.set(name, entry)
  }
  return [...entries.values()]
}

interface Told {
  readonly provider: string
  readonly model: string
  readonly entry: ModelEntry | undefined
  readonly offer: Model | undefined
  readonly known: KnownModel | undefined
  readonly prices: PriceList
  readonly atMs: number
}

function describe({ provider, model, entry, offer, known, prices, atMs }: Told): ModelInfo | undefined {
  const listed = prices.find(provider, model, atMs)
  if (!entry && !offer && !known && !listed) return undefined
  const deprecated = entry?.deprecated ?? known?.deprecated ?? listed?.deprecated
  return {
    provider,
    model,
    tier: entry?.tier ?? offer?.tier ?? known?.tier ?? 'capable',
    capabilities: { ...known?.capabilities, ...offer?.capabilities, ...entry?.capabilities },
    contextWindow: entry?.contextWindow ?? offer?.contextWindow ?? known?.contextWindow ?? listed?.contextWindow,
    maxOutputTokens: entry?.maxOutputTokens ?? offer?.maxOutputTokens ?? known?.maxOutputTokens,
    ...pricedBy(entry?.price, offer?.price, listed?.price),
    asOf: entry?.asOf ?? (listed ? prices.asOf : knownModelsAsOf),
    ...(deprecated === undefined || deprecated === false ? {} : { deprecated }),
    offered: offer !== undefined,
  }
}

function pricedBy(
  set: Price | undefined,
  offered: ModelPrice | undefined,
  listed: ModelPrice | undefined,
): Pick<ModelInfo, 'price' | 'priceSource'> {
  if (set !== undefined) return { price: set, priceSource: 'set' }
  if (offered !== undefined) return { price: offered, priceSource: 'provider' }
  if (listed !== undefined) return { price: listed, priceSource: 'list' }
  return { price: 'unknown', priceSource: 'none' }
}
