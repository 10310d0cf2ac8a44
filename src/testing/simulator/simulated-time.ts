/**
 * The time of a simulation. It stands still while anything can go on, and then jumps to the next timer: hours pass in
 * milliseconds. Each process has a clock of its own on it, which dies with the process; the wall clock that they all show
 * can be set wrong.
 */
import type { Clock } from '../../time/clock.ts'
import { type HeapTimer, TimerHeap } from '../timer-heap.ts'
import { defaultStartAt } from '../virtual-clock.ts'

/** Turns of the event loop that may pass at one instant of the simulation before that is taken for a loop. */
const mostTurns = 20_000

/** Timers that may fire in one phase of a simulation before that is taken for a loop. */
const mostTimers = 100_000

/** How turns of the event loop are counted and waited for. */
export interface Turns {
  /** Callbacks of `setImmediate` that have not run yet. */
  readonly pending: number
  /** One turn of the event loop. */
  next(): Promise<void>
}

export interface ProcessClock extends Clock {
  /** No timer of it fires any more. */
  stop(): void
  /** Timers that are set. */
  readonly pending: number
}

export class SimulatedTime {
  readonly #timers = new TimerHeap()
  readonly #turns: Turns
  /** True time, in ms since the Unix epoch. */
  now = defaultStartAt
  /** How far the wall clock is off. */
  skewMs = 0

  constructor(turns: Turns) {
    this.#turns = turns
  }

  get wallClock(): number {
    return this.now + this.skewMs
  }

  /** Calls back at that true time from now. */
  after(delayMs: number, callback: () => void): HeapTimer {
    return this.#timers.add(this.now + Math.max(0, delayMs), callback)
  }

  cancel(timer: HeapTimer): void {
    this.#timers.remove(timer)
  }

  sleep(ms: number): Promise<void> {
    return new Promise(resolve => this.after(ms, resolve))
  }

  clock(): ProcessClock {
    const own = new Set<HeapTimer>()
    let isStopped = false
    return {
      now: () => this.wallClock,
      setTimeout: (callback, delayMs) => {
        if (isStopped) return undefined
        const timer = this.after(delayMs, () => {
          own.delete(timer)
          callback()
        })
        own.add(timer)
        return timer
      },
      clearTimeout: handle => {
        if (!handle) return
        own.delete(handle as HeapTimer)
        this.cancel(handle as HeapTimer)
      },
      stop: () => {
        isStopped = true
        for (const timer of own) this.cancel(timer)
        own.clear()
      },
      get pending() {
        return own.size
      },
    }
  }

  /** Lets everything that can go on at this instant go on. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < mostTurns; turn++) {
      await this.#turns.next()
      if (this.#turns.pending === 0) return
    }
    throw new Error(`after ${mostTurns} turns of the event loop something still goes on, and no time passes`)
  }

  /**
   * Lets time pass until `isOver`, or nothing is left that could happen, or the time is up; whether it is over.
   * @param limitMs true time
   */
  async passUntil(isOver: () => boolean, limitMs: number): Promise<boolean> {
    const end = this.now + limitMs
    await this.settle()
    for (let fired = 0; !isOver(); fired++) {
      if (fired > mostTimers) throw new Error(`${mostTimers} timers have fired, and there is no end`)
      const timer = this.#timers.next()
      if (!timer) return false
      if (timer.dueAt > end) {
        this.now = end
        return false
      }
      this.now = Math.max(this.now, timer.dueAt)
      this.#timers.remove(timer)
      timer.callback()
      await this.settle()
    }
    return true
  }
}
