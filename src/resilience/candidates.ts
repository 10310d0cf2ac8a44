/**
 * Which models may answer a request, in the order in which they are asked. Who cannot answer it (tools, JSON, pictures, a
 * prompt that is longer than its window) is left out. The first is the one that was wanted; the others are what the
 * profile's `fallback` allows. A profile without tier downgrade never gets a lower tier than was wanted, and the offline
 * provider stands in last, only where the profile has it.
 */
import type { ModelRequest, Provider, Tier } from '../providers/provider.ts'
import { type ModelCatalogue, type ModelFacts, noCatalogue } from './model-catalogue.ts'
import type { FallbackPolicy } from './profiles.ts'
import { type CapabilityName, needsOf, type RequestNeeds } from './request-needs.ts'
import { tierOfTask } from './task-tiers.ts'

export interface Candidate {
  readonly provider: Provider
  /** Absent: a provider that lists no models and decides by itself. */
  readonly model?: string | undefined
  readonly tier: Tier
  /** Whether its answer is less than what was wanted. */
  readonly degraded: boolean
  readonly facts?: ModelFacts | undefined
}

export interface CandidateRules {
  readonly fallback: FallbackPolicy
  readonly allowTierDowngrade: boolean
  readonly offline: boolean
  /** Whether only providers of this machine are asked. @default false */
  readonly local?: boolean | undefined
}

export interface CandidateSources {
  readonly catalogue?: ModelCatalogue | undefined
  /** What the caller asks for by name. */
  readonly capabilities?: readonly CapabilityName[] | undefined
  /** Whether a call to it would be let through now; who would be refused is asked after the others. */
  readonly isAvailable?: ((provider: Provider, model: string | undefined) => boolean) | undefined
  /** Whether a model without a price may be asked. @default true */
  readonly unpriced?: boolean | undefined
}

export interface Candidates {
  readonly inOrder: readonly Candidate[]
  /** Of each that was left out, why: for the message when none is left. */
  readonly leftOut: readonly string[]
  /** Some were left out only because nobody knows what they cost. */
  readonly refusedUnpriced: boolean
  /** What the request needs, by which they were chosen. */
  readonly needs: RequestNeeds
}

const rank: Readonly<Record<Tier, number>> = { cheap: 0, capable: 1, premium: 2 }
/** The provider that does local work; see `offline()`. */
const offlineId = 'offline'

interface Offer {
  readonly provider: Provider
  readonly model?: string | undefined
  /** Absent: it serves whatever tier is asked. */
  readonly tier?: Tier | undefined
  readonly facts?: ModelFacts | undefined
  /** In the order in which they were given. */
  readonly place: number
  readonly available: boolean
  /** Whether it is known to have all that was asked for by name. */
  readonly certain: boolean
}

type Asked = Pick<ModelRequest, 'task' | 'model' | 'tier'> & Partial<ModelRequest>

export function candidatesFor(
  request: Asked,
  providers: readonly Provider[],
  rules: CandidateRules,
  sources: CandidateSources = {},
): Candidates {
  const needs = needsOf(request, sources.capabilities)
  const search = new Search(request.task, needs, rules, sources)
  const offers = search.offersOf(providers)
  const named = request.model === undefined ? undefined : offers.find(offer => offer.model === request.model)
  const wanted = named?.tier ?? request.tier ?? usualTier(request.task, offers, rules.fallback)
  const allowed = offers.filter(offer => {
    const lower = isLower(offer.tier, wanted)
    if (lower && !rules.allowTierDowngrade) search.leaveOut(offer.provider, 'offers only a lower tier')
    return !lower || rules.allowTierDowngrade
  })
  const inOrder = inAskedOrder(allowed, named, wanted, rules.fallback).map(({ provider, model, tier, facts }) => ({
    provider,
    model,
    tier: tier ?? wanted ?? 'capable',
    degraded: provider.id === offlineId || isLower(tier, wanted),
    facts,
  }))
  return { inOrder, leftOut: search.leftOut, refusedUnpriced: search.refusedUnpriced, needs }
}

const isLower = (tier: Tier | undefined, wanted: Tier | undefined): boolean =>
  wanted !== undefined && tier !== undefined && rank[tier] < rank[wanted]

/** Goes through what the providers offer, and keeps why something was left out. */
class Search {
  readonly leftOut: string[] = []
  refusedUnpriced = false
  readonly #task: string
  readonly #needs: RequestNeeds
  readonly #rules: CandidateRules
  readonly #sources: CandidateSources

  constructor(task: string, needs: RequestNeeds, rules: CandidateRules, sources: CandidateSources) {
    this.#task = task
    this.#needs = needs
    this.#rules = rules
    this.#sources = sources
  }

  leaveOut(provider: Provider, why: string): void {
    const sentence = `'${provider.id}' ${why}`
    if (!this.leftOut.includes(sentence)) this.leftOut.push(sentence)
  }

  offersOf(providers: readonly Provider[]): Offer[] {
    const offers: Offer[] = []
    for (const provider of providers) {
      if (!this.#isAsked(provider)) continue
      if (provider.models.length === 0) this.#offer(offers, provider, undefined, undefined)
      for (const { id, tier } of provider.models) this.#offer(offers, provider, id, tier)
    }
    return offers
  }

  #offer(offers: Offer[], provider: Provider, model: string | undefined, ofModel: Tier | undefined): void {
    const { catalogue = noCatalogue, isAvailable } = this.#sources
    const facts = catalogue.find(provider.id, model ?? provider.id)
    if (!this.#suits(provider, model, facts)) return
    const certain = this.#needs.asked.every(name => facts?.capabilities[name] === true)
    const available = isAvailable === undefined || isAvailable(provider, model)
    offers.push({ provider, model, tier: facts?.tier ?? ofModel, facts, place: offers.length, available, certain })
  }

  #isAsked(provider: Provider): boolean {
    if (provider.accepts && !provider.accepts(this.#task)) {
      this.leaveOut(provider, `does not do '${this.#task}'`)
      return false
    }
    if (this.#rules.local && provider.local !== true) {
      this.leaveOut(provider, 'is not on this machine')
      return false
    }
    if (provider.id === offlineId && !this.#rules.offline) {
      this.leaveOut(provider, 'is not allowed by the profile')
      return false
    }
    return true
  }

  #suits(provider: Provider, model: string | undefined, facts: ModelFacts | undefined): boolean {
    const { inputTokens, outputTokens = 0, capabilities } = this.#needs
    const who = (): string => (model === undefined || model === provider.id ? '' : `(${model}) `)
    const missing = capabilities.filter(name => facts?.capabilities[name] === false)
    if (missing.length > 0) {
      this.leaveOut(provider, `${who()}cannot do ${missing.join(', ')}`)
      return false
    }
    const window = facts?.contextWindow
    if (window !== undefined && inputTokens + outputTokens > window) {
      const sum = `${inputTokens + outputTokens}`
      this.leaveOut(provider, `${who()}takes ${window} tokens and this is about ${sum}`)
      return false
    }
    const isPriced = (facts !== undefined && facts.price !== 'unknown') || provider.tellsCost === true
    if (this.#sources.unpriced === false && !isPriced) {
      this.refusedUnpriced = true
      this.leaveOut(provider, `${who()}has no known price`)
      return false
    }
    return true
  }
}

/**
 * The tier that is wanted where nobody asked for one: of what the first provider offers, the nearest to the task's own,
 * a higher one before a lower one. Without tier rules whatever is cheap will do.
 */
function usualTier(task: string, offers: readonly Offer[], fallback: FallbackPolicy): Tier | undefined {
  if (fallback === 'any_available') return undefined
  const ideal = rank[tierOfTask(task)]
  const distance = (tier: Tier): number => (rank[tier] >= ideal ? rank[tier] - ideal : 10 + ideal - rank[tier])
  let nearest: Tier | undefined
  for (const { provider, tier } of offers) {
    if (provider !== offers[0]?.provider || tier === undefined) continue
    if (nearest === undefined || distance(tier) < distance(nearest)) nearest = tier
  }
  return nearest
}

function inAskedOrder(
  offers: readonly Offer[],
  named: Offer | undefined,
  wanted: Tier | undefined,
  fallback: FallbackPolicy,
): readonly Offer[] {
  // Whoever is alone is asked first, and nobody after.
  if (offers.length <= 1) return offers
  const byPreference = [...offers].sort((a, b) => compareOffers(a, b, wanted, fallback))
  const first = named ?? byPreference[0]
  if (first === undefined || fallback === 'none') return first ? [first] : []
  const others = byPreference.filter(offer => offer !== first)
  // Who would be refused anyhow is asked after who would not.
  const healthyFirst = [...others.filter(offer => offer.available), ...others.filter(offer => !offer.available)]
  if (fallback === 'any_available') return [first, ...healthyFirst]
  if (fallback === 'cross_provider') {
    const elsewhere = healthyFirst.filter(offer => offer.provider !== first.provider)
    return [first, ...elsewhere.filter((offer, at) => elsewhere.findIndex(o => o.provider === offer.provider) === at)]
  }
  // The same tier, then down, nearest first; never up.
  const reach = first.tier === undefined ? undefined : rank[first.tier]
  const below = healthyFirst.filter(
    offer => reach === undefined || offer.tier === undefined || rank[offer.tier] <= reach,
  )
  return [first, ...below]
}

/** By tier, then what is certain, then as given; but where any will do, and among models of one provider, by price. */
function compareOffers(a: Offer, b: Offer, wanted: Tier | undefined, fallback: FallbackPolicy): number {
  const byTier = preference(a, wanted) - preference(b, wanted)
  if (byTier !== 0) return byTier
  if (a.certain !== b.certain) return a.certain ? -1 : 1
  const comparable = fallback === 'any_available' || a.provider === b.provider
  return (comparable ? priceRank(a) - priceRank(b) : 0) || a.place - b.place
}

/** Smaller is asked sooner: the wanted tier, then without a wish cheap first, else down before up; offline last. */
function preference(offer: Offer, wanted: Tier | undefined): number {
  if (offer.provider.id === offlineId) return 100
  if (offer.tier === undefined) return 0
  if (wanted === undefined) return rank[offer.tier]
  const distance = rank[offer.tier] - rank[wanted]
  return distance <= 0 ? -distance : 10 + distance
}

/** USD for as much in as out; a price that nobody knows is taken for a middling one. */
const unknownPrice = 20
function priceRank({ facts }: Offer): number {
  if (facts === undefined || facts.price === 'unknown') return unknownPrice
  return facts.price.inputUsdPerMTok + facts.price.outputUsdPerMTok
}
