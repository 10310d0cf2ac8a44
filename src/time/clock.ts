/**
 * The only door to time. Nothing in Holdfast reads the time or sets a timer by itself: it is given a `Clock`,
 * so a test or a simulator can hold every hour in its hand.
 */

/** What `setTimeout` of a clock returned; opaque, to be given back to `clearTimeout`. */
export type TimerHandle = unknown

export interface Clock {
  /** Milliseconds since the Unix epoch. May step back; nothing that counts or orders may rely on it rising. */
  now(): number
  /** Calls `callback` once after `delayMs`; delays of any length are kept. */
  setTimeout(callback: () => void, delayMs: number): TimerHandle
  clearTimeout(handle: TimerHandle): void
}

/** The longest delay that a Node timer keeps (2^31 - 1 ms, 24.8 days); a longer one would fire at once. */
const longestNodeDelayMs = 2 ** 31 - 1

interface LongTimer {
  current: NodeJS.Timeout
}

/** The machine's own clock. Delays over 24.8 days are kept by waiting in stretches. */
export const systemClock: Clock = {
  now: () => Date.now(),
  setTimeout(callback, delayMs) {
    const timer = {} as LongTimer
    const wait = (remainingMs: number): void => {
      timer.current =
        remainingMs <= longestNodeDelayMs
          ? setTimeout(callback, Math.max(0, remainingMs))
          : setTimeout(() => wait(remainingMs - longestNodeDelayMs), longestNodeDelayMs)
    }
    wait(delayMs)
    return timer
  },
  clearTimeout(handle) {
    if (handle) clearTimeout((handle as LongTimer).current)
  },
}
