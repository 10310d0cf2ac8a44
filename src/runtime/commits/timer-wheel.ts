/**
 * One clock timer for all timers of all runs: a binary heap by due time, and the clock is asked only for the earliest.
 * What is due goes to its owner through the ready queue, in order of due time and then of setting.
 */
import type { Clock, TimerHandle } from '../../time/clock.ts'

export interface WheelTimer {
  readonly dueAt: number
  readonly fire: () => void
  readonly order: number
  cancelled: boolean
  /** It has left the heap, to be fired. */
  due: boolean
}

export interface TimerWheel {
  set(dueAt: number, fire: () => void): WheelTimer
  cancel(timer: WheelTimer): void
  /** Forgets every timer. */
  close(): void
}

export function createTimerWheel(clock: Clock, push: (work: () => void) => void): TimerWheel {
  let heap: WheelTimer[] = []
  let order = 0
  let cancelledInHeap = 0
  let armed: { handle: TimerHandle; dueAt: number } | undefined

  const before = (a: WheelTimer, b: WheelTimer): boolean =>
    a.dueAt < b.dueAt || (a.dueAt === b.dueAt && a.order < b.order)

  const siftUp = (start: number): void => {
    let index = start
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!before(heap[index] as WheelTimer, heap[parent] as WheelTimer)) return
      swap(index, parent)
      index = parent
    }
  }

  const siftDown = (start: number): void => {
    let index = start
    for (;;) {
      let least = index
      for (const child of [index * 2 + 1, index * 2 + 2]) {
        if (child < heap.length && before(heap[child] as WheelTimer, heap[least] as WheelTimer)) least = child
      }
      if (least === index) return
      swap(index, least)
      index = least
    }
  }

  const swap = (a: number, b: number): void => {
    const kept = heap[a] as WheelTimer
    heap[a] = heap[b] as WheelTimer
    heap[b] = kept
  }

  const takeFirst = (): WheelTimer => {
    const first = heap[0] as WheelTimer
    const last = heap.pop() as WheelTimer
    if (heap.length > 0) {
      heap[0] = last
      siftDown(0)
    }
    return first
  }

  const fireDue = (): void => {
    armed = undefined
    const now = clock.now()
    while (heap.length > 0 && ((heap[0] as WheelTimer).cancelled || (heap[0] as WheelTimer).dueAt <= now)) {
      const timer = takeFirst()
      if (timer.cancelled) cancelledInHeap--
      else {
        timer.due = true
        push(() => {
          if (!timer.cancelled) timer.fire()
        })
      }
    }
    arm()
  }

  const arm = (): void => {
    const first = heap[0]
    if (!first) return
    if (armed) {
      if (armed.dueAt <= first.dueAt) return
      clock.clearTimeout(armed.handle)
    }
    armed = { dueAt: first.dueAt, handle: clock.setTimeout(fireDue, Math.max(0, first.dueAt - clock.now())) }
  }

  /** Cancelled timers stay in the heap until they surface, or until they are the larger part of it. */
  const compact = (): void => {
    heap = heap.filter(timer => !timer.cancelled)
    cancelledInHeap = 0
    for (let index = (heap.length >> 1) - 1; index >= 0; index--) siftDown(index)
  }

  return {
    set(dueAt, fire) {
      const timer: WheelTimer = { dueAt, fire, order: order++, cancelled: false, due: false }
      heap.push(timer)
      siftUp(heap.length - 1)
      arm()
      return timer
    },
    cancel(timer) {
      if (timer.cancelled) return
      timer.cancelled = true
      if (timer.due) return
      cancelledInHeap++
      if (cancelledInHeap > 1000 && cancelledInHeap > heap.length / 2) compact()
      if (armed && heap.length === cancelledInHeap) {
        clock.clearTimeout(armed.handle)
        armed = undefined
        compact()
      }
    },
    close() {
      if (armed) clock.clearTimeout(armed.handle)
      armed = undefined
      heap = []
    },
  }
}
