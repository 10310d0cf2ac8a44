/**
 * The static bound: how often a stage can be tried, restarted and parked at the very most, from its profile alone, before
 * anything has started. It holds as long as the stage makes no progress; what it gets done gives restarts back only when
 * their period has passed. Deaths of the process are not failures of a stage and are not in it. Pure.
 */
import { answerTo, type Causes } from '../../resilience/causes.ts'
import { type FailureKind, failureKinds, kindTable } from '../../resilience/kinds.ts'
import type { StageRules } from '../stage/stage-rules.ts'

/** The most that can happen to one stage, or to each item of a map. */
export interface StageBound {
  /** Attempts, the first and those after a remedy included. */
  readonly attempts: number
  readonly retries: number
  readonly restarts: number
  /** Waits for a cause to pass; each runs the function once more within the same attempt. */
  readonly waits: number
  /** Starts of the function: attempts and waits. */
  readonly executions: number
}

/** At most so many items has a map. */
export const mostItems = 10_000

export function stageBound({ policy, profile }: Pick<StageRules, 'policy' | 'profile'>): StageBound {
  const answers = answersOf(profile.causes)
  const isTransient = policy.restart === 'transient'
  const restarts = isTransient && (answers.has('restart') || answers.has('change_plan')) ? policy.intensity : 0
  const perIncarnation = policy.retryOn.length === 0 ? 0 : policy.maxRetries
  const retries = perIncarnation * (1 + restarts)
  // Each restart may be for another failure, after which waits in a row are counted anew.
  const waits = isTransient && answers.has('wait') ? policy.livelockAfter * (1 + restarts) : 0
  const attempts = 1 + retries + restarts + policy.remedies.length
  return { attempts, retries, restarts, waits, executions: attempts + waits }
}

function answersOf(causes: Causes): ReadonlySet<string> {
  return new Set(failureKinds.map((kind: FailureKind) => answerTo({ type: kindTable[kind].type, kind }, causes)))
}

export interface BoundedStage {
  readonly bound: StageBound
  /** How many of it there may be: 1, or the items of a map. */
  readonly count: number
}

/** The most over all stages; `restartBudget` is what the budget of the run allows. */
export function totalBound(stages: readonly BoundedStage[], restartBudget = Number.POSITIVE_INFINITY): StageBound {
  const most = { retries: 0, restarts: 0, waits: 0, attempts: 0 }
  let left = restartBudget
  // The budget is spent at its worst on the stages whose restarts bring the most retries and waits.
  const worstFirst = [...stages].sort((a, b) => perRestart(b.bound).weight - perRestart(a.bound).weight)
  for (const { bound, count } of worstFirst) {
    const { retries, waits } = perRestart(bound)
    const restarts = Math.min(left, bound.restarts * count)
    left -= restarts
    most.restarts += restarts
    most.retries += retries * (count + restarts)
    most.waits += waits * (count + restarts)
    most.attempts += (bound.attempts - bound.retries - bound.restarts) * count + restarts + retries * (count + restarts)
  }
  return { ...most, executions: most.attempts + most.waits }
}

/** Retries and waits that each incarnation brings. */
function perRestart({ retries, restarts, waits }: StageBound): { retries: number; waits: number; weight: number } {
  const incarnations = 1 + restarts
  const each = { retries: retries / incarnations, waits: waits / incarnations }
  return { ...each, weight: each.retries + each.waits }
}
