/**
 * What calls cost, booked twice in one commit: in the counters of the run, and in the ledger entry of the call, where it
 * adds up over all its attempts and answers, those too that were thrown away. The entries of a run sum up to its
 * counters. An amount that makes no sense is unknown, and counted as odd.
 */
import type { ModelAnswer, Tier, Usage } from '../../providers/provider.ts'
import type { ModelCatalogue } from '../../resilience/model-catalogue.ts'
import type { Counters } from '../run/counters.ts'

/** What one ledger entry has cost until now. */
export interface CallSpend {
  readonly usd: number
  readonly wastedUsd: number
  readonly inputTokens: number
  readonly outputTokens: number
  /** Answers whose cost nobody knows. */
  readonly unpriced: number
}

export const noSpend: CallSpend = { usd: 0, wastedUsd: 0, inputTokens: 0, outputTokens: 0, unpriced: 0 }

/** An answer that is paid for, and who gave it. */
export interface PaidAnswer {
  readonly answer: ModelAnswer
  readonly provider: string
  readonly cost: number | 'unknown'
}

/** Models with their tier, beside what routing knows of them. */
export interface PricedCatalogue extends ModelCatalogue {
  list(): readonly {
    readonly provider: string
    readonly model: string
    readonly tier: Tier
    readonly offered: boolean
    readonly price: unknown
  }[]
}

/** No call costs as much: it is a mistake of whoever told it. */
const absurdUsd = 1000

const isAmount = (usd: number): boolean => Number.isFinite(usd) && usd >= 0
const tokens = (count: number | undefined): number => (count !== undefined && isAmount(count) ? count : 0)

/** Adds an answer to the counters, and gives what its ledger entry has cost with it. */
export function bookAnswer(
  counters: Counters,
  before: CallSpend,
  { answer, provider, cost }: PaidAnswer,
  wasted: boolean,
  catalogue: PricedCatalogue,
): CallSpend {
  const inputTokens = tokens(answer.usage?.inputTokens)
  const outputTokens = tokens(answer.usage?.outputTokens)
  const known = cost !== 'unknown' && isAmount(cost)
  const usd = known ? cost : 0
  counters.inputTokens += inputTokens
  counters.outputTokens += outputTokens
  counters.usd += usd
  if (wasted) counters.wastedUsd += usd
  if (!known) counters.unpricedCalls++
  if ((cost !== 'unknown' && !isAmount(cost)) || usd > absurdUsd) counters.oddCosts++
  const baseline = baselineOf(provider, { inputTokens, outputTokens }, catalogue)
  if (baseline !== undefined) counters.baselineUsd += baseline
  else if (usd > 0 || !known) counters.unknownBaselines++
  return {
    usd: before.usd + usd,
    wastedUsd: before.wastedUsd + (wasted ? usd : 0),
    inputTokens: before.inputTokens + inputTokens,
    outputTokens: before.outputTokens + outputTokens,
    unpriced: before.unpriced + (known ? 0 : 1),
  }
}

/** The same tokens at a premium model: of the provider that answered, else of the first that offers one. */
function baselineOf(provider: string, usage: Usage, catalogue: PricedCatalogue): number | undefined {
  const premium = catalogue.list().filter(({ tier, price }) => tier === 'premium' && price !== 'unknown')
  const model =
    premium.find(other => other.provider === provider && other.offered) ??
    premium.find(other => other.offered) ??
    premium.find(other => other.provider === provider)
  if (model === undefined) return undefined
  const usd = catalogue.priceOf(model.provider, model.model, usage)
  return usd === 'unknown' ? undefined : usd
}
