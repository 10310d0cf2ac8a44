/**
 * When restarts happen, for a whole tree of supervisors. A restart never shares a macrotask with the failure it answers,
 * and no more than a fixed number of them run in one turn of the event loop, so that timers, I/O and everybody else's
 * work make progress in a storm of failures. Order is kept.
 */
import type { Clock, TimerHandle } from '../time/clock.ts'

/** Restarts within one turn: at some 50 µs each they hold the event loop for 3 ms. */
const restartsInOneTurn = 64

export interface PlannedRestart {
  cancel(): void
}

interface Plan {
  readonly run: () => void
  timer: TimerHandle | undefined
  cancelled: boolean
}

export class RestartPacer {
  readonly #clock: Clock
  /** Restarts that may still run in this turn; it is 0 whenever the backlog is not empty. */
  #allowance = restartsInOneTurn
  #nextTurn: TimerHandle | undefined
  #backlog: Plan[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Runs `run` after the delay, in a later macrotask also where the delay is 0. */
  plan(run: () => void, delayMs: number): PlannedRestart {
    const plan: Plan = { run, timer: undefined, cancelled: false }
    plan.timer = this.#clock.setTimeout(() => this.#due(plan), delayMs)
    return {
      cancel: () => {
        plan.cancelled = true
        this.#clock.clearTimeout(plan.timer)
      },
    }
  }

  /** Clears the timer between turns; with every plan cancelled nothing is left. */
  close(): void {
    if (this.#nextTurn !== undefined) this.#clock.clearTimeout(this.#nextTurn)
    this.#nextTurn = undefined
    this.#backlog = []
  }

  #due(plan: Plan): void {
    if (this.#allowance > 0) this.#run(plan)
    else this.#backlog.push(plan)
  }

  #run(plan: Plan): void {
    this.#allowance--
    this.#nextTurn ??= this.#clock.setTimeout(() => this.#beginTurn(), 0)
    plan.run()
  }

  #beginTurn(): void {
    this.#nextTurn = undefined
    this.#allowance = restartsInOneTurn
    let next = 0
    while (this.#allowance > 0 && next < this.#backlog.length) {
      const plan = this.#backlog[next++] as Plan
      if (!plan.cancelled) this.#run(plan)
    }
    this.#backlog.splice(0, next)
  }
}
