/**
 * Those who are to be told when the turn of the event loop ends: once no promise is left that could still resolve in it,
 * and before any timer, file or socket is looked at. One tick of Node for all of them; who is taken off before leaves
 * nothing behind, however long a turn is.
 */

/** Told once. Must not throw. */
export interface EndOfTurnListener {
  turnEnds(): void
}

const waiting = new Set<EndOfTurnListener>()
let isTickSet = false

export function tellAtEndOfTurn(listener: EndOfTurnListener): void {
  waiting.add(listener)
  if (isTickSet) return
  isTickSet = true
  queueMicrotask(setTick)
}

export function noLongerAtEndOfTurn(listener: EndOfTurnListener): void {
  waiting.delete(listener)
}

/** A tick that is set while promises resolve comes after all of them; one that is set by a callback comes before. */
const setTick = (): void => process.nextTick(tellAll)

function tellAll(): void {
  isTickSet = false
  for (const listener of waiting) {
    waiting.delete(listener)
    listener.turnEnds()
  }
}
