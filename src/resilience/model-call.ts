/**
 * One call to a model, from request to answer: the candidates that the profile allows, in turn, each with its keys in
 * turn; each tried by the profile's retry policy through the circuits of whoever may be to blame; all of it under one
 * deadline that attempts, waits and fallbacks share. Every attempt, decision and hop is reported as plain data, and what
 * fails says what was tried.
 */
import type { ModelRequest, Provider } from '../providers/provider.ts'
import type { Hop, ModelCallEvent, Target } from './call-events.ts'
import { callFailure, type LastFailure, nobodyToAsk, tellsMore, unpricedRefusal } from './call-failure.ts'
import { createKeyRests, isKeyOpen, isRouteOpen, type KeyRests, keysOf } from './call-gate.ts'
import { type Candidate, type Candidates, candidatesFor } from './candidates.ts'
import type { Classification } from './classify.ts'
import { type FallbackRule, nextRoute } from './fallback-route.ts'
import { type Answered, KeyTries, type TriedCall, targetOf } from './key-tries.ts'
import type { ModelCallOptions, ModelCallOutcome } from './model-call-terms.ts'
import type { RequestNeeds } from './request-needs.ts'
import type { RetryOutcome } from './retry.ts'

/**
 * Makes the call.
 * @throws ProviderError, TimeoutError, CircuitOpenError, BudgetExceededError or CancelledError; their details have `kind
 * scope transient action attempts hops` and a `retryAfterMs` where there is one, and `attemptsExhausted`: whoever is
 * above need not try the same again at once
 */
export async function callModel(request: ModelRequest, options: ModelCallOptions): Promise<ModelCallOutcome> {
  return new ModelCall(request, options).run()
}

type Tried = RetryOutcome<Answered> & { readonly tries: KeyTries }

class ModelCall implements TriedCall {
  readonly request: ModelRequest
  readonly options: ModelCallOptions
  readonly rests: KeyRests
  readonly deadlineAt: number
  readonly needs: RequestNeeds
  readonly #candidates: Candidates
  readonly #hops: Hop[] = []
  #attempts = 0

  constructor(request: ModelRequest, options: ModelCallOptions) {
    const { clock, profile, providers, circuits } = options
    this.request = request
    this.options = options
    this.rests = options.rests ?? createKeyRests()
    const ownDeadlineAt = clock.now() + profile.timeout.callMs
    this.deadlineAt = Math.min(ownDeadlineAt, options.deadlineAt ?? ownDeadlineAt)
    const { catalogue, capabilities, unpriced } = options
    const isAvailable = (provider: Provider, model: string | undefined): boolean =>
      isRouteOpen(circuits, provider, model)
    this.#candidates = candidatesFor(request, providers, profile, { catalogue, capabilities, unpriced, isAvailable })
    this.needs = this.#candidates.needs
  }

  async run(): Promise<ModelCallOutcome> {
    const { inOrder, leftOut, refusedUnpriced } = this.#candidates
    let [candidate, ...left] = inOrder as readonly Candidate[]
    let last: LastFailure | undefined
    while (candidate !== undefined) {
      const ended = await this.#tryCandidate(candidate)
      if (ended.ok) return this.#succeeded(candidate, ended.tries, ended.value)
      const { error, failure } = ended
      const { target } = ended.tries
      if (failure.type === 'budget') throw error
      if (last === undefined || tellsMore(failure, last.failure)) last = { error, failure, target }
      const next = this.#mayFallBack(failure) ? nextRoute(left, candidate, failure) : undefined
      if (next) this.#fallBack(target, failure, targetOf(next.candidate, 0), next.rule)
      candidate = next?.candidate
      left = [...(next?.left ?? [])]
    }
    if (last === undefined && refusedUnpriced) throw unpricedRefusal(leftOut)
    throw this.#failed(last ?? nobodyToAsk(this.request.task, leftOut))
  }

  /** Tries a candidate with one key after another: a key that is at fault says nothing of the next. */
  async #tryCandidate(candidate: Candidate): Promise<Tried> {
    const keys = this.#keysInOrder(candidate.provider)
    for (let at = 0; ; at++) {
      const hasNext = at + 1 < keys.length
      const tries = new KeyTries(this, candidate, keys[at] ?? 0)
      const ended = await tries.run(this.#attempts, hasNext)
      this.#remember(ended, tries.target)
      if (ended.ok || !hasNext || ended.failure.scope !== 'key' || !this.#mayFallBack(ended.failure)) {
        return Object.assign(ended, { tries })
      }
      this.#fallBack(tries.target, ended.failure, targetOf(candidate, keys[at + 1] as number), 'next_key')
    }
  }

  /** Keys that neither rest nor are refused come first. */
  #keysInOrder(provider: Provider): readonly number[] {
    const { circuits } = this.options
    const keys = keysOf(provider)
    if (keys.length === 1) return keys
    const now = this.#now()
    const restMs = (key: number): number => Math.max(0, this.rests.until(provider.id, key) - now)
    const isOpen = (key: number): number => (isKeyOpen(circuits, provider, key) ? 0 : 1)
    return [...keys].sort((a, b) => isOpen(a) - isOpen(b) || restMs(a) - restMs(b) || a - b)
  }

  #remember(ended: RetryOutcome<Answered>, target: Target): void {
    const { attempts } = ended
    this.#attempts += attempts
    if (ended.ok) this.#hops.push(Object.assign({}, target, { attempts, outcome: 'answered' as const }))
    else {
      const { kind, message } = ended.failure
      const outcome = kind === 'circuit_open' ? 'refused' : 'failed'
      this.#hops.push({ ...target, attempts, outcome, kind, message })
    }
  }

  /** Whether another candidate could do better at what went wrong, and whether there is time for it. */
  #mayFallBack(failure: Classification): boolean {
    if (failure.kind === 'cancelled' || failure.type === 'budget') return false
    if (this.options.sink?.isCommitted === true || this.deadlineAt - this.#now() <= 0) return false
    if (failure.kind === 'unknown') return !this.options.profile.failFast
    return failure.action !== 'fail'
  }

  #fallBack(from: Target, { kind }: Classification, next: Target, rule: FallbackRule): void {
    this.#report({ type: 'fallback.decided', at: this.#now(), from, kind, rule, ...next })
  }

  #succeeded(candidate: Candidate, tries: KeyTries, { answer, admission }: Answered): ModelCallOutcome {
    const attempts = this.#attempts
    const hops = this.#hops
    this.#report({ type: 'call.succeeded', at: this.#now(), attempts, hops })
    const { provider, tier } = tries.target
    const cost = tries.costOf(answer)
    const model = answer.model ?? tries.target.model
    return { answer, provider, model, tier, cost, attempts, hops, degraded: candidate.degraded, admission }
  }

  #failed(last: LastFailure): Error {
    const attempts = this.#attempts
    const hops = this.#hops
    this.#report({ type: 'call.failed', at: this.#now(), attempts, hops, kind: last.failure.kind })
    return callFailure(last, attempts, hops, this.options)
  }

  #now(): number {
    return this.options.clock.now()
  }

  #report(event: ModelCallEvent): void {
    try {
      this.options.onEvent?.(event)
    } catch {
      // A listener's fault must not fail the call that it listens to.
    }
  }
}
