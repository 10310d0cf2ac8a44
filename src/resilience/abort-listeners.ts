/**
 * Many who wait for one signal, behind one listener of it. A caller may give the same signal to any number of calls at
 * once; a listener for each would have Node warn of a leak from the eleventh on, and the limit of a signal that is not
 * ours is not ours to raise. The listener is there as long as somebody waits.
 */

/** Told once, when the signal aborts. Must not throw. */
export interface AbortListener {
  handleEvent(): void
}

/** Those of each signal, in the order in which they came; a signal that had some keeps its set, for there will be more. */
const waiting = new WeakMap<AbortSignal, Set<AbortListener>>()

export function addAbortListener(signal: AbortSignal, listener: AbortListener): void {
  let those = waiting.get(signal)
  if (those === undefined) {
    those = new Set()
    waiting.set(signal, those)
  }
  if (those.size === 0) signal.addEventListener('abort', tellAll)
  those.add(listener)
}

export function removeAbortListener(signal: AbortSignal, listener: AbortListener): void {
  const those = waiting.get(signal)
  if (those?.delete(listener) && those.size === 0) signal.removeEventListener('abort', tellAll)
}

function tellAll(this: AbortSignal): void {
  const those = waiting.get(this)
  // Whoever is taken off by one that is told before it is not told any more.
  for (const listener of those ?? []) listener.handleEvent()
  those?.clear()
  this.removeEventListener('abort', tellAll)
}
