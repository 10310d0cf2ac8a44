/**
 * Who wants to know how an incarnation ends. Each watcher is told exactly once, in a microtask of its own, also when the
 * end came before the watching. What a watcher throws concerns nobody else.
 */
import type { ExitReason } from './events.ts'

/** How an incarnation ended. */
export interface ChildEnd {
  readonly id: string
  readonly incarnation: number
  /** `not-started`: there has been no incarnation to watch. */
  readonly reason: ExitReason | 'not-started'
  readonly error?: unknown
}

export type ChildWatcher = (end: ChildEnd) => void

interface Watch {
  readonly watcher: ChildWatcher
}

export class Watchers {
  readonly #watching = new Set<Watch>()

  /**
   * @param ended how the watched one has ended already, where it has
   * @returns stops watching; after the notice it does nothing
   */
  add(watcher: ChildWatcher, ended: ChildEnd | undefined): () => void {
    const watch = { watcher }
    this.#watching.add(watch)
    if (ended) this.#notify(watch, ended)
    return () => void this.#watching.delete(watch)
  }

  tell(end: ChildEnd): void {
    for (const watch of this.#watching) this.#notify(watch, end)
  }

  /** By the time of the microtask it may have stopped watching, or been told. */
  #notify(watch: Watch, end: ChildEnd): void {
    queueMicrotask(() => {
      if (!this.#watching.delete(watch)) return
      try {
        watch.watcher(end)
      } catch {
        // A watcher cannot harm what it watches.
      }
    })
  }
}
