/**
 * What a run can cost at the very most, by the prices of the models that may answer its stages: each start of a stage's
 * code, times the places in it that ask, times the tries at every model that its profile allows, times the longest request that a model takes. What
 * nobody knows (a price, how much a model takes, how often code asks) makes it `'unknown'` or is said as an assumption;
 * it is never left out. Pure.
 */
import { usdOf } from '../../providers/prices.ts'
import type { Provider, Usage } from '../../providers/provider.ts'
import { keysOf } from '../../resilience/call-gate.ts'
import { type Candidate, candidatesFor } from '../../resilience/candidates.ts'
import type { ModelCatalogue } from '../../resilience/model-catalogue.ts'
import type { ResolvedProfile } from '../../resilience/profiles.ts'
import type { Budget } from '../api.ts'

/** What a stage sends, where its workflow can say so before it runs. */
export interface StageText {
  /** Of a map. */
  readonly items?: number | undefined
  /** Tokens of its largest call. */
  readonly inputTokens?: number | undefined
  /** The most that it lets a call be answered with. */
  readonly outputTokens?: number | undefined
}

/** One model that may be asked for a call of a stage. */
interface AskedModel {
  readonly provider: string
  readonly model: string
  /** How often one call asks it at most. */
  readonly requests: number
  /** Of the longest request; `'unknown'` without a price, or where nobody knows how much it takes. */
  readonly usdPerRequest: number | 'unknown'
  /** Why it is unknown. */
  readonly unknown?: string | undefined
}

/** What the models of one stage can cost at most, over all its items. */
export interface StageCost {
  readonly models: readonly AskedModel[]
  /** Starts of its code, each taken to make one call for each place in it that asks. */
  readonly calls: number
  readonly requests: number
  readonly usd: number | 'unknown'
}

export interface RunCostBound {
  /** USD at the very most: by prices, or the budget where that is less. */
  readonly usd: number | 'unknown'
  readonly requests: number | 'unknown'
  /** What `usd` rests on; `nothing` where it is unknown. */
  readonly heldBy: 'prices' | 'budget' | 'nothing'
  /** USD by prices alone, whatever the budget. */
  readonly byPrices: number | 'unknown'
  /** What the numbers take for granted, and why they are unknown. */
  readonly assumptions: readonly string[]
}

/** An answer of the wrong form is asked for once more. */
const asksPerCall = 2
/** What that takes beside the answer itself: the words that say what was wrong with it. */
const mendingTokens = 250
/** The provider that does local work; see `offline()`. */
const offlineId = 'offline'

interface CostedStage {
  readonly task: string
  readonly profile: ResolvedProfile
  /** Starts of its code, or of the code of one item. */
  readonly executions: number
  /** Places in its code that ask a model, at least 1. */
  readonly callsPerStart: number
  /** Items of a map; 1 of another stage. */
  readonly items: number
  readonly text?: StageText | undefined
}

interface CostSources {
  readonly providers: readonly Provider[]
  readonly catalogue?: ModelCatalogue | undefined
  readonly budget?: Budget | undefined
}

/** What the models of a stage can cost, whoever answers. */
export function stageCost(stage: CostedStage, { providers, catalogue, budget }: CostSources): StageCost {
  const { task, profile, executions, callsPerStart, items, text } = stage
  // Under a budget of money nobody without a price is asked.
  const unpriced = budget?.usd === undefined
  const models = candidatesFor({ task }, providers, profile, { catalogue, unpriced }).inOrder.map(candidate =>
    askedModel(candidate, profile, text),
  )
  const calls = executions * callsPerStart * items
  const perCall = models.reduce((sum, { requests }) => sum + requests, 0)
  return {
    models,
    calls,
    requests: calls * perCall,
    usd: sumOf(models.map(({ requests, usdPerRequest }) => times(usdPerRequest, requests * calls))),
  }
}

/** What the whole run can cost; `stages` are those that ask models. */
export function costBound(
  stages: readonly { readonly name: string; readonly cost: StageCost }[],
  { budget, endless, guessedItems }: { budget: Budget | undefined; endless: boolean; guessedItems: readonly string[] },
): RunCostBound {
  const byPrices = endless ? endlessOf(stages) : sumOf(stages.map(({ cost }) => cost.usd))
  const requests = endless ? 'unknown' : stages.reduce((sum, { cost }) => sum + cost.requests, 0)
  const held = Math.min(budget?.usd ?? Number.POSITIVE_INFINITY, usdOfCalls(stages, budget))
  const isHeld = held !== Number.POSITIVE_INFINITY && (byPrices === 'unknown' || held < byPrices)
  const usd = tidy(isHeld ? held : byPrices)
  const assumptions = assumptionsOf(stages, byPrices, { endless, guessedItems })
  return {
    usd,
    requests: lower(requests, budget?.calls),
    heldBy: isHeld ? 'budget' : usd === 'unknown' ? 'nothing' : 'prices',
    byPrices: tidy(byPrices),
    assumptions: isHeld && budget?.calls === undefined ? [...assumptions, overrun] : assumptions,
  }
}

/** See the budgets of money in docs/semantics.md. */
const overrun = 'a call that does not say `maxOutputTokens` may pass a budget of money by itself, once'

function askedModel({ provider, model, facts }: Candidate, profile: ResolvedProfile, text?: StageText): AskedModel {
  const name = model ?? provider.id
  const requests = keysOf(provider).length * (1 + profile.retry.max) * asksPerCall
  const asked = { provider: provider.id, model: name, requests }
  if (provider.id === offlineId || profile.local) return { ...asked, usdPerRequest: 0 }
  const price = facts?.price ?? 'unknown'
  const who = `'${name}' of '${provider.id}'`
  if (price === 'unknown') return { ...asked, usdPerRequest: 'unknown', unknown: `the price of ${who} is unknown` }
  const usage = longestRequest(facts, text)
  const isFree = usdOf(price, { inputTokens: 1, outputTokens: 1 }) === 0
  if (isFree) return { ...asked, usdPerRequest: 0 }
  if (usage === undefined) return { ...asked, usdPerRequest: 'unknown', unknown: `how much ${who} takes is unknown` }
  return { ...asked, usdPerRequest: usdOf(price, usage) }
}

/**
 * The one that asks once more: it has the answer that was of the wrong form in it. Input and answer together fit into the
 * window; each is taken at its own most, so it may be a little less in truth.
 */
function longestRequest(facts: Candidate['facts'], text: StageText | undefined): Usage | undefined {
  const window = facts?.contextWindow
  const outputTokens = least(text?.outputTokens, facts?.maxOutputTokens ?? window)
  if (outputTokens === undefined) return undefined
  const asked = text?.inputTokens === undefined ? undefined : text.inputTokens + outputTokens + mendingTokens
  const inputTokens = least(asked, window)
  return inputTokens === undefined ? undefined : { inputTokens, outputTokens }
}

/** A budget of calls bounds money too: so many times the dearest request. */
function usdOfCalls(stages: readonly { readonly cost: StageCost }[], budget: Budget | undefined): number {
  if (budget?.calls === undefined) return Number.POSITIVE_INFINITY
  let dearest = 0
  for (const { usdPerRequest } of stages.flatMap(({ cost }) => cost.models)) {
    if (usdPerRequest === 'unknown') return Number.POSITIVE_INFINITY
    dearest = Math.max(dearest, usdPerRequest)
  }
  return dearest * budget.calls
}

function assumptionsOf(
  stages: readonly { readonly name: string; readonly cost: StageCost }[],
  byPrices: number | 'unknown',
  { endless, guessedItems }: { endless: boolean; guessedItems: readonly string[] },
): string[] {
  if (byPrices === 0) return []
  const unknown = stages.flatMap(({ cost }) => cost.models.flatMap(model => model.unknown ?? []))
  return [
    ...(endless ? ['its machine may start a stage any number of times: only a budget bounds it'] : []),
    ...new Set(unknown),
    'each start of a stage makes one model call for each place in its code that asks, of the tier of its task: a loop around it, functions that ask for it, and child runs come on top and are held by the budget alone',
    ...guessedItems.map(name => `'${name}' is counted with the most items that a map may have`),
  ]
}

/** Nothing times without end is nothing. */
const endlessOf = (stages: readonly { readonly cost: StageCost }[]): 0 | 'unknown' =>
  stages.every(({ cost }) => cost.usd === 0) ? 0 : 'unknown'

function sumOf(amounts: readonly (number | 'unknown')[]): number | 'unknown' {
  let sum = 0
  for (const amount of amounts) {
    if (amount === 'unknown') return 'unknown'
    sum += amount
  }
  return sum
}

const times = (amount: number | 'unknown', factor: number): number | 'unknown' =>
  amount === 'unknown' ? 'unknown' : amount * factor

/** Without the crumbs that sums of fractions leave. */
const tidy = (amount: number | 'unknown'): number | 'unknown' =>
  amount === 'unknown' ? amount : Number(amount.toPrecision(12))

const least = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined ? b : b === undefined ? a : Math.min(a, b)

const lower = (amount: number | 'unknown', limit: number | undefined): number | 'unknown' =>
  limit === undefined ? amount : amount === 'unknown' ? limit : Math.min(amount, limit)
