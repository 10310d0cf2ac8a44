/**
 * One attempt under a time limit and the caller's signal, and the wait before the next. Both leave nothing behind: the
 * timer is cleared and the listener is taken off however they end. A function that answers before anything else could
 * happen, at once or in the same turn, needs neither; and the attempt's own signal is made when it is first asked for,
 * since most functions never ask.
 */
import { CancelledError, TimeoutError } from '../errors.ts'
import type { Clock, TimerHandle } from '../time/clock.ts'
import { formatMs } from '../time/duration.ts'
import { addAbortListener, removeAbortListener } from './abort-listeners.ts'
import { noLongerAtEndOfTurn, tellAtEndOfTurn } from './end-of-turn.ts'

/** What the function of an attempt is given. */
export interface AttemptContext {
  /** Aborted when the attempt times out or its caller cancels. */
  readonly signal: AbortSignal
  /** From 1. */
  readonly attempt: number
}

/** The same, as those see it who run it. */
export interface RunningAttempt extends AttemptContext {
  readonly isStopped: boolean
  /** From now on it has this much time and no more, unless less was left. */
  limitTo(limitMs: number): void
}

export interface AttemptLimits {
  readonly clock: Clock
  /** What took too long, for the message. */
  readonly what: string
  readonly signal?: AbortSignal | undefined
}

/** An attempt is its own context, listener and promise: one object a call, whose parts are made when they are needed. */
export class Attempt<T> implements RunningAttempt {
  readonly attempt: number
  readonly #limits: AttemptLimits
  /** Ms; Infinity: no limit. */
  #limitMs: number
  #timer: TimerHandle
  /** By the clock; where it is watched. */
  #dueAt = Number.POSITIVE_INFINITY
  #resolve: ((value: T | PromiseLike<T>) => void) | undefined
  #reject: ((error: unknown) => void) | undefined
  #controller: AbortController | undefined
  #reason: Error | undefined
  #isWatched = false
  #isOver = false

  constructor(attempt: number, limitMs: number, limits: AttemptLimits) {
    this.attempt = attempt
    this.#limitMs = limitMs
    this.#limits = limits
  }

  /** Whether it was given up: what its function still gives, nobody waits for. */
  get isStopped(): boolean {
    return this.#reason !== undefined
  }

  limitTo(limitMs: number): void {
    if (this.#isOver) return
    const { clock } = this.#limits
    if (!this.#isWatched) this.#limitMs = Math.min(this.#limitMs, limitMs)
    else if (clock.now() + limitMs < this.#dueAt) {
      if (this.#timer !== undefined) clock.clearTimeout(this.#timer)
      this.#limitMs = limitMs
      this.#setTimer()
    }
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#reason) this.#controller.abort(this.#reason)
    }
    return this.#controller.signal
  }

  /**
   * Runs `fn`. What it returns at once is returned at once.
   * @throws TimeoutError at the limit and CancelledError when the caller's signal aborts, though `fn` may still be
   * running; else what `fn` throws
   */
  run(fn: (context: RunningAttempt) => T | PromiseLike<T>): T | Promise<T> {
    const { signal } = this.#limits
    if (signal?.aborted) throw cancelledBy(signal)
    const returned = fn(this)
    return isThenable(returned) ? this.#within(returned) : returned
  }

  /** Called by the caller's signal when it aborts. */
  handleEvent(): void {
    this.#stop(cancelledBy(this.#limits.signal as AbortSignal))
  }

  #within(pending: PromiseLike<T>): Promise<T> {
    const { signal } = this.#limits
    const ended = new Promise<T>((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    // A function may have had its own caller's signal aborted.
    if (signal?.aborted) this.handleEvent()
    Promise.resolve(pending).then(
      value => this.#succeed(value),
      error => this.#fail(error),
    )
    if (!this.#isOver) tellAtEndOfTurn(this)
    return ended
  }

  /** Whoever has not answered by now is watched: by the clock, and by the caller's signal. */
  turnEnds(): void {
    const { signal } = this.#limits
    if (signal?.aborted) {
      this.handleEvent()
      return
    }
    if (this.#limitMs !== Number.POSITIVE_INFINITY) this.#setTimer()
    if (signal) addAbortListener(signal, this)
    this.#isWatched = true
  }

  #setTimer(): void {
    const { clock, what } = this.#limits
    const limitMs = this.#limitMs
    this.#dueAt = clock.now() + limitMs
    this.#timer = clock.setTimeout(() => this.#stop(tooLong(what, limitMs)), limitMs)
  }

  #succeed(value: T): void {
    if (this.#isOver) return
    const { signal } = this.#limits
    // It was cancelled before anybody watched.
    if (!this.#isWatched && signal?.aborted) this.handleEvent()
    else {
      this.#end()
      this.#resolve?.(value)
    }
  }

  #fail(error: unknown): void {
    if (this.#isOver) return
    this.#end()
    this.#reject?.(error)
  }

  #stop(error: Error): void {
    this.#reason = error
    this.#fail(error)
    this.#controller?.abort(error)
  }

  #end(): void {
    this.#isOver = true
    if (!this.#isWatched) {
      noLongerAtEndOfTurn(this)
      return
    }
    const { clock, signal } = this.#limits
    if (this.#timer !== undefined) clock.clearTimeout(this.#timer)
    this.#timer = undefined
    if (signal) removeAbortListener(signal, this)
  }
}

/** Waits on the clock. @throws CancelledError as soon as the signal aborts */
export function wait(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.reject(cancelledBy(signal))
  return new Promise((resolve, reject) => {
    const cancelled = {
      handleEvent() {
        clock.clearTimeout(timer)
        reject(cancelledBy(signal as AbortSignal))
      },
    }
    const timer = clock.setTimeout(() => {
      if (signal) removeAbortListener(signal, cancelled)
      resolve()
    }, delayMs)
    if (signal) addAbortListener(signal, cancelled)
  })
}

function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return (
    value !== null &&
    (typeof value === 'object' || typeof value === 'function') &&
    typeof (value as { then?: unknown }).then === 'function'
  )
}

function cancelledBy(signal: AbortSignal): CancelledError {
  return new CancelledError('the caller cancelled it', {}, { cause: signal.reason })
}

const tooLong = (what: string, limitMs: number): TimeoutError =>
  new TimeoutError(`${what} took longer than ${formatMs(limitMs)}`, { limitMs })
