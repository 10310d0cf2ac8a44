/** The budget of a run: what it may still use, by what its counters say it has used. */

import { BudgetExceededError } from '../errors.ts'
import type { LiveStage } from './live.ts'

type Limits = {
  readonly usd?: number | undefined
  readonly tokens?: number | undefined
  readonly calls?: number | undefined
  readonly restarts?: number | undefined
}

/** The run's own budget, or else that of the stage's profile. @throws BudgetExceededError when one more call is too many */
export function ensureCallBudget({ run, profile, name }: LiveStage): void {
  const limits: Limits = run.options.budget ?? profile.budget ?? {}
  const { calls, inputTokens, outputTokens, usd, unpricedCalls } = run.memory.counters
  refuseAt(name, 'calls', calls, limits.calls)
  refuseAt(name, 'tokens', inputTokens + outputTokens, limits.tokens)
  refuseAt(name, 'usd', usd, limits.usd)
  if (limits.usd !== undefined && unpricedCalls > 0) {
    throw new BudgetExceededError(
      `stage '${name}' may not make another call: a call of this run has no known price, so its budget of ${limits.usd} USD cannot be kept; set a price, or a budget of calls`,
      { currency: 'usd', limit: limits.usd, spent: 'unknown' },
    )
  }
}

export function restartBudgetLeft({ run, profile }: LiveStage): boolean {
  const limits: Limits = run.options.budget ?? profile.budget ?? {}
  const limit = limits.restarts
  return limit === undefined || run.memory.counters.restarts < limit
}

function refuseAt(stage: string, currency: string, spent: number, limit: number | undefined): void {
  if (limit === undefined || spent < limit) return
  throw new BudgetExceededError(
    `stage '${stage}' may not make another call: ${spent} of ${limit} ${currency} are spent`,
    { currency, limit, spent },
  )
}
