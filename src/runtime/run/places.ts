/** A bounded number of places, given in the order of asking. */
import type { Clock } from '../../time/clock.ts'

export interface Places {
  /** Calls back when a place is free. */
  acquire(enter: () => void): void
  release(): void
  /** Takes a place though none may be free: who had lent his while he waited goes on. */
  takeBack(): void
  /** Gives no more places; who asks waits for ever. */
  shut(): void
  /** Resolves when no place is taken any more, or the time has passed. */
  idleWithin(ms: number, clock: Clock): Promise<void>
}

/** Entries in front of the queue that are through, before it is cut. */
const mostEntered = 1024

const entered = (): void => {}

export function createPlaces(limit: number): Places {
  let taken = 0
  let open = true
  let queue: (() => void)[] = []
  let head = 0
  let onIdle = (): void => {}

  return {
    acquire(enter) {
      if (!open) return
      if (taken >= limit) {
        queue.push(enter)
        return
      }
      taken++
      enter()
    },
    release() {
      taken--
      if (taken === 0) onIdle()
      while (open && taken < limit && head < queue.length) {
        const next = queue[head] as () => void
        // What has entered is let go of at once: a queue that is never empty would keep it for ever.
        queue[head++] = entered
        taken++
        next()
      }
      if (head === 0 || (head < queue.length && head < mostEntered)) return
      queue = queue.slice(head)
      head = 0
    },
    takeBack() {
      taken++
    },
    shut() {
      open = false
    },
    idleWithin: (ms, clock) =>
      new Promise(resolve => {
        if (taken === 0) return resolve()
        const timer = clock.setTimeout(resolve, ms)
        onIdle = () => {
          clock.clearTimeout(timer)
          resolve()
        }
      }),
  }
}
