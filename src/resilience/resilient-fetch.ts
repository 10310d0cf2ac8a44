/**
 * `fetch` with a circuit for each origin and retries by the operation `http.fetch`. It resolves and rejects as `fetch`
 * does: a status is no error, so when the retries are used up the last response is the answer. What may have an effect
 * twice is not sent twice: methods that are not idempotent, unless one says so, and bodies that can be read only once.
 */
import { z } from 'zod'
import { parseOptions } from '../options.ts'
import { type Clock, systemClock } from '../time/clock.ts'
import { type Duration, toMs } from '../time/duration.ts'
import { type Random, systemRandom } from '../time/random.ts'
import type { AttemptContext } from './attempt.ts'
import type { Circuit, CircuitReport } from './circuit.ts'
import { type CircuitOptions, type CircuitPreset, type CircuitSettings, resolveCircuit } from './circuit-options.ts'
import type { Classification } from './classify.ts'
import { createResolvedCircuit } from './create-circuit.ts'
import { createOperationMetrics, figuresOf, type OperationFigures, type OperationMetrics } from './operation-metrics.ts'
import { policyOf } from './operations.ts'
import { type ProfileReference, profileOf } from './profile-choice.ts'
import { linkBody, type RequestFacts, requestFacts } from './request-facts.ts'
import { type AttemptEvent, retry } from './retry.ts'
import type { RetryBudget } from './retry-budget.ts'

export interface ResilientFetchOptions {
  /** @default globalThis.fetch */
  readonly fetch?: typeof globalThis.fetch | undefined
  /** Which kinds of failure are retried, and the time of a call. @default 'balanced' */
  readonly profile?: ProfileReference | undefined
  /** Of each origin. @default 'default' */
  readonly circuit?: CircuitOptions | CircuitPreset | undefined
  /** Until an attempt has its response's head; the body is not timed. @default the profile's, 60 s */
  readonly timeout?: Duration | undefined
  /** Repeats POST and PATCH too. A request with an `Idempotency-Key` header may be repeated anyway. @default false */
  readonly idempotent?: boolean | undefined
  readonly retryBudget?: RetryBudget | undefined
  readonly metrics?: OperationMetrics | undefined
  /** @default the system clock */
  readonly clock?: Clock | undefined
  /** @default Math.random */
  readonly random?: Random | undefined
  readonly onEvent?: ((event: FetchEvent) => void) | undefined
}

export type FetchEvent = (AttemptEvent & { readonly origin: string }) | CircuitReport

/** What one request may have otherwise. */
export type RequestOptions = Pick<ResilientFetchOptions, 'timeout' | 'idempotent'>

export interface ResilientFetch {
  /**
   * @throws what `fetch` threw last; TimeoutError, CircuitOpenError, or CancelledError when the caller's signal aborted
   */
  (input: string | URL | Request, init?: RequestInit, options?: RequestOptions): Promise<Response>
  /** Of the origins that were asked lately, 1000 at most. */
  circuits(): readonly Circuit[]
  metrics(): OperationFigures
}

const fn = <T>(name: string) => z.custom<T>(value => typeof value === 'function', { error: `${name}: no function` })
const plain = <T>() => z.custom<T>(value => typeof value === 'object' && value !== null)
const requestShape = {
  timeout: z.custom<Duration>(value => typeof value === 'number' || typeof value === 'string').optional(),
  idempotent: z.boolean().optional(),
}
const perRequest = z.strictObject(requestShape)
const optionsShape = z.strictObject({
  ...requestShape,
  fetch: fn<typeof globalThis.fetch>('fetch').optional(),
  profile: z.custom<ProfileReference>(() => true).optional(),
  circuit: z.custom<CircuitOptions | CircuitPreset>(() => true).optional(),
  retryBudget: plain<RetryBudget>().optional(),
  metrics: plain<OperationMetrics>().optional(),
  clock: plain<Clock>().optional(),
  random: fn<Random>('random').optional(),
  onEvent: fn<(event: FetchEvent) => void>('onEvent').optional(),
})

const operation = 'http.fetch'

/**
 * A `fetch` that remembers: the circuits are its own. Called with a request it makes that one request instead, without
 * circuits, for there is nothing that could remember them.
 * @throws OptionsError for an unknown option or a wrong value
 */
export function resilientFetch(options?: ResilientFetchOptions): ResilientFetch
export function resilientFetch(
  input: string | URL | Request,
  init?: RequestInit,
  options?: ResilientFetchOptions,
): Promise<Response>
export function resilientFetch(
  first?: ResilientFetchOptions | string | URL | Request,
  init?: RequestInit,
  options?: ResilientFetchOptions,
): ResilientFetch | Promise<Response> {
  if (typeof first === 'string' || first instanceof URL || first instanceof Request) {
    return new OriginFetch(options ?? {}).call(first, init)
  }
  const shared = new OriginFetch(first ?? {})
  return Object.assign(
    (input: string | URL | Request, requestInit?: RequestInit, requestOptions?: RequestOptions) =>
      shared.call(input, requestInit, requestOptions),
    { circuits: () => shared.circuits(), metrics: () => shared.metrics() },
  )
}

/** Beyond so many origins, those that are well and were not asked for the longest time are forgotten. */
const mostOrigins = 1000

class OriginFetch {
  readonly #given: z.output<typeof optionsShape>
  readonly #clock: Clock
  readonly #settings: CircuitSettings
  readonly #circuits = new Map<string, Circuit>()
  readonly #metrics: OperationMetrics

  constructor(options: ResilientFetchOptions) {
    this.#given = parseOptions(optionsShape, options, 'resilientFetch options')
    this.#clock = this.#given.clock ?? systemClock
    this.#settings = resolveCircuit(this.#given.circuit, profileOf(this.#given.profile ?? 'balanced').circuit)
    this.#metrics = this.#given.metrics ?? createOperationMetrics()
    attemptMsOf(this.#given, 0)
  }

  circuits(): readonly Circuit[] {
    return [...this.#circuits.values()]
  }

  metrics(): OperationFigures {
    return figuresOf(operation, this.#metrics.of(operation))
  }

  async call(input: string | URL | Request, init?: RequestInit, options?: RequestOptions): Promise<Response> {
    const own = options === undefined ? {} : parseOptions(perRequest, options, 'options of a request')
    const request = requestFacts(input, init)
    const { origin } = request
    if (origin === undefined) return this.#fetch(input, init)
    const { random = systemRandom, onEvent, retryBudget } = this.#given
    const profile = profileOf(this.#given.profile ?? 'balanced')
    const policy = policyOf(operation, profile.retry)
    const repeatable = !request.readOnce && (request.idempotent || (own.idempotent ?? this.#given.idempotent ?? false))
    const attempts = new ResponseAttempts(request, (given, more) => this.#fetch(given, more))
    const ended = await retry(attempt => attempts.next(input, init, attempt), {
      policy: repeatable ? policy : { ...policy, max: 0 },
      clock: this.#clock,
      random,
      what: `${request.method} ${origin}`,
      attemptMs: attemptMsOf(own, attemptMsOf(this.#given, profile.timeout.attemptMs)),
      deadlineAt: this.#clock.now() + profile.timeout.callMs,
      signal: request.signal,
      circuit: this.#circuitOf(origin),
      speaksAgainst: speaksAgainstOrigin,
      budget: retryBudget,
      counts: this.#metrics.of(operation),
      onEvent: onEvent && (event => onEvent({ ...event, origin })),
    })
    return attempts.answer(ended)
  }

  #fetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
    return (this.#given.fetch ?? globalThis.fetch)(input, init)
  }

  #circuitOf(origin: string): Circuit {
    const { onEvent } = this.#given
    const circuit =
      this.#circuits.get(origin) ??
      createResolvedCircuit(origin, this.#settings, { clock: this.#clock, onEvent: report => onEvent?.(report) })
    // Set anew, it is the last of the map: the first are those not asked for the longest time.
    this.#circuits.delete(origin)
    this.#circuits.set(origin, circuit)
    if (this.#circuits.size > mostOrigins) this.#forgetOne()
    return circuit
  }

  #forgetOne(): void {
    for (const [origin, circuit] of this.#circuits) {
      if (circuit.state === 'closed' && circuit.failureCount === 0) {
        this.#circuits.delete(origin)
        return
      }
    }
  }
}

const attemptMsOf = ({ timeout }: RequestOptions, otherwise: number): number =>
  timeout === undefined ? otherwise : toMs(timeout, 'timeout')

/** A limited key or a request of the wrong form is no fault of the origin. */
const speaksAgainstOrigin = ({ scope }: Classification): boolean => scope === 'provider' || scope === 'network'

/** A response that is a failure, in the form that `classifyError` reads. */
class FailedResponse extends Error {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>

  constructor({ status, headers }: Response) {
    super(`the answer has status ${status}`)
    this.status = status
    this.headers = Object.fromEntries(headers)
  }
}

const isFailure = (status: number): boolean => status >= 500 || status === 429 || status === 408 || status === 425

/** The attempts of one request: each lets go of the response before it. */
class ResponseAttempts {
  readonly #request: RequestFacts
  readonly #fetch: (input: string | URL | Request, init: RequestInit) => Promise<Response>
  #failed: Response | undefined

  constructor(request: RequestFacts, fetch: (input: string | URL | Request, init: RequestInit) => Promise<Response>) {
    this.#request = request
    this.#fetch = fetch
  }

  async next(
    input: string | URL | Request,
    init: RequestInit | undefined,
    { signal }: AttemptContext,
  ): Promise<Response> {
    this.#letGo()
    // Not the signal of the attempt itself: that one is no longer linked when the body is read.
    const controller = new AbortController()
    signal.addEventListener('abort', () => controller.abort(signal.reason), { once: true })
    const response = await this.#fetch(input, { ...init, signal: controller.signal })
    if (signal.aborted) {
      // It came after its time, from a fetch that does not heed its signal; another attempt may be under way.
      response.body?.cancel().catch(() => undefined)
      throw signal.reason
    }
    const linked = linkBody(response, this.#request.signal, controller)
    if (!isFailure(response.status)) return linked
    this.#failed = linked
    throw new FailedResponse(response)
  }

  answer(ended: { ok: true; value: Response } | { ok: false; error: unknown }): Response {
    if (ended.ok) return ended.value
    if (this.#failed && ended.error instanceof FailedResponse) return this.#failed
    this.#letGo()
    throw ended.error
  }

  /** An unread body would hold its connection. */
  #letGo(): void {
    this.#failed?.body?.cancel().catch(() => undefined)
    this.#failed = undefined
  }
}
