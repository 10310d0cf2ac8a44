/**
 * Attempts of one thing until it succeeds or the policy says no: each under its own time limit, all of them with the
 * waits between under one deadline, each through the circuit where there is one. It does not reject: how it ended, and
 * by which rule, is its result.
 */
import { TimeoutError } from '../errors.ts'
import type { Clock } from '../time/clock.ts'
import type { Random } from '../time/random.ts'
import { Attempt, type RunningAttempt, wait } from './attempt.ts'
import { speaksAgainstCallee } from './blame.ts'
import type { CircuitPermit, Gate } from './circuit.ts'
import { type Classification, classifyError } from './classify.ts'
import type { OperationCounts } from './operation-metrics.ts'
import type { RetryBudget } from './retry-budget.ts'
import { decideRetry, type RetryDecision, type RetryPolicy, type RetryRule, saysExhausted } from './retry-policy.ts'

export interface RetryOptions {
  readonly policy: RetryPolicy
  readonly clock: Clock
  readonly random: Random
  /** What is tried, for messages. */
  readonly what: string
  /** One attempt, ms; absent: no limit. */
  readonly attemptMs?: number | undefined
  /** When attempts and waits must be over, on the clock. */
  readonly deadlineAt?: number | undefined
  readonly signal?: AbortSignal | undefined
  readonly circuit?: Gate | undefined
  /** Whether a failure speaks against what the circuit stands for. @default all but faults of the request */
  readonly speaksAgainst?: ((failure: Classification) => boolean) | undefined
  /** Attempts that were made before these, so that numbers go on. @default 0 */
  readonly attemptsBefore?: number | undefined
  /** Which provider it is, to classify by. */
  readonly provider?: string | undefined
  /** Shared with others: a retry takes a token from it. */
  readonly budget?: RetryBudget | undefined
  /** Added to as it goes. */
  readonly counts?: OperationCounts | undefined
  readonly onEvent?: ((event: AttemptEvent) => void) | undefined
}

/** What is reported of attempts, as plain data. */
export type AttemptEvent =
  | { readonly type: 'attempt.started'; readonly at: number; readonly attempt: number }
  | { readonly type: 'attempt.succeeded'; readonly at: number; readonly attempt: number; readonly durationMs: number }
  | {
      readonly type: 'attempt.failed'
      readonly at: number
      readonly attempt: number
      readonly durationMs: number
      readonly failure: Classification
    }
  | { readonly type: 'attempt.refused'; readonly at: number; readonly circuit: string; readonly remainingMs?: number }
  | {
      readonly type: 'retry.decided'
      readonly at: number
      readonly attempt: number
      readonly retry: boolean
      readonly rule: RetryRule
      readonly delayMs?: number
    }

export type RetryOutcome<T> =
  | { readonly ok: true; readonly value: T; readonly attempts: number }
  | {
      readonly ok: false
      readonly error: unknown
      readonly failure: Classification
      readonly attempts: number
      readonly rule: RetryRule
    }

/** Tries until success or refusal. Never rejects. */
export function retry<T>(
  fn: (context: RunningAttempt) => T | PromiseLike<T>,
  options: RetryOptions,
): Promise<RetryOutcome<T>> {
  return new Tries(fn, options).run()
}

type Ended<T> = RetryOutcome<T> | undefined

class Tries<T> {
  readonly #fn: (context: RunningAttempt) => T | PromiseLike<T>
  readonly #options: RetryOptions
  #attempts = 0
  /** Until the deadline, by the time that has passed: a clock that is set back does not put it off. */
  #remainingMs: number
  #seenAt: number
  #previousMs: number | undefined
  #error: unknown
  #failure: Classification | undefined

  constructor(fn: (context: RunningAttempt) => T | PromiseLike<T>, options: RetryOptions) {
    this.#fn = fn
    this.#options = options
    this.#seenAt = options.clock.now()
    this.#remainingMs = options.deadlineAt === undefined ? Number.POSITIVE_INFINITY : options.deadlineAt - this.#seenAt
  }

  async run(): Promise<RetryOutcome<T>> {
    const { circuit, budget, counts } = this.#options
    budget?.deposit()
    if (counts) counts.calls++
    for (;;) {
      const permit = circuit?.acquire()
      if (circuit && permit === undefined) return this.#refusedBy(circuit)
      this.#attempts++
      if (this.#remainingMs <= 0) {
        permit?.release()
        const error = new TimeoutError(`${this.#options.what} has no time left`, { remainingMs: 0 })
        return this.#end(error, classifyError(error), 'deadline')
      }
      const startedAt = this.#began()
      try {
        const attempt = new Attempt<T>(this.#number(), this.#limitMs(), this.#options)
        const value = await attempt.run(this.#fn)
        permit?.success()
        this.#succeeded(startedAt)
        return { ok: true, value, attempts: this.#attempts }
      } catch (error) {
        const failure = this.#failed(error, startedAt, permit)
        const ended = await this.#waitOrEnd(error, failure)
        if (ended) return ended
      }
    }
  }

  #began(): number {
    const { counts, onEvent } = this.#options
    if (counts) counts.attempts++
    const at = this.#seenAt
    if (onEvent) this.#report({ type: 'attempt.started', at, attempt: this.#number() })
    return at
  }

  #succeeded(startedAt: number): void {
    const { counts, onEvent } = this.#options
    if (counts) counts.successes++
    if (!onEvent) return
    const at = this.#now()
    this.#report({ type: 'attempt.succeeded', at, attempt: this.#number(), durationMs: Math.max(0, at - startedAt) })
  }

  #failed(error: unknown, startedAt: number, permit: CircuitPermit | undefined): Classification {
    const { provider, signal, speaksAgainst = speaksAgainstCallee, counts } = this.#options
    const at = this.#now()
    const failure = classifyError(error, { provider, aborted: signal?.aborted === true, nowMs: at })
    if (failure.kind !== 'cancelled' && speaksAgainst(failure)) permit?.failure()
    else permit?.release()
    if (counts) counts.failures++
    const durationMs = Math.max(0, at - startedAt)
    this.#report({ type: 'attempt.failed', at, attempt: this.#number(), durationMs, failure })
    return failure
  }

  /** Waits for the next attempt, or says how it ended. */
  async #waitOrEnd(error: unknown, failure: Classification): Promise<Ended<T>> {
    const { clock, signal, counts } = this.#options
    const decision = this.#decide(error, failure)
    const attempt = this.#number()
    this.#report({ type: 'retry.decided', at: this.#seenAt, attempt, ...decision })
    if (!decision.retry) return this.#end(error, failure, decision.rule)
    this.#error = error
    this.#failure = failure
    this.#previousMs = decision.delayMs
    if (counts) {
      counts.retries++
      counts.totalDelayMs += decision.delayMs
    }
    try {
      await wait(clock, decision.delayMs, signal)
    } catch (cancelled) {
      return this.#end(cancelled, classifyError(cancelled), 'kind_not_retried')
    }
    this.#now()
    return undefined
  }

  #decide(error: unknown, failure: Classification): RetryDecision {
    const { policy, random, circuit, budget } = this.#options
    const decision = decideRetry({
      policy,
      failure,
      failures: this.#attempts,
      unit: random(),
      previousMs: this.#previousMs,
      remainingMs: this.#remainingMs,
      exhausted: saysExhausted(error),
      circuitOpen: circuit !== undefined && !circuit.isAvailable(),
    })
    if (!decision.retry || budget === undefined || budget.withdraw()) return decision
    return { retry: false, rule: 'retry_budget' }
  }

  /** What failed before the refusal tells more than the refusal. */
  #refusedBy(circuit: Gate): RetryOutcome<T> {
    const { counts } = this.#options
    if (counts) counts.refusals++
    const remainingMs = circuit.remainingMs()
    const event = { type: 'attempt.refused', at: this.#now(), circuit: circuit.name } as const
    this.#report(remainingMs === undefined ? event : { ...event, remainingMs })
    if (this.#failure) return this.#end(this.#error, this.#failure, 'circuit_open')
    const error = circuit.refusal()
    return this.#end(error, classifyError(error), 'circuit_open')
  }

  #end(error: unknown, failure: Classification, rule: RetryRule): RetryOutcome<T> {
    return { ok: false, error, failure, attempts: this.#attempts, rule }
  }

  #limitMs(): number {
    return Math.min(this.#options.attemptMs ?? Number.POSITIVE_INFINITY, this.#remainingMs)
  }

  #number(): number {
    return (this.#options.attemptsBefore ?? 0) + this.#attempts
  }

  /** The time; what has passed since it was last read is taken from what remains. */
  #now(): number {
    const now = this.#options.clock.now()
    this.#remainingMs -= Math.max(0, now - this.#seenAt)
    this.#seenAt = now
    return now
  }

  #report(event: AttemptEvent): void {
    try {
      this.#options.onEvent?.(event)
    } catch {
      // A listener's fault must not fail what is reported.
    }
  }
}
