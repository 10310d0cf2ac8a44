/**
 * The budget of a run: what it and the child runs below it may still use. A call is reserved with the run and with every
 * run above it that has a budget; what it cost is counted for each of them in the same commit.
 */
import { BudgetExceededError } from '../../errors.ts'
import {
  BudgetAccount,
  type BudgetLevel,
  type BudgetLimits,
  type BudgetReservation,
  reserve,
} from '../../resilience/budget.ts'
import type { PlannedAttempt } from '../../resilience/call-admission.ts'
import type { LiveRun, LiveStage } from '../run/live.ts'

interface Limits extends BudgetLimits {
  readonly restarts?: number | undefined
}

/** A budget of the run's own counts before that of its stage's profile. */
const limitsOf = ({ run, profile }: LiveStage): Limits => run.options.budget ?? profile.budget ?? {}

/** Whether unpriced calls are refused: nobody can keep to an amount of money with prices that nobody knows. */
export function hasMoneyBudget(stage: LiveStage): boolean {
  return levelsOf(stage).some(({ limits }) => limits.usd !== undefined)
}

/** What an answer may take in tokens where its request does not say. */
const usualOutputTokens = 1024
const tokensPerPrice = 1_000_000

/** @throws BudgetExceededError where the run or one above it has not enough left */
export function reserveCall(
  stage: LiveStage,
  { inputTokens, outputTokens, maxOutputTokens, price }: PlannedAttempt,
  caller: { readonly signal: AbortSignal },
): Promise<BudgetReservation> {
  const levels = levelsOf(stage)
  refuseAfterUnpriced(stage, levels)
  const answered = outputTokens ?? Math.min(maxOutputTokens ?? usualOutputTokens, usualOutputTokens)
  const usd =
    price === 'unknown' ? 0 : (inputTokens * price.inputUsdPerMTok + answered * price.outputUsdPerMTok) / tokensPerPrice
  const isWorstCase = outputTokens !== undefined
  // What a provider tells only with its answer may be any amount; what is free is so however long the answer is.
  const isWorstUsd = price !== 'unknown' && (isWorstCase || usd === 0)
  const ask = { usd, tokens: inputTokens + answered, calls: 1, isWorstCase, isWorstUsd }
  return reserve(levels, ask, caller)
}

/** An answer without a cost, of a provider that was to tell it: from then on the amount that is spent is unknown. */
function refuseAfterUnpriced({ name, run }: LiveStage, levels: readonly BudgetLevel[]): void {
  const limit = levels.find(({ limits }) => limits.usd !== undefined)?.limits.usd
  if (limit === undefined || run.memory.counters.unpricedCalls === 0) return
  throw new BudgetExceededError(
    `stage '${name}' may not make another call: a call of this run has no known price, so its budget of ${limit} USD cannot be kept; set a price with createRuntime({ models }), or a budget of calls in its place`,
    { currency: 'usd', limit, spent: 'unknown' },
  )
}

export function restartBudgetLeft(stage: LiveStage): boolean {
  return restartLevels(stage).every(({ run, limit }) => {
    const { restarts, childRestarts } = run.memory.counters
    return limit === undefined || restarts + childRestarts < limit
  })
}

const restartLevels = (stage: LiveStage): { run: LiveRun; limit: number | undefined }[] => [
  { run: stage.run, limit: limitsOf(stage).restarts },
  ...ancestorsOf(stage.run).map(run => ({ run, limit: run.options.budget?.restarts })),
]

/** What a run has used is counted for every run above it, in the commit that holds it. */
export function countForAncestors(
  run: LiveRun,
  used: { usd?: number; tokens?: number; calls?: number; restarts?: number },
): void {
  for (const ancestor of ancestorsOf(run)) {
    ancestor.dispatch(() => {
      const { counters } = ancestor.memory
      counters.childUsd += used.usd ?? 0
      counters.childTokens += used.tokens ?? 0
      counters.childCalls += used.calls ?? 0
      counters.childRestarts += used.restarts ?? 0
    })
  }
}

function levelsOf(stage: LiveStage): BudgetLevel[] {
  const { run } = stage
  const own = { what: `stage '${stage.name}' of run ${run.id}`, limits: limitsOf(stage), account: accountOf(run) }
  const above = ancestorsOf(run).flatMap(ancestor => {
    const limits = ancestor.options.budget
    return limits === undefined ? [] : [{ what: `run ${ancestor.id}`, limits, account: accountOf(ancestor) }]
  })
  return [own, ...above]
}

function accountOf(run: LiveRun): BudgetAccount {
  run.account ??= new BudgetAccount(() => {
    const { calls, usd, inputTokens, outputTokens, childCalls, childUsd, childTokens } = run.memory.counters
    return { calls: calls + childCalls, usd: usd + childUsd, tokens: inputTokens + outputTokens + childTokens }
  })
  return run.account
}

/** The runs above it that are in memory, the nearest first. */
function ancestorsOf(run: LiveRun): LiveRun[] {
  const above: LiveRun[] = []
  for (let parent = parentOf(run); parent !== undefined; parent = parentOf(parent)) above.push(parent)
  return above
}

const parentOf = (run: LiveRun): LiveRun | undefined => run.spec.parent && run.services.findRun(run.spec.parent.runId)
