/**
 * Writes in the form in which they go to another thread. What a thread is sent is copied value by value, with the name of
 * every property: so what nearly every write holds travels as one flat list, and only what is rare as the object it is.
 */
import type { JournalRow, RunState, RunStatus, RunWrite } from './store.ts'

type Rest = Omit<RunWrite, 'runId' | 'state' | 'journal'>

/** A list of writes, each as its id, the rest of it, its state, the number of its journal rows, and those. */
export type PackedWrites = readonly (string | number | null | Rest)[]

export function packWrites(writes: readonly RunWrite[]): PackedWrites {
  // Of its full length from the start: a list that grows is copied again and again.
  const packed = new Array<string | number | null | Rest>(packedLength(writes))
  let place = 0
  const put = (value: string | number | null | Rest): void => {
    packed[place++] = value
  }
  for (const write of writes) {
    const { runId, state, journal } = write
    put(runId)
    put(restOf(write))
    if (state) putState(put, state)
    else put(null)
    put(journal?.length ?? null)
    for (const row of journal ?? none) putRow(put, row)
  }
  return packed
}

const none: readonly JournalRow[] = []
const valuesOfState = 7
const valuesOfRow = 8

function packedLength(writes: readonly RunWrite[]): number {
  let length = 0
  for (const { state, journal } of writes)
    length += 3 + (state ? valuesOfState : 1) + (journal?.length ?? 0) * valuesOfRow
  return length
}

type Put = (value: string | number | null) => void

function putState(put: Put, { status, snapshot, seq, updatedAt, endedAt, counters, outcome }: RunState): void {
  put(status)
  put(snapshot)
  put(seq)
  put(updatedAt)
  put(endedAt)
  put(counters)
  put(outcome)
}

function putRow(put: Put, row: JournalRow): void {
  put(row.seq)
  put(row.at)
  put(row.type)
  put(row.schemaVersion)
  put(row.stage ?? null)
  put(row.attempt ?? null)
  put(row.incarnation ?? null)
  put(row.data)
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

function restOf(write: RunWrite): Rest | null {
  const { create, definition, ledger, setTimers, clearTimers, addSignals, consumeSignals, wake } = write
  const isRare = create ?? definition ?? ledger ?? setTimers ?? clearTimers ?? addSignals ?? consumeSignals ?? wake
  if (isRare === undefined) return null
  return { create, definition, ledger, setTimers, clearTimers, addSignals, consumeSignals, wake }
}
