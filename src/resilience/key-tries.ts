/**
 * The tries of one call at one candidate with one key: through the circuits of whoever may be to blame, each with leave
 * where a budget is kept, and all that is told of them says who was asked. Most calls need one of these and no more, so it
 * is one object.
 */
import type { ModelAnswer, ModelRequest } from '../providers/provider.ts'
import type { RunningAttempt } from './attempt.ts'
import { type Admission, plannedAttempt } from './call-admission.ts'
import { AskContext, CallPolicy } from './call-asking.ts'
import { eventOf, type Target } from './call-events.ts'
import { type CallGate, createCallGate, type KeyRests } from './call-gate.ts'
import type { Candidate } from './candidates.ts'
import type { Classification } from './classify.ts'
import { askProvider } from './model-answer.ts'
import type { ModelCallOptions } from './model-call-terms.ts'
import { noCatalogue } from './model-catalogue.ts'
import type { RequestNeeds } from './request-needs.ts'
import { type AttemptEvent, type RetryOutcome, retry } from './retry.ts'
import type { RetryPolicy } from './retry-policy.ts'

/** The call that they belong to. */
export interface TriedCall {
  readonly request: ModelRequest
  readonly needs: RequestNeeds
  readonly options: ModelCallOptions
  readonly rests: KeyRests
  readonly deadlineAt: number
}

export interface Answered {
  readonly answer: ModelAnswer
  readonly admission: Admission | undefined
}

export class KeyTries {
  readonly target: Target
  readonly #call: TriedCall
  readonly #candidate: Candidate
  readonly #keyIndex: number
  readonly #gate: CallGate
  #admission: Admission | undefined
  /** Whether the attempt under way goes out: whoever was not asked is not to blame, however long the budget took. */
  #isAdmitted: boolean

  /** @param keyIndex from 0 */
  constructor(call: TriedCall, candidate: Candidate, keyIndex: number) {
    const { circuits, profile, admit } = call.options
    this.target = targetOf(candidate, keyIndex)
    this.#call = call
    this.#candidate = candidate
    this.#keyIndex = keyIndex
    this.#gate = createCallGate(
      circuits,
      { provider: candidate.provider, model: candidate.model, keyIndex },
      profile.circuit,
    )
    this.#isAdmitted = admit === undefined
  }

  /**
   * @param attemptsBefore of the whole call
   * @param hasNextKey whether another key may be asked after this one
   */
  async run(attemptsBefore: number, hasNextKey: boolean): Promise<RetryOutcome<Answered>> {
    const { options, deadlineAt } = this.#call
    const { clock, random, profile, signal, retryBudget, admit } = options
    const provider = this.#candidate.provider.id
    const ended = await retry<Answered>(attempt => this.#attempt(attempt), {
      policy: this.#policy(hasNextKey),
      clock,
      random,
      what: `an attempt at '${provider}'`,
      attemptMs: admit === undefined ? profile.timeout.attemptMs : undefined,
      deadlineAt,
      signal,
      circuit: this.#gate.circuit,
      budget: retryBudget,
      attemptsBefore,
      provider,
      onEvent: event => this.#note(event),
    })
    this.#gate.end()
    return ended
  }

  /** USD: as the provider told, else by the catalogue's price. */
  costOf({ cost, usage }: ModelAnswer): number | 'unknown' {
    if (cost !== undefined) return cost
    const { catalogue = noCatalogue, profile } = this.#call.options
    if (profile.local) return 0
    return usage === undefined ? 'unknown' : catalogue.priceOf(this.target.provider, this.target.model, usage)
  }

  #policy(hasNextKey: boolean): RetryPolicy {
    const { profile, sink } = this.#call.options
    const { on } = profile.retry
    // Another key need not wait until this one may be asked again.
    if (hasNextKey)
      return new CallPolicy(
        profile.retry,
        on.filter(kind => kind !== 'rate_limit'),
        sink,
      )
    return sink === undefined ? profile.retry : new CallPolicy(profile.retry, on, sink)
  }

  async #attempt(running: RunningAttempt): Promise<Answered> {
    const { request, needs, options } = this.#call
    const { provider, model, tier, facts } = this.#candidate
    if (options.admit !== undefined) {
      this.#admission = undefined
      this.#isAdmitted = false
      this.#admission = await options.admit(plannedAttempt(this.target, needs, facts), running)
      this.#isAdmitted = true
      // Where an attempt may have to wait for its budget, its time begins after that.
      running.limitTo(options.profile.timeout.attemptMs)
    }
    const admission = this.#admission
    const key = (provider.keyCount ?? 1) > 1 ? this.#keyIndex : undefined
    const context = new AskContext(running, options.idempotencyKey, key)
    const answer = await askProvider(provider, Object.assign({}, request, { model, tier }), context, options.sink)
    if (admission !== undefined && running.isStopped) admission.late(answer, this.costOf(answer))
    return { answer, admission }
  }

  #note(event: AttemptEvent): void {
    if (event.type === 'attempt.failed') {
      this.#admission?.settle()
      if (this.#isAdmitted) this.#blame(event.failure)
    }
    this.#call.options.onEvent?.(eventOf(event, this.target))
  }

  #blame(failure: Classification): void {
    const { rests, options } = this.#call
    this.#gate.blame(failure)
    if (failure.kind !== 'rate_limit' || failure.retryAfterMs === undefined) return
    rests.rest(this.target.provider, this.#keyIndex, options.clock.now() + failure.retryAfterMs)
  }
}

/** @param keyIndex from 0 */
export function targetOf({ provider, model = provider.id, tier }: Candidate, keyIndex: number): Target {
  const { id, keyCount = 1 } = provider
  return keyCount > 1 ? { provider: id, model, tier, key: keyIndex + 1 } : { provider: id, model, tier }
}
