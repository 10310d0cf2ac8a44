/**
 * One model call of a stage that is recorded: written down as intended before it is made, as succeeded with its answer,
 * or as failed with what it cost. An answer that does not pass `schema` or `check` is recorded as failed, so it is never
 * given again; before that, one of the wrong form may be mended by asking once more, and an outage by an answer from
 * the cache.
 */
import { encodeError } from '../../errors.ts'
import type { ModelRequest } from '../../providers/provider.ts'
import { classifyError } from '../../resilience/classify.ts'
import type { PieceSink } from '../../resilience/model-answer.ts'
import type { ModelCallOutcome } from '../../resilience/model-call-terms.ts'
import type { GenerateResult } from '../../workflow/stage-context.ts'
import type { Attempt } from '../run/live.ts'
import { ledgerIdentity } from '../run/run-memory.ts'
import type { OutcomeAnswer } from '../stage/unknown-outcome.ts'
import {
  checkAnswer,
  checkToolCalls,
  isOfWrongForm,
  mendingRequest,
  type RecordedAnswer,
  resultOf,
} from './call-answer.ts'
import { CallEntry } from './call-entry.ts'
import type { CallOptions } from './call-request.ts'
import { CallTeller } from './call-teller.ts'
import { ModelAsking, type ModelCallParts } from './model-asking.ts'

export class RecordedCall {
  readonly #attempt: Attempt
  readonly #key: string
  readonly #request: ModelRequest
  readonly #options: CallOptions
  readonly #parts: ModelCallParts
  readonly #sink: PieceSink | undefined
  readonly #teller: CallTeller
  readonly #entry: CallEntry
  readonly #asking: ModelAsking

  constructor(
    attempt: Attempt,
    key: string,
    request: ModelRequest,
    options: CallOptions,
    parts: ModelCallParts,
    sink: PieceSink | undefined,
  ) {
    this.#attempt = attempt
    this.#key = key
    this.#request = request
    this.#options = options
    this.#parts = parts
    this.#sink = sink
    this.#teller = new CallTeller(attempt, key, request.task, parts.incidents)
    this.#entry = new CallEntry(attempt, key, parts.catalogue)
    this.#asking = new ModelAsking({ attempt, key, options, parts, sink, teller: this.#teller, entry: this.#entry })
  }

  async make(): Promise<GenerateResult<unknown>> {
    const { run, name } = this.#attempt.stage
    const identity = ledgerIdentity(name, this.#key)
    run.memory.callsUnderWay.add(identity)
    try {
      return await this.#make()
    } finally {
      run.memory.callsUnderWay.delete(identity)
    }
  }

  async #make(): Promise<GenerateResult<unknown>> {
    const { run } = this.#attempt.stage
    run.dispatch(() => {
      this.#entry.intend()
      this.#teller.journal('call.intended', { task: this.#request.task })
    })
    await this.#attempt.durable()
    let outcome: ModelCallOutcome
    try {
      outcome = await this.#asking.ask(this.#request)
    } catch (error) {
      this.#attempt.ensureCurrent()
      return this.#fromCache(error) ?? this.#fail(error)
    }
    this.#ensureWanted(outcome)
    let result: GenerateResult<unknown>
    try {
      result = this.#checked(outcome)
    } catch (error) {
      const mended = await this.#mend(outcome, error)
      return mended ?? this.#fail(error, outcome)
    }
    return this.#keep(outcome, result)
  }

  /** @throws CancelledError where the attempt of the stage has ended meanwhile: then the answer is paid for in vain */
  #ensureWanted(outcome: ModelCallOutcome): void {
    if (this.#attempt.over) this.#entry.bookLate(outcome)
    this.#attempt.ensureCurrent()
  }

  /** @throws ProviderError where it is not what was asked for; what the check throws */
  #checked(outcome: ModelCallOutcome): GenerateResult<unknown> {
    const { name } = this.#attempt.stage
    checkToolCalls(outcome.answer, this.#options, name)
    const result = resultOf(recordedOf(outcome), this.#options, name)
    checkAnswer(result, this.#options, name)
    return result
  }

  /** An operator found out what the answer was: its text, or its object as JSON. What it cost nobody knows. */
  async keepTold(told: OutcomeAnswer): Promise<GenerateResult<unknown>> {
    const { stage } = this.#attempt
    const value = 'value' in told ? told.value : undefined
    const text = typeof value === 'string' ? value : JSON.stringify(value ?? '')
    const from = { provider: 'operator', model: 'operator', tier: this.#options.tier ?? 'capable' } as const
    const recorded: RecordedAnswer = { answer: { text }, ...from, attempts: 1, degraded: false }
    const result = resultOf(recorded, this.#options, stage.name)
    stage.run.dispatch(() => {
      this.#entry.succeed(recorded)
      this.#teller.journal('call.succeeded', { ...from, told: true, cost: 'unknown' })
    })
    if (text !== '') this.#sink?.piece(text)
    await this.#attempt.durable()
    return result
  }

  /** Gives the answer once it is recorded. */
  async #keep(outcome: ModelCallOutcome, result: GenerateResult<unknown>): Promise<GenerateResult<unknown>> {
    const { stage } = this.#attempt
    const recorded = recordedOf(outcome)
    stage.run.dispatch(() => {
      this.#entry.book(outcome, false)
      this.#record(recorded, result, outcome.hops.length > 1 ? { hops: outcome.hops } : {})
      if (recorded.degraded) {
        const { provider } = recorded
        const reason = `'${provider}' answered in place of a better one`
        stage.run.degrade({ stage: stage.name, component: provider, reason })
      }
    })
    if (stage.profile.cache) this.#parts.cache.put(this.#request, recorded)
    await this.#attempt.durable()
    return result
  }

  /** Asks once more for an answer of the right form, of the one who gave the wrong one; undefined where that is no use. */
  async #mend(outcome: ModelCallOutcome, error: unknown): Promise<GenerateResult<unknown> | undefined> {
    const { run } = this.#attempt.stage
    const structured = this.#options.schema !== undefined || this.#options.tools !== undefined
    if (!isOfWrongForm(error) || !structured || this.#attempt.over || this.#sink?.isCommitted === true) return undefined
    run.dispatch(() => {
      this.#entry.book(outcome, true)
      this.#entry.intend()
      const { provider, model, tier } = outcome
      this.#teller.journal('call.attempted', {
        provider,
        model,
        tier,
        outcome: 'failed',
        kind: 'invalid_response',
        error: error.message,
      })
    })
    const request = mendingRequest({ ...this.#request, model: outcome.model }, outcome.answer, error.message)
    let second: ModelCallOutcome
    try {
      second = await this.#asking.ask(request)
    } catch (failed) {
      this.#attempt.ensureCurrent()
      // Nobody could be asked to mend it: what is wrong is the answer that there was.
      return this.#fail(classifyError(failed).type === 'budget' ? failed : error)
    }
    this.#ensureWanted(second)
    const whole = { ...second, attempts: outcome.attempts + second.attempts }
    let result: GenerateResult<unknown>
    try {
      result = this.#checked(whole)
    } catch (still) {
      return this.#fail(still, second)
    }
    return this.#keep(whole, result)
  }

  /** The last resort: an answer to the same question from before, where the profile allows it. */
  #fromCache(error: unknown): Promise<GenerateResult<unknown>> | undefined {
    const { stage } = this.#attempt
    const { run, profile } = stage
    const failure = classifyError(error)
    if (!profile.cache || this.#sink?.isCommitted === true || !isOutage(failure)) return undefined
    const cached = this.#parts.cache.get(this.#request)
    if (cached === undefined) return undefined
    const attempts = Number((error as { details?: { attempts?: number } }).details?.attempts ?? 0)
    const { usage: _usage, cost: _cost, ...answer } = cached.answer
    const recorded: RecordedAnswer = { ...cached, answer, attempts, degraded: true, cost: 0, cached: true }
    let result: GenerateResult<unknown>
    try {
      result = resultOf(recorded, this.#options, stage.name)
      checkAnswer(result, this.#options, stage.name)
    } catch {
      return undefined
    }
    run.dispatch(() => {
      run.memory.counters.cachedCalls++
      this.#record(recorded, result, { cached: true, kind: failure.kind })
      run.degrade({ stage: stage.name, component: 'providers', reason: 'Providers unavailable, using cached data' })
    })
    if (result.text !== '') this.#sink?.piece(result.text)
    return this.#attempt.durable().then(() => result)
  }

  /** Writes down that the call failed, with what it cost, and throws why. */
  async #fail(error: unknown, paid?: ModelCallOutcome): Promise<never> {
    const encoded = encodeError(error)
    const { run } = this.#attempt.stage
    run.dispatch(() => {
      if (paid) this.#entry.book(paid, true)
      this.#entry.fail(encoded)
      this.#teller.journal('call.failed', { kind: encoded.details?.kind ?? null, error: encoded })
    })
    this.#teller.count('failed', paid)
    await this.#attempt.durable()
    throw error
  }

  #record(recorded: RecordedAnswer, result: GenerateResult<unknown>, more: object): void {
    this.#entry.succeed(recorded)
    const { provider, model, tier, attempts } = recorded
    const { usage, cost } = result
    this.#teller.journal('call.succeeded', { provider, model, tier, attempts, usage, cost, ...more })
    this.#teller.count('succeeded', recorded)
  }
}

/** Whether the providers are at fault, or the way to them, and not what was asked. */
function isOutage({ kind, type, scope }: ReturnType<typeof classifyError>): boolean {
  if (type === 'budget' || kind === 'cancelled' || kind === 'unknown') return false
  return scope !== 'request' && scope !== 'local'
}

function recordedOf({ answer, provider, model, tier, cost, attempts, degraded }: ModelCallOutcome): RecordedAnswer {
  return { answer, provider, model, tier, cost, attempts, degraded }
}
