/**
 * Many who wait for one signal, behind one listener of it. A caller may give the same signal to any number of calls at
 * once; a listener for each would have Node warn of a leak from the eleventh on, and the limit of a signal that is not
 * ours is not ours to raise. The listener is there as long as somebody waits.
 */

/** Told once, when the signal aborts. Must not throw. */
export interface AbortListener {
  handleEvent(): void
}

/** Those of each signal, in the order in which they came. */
const waiting = new WeakMap<AbortSignal, Set<AbortListener>>()

export function addAbortListener(signal: AbortSignal, listener: AbortListener): void {
  const known = waiting.get(signal)
  if (known) {
    known.add(listener)
    return
  }
  waiting.set(signal, new Set([listener]))
  signal.addEventListener('abort', tellAll)
}

export function removeAbortListener(signal: AbortSignal, listener: AbortListener): void {
  const known = waiting.get(signal)
  if (!known?.delete(listener) || known.size > 0) return
  forget(signal)
}

function tellAll(this: AbortSignal): void {
  // Whoever is taken off by one that is told before it is not told any more.
  for (const listener of waiting.get(this) ?? []) listener.handleEvent()
  forget(this)
}

function forget(signal: AbortSignal): void {
  waiting.delete(signal)
  signal.removeEventListener('abort', tellAll)
}
