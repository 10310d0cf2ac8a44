/** Who waits for the end of a run: one in memory tells it itself, and for one that sleeps the waiting is kept here. */
import { RunNotFoundError } from '../../errors.ts'
import { isEnded, type Store } from '../../store/store.ts'
import type { RunResult } from '../api.ts'
import type { Adoption } from './adoption.ts'
import type { RunsInMemory } from './runs-in-memory.ts'

interface Waiter {
  readonly resolve: (result: RunResult) => void
  readonly reject: (error: unknown) => void
}

export interface EndsParts {
  readonly store: Store
  readonly memory: RunsInMemory
  readonly adoption: Adoption
}

export class Ends {
  readonly #parts: EndsParts
  /** Who waits for the end of a run that is not in memory. */
  readonly #waiters = new Map<string, Waiter[]>()

  constructor(parts: EndsParts) {
    this.#parts = parts
  }

  /** The next end of a run. */
  async next(runId: string): Promise<RunResult> {
    const { store, memory, adoption } = this.#parts
    for (;;) {
      const live = memory.find(runId)
      if (live) return live.nextResult()
      const row = await store.readRun(runId)
      if (!row) throw new RunNotFoundError(runId)
      if (isEnded(row.status) && row.outcome !== null) return JSON.parse(row.outcome) as RunResult
      memory.ensureOpen()
      // A run that was taken up while its row was read may have ended since.
      const adopting = adoption.underWay(runId)
      if (adopting) await adopting
      else if (!memory.has(runId)) break
    }
    return new Promise((resolve, reject) => this.keep(runId, [{ resolve, reject }]))
  }

  /** The run leaves memory, and these go on waiting for its end. */
  keep(runId: string, waiters: readonly Waiter[]): void {
    if (waiters.length > 0) this.#waiters.set(runId, [...(this.#waiters.get(runId) ?? []), ...waiters])
  }

  tell(runId: string, result: RunResult): void {
    for (const { resolve } of this.#waiters.get(runId) ?? []) resolve(result)
    this.#waiters.delete(runId)
  }

  /** Who still waits hears `reason`. */
  close(reason: unknown): void {
    for (const waiters of this.#waiters.values()) for (const { reject } of waiters) reject(reason)
    this.#waiters.clear()
  }
}
