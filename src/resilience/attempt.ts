/**
 * One attempt under a time limit and the caller's signal, and the wait before the next. Both leave nothing behind: the
 * timer is cleared and the listener is taken off however they end. The attempt's own signal is made when it is first
 * asked for, since most functions never ask.
 */
import { CancelledError, TimeoutError } from '../errors.ts'
import type { Clock } from '../time/clock.ts'
import { formatMs } from '../time/duration.ts'

/** What the function of an attempt is given. */
export interface AttemptContext {
  /** Aborted when the attempt times out or its caller cancels. */
  readonly signal: AbortSignal
  /** From 1. */
  readonly attempt: number
}

export interface AttemptLimits {
  readonly clock: Clock
  readonly attempt: number
  /** Ms; absent: no limit. */
  readonly limitMs?: number | undefined
  /** What took too long, for the message. */
  readonly what: string
  readonly signal?: AbortSignal | undefined
}

/**
 * Runs `fn` once.
 * @throws TimeoutError at the limit and CancelledError when the caller's signal aborts, though `fn` may still be running;
 * else what `fn` throws
 */
export function attemptOnce<T>(fn: (context: AttemptContext) => T | Promise<T>, limits: AttemptLimits): Promise<T> {
  const { clock, signal, limitMs } = limits
  if (signal?.aborted) return Promise.reject(cancelledBy(signal))
  return new Promise<T>((resolve, reject) => {
    const context = new LazyContext(limits.attempt)
    const end = (): void => {
      if (timer !== undefined) clock.clearTimeout(timer)
      signal?.removeEventListener('abort', cancel)
    }
    const stop = (error: Error): void => {
      end()
      reject(error)
      context.abort(error)
    }
    const cancel = (): void => stop(cancelledBy(signal as AbortSignal))
    const timer =
      limitMs === undefined ? undefined : clock.setTimeout(() => stop(tooLong(limits.what, limitMs)), limitMs)
    signal?.addEventListener('abort', cancel, { once: true })
    const fail = (error: unknown): void => {
      end()
      reject(error)
    }
    try {
      Promise.resolve(fn(context)).then(value => {
        end()
        resolve(value)
      }, fail)
    } catch (error) {
      fail(error)
    }
  })
}

/** Waits on the clock. @throws CancelledError as soon as the signal aborts */
export function wait(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.reject(cancelledBy(signal))
  return new Promise((resolve, reject) => {
    const cancel = (): void => {
      clock.clearTimeout(timer)
      reject(cancelledBy(signal as AbortSignal))
    }
    const timer = clock.setTimeout(() => {
      signal?.removeEventListener('abort', cancel)
      resolve()
    }, delayMs)
    signal?.addEventListener('abort', cancel, { once: true })
  })
}

function cancelledBy(signal: AbortSignal): CancelledError {
  return new CancelledError('the caller cancelled it', {}, { cause: signal.reason })
}

const tooLong = (what: string, limitMs: number): TimeoutError =>
  new TimeoutError(`${what} took longer than ${formatMs(limitMs)}`, { limitMs })

class LazyContext implements AttemptContext {
  readonly attempt: number
  #controller: AbortController | undefined
  #reason: Error | undefined

  constructor(attempt: number) {
    this.attempt = attempt
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#reason) this.#controller.abort(this.#reason)
    }
    return this.#controller.signal
  }

  abort(reason: Error): void {
    this.#reason = reason
    this.#controller?.abort(reason)
  }
}
