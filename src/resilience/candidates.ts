/**
 * Which models may answer a request, in the order in which they are asked. The first is the one that was wanted; the
 * others are what the profile's `fallback` allows. A profile without tier downgrade never gets a lower tier than was
 * wanted, and the offline provider stands in last, only where the profile has it.
 */
import type { ModelRequest, Provider, Tier } from '../providers/provider.ts'
import type { FallbackPolicy } from './profiles.ts'

export interface Candidate {
  readonly provider: Provider
  /** Absent: a provider that lists no models and decides by itself. */
  readonly model?: string | undefined
  readonly tier: Tier
  /** Whether its answer is less than what was wanted. */
  readonly degraded: boolean
}

export interface CandidateRules {
  readonly fallback: FallbackPolicy
  readonly allowTierDowngrade: boolean
  readonly offline: boolean
}

export interface Candidates {
  readonly inOrder: readonly Candidate[]
  /** Of each provider that was left out, why: for the message when none is left. */
  readonly leftOut: readonly string[]
}

const rank: Readonly<Record<Tier, number>> = { cheap: 0, capable: 1, premium: 2 }
/** The provider that does local work; see `offline()`. */
const offlineId = 'offline'
const isOffline = (candidate: { readonly provider: Provider }): boolean => candidate.provider.id === offlineId

interface Offer {
  readonly provider: Provider
  readonly model?: string | undefined
  /** Absent: it serves whatever tier is asked. */
  readonly tier?: Tier | undefined
}

export function candidatesFor(
  request: Pick<ModelRequest, 'task' | 'model' | 'tier'>,
  providers: readonly Provider[],
  rules: CandidateRules,
): Candidates {
  const leftOut: string[] = []
  const offers = providers.flatMap(provider => offersOf(provider, request, rules, leftOut))
  const named = request.model === undefined ? undefined : offers.find(offer => offer.model === request.model)
  const wanted = named?.tier ?? request.tier ?? (rules.fallback === 'any_available' ? undefined : offers[0]?.tier)
  const allowed = offers.filter(offer => {
    const lower = wanted !== undefined && offer.tier !== undefined && rank[offer.tier] < rank[wanted]
    if (lower && !rules.allowTierDowngrade) leftOut.push(`'${offer.provider.id}' offers only a lower tier`)
    return !lower || rules.allowTierDowngrade
  })
  const asked = inAskedOrder(allowed, named, wanted, rules.fallback)
  const inOrder = asked.map(({ provider, model, tier }) => ({
    provider,
    model,
    tier: tier ?? wanted ?? 'capable',
    degraded: provider.id === offlineId || (wanted !== undefined && tier !== undefined && rank[tier] < rank[wanted]),
  }))
  return { inOrder, leftOut }
}

function offersOf(
  provider: Provider,
  request: Pick<ModelRequest, 'task'>,
  rules: CandidateRules,
  leftOut: string[],
): Offer[] {
  if (provider.accepts && !provider.accepts(request.task)) {
    leftOut.push(`'${provider.id}' does not do '${request.task}'`)
    return []
  }
  if (provider.id === offlineId && !rules.offline) {
    leftOut.push(`'${provider.id}' is not allowed by the profile`)
    return []
  }
  if (provider.models.length === 0) return [{ provider }]
  return provider.models.map(model => ({ provider, model: model.id, tier: model.tier }))
}

function inAskedOrder(
  offers: readonly Offer[],
  named: Offer | undefined,
  wanted: Tier | undefined,
  fallback: FallbackPolicy,
): Offer[] {
  const byPreference = [...offers].sort((a, b) => preference(a, wanted) - preference(b, wanted))
  const first = named ?? byPreference[0]
  if (first === undefined || fallback === 'none') return first ? [first] : []
  const others = byPreference.filter(offer => offer !== first)
  if (fallback === 'any_available') return [first, ...others]
  if (fallback === 'cross_provider') {
    const elsewhere = others.filter(offer => offer.provider !== first.provider)
    return [first, ...elsewhere.filter((offer, at) => elsewhere.findIndex(o => o.provider === offer.provider) === at)]
  }
  // The same tier, then down, nearest first; never up.
  const reach = first.tier === undefined ? undefined : rank[first.tier]
  const below = others.filter(offer => reach === undefined || offer.tier === undefined || rank[offer.tier] <= reach)
  return [first, ...below]
}

/** Smaller is asked sooner: the wanted tier, then without a wish cheap first, else down before up; offline last. */
function preference(offer: Offer, wanted: Tier | undefined): number {
  if (isOffline(offer)) return 100
  if (offer.tier === undefined) return 0
  if (wanted === undefined) return rank[offer.tier]
  const distance = rank[offer.tier] - rank[wanted]
  return distance <= 0 ? -distance : 10 + distance
}
