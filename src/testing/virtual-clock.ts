/**
 * A clock that only moves when it is told to. `advance` fires the timers that fall due, one by one in the order of
 * their due time and then of their creation, and lets the program settle before, between and after them: promises
 * resolve, and what was put off with `setImmediate` runs, so a store commit or a queue of completions is through
 * before the next timer fires. What waits for the real world (a file read, a socket, a process) is not waited for.
 */
import type { Clock, TimerHandle } from '../time/clock.ts'
import { type Duration, toMs } from '../time/duration.ts'
import { type HeapTimer, TimerHeap } from './timer-heap.ts'

export interface VirtualClock extends Clock {
  /** Moves the time on by this much and fires what falls due. Calls queue up: one at a time, in order. */
  advance(by: Duration): Promise<void>
  /** How many timers are set and have not fired. */
  readonly pending: number
}

/** 2026-01-01T00:00:00Z: fixed, so that what prints a date prints the same one in every run of a test. */
export const defaultStartAt = Date.UTC(2026, 0, 1)

/** Turns of the event loop that pass at every settling, also when nothing is seen to wait. */
const leastTurns = 10
/** A program that puts off more work for ever is not waited for beyond this. */
const mostTurns = 10_000
/** Timers that may be set and fire without the time moving on; more of them are a loop of delays of 0. */
const mostTimersAtOnce = 10_000

/** @param startAt the time it begins at, in ms since the Unix epoch; default 2026-01-01T00:00:00Z */
export function virtualClock(startAt: number = defaultStartAt): VirtualClock {
  const timers = new TimerHeap()
  let now = startAt
  let last: Promise<void> = Promise.resolve()

  const advanceTo = async (target: number): Promise<void> => {
    await settle()
    let firedAtOnce = 0
    let setBefore = timers.added
    for (let timer = timers.next(); timer && timer.dueAt <= target; timer = timers.next()) {
      if (timer.dueAt > now) {
        firedAtOnce = 0
        setBefore = timers.added
      } else if (timer.order >= setBefore) firedAtOnce++
      if (firedAtOnce > mostTimersAtOnce) {
        throw new Error(
          `${mostTimersAtOnce} timers were set and fired at ${new Date(now).toISOString()} and the time did not move on`,
        )
      }
      now = Math.max(now, timer.dueAt)
      timers.remove(timer)
      timer.callback()
      await settle()
    }
    now = target
  }

  return {
    now: () => now,
    get pending() {
      return timers.size
    },
    setTimeout(callback, delayMs) {
      return timers.add(now + Math.max(0, delayMs), callback)
    },
    clearTimeout(handle: TimerHandle) {
      if (handle) timers.remove(handle as HeapTimer)
    },
    advance(by) {
      const ms = toMs(by, 'advance')
      const advanced = last.then(() => advanceTo(now + ms))
      last = advanced.catch(() => {})
      return advanced
    },
  }
}

/** Lets promises resolve and immediates run until none is left, at least a few turns. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < mostTurns; turn++) {
    await new Promise<void>(resolve => setImmediate(resolve))
    if (turn + 1 >= leastTurns && !process.getActiveResourcesInfo().includes('Immediate')) return
  }
}
