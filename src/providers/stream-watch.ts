/**
 * Watches over a stream: the first content must come within one limit, and after any item the next within another, both
 * on an injected clock. Whatever ends it (its end, a limit, the caller's signal, a reader who has had enough), the timer,
 * the listener and the source are let go.
 */
import { TimeoutError } from '../errors.ts'
import type { Clock, TimerHandle } from '../time/clock.ts'
import { formatMs } from '../time/duration.ts'

export interface StreamLimits {
  /** Until the first piece of the answer, ms. */
  readonly firstTokenMs: number
  /** Between any two signs of life, ms. */
  readonly stallMs: number
}

export interface StreamWatch extends StreamLimits {
  readonly clock: Clock
  readonly signal: AbortSignal
  /** What is watched, for messages: `'openai' (gpt-5)`. */
  readonly what: string
  /** Lets go of the source: closes the connection. */
  stop(): void
}

/**
 * The items of the source, and what it returned.
 * @throws TimeoutError at a limit, the signal's reason when it aborts, else what the source throws
 */
export async function* watchStream<T, R>(
  open: () => Promise<AsyncGenerator<T, R>>,
  isContent: (item: T) => boolean,
  watch: StreamWatch,
): AsyncGenerator<T, R> {
  const { signal } = watch
  signal.throwIfAborted()
  const limits = new Limits(watch)
  let source: AsyncGenerator<T, R> | undefined
  try {
    limits.awaitFirst()
    source = await limits.race(open())
    let hasContent = false
    for (;;) {
      const next = await limits.race(source.next())
      if (next.done) return next.value
      hasContent ||= isContent(next.value)
      // The time that a slow reader takes is not the provider's.
      if (hasContent) limits.pause()
      yield next.value
      if (hasContent) limits.awaitNext()
    }
  } finally {
    limits.end()
    watch.stop()
    source?.return(undefined as R).catch(() => {})
  }
}

class Limits {
  readonly #watch: StreamWatch
  readonly #broken: Promise<never>
  #break: (reason: unknown) => void = () => {}
  #timer: TimerHandle
  readonly #cancel = (): void => this.#break(this.#watch.signal.reason)

  constructor(watch: StreamWatch) {
    this.#watch = watch
    this.#broken = new Promise<never>((_, reject) => {
      this.#break = reject
    })
    this.#broken.catch(() => {})
    watch.signal.addEventListener('abort', this.#cancel, { once: true })
  }

  awaitFirst(): void {
    const { firstTokenMs } = this.#watch
    this.#arm(firstTokenMs, `gave no first token within ${formatMs(firstTokenMs)}`)
  }

  awaitNext(): void {
    const { stallMs } = this.#watch
    this.#arm(stallMs, `stalled for ${formatMs(stallMs)} in the middle of its answer`)
  }

  pause(): void {
    this.#watch.clock.clearTimeout(this.#timer)
  }

  race<T>(work: Promise<T>): Promise<T> {
    work.catch(() => {})
    return Promise.race([work, this.#broken])
  }

  end(): void {
    this.pause()
    this.#watch.signal.removeEventListener('abort', this.#cancel)
  }

  #arm(limitMs: number, sentence: string): void {
    const { clock, what } = this.#watch
    this.pause()
    this.#timer = clock.setTimeout(() => {
      this.#break(new TimeoutError(`${what} ${sentence}`, { phase: 'stream', limitMs }))
    }, limitMs)
  }
}
