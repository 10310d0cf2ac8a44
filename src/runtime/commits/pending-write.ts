/**
 * What a run will write with its next commit. Everything that one event of the run changed is gathered here, so that a
 * commit holds all of it or nothing. There is one for every live run, so what few commits hold is made when it is needed.
 */
import type {
  DefinitionMark,
  JournalRow,
  LedgerRow,
  NewRun,
  RunState,
  RunWrite,
  SignalRow,
  TimerRow,
  Wake,
} from '../../store/store.ts'

type AddedSignal = Omit<SignalRow, 'consumed'>

export class PendingWrite {
  #created: NewRun | undefined
  #defined: DefinitionMark | undefined
  #journal: JournalRow[] = []
  #ledger: Map<string, LedgerRow> | undefined
  /** By key; null for one that is cleared. */
  #timers: Map<string, TimerRow | null> | undefined
  #added: AddedSignal[] | undefined
  #consumed: number[] | undefined
  #woken: Wake[] | undefined

  create(run: NewRun): void {
    this.#created = run
  }

  /** The run goes on with another definition than before. */
  define(definition: DefinitionMark): void {
    this.#defined = definition
  }

  journal(row: JournalRow): void {
    this.#journal.push(row)
  }

  ledger(row: LedgerRow): void {
    this.#ledger ??= new Map()
    this.#ledger.set(`${row.stage}\u0000${row.key}`, row)
  }

  setTimer(timer: TimerRow): void {
    this.#timers ??= new Map()
    this.#timers.set(timer.key, timer)
  }

  clearTimer(key: string): void {
    this.#timers ??= new Map()
    this.#timers.set(key, null)
  }

  addSignal(signal: AddedSignal): void {
    this.#added ??= []
    this.#added.push(signal)
  }

  consumeSignal(ordinal: number): void {
    this.#consumed ??= []
    this.#consumed.push(ordinal)
  }

  /** Sets a timer of another run. */
  wake(row: Wake): void {
    this.#woken ??= []
    this.#woken.push(row)
  }

  /** The write with this state, and the journal rows in it; afterwards nothing is pending. */
  take(runId: string, state: RunState): { write: RunWrite; journal: readonly JournalRow[] } {
    const journal = this.#journal
    const timers = this.#timers
    const write: RunWrite = {
      runId,
      state,
      create: this.#created,
      definition: this.#defined,
      journal: journal.length > 0 ? journal : undefined,
      ledger: this.#ledger && [...this.#ledger.values()],
      setTimers: timers && [...timers.values()].filter(timer => timer !== null),
      clearTimers: timers && [...timers].filter(([, timer]) => timer === null).map(([key]) => key),
      addSignals: this.#added,
      consumeSignals: this.#consumed,
      wake: this.#woken,
    }
    this.#created = undefined
    this.#defined = undefined
    if (journal.length > 0) this.#journal = []
    this.#ledger = undefined
    this.#timers = undefined
    this.#added = undefined
    this.#consumed = undefined
    this.#woken = undefined
    return { write, journal }
  }
}
