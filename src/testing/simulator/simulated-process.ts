/**
 * One life of a process in a simulation: it opens a runtime on the disk, starts the runs or finds them, and listens for
 * their ends, until it dies, fails or is closed. From its death on it has no clock, gets no answer and holds no lock.
 */
import { type HoldfastError, OptionsError } from '../../errors.ts'
import type { Run, RunResult, Runtime, RuntimeOptions } from '../../runtime/api.ts'
import type { SimulatedDisk, WriteDeath } from './simulated-disk.ts'
import type { ProcessClock, SimulatedTime } from './simulated-time.ts'

export interface ProcessOptions {
  readonly number: number
  readonly time: SimulatedTime
  readonly disk: SimulatedDisk
  /** When it is to die by its own writing, as things stand. */
  readonly death: () => WriteDeath | undefined
  /** Opens a runtime with these options and what else it needs. */
  readonly open: (options: RuntimeOptions) => Promise<Runtime>
  /** Starts the runs, or finds them. */
  readonly begin: (runtime: Runtime) => Promise<readonly Run<unknown>[]>
  readonly heard: (run: Run<unknown>, result: RunResult) => void
  readonly note: (what: string) => void
  /** It is about to be over, or has lost the store: what it has in memory alone is lost. */
  readonly left: () => void
}

export class SimulatedProcess {
  readonly number: number
  readonly clock: ProcessClock
  isDead = false
  /** It has been closed in order, and nothing of it goes on. */
  isClosed = false
  /** What ended its runtime from within, such as a disk that is full. */
  failure: HoldfastError | Error | undefined
  runtime: Runtime | undefined
  /** Runs whose end it has told. */
  readonly heard = new Set<string>()
  /** How many runs it has started or found. */
  started = 0
  readonly #runs = new Map<string, Run<unknown>>()
  readonly #options: ProcessOptions
  /** It was closed or has lost the store on purpose: that its promises reject is then right. */
  #isLeaving = false
  #hasLostStore = false

  constructor(options: ProcessOptions) {
    this.number = options.number
    this.#options = options
    this.clock = options.time.clock()
  }

  get isOver(): boolean {
    return this.isDead || this.isClosed || this.failure !== undefined
  }

  /** Begins to live; what comes of it is seen as time passes. */
  launch(): void {
    const { disk, death, open, note } = this.#options
    const planned = death()
    note(`process ${this.number} opens${planned ? `, to die ${planned.mode} write ${planned.at}` : ''}`)
    this.#live(() => open({ store: disk.open(this, death), clock: this.clock, logger: false })).catch(error =>
      this.#fail(error),
    )
  }

  /** The process is gone; the operating system drops its lock. */
  die(why: string): void {
    if (this.isDead) return
    this.isDead = true
    this.#options.left()
    this.clock.stop()
    this.#options.note(`process ${this.number} dies ${why}`)
    // Of one that has lost the store or given it back already, the lock may be another's.
    if (!this.#hasLostStore && !this.isClosed) void this.#options.disk.base.close()
  }

  /** Asks a run for its result once more, as one does who comes in between. */
  ask(runId: string): void {
    const run = this.#runs.get(runId)
    if (!run || this.isOver || this.#isLeaving) return
    run.result().then(
      result => this.isDead || this.#options.heard(run, result),
      () => {},
    )
  }

  get hasLostStore(): boolean {
    return this.#hasLostStore
  }

  /** Another is about to take the store, and this one does not know yet. */
  losesStore(): void {
    this.#isLeaving = true
    this.#hasLostStore = true
    this.#options.left()
    this.#options.note(`process ${this.number} loses the store and goes on`)
    void this.#options.disk.base.close()
  }

  close(): void {
    const { runtime } = this
    if (!runtime || this.isOver) return
    this.#isLeaving = true
    this.#options.left()
    this.#options.note(`process ${this.number} is closed`)
    runtime.close().then(
      () => {
        this.isClosed = true
      },
      error => this.#fail(error, true),
    )
  }

  async #live(open: () => Promise<Runtime>): Promise<void> {
    const { begin, heard } = this.#options
    this.runtime = await open()
    const runs = await begin(this.runtime)
    if (runs.length === 0) {
      throw new OptionsError('simulate: no run was started; give `start`, which starts one and returns its handle')
    }
    this.started = runs.length
    for (const run of runs) this.#runs.set(run.id, run)
    for (const run of runs) {
      run.result().then(
        result => {
          this.heard.add(run.id)
          heard(run, result)
        },
        error => this.#fail(error),
      )
    }
  }

  #fail(error: unknown, always = false): void {
    if (this.isDead || this.isClosed || (this.#isLeaving && !always)) return
    this.#options.left()
    this.failure ??= error instanceof Error ? error : new Error(String(error))
    this.#options.note(`process ${this.number} fails: ${this.failure.message}`)
  }
}
