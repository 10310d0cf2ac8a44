/**
 * How a model call fails: with the failure that tells most, and with all that was tried; or because there was nobody to
 * ask.
 */
import { BudgetExceededError, CancelledError, CircuitOpenError, ProviderError, TimeoutError } from '../errors.ts'
import { formatMs } from '../time/duration.ts'
import type { Hop, Target } from './call-events.ts'
import { type Classification, classifyError } from './classify.ts'
import type { PieceSink } from './model-answer.ts'
import type { ResolvedProfile } from './profiles.ts'

/** A failure that a call may end with, and of whom. */
export interface LastFailure {
  readonly error: unknown
  readonly failure: Classification
  readonly target: Target
}

/** A refusal tells less than a failure before it, and what stays as it is less than what may pass: that can be waited for. */
export function tellsMore(later: Classification, earlier: Classification): boolean {
  return later.kind !== 'circuit_open' && (later.transient || !earlier.transient)
}

/** @param attempts over all hops */
export function callFailure(
  { error, failure, target }: LastFailure,
  attempts: number,
  hops: readonly Hop[],
  { profile, sink }: { readonly profile: ResolvedProfile; readonly sink?: PieceSink | undefined },
): Error {
  const { kind, scope, transient, action, retryAfterMs } = failure
  const details = {
    kind,
    scope,
    transient,
    action,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(target.provider === '' ? {} : { provider: target.provider, model: target.model }),
    attempts,
    hops,
    // Of a stream that broke in somebody's hand the attempts were not used up.
    ...(sink?.isCommitted === true ? {} : { attemptsExhausted: true }),
  }
  const cause = error === undefined ? {} : { cause: error }
  const tried = describeTries(hops, profile.timeout.callMs)
  if (kind === 'cancelled') return new CancelledError('the model call was cancelled', details, cause)
  if (kind === 'circuit_open') return new CircuitOpenError(failure.message, details, cause)
  if (kind === 'timeout') return new TimeoutError(`the model call ran out of time: ${tried}`, details, cause)
  if (kind === 'no_provider' && attempts === 0) return new ProviderError(failure.message, details, cause)
  return new ProviderError(`the model call failed (${kind}): ${failure.message}; ${tried}`, details, cause)
}

function describeTries(hops: readonly Hop[], callMs: number): string {
  const tries = hops.map(({ provider, key, attempts, kind }) => {
    const who = key === undefined ? `'${provider}'` : `'${provider}' key ${key}`
    return `${who} ${attempts} × ${kind ?? 'answered'}`
  })
  return `tried ${tries.join(', ')} within ${formatMs(callMs)}`
}

/** @param leftOut who was left out, and why */
export function nobodyToAsk(task: string, leftOut: readonly string[]): LastFailure {
  const why = leftOut.length === 0 ? 'there is none' : leftOut.join(', ')
  const message = `no provider can take the task '${task}': ${why}`
  const error = new ProviderError(message, { kind: 'no_provider' })
  return { error: undefined, failure: classifyError(error), target: { provider: '', model: '', tier: 'capable' } }
}

/** Nobody can keep to an amount of money with prices that nobody knows. */
export function unpricedRefusal(leftOut: readonly string[]): BudgetExceededError {
  return new BudgetExceededError(
    `a call without a known price is refused under a budget of money: ${leftOut.join(', ')}; set a price (0 is one) with createRuntime({ models: [{ provider, model, price: { inputUsdPerMTok, outputUsdPerMTok } }] }), or a budget of calls in its place`,
    { currency: 'usd', kind: 'unpriced' },
  )
}
