/**
 * The runs that are in memory, and the places in which they work. A run that finds no place waits as `pending`, higher
 * priority first. Also what holds for all runs at once: whether the runtime is open, and whether the process is to stay
 * alive for them.
 */
import type { RunStatus } from '../../store/store.ts'
import type { KeepAlive } from '../commits/keep-alive.ts'
import type { ActorRun } from '../run/live-run.ts'

/** Statuses of runs that only wait, and so may be out of memory. */
export const asleep: readonly RunStatus[] = ['waiting', 'paused']

export interface RunsInMemoryOptions {
  /** Held while a run is in memory. */
  readonly keepAlive: KeepAlive
  /** Runs that may work at once. */
  readonly places: number
}

export class RunsInMemory {
  /** Those whose first write is under way. */
  readonly starting = new Map<string, Promise<void>>()
  /** Sleeping runs that this process is there for, as far as it knows. */
  sleeping = 0
  readonly #options: RunsInMemoryOptions
  readonly #live = new Map<string, ActorRun>()
  /** Those that wait for a place, higher priority first. */
  readonly #queue: ActorRun[] = []
  #closedBy: unknown

  constructor(options: RunsInMemoryOptions) {
    this.#options = options
  }

  has(runId: string): boolean {
    return this.#live.has(runId)
  }

  find(runId: string): ActorRun | undefined {
    return this.#live.get(runId)
  }

  all(): Iterable<ActorRun> {
    return this.#live.values()
  }

  hold(run: ActorRun): void {
    this.#live.set(run.id, run)
    this.holdProcess()
  }

  /** The process is held as before, until `holdProcess` is asked. */
  drop(runId: string): void {
    this.#live.delete(runId)
  }

  holdProcess(): void {
    this.#options.keepAlive.set(this.#live.size > 0 || this.sleeping > 0)
  }

  hasPlace(): boolean {
    return this.#live.size <= this.#options.places || this.#working() < this.#options.places
  }

  enqueue(run: ActorRun): void {
    const priority = run.options.priority ?? 0
    const place = this.#queue.findIndex(other => (other.options.priority ?? 0) < priority)
    this.#queue.splice(place < 0 ? this.#queue.length : place, 0, run)
  }

  launchOrEnqueue(run: ActorRun): void {
    if (this.hasPlace()) run.launch()
    else this.enqueue(run)
  }

  /** Gives free places to those who wait. */
  admit(): void {
    while (this.#queue.length > 0 && this.#working() < this.#options.places) {
      const run = this.#queue.shift() as ActorRun
      if (run.status === 'pending' && !run.detached) run.launch()
    }
  }

  /** From now on nothing is begun; `ensureOpen` throws the first reason that was given. */
  shut(reason: unknown): void {
    this.#closedBy ??= reason
  }

  get isOpen(): boolean {
    return this.#closedBy === undefined
  }

  /** @throws why the runtime was closed */
  ensureOpen(): void {
    if (this.#closedBy !== undefined) throw this.#closedBy
  }

  /** Lets go of every run. */
  clear(reason: unknown): void {
    for (const run of this.#live.values()) run.detach(reason)
    this.#live.clear()
    this.#options.keepAlive.set(false)
    this.#queue.length = 0
  }

  #working(): number {
    let working = 0
    for (const { status } of this.#live.values()) {
      if (status === 'running' || status === 'recovering' || status === 'cancelling') working++
    }
    return working
  }
}
