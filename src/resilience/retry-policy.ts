/**
 * Whether to try again, and when: a pure function of the policy, the failure and what has been tried, so that the same
 * decision can be explained and replayed. A stage, a model call and a plain function decide by it alike.
 */
import { type Backoff, backoffDelayMs } from '../time/backoff.ts'
import type { Classification } from './classify.ts'
import { readField } from './hostile-fields.ts'
import { type FailureKind, kindTable } from './kinds.ts'

export interface RetryPolicy {
  /** Tries after the first attempt. */
  readonly max: number
  readonly on: readonly FailureKind[]
  readonly backoff: Backoff
}

export interface RetryFacts {
  readonly policy: RetryPolicy
  readonly failure: Classification
  /** Failed attempts so far, this one included; from 1. */
  readonly failures: number
  /** Chance in [0, 1), for the jitter. */
  readonly unit: number
  /** The last delay, for decorrelated backoff. */
  readonly previousMs?: number | undefined
  /** Until the deadline; absent: there is none. */
  readonly remainingMs?: number | undefined
  /** Whether a call inside has already used up its own attempts at this very failure. */
  readonly exhausted?: boolean | undefined
  /** Whether the circuit would refuse the next attempt. */
  readonly circuitOpen?: boolean | undefined
}

export type RetryRule =
  | 'attempts_left'
  | 'exhausted_inside'
  | 'kind_not_retried'
  | 'permanent'
  | 'attempts_used_up'
  | 'circuit_open'
  | 'retry_budget'
  | 'hint_beyond_deadline'
  | 'deadline'

export type RetryDecision =
  | { readonly retry: true; readonly rule: 'attempts_left'; readonly delayMs: number }
  | { readonly retry: false; readonly rule: Exclude<RetryRule, 'attempts_left'> }

const refuse = (rule: Exclude<RetryRule, 'attempts_left'>): RetryDecision => ({ retry: false, rule })

/** The rule that decided is part of the decision. A hint of the other side replaces the backoff. */
export function decideRetry(facts: RetryFacts): RetryDecision {
  const { policy, failure, failures, remainingMs } = facts
  if (facts.exhausted === true) return refuse('exhausted_inside')
  if (!policy.on.includes(failure.kind)) return refuse('kind_not_retried')
  // A kind that may pass, of which the service itself says that this one will not.
  if (!failure.transient && kindTable[failure.kind].transient) return refuse('permanent')
  if (failures > policy.max) return refuse('attempts_used_up')
  if (facts.circuitOpen === true) return refuse('circuit_open')
  const hinted = (failure.retryAfterMs ?? 0) > 0
  const delayMs = hinted
    ? Math.ceil(failure.retryAfterMs as number)
    : backoffDelayMs(policy.backoff, failures - 1, facts.unit, facts.previousMs)
  if (remainingMs !== undefined && delayMs >= remainingMs) return refuse(hinted ? 'hint_beyond_deadline' : 'deadline')
  return { retry: true, rule: 'attempts_left', delayMs }
}

const deepestCause = 4

/** Whether an error, or what caused it, says that the attempts inside are used up: `details.attemptsExhausted`. */
export function saysExhausted(error: unknown): boolean {
  let current = error
  for (let depth = 0; depth < deepestCause && current !== undefined && current !== null; depth++) {
    if (readField(readField(current, 'details'), 'attemptsExhausted') === true) return true
    current = readField(current, 'cause')
  }
  return false
}
