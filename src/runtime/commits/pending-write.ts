/**
 * What a run will write with its next commit. Everything that one event of the run changed is gathered here, so that a
 * commit holds all of it or nothing.
 */
import type { JournalRow, LedgerRow, NewRun, RunState, RunWrite, SignalRow, TimerRow, Wake } from '../../store/store.ts'

export interface PendingWrite {
  create(run: NewRun): void
  journal(row: JournalRow): void
  ledger(row: LedgerRow): void
  setTimer(timer: TimerRow): void
  clearTimer(key: string): void
  addSignal(signal: Omit<SignalRow, 'consumed'>): void
  consumeSignal(ordinal: number): void
  /** Sets a timer of another run. */
  wake(row: Wake): void
  /** The write with this state, and the journal rows in it; afterwards nothing is pending. */
  take(runId: string, state: RunState): { write: RunWrite; journal: readonly JournalRow[] }
}

export function createPendingWrite(): PendingWrite {
  let created: NewRun | undefined
  let journal: JournalRow[] = []
  let ledger = new Map<string, LedgerRow>()
  let timers = new Map<string, TimerRow | null>()
  let added: Omit<SignalRow, 'consumed'>[] = []
  let consumed: number[] = []
  let woken: Wake[] = []

  return {
    create(run) {
      created = run
    },
    journal(row) {
      journal.push(row)
    },
    ledger(row) {
      ledger.set(`${row.stage}\u0000${row.key}`, row)
    },
    setTimer(timer) {
      timers.set(timer.key, timer)
    },
    clearTimer(key) {
      timers.set(key, null)
    },
    addSignal(signal) {
      added.push(signal)
    },
    consumeSignal(ordinal) {
      consumed.push(ordinal)
    },
    wake(row) {
      woken.push(row)
    },
    take(runId, state) {
      const write: { -readonly [K in keyof RunWrite]: RunWrite[K] } = { runId, state }
      const rows = journal
      if (created) write.create = created
      if (rows.length > 0) write.journal = rows
      if (ledger.size > 0) write.ledger = [...ledger.values()]
      if (timers.size > 0) {
        write.setTimers = [...timers.values()].filter(timer => timer !== null)
        write.clearTimers = [...timers].filter(([, timer]) => timer === null).map(([key]) => key)
        timers = new Map()
      }
      if (added.length > 0) {
        write.addSignals = added
        added = []
      }
      if (consumed.length > 0) {
        write.consumeSignals = consumed
        consumed = []
      }
      if (woken.length > 0) {
        write.wake = woken
        woken = []
      }
      created = undefined
      journal = []
      if (ledger.size > 0) ledger = new Map()
      return { write, journal: rows }
    },
  }
}
