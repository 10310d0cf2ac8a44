/**
 * Writes in the form in which they go to another thread. What a thread is sent is copied value by value, with the name of
 * every property: so what nearly every write holds travels as one flat list, and only what is rare as the object it is.
 */
import type { JournalRow, RunState, RunStatus, RunWrite } from './store.ts'

type Rest = Omit<RunWrite, 'runId' | 'state' | 'journal'>

/** A list of writes, each as its id, the rest of it, its state, the number of its journal rows, and those. */
export type PackedWrites = readonly (string | number | null | Rest)[]

export function packWrites(writes: readonly RunWrite[]): PackedWrites {
  const packed: (string | number | null | Rest)[] = []
  for (const write of writes) {
    const { runId, state, journal } = write
    packed.push(runId, restOf(write))
    if (!state) packed.push(null)
    else {
      const { status, snapshot, seq, updatedAt, endedAt, counters, outcome } = state
      packed.push(status, snapshot, seq, updatedAt, endedAt, counters, outcome)
    }
    packed.push(journal?.length ?? null)
    for (const row of journal ?? []) {
      const { seq, at, type, schemaVersion, stage = null, attempt = null, incarnation = null, data } = row
      packed.push(seq, at, type, schemaVersion, stage, attempt, incarnation, data)
    }
  }
  return packed
}

export function unpackWrites(packed: PackedWrites): RunWrite[] {
  const writes: RunWrite[] = []
  let at = 0
  const next = <T>(): T => packed[at++] as T
  const nextState = (): RunState | undefined => {
    const status = next<RunStatus | null>()
    if (status === null) return undefined
    return {
      status,
      snapshot: next(),
      seq: next(),
      updatedAt: next(),
      endedAt: next(),
      counters: next(),
      outcome: next(),
    }
  }
  const nextRow = (): JournalRow => ({
    seq: next(),
    at: next(),
    type: next(),
    schemaVersion: next(),
    stage: next<string | null>() ?? undefined,
    attempt: next<number | null>() ?? undefined,
    incarnation: next<number | null>() ?? undefined,
    data: next(),
  })
  while (at < packed.length) {
    const runId = next<string>()
    const rest = next<Rest | null>()
    const state = nextState()
    const rows = next<number | null>()
    const journal = rows === null ? undefined : Array.from({ length: rows }, nextRow)
    writes.push({ runId, state, journal, ...rest })
  }
  return writes
}

function restOf({ create, ledger, setTimers, clearTimers, addSignals, consumeSignals, wake }: RunWrite): Rest | null {
  const isRare = create ?? ledger ?? setTimers ?? clearTimers ?? addSignals ?? consumeSignals ?? wake
  return isRare === undefined ? null : { create, ledger, setTimers, clearTimers, addSignals, consumeSignals, wake }
}
