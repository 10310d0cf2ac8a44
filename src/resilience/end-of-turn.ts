/**
 * Those who are to be told when the turn of the event loop ends: once no promise is left that could still resolve in it,
 * and before any timer, file or socket is looked at. One tick of Node for all of them, each told in its own asynchronous
 * context; who is taken off before leaves nothing behind, however long a turn is.
 */
import { AsyncResource } from 'node:async_hooks'

/** Told once. Must not throw. */
export interface EndOfTurnListener {
  turnEnds(): void
}

/** Each with the context in which it waits. */
const waiting = new Map<EndOfTurnListener, AsyncResource>()
const byHand = { requireManualDestroy: true }
let isTickSet = false

export function tellAtEndOfTurn(listener: EndOfTurnListener): void {
  waiting.set(listener, new AsyncResource('HoldfastAttempt', byHand))
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
  for (const [listener, context] of waiting) {
    waiting.delete(listener)
    context.runInAsyncScope(listener.turnEnds, listener)
  }
}
