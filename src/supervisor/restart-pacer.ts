/**
 * When restarts happen, for a whole tree of supervisors. A restart never shares a macrotask with the failure it answers,
 * and no more than a fixed number of them run in one turn of the event loop, so that timers, I/O and everybody else's
 * work make progress in a storm of failures. Order is kept.
 */
import type { Clock, TimerHandle } from '../time/clock.ts'

/** Restarts within one turn: at some 30 µs each they hold the event loop for 2 ms. */
const restartsInOneTurn = 64

export interface PlannedRestart {
  cancel(): void
}

export class RestartPacer {
  readonly #clock: Clock
  /** Restarts that may still run in this turn. */
  #allowance = restartsInOneTurn
  #nextTurn: TimerHandle | undefined
  /** Those that are due, in order; cancelled ones among them stay until they come to the front. */
  #due: Plan[] = []
  #cancelled = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Runs `run` after the delay, in a later macrotask also where the delay is 0. */
  plan(run: () => void, delayMs: number): PlannedRestart {
    const plan = new Plan(run, this)
    if (delayMs > 0) plan.timer = this.#clock.setTimeout(() => this.#comesDue(plan), delayMs)
    else this.#wait(plan)
    return plan
  }

  /** A plan is given up, and with the last of them the turn that they waited for. */
  withdraw(plan: Plan): void {
    if (plan.timer !== undefined) return this.#clock.clearTimeout(plan.timer)
    this.#cancelled++
    if (this.#cancelled === this.#due.length && this.#allowance === restartsInOneTurn) this.close()
  }

  /** Clears the timer between turns; with every plan cancelled nothing is left. */
  close(): void {
    if (this.#nextTurn !== undefined) this.#clock.clearTimeout(this.#nextTurn)
    this.#nextTurn = undefined
    this.#due = []
    this.#cancelled = 0
  }

  #comesDue(plan: Plan): void {
    plan.timer = undefined
    if (this.#allowance === 0 || this.#due.length > 0) return this.#wait(plan)
    this.#awaitTurn()
    this.#run(plan)
  }

  #wait(plan: Plan): void {
    this.#due.push(plan)
    this.#awaitTurn()
  }

  #awaitTurn(): void {
    this.#nextTurn ??= this.#clock.setTimeout(() => this.#beginTurn(), 0)
  }

  /** What becomes due while the turn lasts waits for the next one. */
  #beginTurn(): void {
    this.#nextTurn = undefined
    this.#allowance = restartsInOneTurn
    const due = this.#due
    const present = due.length
    let next = 0
    while (this.#allowance > 0 && next < present) this.#run(due[next++] as Plan)
    if (this.#due === due) due.splice(0, next)
    if (this.#due.length > 0 || this.#allowance < restartsInOneTurn) this.#awaitTurn()
  }

  #run(plan: Plan): void {
    if (plan.isOver) {
      this.#cancelled = Math.max(0, this.#cancelled - 1)
      return
    }
    plan.isOver = true
    this.#allowance--
    plan.run()
  }
}

class Plan implements PlannedRestart {
  readonly run: () => void
  readonly #pacer: RestartPacer
  /** Set while it waits for its time. */
  timer: TimerHandle | undefined
  /** It has run or was cancelled. */
  isOver = false

  constructor(run: () => void, pacer: RestartPacer) {
    this.run = run
    this.#pacer = pacer
  }

  cancel(): void {
    if (this.isOver) return
    this.isOver = true
    this.#pacer.withdraw(this)
  }
}
