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

/** A delay that no single Node timer keeps, waited for in stretches. */
class LongTimer {
  current: NodeJS.Timeout

  constructor(callback: () => void, delayMs: number) {
    const wait = (remainingMs: number): NodeJS.Timeout =>
      remainingMs <= longestNodeDelayMs
        ? setTimeout(callback, remainingMs)
        : setTimeout(() => {
            this.current = wait(remainingMs - longestNodeDelayMs)
          }, longestNodeDelayMs)
    this.current = wait(delayMs)
  }
}

/** The machine's own clock. Delays over 24.8 days are kept by waiting in stretches. */
export const systemClock: Clock = {
  now: () => Date.now(),
  setTimeout: (callback, delayMs) =>
    delayMs <= longestNodeDelayMs ? setTimeout(callback, Math.max(0, delayMs)) : new LongTimer(callback, delayMs),
  clearTimeout(handle) {
    clearTimeout(handle instanceof LongTimer ? handle.current : (handle as NodeJS.Timeout | undefined))
  },
}
