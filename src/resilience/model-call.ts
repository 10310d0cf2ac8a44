/**
 * One call to a model, from request to answer: the candidates that the profile allows, in turn, each with its keys in
 * turn; each tried by the profile's retry policy through the circuits of whoever may be to blame; all of it under one
 * deadline that attempts, waits and fallbacks share. Every attempt, decision and hop is reported as plain data, and what
 * fails says what was tried.
 */
import type { ModelAnswer, ModelRequest, Provider, Tier } from '../providers/provider.ts'
import type { Clock } from '../time/clock.ts'
import type { Random } from '../time/random.ts'
import type { AttemptContext, RunningAttempt } from './attempt.ts'
import { type Admission, type PlannedAttempt, plannedAttempt } from './call-admission.ts'
import { AskContext, CallPolicy } from './call-asking.ts'
import type { Hop, ModelCallEvent, Target } from './call-events.ts'
import { callFailure, type LastFailure, nobodyToAsk, tellsMore, unpricedRefusal } from './call-failure.ts'
import {
  type CallGate,
  createCallGate,
  createKeyRests,
  isKeyOpen,
  isRouteOpen,
  type KeyRests,
  keysOf,
} from './call-gate.ts'
import { type Candidate, candidatesFor } from './candidates.ts'
import type { Circuits } from './circuits.ts'
import type { Classification } from './classify.ts'
import { type FallbackRule, nextRoute } from './fallback-route.ts'
import { askProvider, type PieceSink } from './model-answer.ts'
import { type ModelCatalogue, noCatalogue } from './model-catalogue.ts'
import type { ResolvedProfile } from './profiles.ts'
import { type CapabilityName, needsOf } from './request-needs.ts'
import { type RetryOutcome, retry } from './retry.ts'
import type { RetryBudget } from './retry-budget.ts'

export interface ModelCallOptions {
  /** In the order of preference. */
  readonly providers: readonly Provider[]
  readonly profile: ResolvedProfile
  readonly circuits: Circuits
  readonly clock: Clock
  readonly random: Random
  /** What is known of the models. @default nothing */
  readonly catalogue?: ModelCatalogue | undefined
  /** Which keys rest; shared with other calls. @default known to this call alone */
  readonly rests?: KeyRests | undefined
  /** What the model must be able to do, beside what follows from the request. */
  readonly capabilities?: readonly CapabilityName[] | undefined
  /** Whether a model without a known price may be asked. @default true */
  readonly unpriced?: boolean | undefined
  readonly signal?: AbortSignal | undefined
  /** Shared with other calls, over all providers: their retries are a share of their calls. @default none */
  readonly retryBudget?: RetryBudget | undefined
  /** When it must be over though the profile would allow more, on the clock. */
  readonly deadlineAt?: number | undefined
  readonly idempotencyKey: string
  /** Asked before each attempt goes out. Its refusal, a BudgetExceededError, ends the call. */
  readonly admit?: ((attempt: PlannedAttempt, caller: AttemptContext) => Promise<Admission>) | undefined
  /** Takes the answer in pieces as they come. */
  readonly sink?: PieceSink | undefined
  /** Told of everything, in order; what it throws is dropped. */
  readonly onEvent?: ((event: ModelCallEvent) => void) | undefined
}

export interface ModelCallOutcome {
  readonly answer: ModelAnswer
  readonly provider: string
  readonly model: string
  readonly tier: Tier
  /** USD: as the provider told, else by the catalogue's price. */
  readonly cost: number | 'unknown'
  /** Over all candidates. */
  readonly attempts: number
  readonly hops: readonly Hop[]
  /** Whether it came from a lower tier than was wanted, or from the offline provider. */
  readonly degraded: boolean
  /** Of the attempt that was answered: to be settled once its cost is booked. */
  readonly admission?: Admission | undefined
}

/**
 * Makes the call.
 * @throws ProviderError, TimeoutError, CircuitOpenError, BudgetExceededError or CancelledError; their details have `kind
 * scope transient action attempts hops` and a `retryAfterMs` where there is one, and `attemptsExhausted`: whoever is
 * above need not try the same again at once
 */
export async function callModel(request: ModelRequest, options: ModelCallOptions): Promise<ModelCallOutcome> {
  return new ModelCall(request, options).run()
}

interface Answered {
  readonly answer: ModelAnswer
  readonly admission: Admission | undefined
}

type Tried = RetryOutcome<Answered> & { readonly target: Target }

class ModelCall {
  readonly #request: ModelRequest
  readonly #options: ModelCallOptions
  readonly #rests: KeyRests
  readonly #deadlineAt: number
  readonly #hops: Hop[] = []
  #attempts = 0

  constructor(request: ModelRequest, options: ModelCallOptions) {
    this.#request = request
    this.#options = options
    this.#rests = options.rests ?? createKeyRests()
    const ownDeadlineAt = options.clock.now() + options.profile.timeout.callMs
    this.#deadlineAt = Math.min(ownDeadlineAt, options.deadlineAt ?? ownDeadlineAt)
  }

  async run(): Promise<ModelCallOutcome> {
    const { providers, profile, catalogue, capabilities, circuits, unpriced } = this.#options
    const isAvailable = (provider: Provider, model: string | undefined): boolean =>
      isRouteOpen(circuits, provider, model)
    const sources = { catalogue, capabilities, unpriced, isAvailable }
    const { inOrder, leftOut, refusedUnpriced } = candidatesFor(this.#request, providers, profile, sources)
    let [candidate, ...left] = inOrder as readonly Candidate[]
    let last: LastFailure | undefined
    while (candidate !== undefined) {
      const ended = await this.#tryCandidate(candidate)
      if (ended.ok) return this.#succeeded(candidate, ended.target, ended.value)
      if (ended.failure.type === 'budget') throw ended.error
      if (last === undefined || tellsMore(ended.failure, last.failure)) last = ended
      const next = this.#mayFallBack(ended.failure) ? nextRoute(left, candidate, ended.failure) : undefined
      if (next) this.#fallBack(ended, targetOf(next.candidate, 0), next.rule)
      candidate = next?.candidate
      left = [...(next?.left ?? [])]
    }
    if (last === undefined && refusedUnpriced) throw unpricedRefusal(leftOut)
    throw this.#failed(last ?? nobodyToAsk(this.#request.task, leftOut))
  }

  /** Tries a candidate with one key after another: a key that is at fault says nothing of the next. */
  async #tryCandidate(candidate: Candidate): Promise<Tried> {
    const keys = this.#keysInOrder(candidate.provider)
    for (let at = 0; ; at++) {
      const keyIndex = keys[at] ?? 0
      const target = targetOf(candidate, keyIndex)
      const hasNext = at + 1 < keys.length
      const ended = await this.#tryKey(candidate, target, keyIndex, hasNext)
      if (ended.ok || !hasNext || ended.failure.scope !== 'key' || !this.#mayFallBack(ended.failure)) {
        return { ...ended, target }
      }
      this.#fallBack({ ...ended, target }, targetOf(candidate, keys[at + 1] as number), 'next_key')
    }
  }

  /** Keys that neither rest nor are refused come first. */
  #keysInOrder(provider: Provider): readonly number[] {
    const { circuits } = this.#options
    const now = this.#now()
    const restMs = (key: number): number => Math.max(0, this.#rests.until(provider.id, key) - now)
    const isOpen = (key: number): number => (isKeyOpen(circuits, provider, key) ? 0 : 1)
    return [...keysOf(provider)].sort((a, b) => isOpen(a) - isOpen(b) || restMs(a) - restMs(b) || a - b)
  }

  async #tryKey(
    candidate: Candidate,
    target: Target,
    keyIndex: number,
    hasNextKey: boolean,
  ): Promise<RetryOutcome<Answered>> {
    const { clock, random, profile, circuits, signal, sink, retryBudget } = this.#options
    const { provider, model } = candidate
    const gate = createCallGate(circuits, { provider, model, keyIndex }, profile.circuit)
    const { on } = profile.retry
    let admission: Admission | undefined
    let isAdmitted = false
    const ended = await retry<Answered>(
      async attempt => {
        if (this.#options.admit === undefined) return this.#ask(candidate, keyIndex, attempt)
        admission = undefined
        isAdmitted = false
        const needs = needsOf(this.#request, this.#options.capabilities)
        admission = await this.#options.admit(plannedAttempt(target, needs, candidate.facts), attempt)
        isAdmitted = true
        // Where an attempt may have to wait for its budget, its time begins after that.
        attempt.limitTo(profile.timeout.attemptMs)
        return this.#ask(candidate, keyIndex, attempt, admission)
      },
      {
        // Another key need not wait until this one may be asked again.
        policy: new CallPolicy(profile.retry, hasNextKey ? on.filter(kind => kind !== 'rate_limit') : on, sink),
        clock,
        random,
        what: `an attempt at '${provider.id}'`,
        ...(this.#options.admit === undefined ? { attemptMs: profile.timeout.attemptMs } : {}),
        deadlineAt: this.#deadlineAt,
        signal,
        circuit: gate.circuit,
        budget: retryBudget,
        attemptsBefore: this.#attempts,
        provider: provider.id,
        onEvent: event => {
          if (event.type === 'attempt.failed') {
            admission?.settle()
            // Whoever was not asked is not to blame, however long the budget let the call wait.
            if (isAdmitted || this.#options.admit === undefined) this.#blame(gate, provider, keyIndex, event.failure)
          }
          if (this.#options.onEvent) this.#report({ ...event, ...target })
        },
      },
    )
    gate.end()
    this.#remember(ended, target)
    return ended
  }

  #blame(gate: CallGate, provider: Provider, keyIndex: number, failure: Classification): void {
    gate.blame(failure)
    if (failure.kind !== 'rate_limit' || failure.retryAfterMs === undefined) return
    this.#rests.rest(provider.id, keyIndex, this.#now() + failure.retryAfterMs)
  }

  #remember(ended: RetryOutcome<Answered>, target: Target): void {
    const { attempts } = ended
    this.#attempts += attempts
    if (ended.ok) this.#hops.push({ ...target, attempts, outcome: 'answered' })
    else {
      const { kind, message } = ended.failure
      const outcome = kind === 'circuit_open' ? 'refused' : 'failed'
      this.#hops.push({ ...target, attempts, outcome, kind, message })
    }
  }

  async #ask(
    candidate: Candidate,
    keyIndex: number,
    running: RunningAttempt,
    admission?: Admission,
  ): Promise<Answered> {
    const { provider, model, tier } = candidate
    const key = (provider.keyCount ?? 1) > 1 ? keyIndex : undefined
    const context = new AskContext(running, this.#options.idempotencyKey, key)
    const answer = await askProvider(provider, { ...this.#request, model, tier }, context, this.#options.sink)
    if (admission !== undefined && running.isStopped) {
      admission.late(answer, this.#costOf(answer, targetOf(candidate, keyIndex)))
    }
    return { answer, admission }
  }

  /** Whether another candidate could do better at what went wrong, and whether there is time for it. */
  #mayFallBack(failure: Classification): boolean {
    if (failure.kind === 'cancelled' || failure.type === 'budget') return false
    if (this.#options.sink?.isCommitted === true || this.#deadlineAt - this.#now() <= 0) return false
    if (failure.kind === 'unknown') return !this.#options.profile.failFast
    return failure.action !== 'fail'
  }

  #fallBack({ failure, target }: { failure: Classification; target: Target }, next: Target, rule: FallbackRule): void {
    const { kind } = failure
    this.#report({ type: 'fallback.decided', at: this.#now(), from: target, kind, rule, ...next })
  }

  #succeeded(candidate: Candidate, target: Target, { answer, admission }: Answered): ModelCallOutcome {
    const attempts = this.#attempts
    const hops = this.#hops
    this.#report({ type: 'call.succeeded', at: this.#now(), attempts, hops })
    const { provider, tier } = target
    const cost = this.#costOf(answer, target)
    const model = answer.model ?? target.model
    const outcome = { answer, provider, model, tier, cost, attempts, hops, degraded: candidate.degraded }
    return admission === undefined ? outcome : { ...outcome, admission }
  }

  #costOf({ cost, usage }: ModelAnswer, { provider, model }: Target): number | 'unknown' {
    if (cost !== undefined) return cost
    const { catalogue = noCatalogue, profile } = this.#options
    if (profile.local) return 0
    return usage === undefined ? 'unknown' : catalogue.priceOf(provider, model, usage)
  }

  #failed(last: LastFailure): Error {
    const attempts = this.#attempts
    const hops = this.#hops
    this.#report({ type: 'call.failed', at: this.#now(), attempts, hops, kind: last.failure.kind })
    return callFailure(last, attempts, hops, this.#options)
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

const targetOf = ({ provider, model, tier }: Candidate, keyIndex: number): Target => ({
  provider: provider.id,
  model: model ?? provider.id,
  tier,
  ...((provider.keyCount ?? 1) > 1 ? { key: keyIndex + 1 } : {}),
})
