/** Work of the user's beside the function of a stage (a fallback, a remedy, a compensation), for a bounded time. */
import { CancelledError, TimeoutError } from '../../errors.ts'
import { addAbortListener, removeAbortListener } from '../../resilience/abort-listeners.ts'
import type { Clock } from '../../time/clock.ts'
import { formatMs } from '../../time/duration.ts'

export interface BoundedWork {
  readonly clock: Clock
  readonly limitMs: number
  /** What the message calls it: `the fallback of stage 'collect'`. */
  readonly what: string
  /** Aborted where the work is no longer wanted. */
  readonly signal: AbortSignal
}

/**
 * What `work` gives. Its signal is aborted when its time is up or it is no longer wanted.
 * @throws TimeoutError; CancelledError; what `work` throws
 */
export async function bounded<T>(
  { clock, limitMs, what, signal }: BoundedWork,
  work: (signal: AbortSignal) => T | Promise<T>,
): Promise<T> {
  const own = new AbortController()
  let timer: unknown
  let onAbort = (): void => {}
  const ended = new Promise<never>((_, reject) => {
    const end = (error: unknown): void => {
      own.abort(error)
      reject(error)
    }
    onAbort = () => end(signal.reason ?? new CancelledError(`${what} was cancelled`))
    timer = clock.setTimeout(
      () => end(new TimeoutError(`${what} took longer than ${formatMs(limitMs)}`, { limitMs, scope: 'local' })),
      limitMs,
    )
  })
  const aborted = { handleEvent: () => onAbort() }
  addAbortListener(signal, aborted)
  try {
    if (signal.aborted) onAbort()
    return await Promise.race([ended, (async () => work(own.signal))()])
  } finally {
    clock.clearTimeout(timer)
    removeAbortListener(signal, aborted)
  }
}
