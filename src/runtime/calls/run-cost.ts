/**
 * The cost of a run, as its counters tell it: the total, what of it was wasted, what the same tokens would have cost at
 * the premium model of the task, and whatever makes these figures doubtful. What is unknown is said to be.
 */
import type { RunCost } from '../api.ts'
import type { Counters } from '../run/counters.ts'

/** @param kept counters as they were written, maybe by an older version */
export function costOf(kept: Partial<Counters>): RunCost {
  const { calls = 0, unpricedCalls = 0, usd = 0, baselineUsd = 0, unknownBaselines = 0 } = kept
  const total = unpricedCalls > 0 ? 'unknown' : usd
  const baseline = unknownBaselines > 0 || unpricedCalls > 0 ? 'unknown' : baselineUsd
  const saved = total === 'unknown' || baseline === 'unknown' ? 'unknown' : baseline - total
  const percent = saved === 'unknown' || baseline === 'unknown' ? 'unknown' : baseline === 0 ? 0 : saved / baseline
  return {
    usd: total,
    inputTokens: kept.inputTokens ?? 0,
    outputTokens: kept.outputTokens ?? 0,
    calls,
    unpricedCalls,
    cachedCalls: kept.cachedCalls ?? 0,
    replayedCalls: kept.replayedCalls ?? 0,
    wastedUsd: kept.wastedUsd ?? 0,
    baselineUsd: baseline,
    savedUsd: saved,
    savingsPercent: percent === 'unknown' ? percent : Math.round(percent * 10_000) / 100,
    warnings: warningsOf(kept, saved),
  }
}

function warningsOf(kept: Partial<Counters>, saved: number | 'unknown'): string[] {
  const { calls = 0, unpricedCalls = 0, usd = 0, baselineUsd = 0, unknownBaselines = 0 } = kept
  const { oddCosts = 0, unknownCalls = 0 } = kept
  const warnings: string[] = []
  if (unpricedCalls > 0) {
    warnings.push(
      `${unpricedCalls} of ${calls} calls have no price, so the total is unknown; set one with createRuntime({ models })`,
    )
  }
  if (unknownCalls > 0) {
    warnings.push(
      `${unknownCalls} calls were under way when their process died: they may have been charged and are not in it`,
    )
  }
  if (oddCosts > 0)
    warnings.push(`${oddCosts} calls came with a cost that makes no sense (negative, no number, or absurd)`)
  if (unknownBaselines > 0 && unpricedCalls === 0) {
    warnings.push('no premium model has a known price, so there is no baseline to compare with')
  }
  if (saved !== 'unknown' && baselineUsd === 0 && usd > 0) {
    warnings.push('the baseline is zero though the calls cost something')
  } else if (saved !== 'unknown' && saved < 0) {
    warnings.push('the calls cost more than the same tokens at the premium model')
  }
  return warnings
}
