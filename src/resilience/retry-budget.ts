/**
 * A retry budget: a bucket of tokens that many callers share, over providers and operations. Each call puts a part of a
 * token in, each retry takes one out, so retries stay a share of the calls however many fail: an outage is not
 * multiplied by the number of retries. A slow trickle lets rare callers retry too.
 */
import { z } from 'zod'
import { OptionsError } from '../errors.ts'
import { parseOptions } from '../options.ts'
import { type Clock, systemClock } from '../time/clock.ts'

export interface RetryBudgetOptions {
  /** Tokens that a call puts in: the share of retries among calls in the long run. @default 0.2 */
  readonly perCall?: number | undefined
  /** Tokens that come in by themselves each second. @default 1 */
  readonly perSecond?: number | undefined
  /** The most that it holds, and what it begins with. @default 100 */
  readonly capacity?: number | undefined
  /** @default the system clock */
  readonly clock?: Clock | undefined
}

export interface RetryBudget {
  /** Tokens that are there now. */
  readonly tokens: number
  /** Retries that were granted and refused so far. */
  readonly granted: number
  readonly refused: number
  /** A call begins. */
  deposit(): void
  /** Whether a retry may be made; takes its token. */
  withdraw(): boolean
}

const shape = z.strictObject({
  perCall: z.number().min(0).max(100).optional(),
  perSecond: z.number().min(0).optional(),
  capacity: z.number().min(1).optional(),
  clock: z.custom<Clock>(value => typeof value === 'object' && value !== null).optional(),
})

/** @throws OptionsError for an unknown option or a wrong value */
export function createRetryBudget(options: RetryBudgetOptions = {}): RetryBudget {
  const given = parseOptions(shape, options, 'createRetryBudget options')
  const { perCall = 0.2, perSecond = 1, capacity = 100, clock = systemClock } = given
  if (perCall === 0 && perSecond === 0) throw new OptionsError('createRetryBudget options: nothing would refill it')
  let tokens = capacity
  let refilledAt = clock.now()
  let granted = 0
  let refused = 0
  const refill = (): void => {
    const now = clock.now()
    tokens = Math.min(capacity, tokens + (Math.max(0, now - refilledAt) / 1000) * perSecond)
    refilledAt = now
  }
  return {
    get tokens() {
      refill()
      return tokens
    },
    get granted() {
      return granted
    },
    get refused() {
      return refused
    },
    deposit() {
      tokens = Math.min(capacity, tokens + perCall)
    },
    withdraw() {
      refill()
      if (tokens < 1) {
        refused++
        return false
      }
      tokens--
      granted++
      return true
    },
  }
}
