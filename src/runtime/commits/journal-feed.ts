/**
 * Journal events for those who watch: each is told once it is durable, in order. A listener that throws is logged and
 * harms nobody.
 */
import type { JournalRow, Store } from '../../store/store.ts'
import type { JournalEvent, JournalEventType } from '../../telemetry/catalogue.ts'
import type { Subscription } from '../api.ts'

export type JournalListener = (event: JournalEvent) => void

export interface JournalFeed {
  /** Told of the events of one run, or of all where no id is given. */
  subscribe(runId: string | undefined, listener: JournalListener): Subscription
  announce(runId: string, rows: readonly JournalRow[]): void
  /** The journal of a run from `from` on, then what comes, until `ended` says that no more will. */
  follow(runId: string, from: number, ended: () => Promise<boolean>): AsyncIterable<JournalEvent>
  /** What comes from now on, of all runs. */
  followAll(): AsyncIterable<JournalEvent>
  /** The events of all runs from a position on, then what comes; each with its position. */
  followAllFrom(from: number): AsyncIterable<JournalEvent & { readonly position: number }>
  /** Ends every iteration; one that is begun later gives what is stored already, and ends. */
  close(): void
}

const pageSize = 1000

export function eventOf(runId: string, row: JournalRow): JournalEvent {
  const { data, ...rest } = row
  return { ...rest, runId, type: row.type as JournalEventType, data: dataOf(data) }
}

/** A damaged row is shown as one, and the rows after it too. */
function dataOf(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>
  } catch (error) {
    return { damaged: error instanceof Error ? error.message : String(error) }
  }
}

export function createJournalFeed(store: Store, onListenerError: (error: unknown) => void): JournalFeed {
  const byRun = new Map<string | undefined, Set<JournalListener>>()
  const closing = new Set<() => void>()
  let isClosed = false

  const tell = (listeners: ReadonlySet<JournalListener> | undefined, event: JournalEvent): void => {
    for (const listener of listeners ?? []) {
      try {
        listener(event)
      } catch (error) {
        onListenerError(error)
      }
    }
  }

  const subscribe = (runId: string | undefined, listener: JournalListener): Subscription => {
    const listeners = byRun.get(runId) ?? new Set()
    listeners.add(listener)
    byRun.set(runId, listeners)
    return {
      unsubscribe() {
        listeners.delete(listener)
        if (listeners.size === 0 && byRun.get(runId) === listeners) byRun.delete(runId)
      },
    }
  }

  /** Wakes the iteration when something came; `wait` resolves false when the feed closes. */
  const bell = (runId: string | undefined, onEvent: JournalListener) => {
    let closed = isClosed
    let wake = (): void => {}
    const subscription = subscribe(runId, event => {
      onEvent(event)
      wake()
    })
    const end = (): void => {
      closed = true
      wake()
    }
    closing.add(end)
    return {
      wait: () =>
        new Promise<boolean>(resolve => {
          wake = () => resolve(!closed)
          if (closed) wake()
        }),
      stop() {
        subscription.unsubscribe()
        closing.delete(end)
      },
    }
  }

  return {
    subscribe,
    announce(runId, rows) {
      if (byRun.size === 0) return
      const own = byRun.get(runId)
      const all = byRun.get(undefined)
      if (!own && !all) return
      for (const row of rows) {
        const event = eventOf(runId, row)
        tell(own, event)
        tell(all, event)
      }
    },
    async *follow(runId, from, ended) {
      let news = true
      let after = from - 1
      const watch = bell(runId, () => {
        news = true
      })
      try {
        for (;;) {
          news = false
          const rows = await store.readJournal(runId, { after, limit: pageSize })
          for (const row of rows) {
            after = row.seq
            yield eventOf(runId, row)
          }
          if (rows.length === pageSize || news) continue
          if (await ended()) {
            if ((await store.readJournal(runId, { after, limit: 1 })).length > 0) continue
            return
          }
          if (!news && !(await watch.wait())) return
        }
      } finally {
        watch.stop()
      }
    },
    // What comes after the iteration was begun, not only after its first event was asked for.
    followAll: () => ({
      [Symbol.asyncIterator]() {
        const queue: JournalEvent[] = []
        const watch = bell(undefined, event => queue.push(event))
        const events = drain(queue, watch.wait)
        return {
          next: () => events.next(),
          return() {
            watch.stop()
            return events.return(undefined)
          },
        }
      },
    }),
    async *followAllFrom(from) {
      let after = from - 1
      let news = true
      const watch = bell(undefined, () => {
        news = true
      })
      try {
        for (;;) {
          news = false
          const rows = await store.readEvents(after, pageSize)
          for (const { position, runId, row } of rows) {
            after = position
            yield { ...eventOf(runId, row), position }
          }
          if (rows.length === pageSize || news) continue
          if (!(await watch.wait())) return
        }
      } finally {
        watch.stop()
      }
    },
    close() {
      isClosed = true
      for (const end of closing) end()
      byRun.clear()
    },
  }
}

async function* drain(queue: JournalEvent[], more: () => Promise<boolean>): AsyncGenerator<JournalEvent, undefined> {
  do {
    for (let event = queue.shift(); event; event = queue.shift()) yield event
  } while (await more())
  return undefined
}
