/**
 * One execution of a stage's function: its clock, its abort signal, and what it waits for. The clock counts while the
 * function works and stands while all it does is wait. When the attempt is over, whatever the function still asks for
 * is refused, and a late result changes nothing.
 */
import { CancelledError, OptionsError, TimeoutError } from '../../errors.ts'
import type { TimerHandle } from '../../time/clock.ts'
import { formatMs } from '../../time/duration.ts'
import type { Attempt, LiveStage } from '../run/live.ts'
import type { Answer, Waiting } from '../run/run-facts.ts'

interface Awaited {
  readonly waiting: Waiting
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

export class FunctionAttempt implements Attempt {
  readonly stage: LiveStage
  readonly number: number
  readonly incarnation: number
  /** By ledger key; made when it waits for the first time. */
  #awaited: Map<string, Awaited> | undefined
  over = false
  /** It has one of the places for running attempts; while it waits, another may have it. */
  #hasPlace = false

  #controller: AbortController | undefined
  #workController: AbortController | undefined
  #reason: unknown
  /** Steps and model calls under way: while one is, the function is not waiting. */
  #working = 0
  #remainingMs: number
  #resumedAt = 0
  #timer: TimerHandle
  #warned = false
  #asked: Map<string, number> | undefined
  #keys: Set<string> | undefined
  #underWay: Set<string> | undefined
  #interrupts: Set<(error: unknown) => void> | undefined

  constructor(stage: LiveStage, attempt: number, incarnation: number) {
    this.stage = stage
    this.number = attempt
    this.incarnation = incarnation
    this.#remainingMs = stage.timeoutMs
  }

  /** Made when it is first asked for: most functions never do. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController()
      if (this.over) this.#controller.abort(this.#overReason)
    }
    return this.#controller.signal
  }

  /** For work of ours in the name of the function: over with the attempt, also where the function ended by itself. */
  get workSignal(): AbortSignal {
    if (!this.#workController) {
      this.#workController = new AbortController()
      if (this.over) this.#workController.abort(this.#overReason)
    }
    return this.#workController.signal
  }

  get waiting(): boolean {
    return this.#awaits && this.#working === 0
  }

  get waits(): readonly Waiting[] {
    return [...(this.#awaited?.values() ?? [])].map(({ waiting }) => waiting)
  }

  get #awaits(): boolean {
    return this.#awaited !== undefined && this.#awaited.size > 0
  }

  /** When the time of the stage is up, were it to work on without a wait. */
  get deadline(): number {
    const { timers, services } = this.stage.run
    const ofStage = (this.waiting ? services.clock.now() : this.#resumedAt) + this.#remainingMs
    const ofRun = ['run:deadline', 'run:wallTime'].map(key => timers.dueAt(key) ?? Number.POSITIVE_INFINITY)
    return Math.min(ofStage, ...ofRun)
  }

  /** Starts the clock and the function; it has been given a place. */
  begin(execute: (attempt: Attempt) => unknown): void {
    this.#hasPlace = true
    this.#startClock()
    let returned: unknown
    try {
      returned = execute(this)
      const { then } = (returned ?? {}) as { then?: unknown }
      if (typeof then !== 'function') return this.#settle({ value: returned })
    } catch (thrown) {
      return this.#settle({ thrown })
    }
    Promise.resolve(returned).then(
      value => this.#settle({ value }),
      thrown => this.#settle({ thrown }),
    )
  }

  /** Keys of the steps and calls that this execution has asked for; made when there is one. */
  get asked(): Set<string> {
    this.#keys ??= new Set()
    return this.#keys
  }

  /** The name of the n-th such question in this execution: `sleep:2`, `step:fetch:1`. */
  nextKey(name: string): string {
    this.#asked ??= new Map()
    const place = (this.#asked.get(name) ?? 0) + 1
    this.#asked.set(name, place)
    return `${name}:${place}`
  }

  async alone<T>(like: string, where: string, work: () => Promise<T>): Promise<T> {
    this.#underWay ??= new Set()
    if (this.#underWay.has(like)) {
      throw new OptionsError(
        `${where}: one like it is under way already, and after a restart nobody could tell which is which; give each a \`key\` of its own`,
        { stage: this.stage.name },
      )
    }
    this.#underWay.add(like)
    try {
      return await work()
    } finally {
      this.#underWay.delete(like)
    }
  }

  /** @throws CancelledError when the attempt is over */
  ensureCurrent(): void {
    if (this.over) throw this.#overReason
  }

  /** `promise`, or the reason for which the attempt ended first. */
  guard<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.over) return reject(this.#overReason)
      this.#interrupts ??= new Set()
      this.#interrupts.add(reject)
      promise.then(resolve, reject).finally(() => this.#interrupts?.delete(reject))
    })
  }

  /** All that happened until now is durable, and the attempt still stands. */
  async durable(): Promise<void> {
    await this.guard(this.stage.run.durable())
    this.ensureCurrent()
  }

  /** What the run has recorded already may be told: at once where the store knows it too. */
  async recorded(): Promise<void> {
    if (!this.stage.run.isWritten) await this.durable()
  }

  /** Counts `work` as work, so the clock runs though something else waits. */
  async working<T>(work: () => Promise<T>): Promise<T> {
    this.#change(() => this.#working++)
    try {
      return await work()
    } finally {
      this.#change(() => this.#working--)
    }
  }

  /** Resolves when `answer` is called for the key. To be called within a dispatch. */
  awaitAnswer(key: string, waiting: Waiting): Promise<unknown> {
    return new Promise((resolve, reject) =>
      this.#change(() => {
        this.#awaited ??= new Map()
        this.#awaited.set(key, { waiting, resolve, reject })
      }),
    )
  }

  /** What was waited for has come and is recorded; the function hears of it after the commit. */
  answer(key: string, answer: Answer): void {
    const awaited = this.#awaited?.get(key)
    if (!awaited) return
    this.#change(() => this.#awaited?.delete(key))
    this.stage.run.afterCommit(() => (answer.error ? awaited.reject(answer.error) : awaited.resolve(answer.value)))
  }

  /** Ends the attempt: stops its clock, aborts its signal, refuses what it waits for. */
  end(reason: unknown): void {
    if (this.over) return
    this.over = true
    this.#reason = reason
    this.#stopClock()
    this.#givePlace()
    this.stage.run.waits.forget(this.stage)
    this.#controller?.abort(reason)
    this.#workController?.abort(reason)
    for (const { reject } of this.#awaited?.values() ?? []) reject(reason)
    this.#awaited?.clear()
    for (const interrupt of this.#interrupts ?? []) interrupt(reason)
    this.#interrupts?.clear()
  }

  /**
   * The run leaves memory while all that the function does is wait. What it awaits never settles, so nothing of it goes
   * on, not even a `catch`; whoever listens to its signal hears that it is over.
   */
  suspend(reason: unknown): void {
    this.over = true
    this.#reason = reason
    this.#awaited?.clear()
    this.#interrupts?.clear()
    this.#controller?.abort(reason)
  }

  /**
   * The function has ended by itself: its signal is not aborted, and what it left behind is refused from now on. A model
   * call that it no longer waits for is given up, or it would go on to be tried, and paid for, beside the next attempt.
   */
  finish(): void {
    this.over = true
    this.#stopClock()
    this.#givePlace()
    this.#workController?.abort(this.#overReason)
    if (this.#awaits) this.stage.run.waits.forget(this.stage)
  }

  /** Made when somebody asks: an error with its stack is dear. */
  get #overReason(): unknown {
    this.#reason ??= new CancelledError(`this execution of stage '${this.stage.name}' is over`, {
      stage: this.stage.name,
    })
    return this.#reason
  }

  #settle(outcome: { value?: unknown; thrown?: unknown }): void {
    if (this.over) return
    const { services } = this.stage.run
    services.ready.push(() => this.stage.settle(this, outcome))
  }

  /** Makes a change that may turn working into waiting or back, and tells the machine of it. */
  #change(change: () => void): void {
    if (this.over) return void change()
    const was = this.waiting
    change()
    if (this.waiting === was) return
    if (was) this.#work()
    else this.#rest()
    this.stage.run.dispatch(() => this.stage.ref.send({ type: was ? 'WAIT_ENDED' : 'WAIT_BEGUN' }))
  }

  #work(): void {
    this.stage.run.services.attempts.takeBack()
    this.#hasPlace = true
    this.#startClock()
  }

  #rest(): void {
    this.#stopClock()
    this.#givePlace()
  }

  #givePlace(): void {
    if (!this.#hasPlace) return
    this.#hasPlace = false
    this.stage.run.services.attempts.release()
  }

  #startClock(): void {
    const { clock } = this.stage.run.services
    this.#resumedAt = clock.now()
    const usedMs = this.stage.timeoutMs - this.#remainingMs
    const untilWarningMs = this.#warned
      ? undefined
      : this.stage.warnAfterMs === undefined
        ? undefined
        : this.stage.warnAfterMs - usedMs
    const warnFirst = untilWarningMs !== undefined && untilWarningMs < this.#remainingMs
    this.#timer = clock.setTimeout(
      () => (warnFirst ? this.#warn() : this.#timeOut()),
      warnFirst ? Math.max(0, untilWarningMs) : this.#remainingMs,
    )
  }

  #stopClock(): void {
    const { clock } = this.stage.run.services
    if (this.#timer !== undefined) clock.clearTimeout(this.#timer)
    this.#timer = undefined
    this.#remainingMs = Math.max(0, this.#remainingMs - Math.max(0, clock.now() - this.#resumedAt))
  }

  #warn(): void {
    this.#stopClock()
    this.#warned = true
    const { run } = this.stage
    const afterMs = this.stage.warnAfterMs
    run.dispatch(() => run.journal('stage.warned', { afterMs }, this.stage.where(this)))
    run.services.log.warn(
      { runId: run.id, stage: this.stage.name, afterMs },
      `stage '${this.stage.name}' runs longer than ${formatMs(afterMs as number)}`,
    )
    this.#startClock()
  }

  #timeOut(): void {
    this.#timer = undefined
    const { name, timeoutMs } = this.stage
    const thrown = new TimeoutError(
      `stage '${name}' took longer than ${formatMs(timeoutMs)}; raise its \`timeout\` or split it`,
      { stage: name, timeoutMs, scope: 'local' },
    )
    this.stage.run.services.ready.push(() => this.stage.settle(this, { thrown }, thrown))
  }
}
