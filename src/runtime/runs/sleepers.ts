/**
 * Wakes the runs that sleep in the store when their timers are due. However many sleep, memory holds one timer: the
 * next one that is due of all of them; the rest stays in the store and is read when that time has come.
 */
import { encodeError } from '../../errors.ts'
import type { SleepingTimer, Store } from '../../store/store.ts'
import type { Clock } from '../../time/clock.ts'
import type { Logger } from '../api.ts'
import type { TimerWheel, WheelTimer } from '../commits/timer-wheel.ts'

export interface SleepersOptions {
  readonly store: Pick<Store, 'sleepingTimers'>
  readonly clock: Clock
  readonly wheel: TimerWheel
  readonly log: Logger
  /** Whether the run is in memory, where its timers are its own affair, or cannot be woken. */
  readonly passesOver: (runId: string) => boolean
  /** Takes the runs up; one that cannot be is said so and passed over from then on. */
  readonly wake: (runIds: readonly string[]) => Promise<void>
}

export interface Sleepers {
  /** Wakes what is overdue, and from now on what comes due. */
  open(): Promise<void>
  /** A run went to sleep whose next timer is due then. */
  note(dueAt: number): void
  close(): void
}

/** A damaged time is due at once: the run that is woken sees what it is. */
const isDue = (dueAt: number, now: number): boolean => dueAt <= now || !Number.isFinite(dueAt)

/** Timers that are read at once, and so the most runs that are woken at once. */
const page = 200
/** After a store that could not be read. */
const retryMs = 10_000

export function createSleepers({ store, clock, wheel, log, passesOver, wake }: SleepersOptions): Sleepers {
  let armed: WheelTimer | undefined
  let sweeping: Promise<void> | undefined
  let again = false
  let isOpen = false

  const arm = (dueAt: number): void => {
    if (!isOpen || (armed && armed.dueAt <= dueAt)) return
    if (armed) wheel.cancel(armed)
    armed = wheel.set(dueAt, () => {
      armed = undefined
      void sweep()
    })
  }

  /** Wakes all that is due; gives when to look again. */
  const wakeDue = async (): Promise<number | undefined> => {
    for (let above: SleepingTimer | undefined; isOpen; ) {
      const timers = await store.sleepingTimers({ limit: page, ...(above ? { above } : {}) })
      const now = clock.now()
      const asleep = timers.filter(({ runId }) => !passesOver(runId))
      const due = new Set(asleep.filter(({ dueAt }) => isDue(dueAt, now)).map(({ runId }) => runId))
      if (due.size > 0) await wake([...due])
      const next = asleep.find(({ dueAt }) => dueAt > now)
      if (next) return next.dueAt
      above = timers.at(-1)
      if (timers.length < page || !above) return undefined
      // All of these are timers of runs in memory: when the last of them is due is soon enough.
      if (above.dueAt > now) return above.dueAt
    }
    return undefined
  }

  const sweepOnce = async (): Promise<void> => {
    try {
      let next: number | undefined
      do {
        again = false
        next = await wakeDue()
      } while (again && isOpen)
      if (next !== undefined) arm(next)
    } catch (error) {
      if (!isOpen) return
      log.warn({ error: encodeError(error) }, 'the timers of sleeping runs could not be read; they are looked at again')
      arm(clock.now() + retryMs)
    }
  }

  const sweep = (): Promise<void> => {
    if (sweeping) {
      again = true
      return sweeping
    }
    sweeping = sweepOnce().finally(() => {
      sweeping = undefined
    })
    return sweeping
  }

  return {
    open() {
      isOpen = true
      return sweep()
    },
    note: arm,
    close() {
      isOpen = false
      if (armed) wheel.cancel(armed)
      armed = undefined
    },
  }
}
