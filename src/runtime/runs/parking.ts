/**
 * Which runs in memory only wait, longest first, and when each may leave. A wait that is soon over is not worth it: the
 * function would start again from its top. So a run leaves after a minute, and where many wait, after a second.
 */

import type { RunStatus } from '../../store/store.ts'
import type { Clock } from '../../time/clock.ts'
import type { TimerWheel, WheelTimer } from '../commits/timer-wheel.ts'

/** A run, as far as it matters here. */
export interface Parkable {
  readonly status: RunStatus
  /** The store knows all of it, and nothing of it works. */
  readonly isAsleep: boolean
}

export interface Parking<T extends Parkable> {
  /** The run has been written, or is back in memory: it may have begun to wait, or to work. */
  note(run: T): void
  forget(run: T): void
  close(): void
}

export interface ParkingOptions<T extends Parkable> {
  readonly clock: Clock
  readonly wheel: TimerWheel
  /** The run leaves memory. */
  readonly park: (run: T) => void
}

const patienceMs = 60_000
/** More waiting runs than this, and they are parked after the shorter time. */
const crowd = 1000
const shortPatienceMs = 1000

export function createParking<T extends Parkable>({ clock, wheel, park }: ParkingOptions<T>): Parking<T> {
  /** Since when each waits; in that order. */
  const waiting = new Map<T, number>()
  let armed: WheelTimer | undefined
  let closed = false

  const arm = (): void => {
    const since = waiting.values().next().value
    const dueAt = since === undefined ? undefined : since + (waiting.size > crowd ? shortPatienceMs : patienceMs)
    if (armed?.dueAt === dueAt) return
    if (armed) wheel.cancel(armed)
    armed = dueAt === undefined || closed ? undefined : wheel.set(dueAt, look)
  }

  const look = (): void => {
    armed = undefined
    const now = clock.now()
    for (const [run, since] of waiting) {
      if (since + (waiting.size > crowd ? shortPatienceMs : patienceMs) > now) break
      waiting.delete(run)
      if (run.isAsleep) park(run)
      // A commit of it is under way; it is looked at again when it has waited as long once more.
      else if (rests(run)) waiting.set(run, now)
    }
    arm()
  }

  return {
    note(run) {
      if (closed || rests(run) === waiting.has(run)) return
      if (rests(run)) waiting.set(run, clock.now())
      else waiting.delete(run)
      arm()
    },
    forget(run) {
      if (waiting.delete(run)) arm()
    },
    close() {
      closed = true
      waiting.clear()
      arm()
    },
  }
}

const rests = ({ status }: Parkable): boolean => status === 'waiting' || status === 'paused'
