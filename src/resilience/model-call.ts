/**
 * One call to a model, from request to answer: the candidates that the profile allows, in turn; each tried by the
 * profile's retry policy through its provider's circuit; all of it under one deadline that attempts, waits and
 * fallbacks share. Every attempt, decision and hop is reported as plain data, and what fails says what was tried.
 */
import { CancelledError, CircuitOpenError, ProviderError, TimeoutError } from '../errors.ts'
import type { CallContext, ModelAnswer, ModelRequest, Provider, Tier } from '../providers/provider.ts'
import type { Clock } from '../time/clock.ts'
import { formatMs } from '../time/duration.ts'
import type { Random } from '../time/random.ts'
import type { AttemptContext } from './attempt.ts'
import { type Candidate, candidatesFor } from './candidates.ts'
import type { Circuits } from './circuits.ts'
import { type Classification, classifyError } from './classify.ts'
import { kindByFinish } from './failure-codes.ts'
import type { FailureKind } from './kinds.ts'
import type { ResolvedProfile } from './profiles.ts'
import { type AttemptEvent, type RetryOutcome, retry } from './retry.ts'
import type { RetryBudget } from './retry-budget.ts'

export interface ModelCallOptions {
  /** In the order of preference. */
  readonly providers: readonly Provider[]
  readonly profile: ResolvedProfile
  readonly circuits: Circuits
  readonly clock: Clock
  readonly random: Random
  readonly signal?: AbortSignal | undefined
  /** Shared with other calls, over all providers: their retries are a share of their calls. @default none */
  readonly retryBudget?: RetryBudget | undefined
  /** When it must be over though the profile would allow more, on the clock. */
  readonly deadlineAt?: number | undefined
  readonly idempotencyKey: string
  /** Told of everything, in order; what it throws is dropped. */
  readonly onEvent?: ((event: ModelCallEvent) => void) | undefined
}

interface Target {
  readonly provider: string
  readonly model: string
  readonly tier: Tier
}

/** What became of one candidate. */
export interface Hop extends Target {
  readonly attempts: number
  readonly outcome: 'answered' | 'failed' | 'refused'
  readonly kind?: FailureKind | undefined
  readonly message?: string | undefined
}

export type ModelCallEvent =
  | (AttemptEvent & Target)
  | ({
      readonly type: 'fallback.decided'
      readonly at: number
      readonly from: Target
      readonly kind: FailureKind
      readonly rule: 'next_candidate'
    } & Target)
  | { readonly type: 'call.succeeded'; readonly at: number; readonly attempts: number; readonly hops: readonly Hop[] }
  | {
      readonly type: 'call.failed'
      readonly at: number
      readonly attempts: number
      readonly hops: readonly Hop[]
      readonly kind: FailureKind
    }

export interface ModelCallOutcome {
  readonly answer: ModelAnswer
  readonly provider: string
  readonly model: string
  readonly tier: Tier
  /** Over all candidates. */
  readonly attempts: number
  readonly hops: readonly Hop[]
  /** Whether it came from a lower tier than was wanted, or from the offline provider. */
  readonly degraded: boolean
}

/**
 * Makes the call.
 * @throws ProviderError, TimeoutError, CircuitOpenError or CancelledError; their details have `kind scope transient
 * action attempts hops`, and `attemptsExhausted`: whoever is above need not try the same again at once
 */
export async function callModel(request: ModelRequest, options: ModelCallOptions): Promise<ModelCallOutcome> {
  return new ModelCall(request, options).run()
}

interface LastFailure {
  readonly error: unknown
  readonly failure: Classification
  readonly target: Target
}

class ModelCall {
  readonly #request: ModelRequest
  readonly #options: ModelCallOptions
  readonly #deadlineAt: number
  readonly #hops: Hop[] = []
  #attempts = 0

  constructor(request: ModelRequest, options: ModelCallOptions) {
    this.#request = request
    this.#options = options
    const ownDeadlineAt = options.clock.now() + options.profile.timeout.callMs
    this.#deadlineAt = Math.min(ownDeadlineAt, options.deadlineAt ?? ownDeadlineAt)
  }

  async run(): Promise<ModelCallOutcome> {
    const { providers, profile } = this.#options
    const { inOrder, leftOut } = candidatesFor(this.#request, providers, profile)
    const waiting = [...inOrder]
    let last: LastFailure | undefined
    for (let candidate = waiting.shift(); candidate !== undefined; ) {
      const target = targetOf(candidate)
      const ended = await this.#tryCandidate(candidate, target)
      if (ended.ok) return this.#succeeded(candidate, target, ended.value)
      // A refusal tells less than a failure that came before it.
      if (last === undefined || ended.failure.kind !== 'circuit_open') last = { ...ended, target }
      candidate = this.#mayFallBack(ended.failure) ? nextCandidate(waiting, candidate, ended.failure) : undefined
      if (candidate) {
        const { kind } = ended.failure
        const next = targetOf(candidate)
        this.#report({ type: 'fallback.decided', at: this.#now(), from: target, kind, rule: 'next_candidate', ...next })
      }
    }
    throw this.#failed(last ?? this.#nobody(leftOut))
  }

  async #tryCandidate(candidate: Candidate, target: Target): Promise<RetryOutcome<ModelAnswer>> {
    const { clock, random, profile, circuits, signal, retryBudget } = this.#options
    const { provider } = candidate
    const request: ModelRequest = { ...this.#request, model: candidate.model, tier: candidate.tier }
    const ended = await retry(attempt => this.#ask(provider, request, attempt), {
      policy: profile.retry,
      clock,
      random,
      what: `an attempt at '${provider.id}'`,
      attemptMs: profile.timeout.attemptMs,
      deadlineAt: this.#deadlineAt,
      signal,
      circuit: circuits.of(provider.id, profile.circuit),
      speaksAgainst: speaksAgainstProvider,
      budget: retryBudget,
      attemptsBefore: this.#attempts,
      provider: provider.id,
      onEvent: event => this.#report({ ...event, ...target }),
    })
    this.#attempts += ended.attempts
    const { attempts } = ended
    if (ended.ok) this.#hops.push({ ...target, attempts, outcome: 'answered' })
    else {
      const { kind, message } = ended.failure
      const outcome = kind === 'circuit_open' ? 'refused' : 'failed'
      this.#hops.push({ ...target, attempts, outcome, kind, message })
    }
    return ended
  }

  async #ask(provider: Provider, request: ModelRequest, attempt: AttemptContext): Promise<ModelAnswer> {
    const context: CallContext = {
      // Read only by providers that want it: the attempt makes its signal when first asked.
      get signal() {
        return attempt.signal
      },
      idempotencyKey: this.#options.idempotencyKey,
      attempt: attempt.attempt,
    }
    return checkedAnswer(provider, await provider.generate(request, context))
  }

  /** Whether another candidate could do better at what went wrong, and whether there is time for it. */
  #mayFallBack(failure: Classification): boolean {
    if (failure.kind === 'cancelled' || this.#deadlineAt - this.#now() <= 0) return false
    if (failure.kind === 'unknown') return !this.#options.profile.failFast
    return failure.action !== 'fail'
  }

  #succeeded(candidate: Candidate, target: Target, answer: ModelAnswer): ModelCallOutcome {
    const attempts = this.#attempts
    const hops = this.#hops
    this.#report({ type: 'call.succeeded', at: this.#now(), attempts, hops })
    const model = answer.model ?? target.model
    return { answer, ...target, model, attempts, hops, degraded: candidate.degraded }
  }

  #failed({ error, failure, target }: LastFailure): Error {
    const { kind, scope, transient, action, retryAfterMs } = failure
    const attempts = this.#attempts
    const hops = this.#hops
    this.#report({ type: 'call.failed', at: this.#now(), attempts, hops, kind })
    const details = {
      kind,
      scope,
      transient,
      action,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      ...(target.provider === '' ? {} : { provider: target.provider, model: target.model }),
      attempts,
      hops,
      attemptsExhausted: true,
    }
    const cause = error === undefined ? {} : { cause: error }
    const tried = this.#describeTries()
    if (kind === 'cancelled') return new CancelledError('the model call was cancelled', details, cause)
    if (kind === 'circuit_open') return new CircuitOpenError(failure.message, details, cause)
    if (kind === 'timeout') return new TimeoutError(`the model call ran out of time: ${tried}`, details, cause)
    if (kind === 'no_provider' && attempts === 0) return new ProviderError(failure.message, details, cause)
    return new ProviderError(`the model call failed (${kind}): ${failure.message}; ${tried}`, details, cause)
  }

  #describeTries(): string {
    const tries = this.#hops.map(({ provider, attempts, kind }) => `'${provider}' ${attempts} × ${kind ?? 'answered'}`)
    return `tried ${tries.join(', ')} within ${formatMs(this.#options.profile.timeout.callMs)}`
  }

  #nobody(leftOut: readonly string[]): LastFailure {
    const { task } = this.#request
    const why = leftOut.length === 0 ? 'there is none' : leftOut.join(', ')
    const message = `no provider can take the task '${task}': ${why}`
    const error = new ProviderError(message, { kind: 'no_provider' })
    return { error: undefined, failure: classifyError(error), target: { provider: '', model: '', tier: 'capable' } }
  }

  #now(): number {
    return this.#options.clock.now()
  }

  #report(event: ModelCallEvent): void {
    try {
      this.#options.onEvent?.(event)
    } catch {
      // A listener's fault must not fail the call that it listens to.
    }
  }
}

const targetOf = ({ provider, model, tier }: Candidate): Target => ({
  provider: provider.id,
  model: model ?? provider.id,
  tier,
})

/** The circuit of a provider stands for the provider and the way to it, not for one key, one model or one request. */
const speaksAgainstProvider = ({ scope }: Classification): boolean => scope === 'provider' || scope === 'network'

/** Another model of the same provider helps only where the model or the request was at fault. */
function nextCandidate(waiting: Candidate[], failed: Candidate, { scope }: Classification): Candidate | undefined {
  const sameProviderHelps = scope === 'model' || scope === 'request'
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    if (sameProviderHelps || next.provider !== failed.provider) return next
  }
  return undefined
}

const finishFailures: ReadonlySet<FailureKind> = new Set(['content_filter', 'context_length', 'stream_error'])

/** An answer that is none is a failure: not the port's form, a refusal, a stream that broke. */
function checkedAnswer(provider: Provider, answer: ModelAnswer): ModelAnswer {
  if (answer === null || typeof answer !== 'object' || typeof answer.text !== 'string') {
    throw new ProviderError(`provider '${provider.id}' gave no answer: an object with a text was expected`, {
      kind: 'invalid_response',
    })
  }
  const kind = answer.finishReason === undefined ? undefined : kindByFinish([answer.finishReason])
  if (kind !== undefined && finishFailures.has(kind)) {
    throw new ProviderError(`provider '${provider.id}' ended with '${answer.finishReason}'`, { kind })
  }
  return answer
}
