/**
 * Keeps the process alive while it has work of ours. A run that only waits for a signal has no timer and no socket, and
 * Node would end the process under whoever awaits its result. It measures no time, so it needs no clock.
 */
export interface KeepAlive {
  /** Holds the process while `wanted`, lets it go otherwise. */
  set(wanted: boolean): void
}

/** Rarely enough to cost nothing: it is there, it need not do anything. */
const rarelyMs = 2 ** 30

export function createKeepAlive(): KeepAlive {
  let held: NodeJS.Timeout | undefined
  return {
    set(wanted) {
      if (wanted === (held !== undefined)) return
      if (held) clearInterval(held)
      held = wanted ? setInterval(() => {}, rarelyMs) : undefined
    },
  }
}
