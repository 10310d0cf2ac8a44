/**
 * Work that may have to wait, written as a generator: it runs at once and to its end where nothing makes it wait, so a
 * child starts within the call that asks for it, and no promise delays what is ready. `CallQueue` does for a supervisor
 * what the mailbox does for a process: one procedure at a time, in the order of their coming.
 */

/** Begins something and calls `resume` when it is over, at once or later; calls after the first do nothing. */
export type Wait = (resume: () => void) => void

export type Procedure<TResult = void> = Generator<Wait, TResult, void>

/** Waits for what calls back with a value. */
export function* waitFor<TValue>(begin: (settle: (value: TValue) => void) => void): Procedure<TValue> {
  let settled: { readonly value: TValue } | undefined
  yield resume =>
    begin(value => {
      settled ??= { value }
      resume()
    })
  return (settled as unknown as { readonly value: TValue }).value
}

interface Call {
  readonly procedure: Procedure<unknown>
  readonly done: (result: unknown) => void
  readonly failed: (error: unknown) => void
}

const ignore = (): void => {}

export class CallQueue {
  #waiting: (Call | undefined)[] = []
  #next = 0
  #current: Call | undefined
  #stepping = false
  #interruption: (() => void) | undefined

  /** Runs the procedure when those before it are through: before this returns where there are none. */
  add<TResult>(
    procedure: Procedure<TResult>,
    done: (result: TResult) => void = ignore,
    failed: (error: unknown) => void = ignore,
  ): void {
    this.#waiting.push({ procedure, done: done as (result: unknown) => void, failed })
    this.#drain()
  }

  /** The same for a caller who waits with a promise. */
  promise<TResult>(procedure: Procedure<TResult>): Promise<TResult> {
    return new Promise((resolve, reject) => this.add(procedure, resolve, reject))
  }

  /** Gives up what is under way and what waits, their callers get `error`, and runs the procedure instead. */
  interrupt(procedure: Procedure, error: unknown, done: () => void): void {
    const takeOver = (): void => {
      const abandoned = [this.#current, ...this.#waiting.slice(this.#next)]
      this.#current = undefined
      this.#waiting = []
      this.#next = 0
      for (const call of abandoned) {
        call?.procedure.return(undefined)
        call?.failed(error)
      }
      this.add(procedure, done)
    }
    if (this.#stepping) this.#interruption = takeOver
    else takeOver()
  }

  #drain(): void {
    while (this.#current === undefined && this.#next < this.#waiting.length) {
      const call = this.#waiting[this.#next] as Call
      this.#waiting[this.#next++] = undefined
      if (this.#next === this.#waiting.length) {
        this.#waiting = []
        this.#next = 0
      }
      this.#current = call
      this.#step(call)
    }
  }

  /** Runs the procedure until it has to wait or is over. */
  #step(call: Call): void {
    while (this.#current === call) {
      const wait = this.#advance(call)
      if (wait === undefined) return
      let state: 'begun' | 'ready' | 'waiting' = 'begun'
      wait(() => {
        const isLate = state === 'waiting'
        state = 'ready'
        if (!isLate || this.#current !== call) return
        this.#step(call)
        this.#drain()
      })
      if ((state as string) === 'ready') continue
      state = 'waiting'
      return
    }
  }

  /** What the procedure waits for next, or nothing when it is over. */
  #advance(call: Call): Wait | undefined {
    this.#stepping = true
    try {
      const turn = call.procedure.next()
      if (!turn.done) return this.#interruption ? undefined : turn.value
      this.#current = undefined
      call.done(turn.value)
    } catch (error) {
      this.#current = undefined
      call.failed(error)
    } finally {
      this.#stepping = false
      const interruption = this.#interruption
      this.#interruption = undefined
      interruption?.()
    }
    return undefined
  }
}
