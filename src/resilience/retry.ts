/**
 * Attempts of one thing until it succeeds or the policy says no: each under its own time limit, all of them with the
 * waits between under one deadline, each through the circuit where there is one. It does not reject: how it ended, and
 * by which rule, is its result.
 */
import { TimeoutError } from '../errors.ts'
import type { Clock } from '../time/clock.ts'
import type { Random } from '../time/random.ts'
import { type AttemptContext, attemptOnce, wait } from './attempt.ts'
import type { Circuit, CircuitPermit } from './circuit.ts'
import { type Classification, classifyError } from './classify.ts'
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
  readonly circuit?: Circuit | undefined
  /** Whether a failure speaks against what the circuit stands for. */
  readonly counts?: ((failure: Classification) => boolean) | undefined
  /** Attempts that were made before these, so that numbers go on. @default 0 */
  readonly attemptsBefore?: number | undefined
  /** Which provider it is, to classify by. */
  readonly provider?: string | undefined
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

interface Failed {
  readonly ok: false
  readonly error: unknown
  readonly failure: Classification
}

/** Tries until success or refusal. Never rejects. */
export async function retry<T>(
  fn: (context: AttemptContext) => T | Promise<T>,
  options: RetryOptions,
): Promise<RetryOutcome<T>> {
  const { clock, random, policy, circuit } = options
  const before = options.attemptsBefore ?? 0
  let previousMs: number | undefined
  let last: Failed | undefined
  for (let attempts = 1; ; attempts++) {
    const permit = circuit?.acquire()
    if (circuit && permit === undefined) return refusedBy(circuit, options, last, attempts - 1)
    const ended = await tryOnce(fn, options, before + attempts, permit)
    if (ended.ok) return { ...ended, attempts }
    last = ended
    const { error, failure } = ended
    const remainingMs = options.deadlineAt === undefined ? undefined : options.deadlineAt - clock.now()
    const exhausted = saysExhausted(error)
    const circuitOpen = circuit !== undefined && !circuit.isAvailable()
    const tried = { failures: attempts, unit: random(), previousMs, remainingMs, exhausted, circuitOpen }
    const decision: RetryDecision = decideRetry({ policy, failure, ...tried })
    report(options, { type: 'retry.decided', at: clock.now(), attempt: before + attempts, ...decision })
    if (!decision.retry) return { ok: false, error, failure, attempts, rule: decision.rule }
    previousMs = decision.delayMs
    try {
      await wait(clock, decision.delayMs, options.signal)
    } catch (cancelled) {
      const failure = classifyError(cancelled)
      return { ok: false, error: cancelled, failure, attempts, rule: 'kind_not_retried' }
    }
  }
}

async function tryOnce<T>(
  fn: (context: AttemptContext) => T | Promise<T>,
  options: RetryOptions,
  attempt: number,
  permit: CircuitPermit | undefined,
): Promise<{ readonly ok: true; readonly value: T } | Failed> {
  const { clock, signal } = options
  const startedAt = clock.now()
  const remainingMs = options.deadlineAt === undefined ? undefined : options.deadlineAt - startedAt
  if (remainingMs !== undefined && remainingMs <= 0) {
    permit?.release()
    const error = new TimeoutError(`${options.what} has no time left`, { remainingMs: 0 })
    return { ok: false, error, failure: classifyError(error) }
  }
  report(options, { type: 'attempt.started', at: startedAt, attempt })
  try {
    const limitMs = least(options.attemptMs, remainingMs)
    const value = await attemptOnce(fn, { clock, attempt, limitMs, what: options.what, signal })
    permit?.success()
    const at = clock.now()
    report(options, { type: 'attempt.succeeded', at, attempt, durationMs: at - startedAt })
    return { ok: true, value }
  } catch (error) {
    const at = clock.now()
    const aborted = signal?.aborted === true
    const failure = classifyError(error, { provider: options.provider, aborted, nowMs: at })
    const counts = options.counts ?? countsAlways
    if (failure.kind !== 'cancelled' && counts(failure)) permit?.failure()
    else permit?.release()
    report(options, { type: 'attempt.failed', at, attempt, durationMs: at - startedAt, failure })
    return { ok: false, error, failure }
  }
}

/** A fault of the request itself says nothing of the other side. */
const countsAlways = (failure: Classification): boolean => failure.scope !== 'request'

/** What failed before the refusal tells more than the refusal. */
function refusedBy<T>(
  circuit: Circuit,
  options: RetryOptions,
  last: Failed | undefined,
  attempts: number,
): RetryOutcome<T> {
  const remainingMs = circuit.remainingMs()
  const event = { type: 'attempt.refused', at: options.clock.now(), circuit: circuit.name } as const
  report(options, remainingMs === undefined ? event : { ...event, remainingMs })
  if (last) return { ...last, attempts, rule: 'circuit_open' }
  const error = circuit.refusal()
  return { ok: false, error, failure: classifyError(error), attempts, rule: 'circuit_open' }
}

function report(options: RetryOptions, event: AttemptEvent): void {
  try {
    options.onEvent?.(event)
  } catch {
    // A listener's fault must not fail what is reported.
  }
}

function least(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return Math.min(a, b)
}
