/**
 * What one call hands down with each of its attempts: the retry policy that holds as long as nobody has been given a piece
 * of an answer, and what the provider is told beside the request. Both are made for every call, so they are classes.
 */
import type { CallContext } from '../providers/provider.ts'
import type { AttemptContext } from './attempt.ts'
import type { FailureKind } from './kinds.ts'
import type { PieceSink } from './model-answer.ts'
import type { RetryPolicy } from './retry-policy.ts'

/** The retry policy of the profile, as long as nobody has been given a piece of an answer: that cannot be taken back. */
export class CallPolicy implements RetryPolicy {
  readonly on: readonly FailureKind[]
  readonly backoff: RetryPolicy['backoff']
  readonly #max: number
  readonly #sink: PieceSink | undefined

  constructor({ max, backoff }: RetryPolicy, on: readonly FailureKind[], sink: PieceSink | undefined) {
    this.on = on
    this.backoff = backoff
    this.#max = max
    this.#sink = sink
  }

  get max(): number {
    return this.#sink?.isCommitted === true ? 0 : this.#max
  }
}

/** What a provider is given beside the request. The attempt makes its signal when a provider first asks for it. */
export class AskContext implements CallContext {
  readonly idempotencyKey: string
  readonly attempt: number
  readonly keyIndex: number | undefined
  readonly #running: AttemptContext

  constructor(running: AttemptContext, idempotencyKey: string, keyIndex: number | undefined) {
    this.#running = running
    this.idempotencyKey = idempotencyKey
    this.attempt = running.attempt
    this.keyIndex = keyIndex
  }

  get signal(): AbortSignal {
    return this.#running.signal
  }
}
