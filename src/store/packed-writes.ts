/**
 * Writes in the form in which they go to another thread. What a thread is sent is copied value by value, with the name of
 * every property: so all numbers of a batch travel as one array and its texts as one text, which are copied as bytes. Only
 * what is rare travels as the object it is.
 */
import { type JournalRow, type RunState, type RunStatus, type RunWrite, runStatuses } from './store.ts'

type Rest = Omit<RunWrite, 'runId' | 'state' | 'journal'>

export interface PackedWrites {
  /** Of each write its id, the rest of it, its state, the number of its journal rows, and those; of texts the lengths. */
  readonly numbers: Float64Array
  /** The texts, one after the other. */
  readonly text: string
  /** The ids, texts that are long, and what is rare. */
  readonly apart: readonly (string | Rest)[]
}

/** In the place of a number or a length: there is none. */
const absent = Number.NaN
/** In the place of a length: the text, or the rest of the write, is apart. */
const isApart = -1
/** Longer texts go by themselves: to copy them into the one text costs more than it saves. */
const longText = 4096
/** Beyond this, texts go apart too: V8 has a longest string, which a batch of large results must not reach. */
const mostText = 16 * 1024 * 1024

const valuesOfState = 7
const valuesOfRow = 8
const noRows: readonly JournalRow[] = []

export function packWrites(writes: readonly RunWrite[]): PackedWrites {
  const packer = new Packer(packedLength(writes))
  for (const write of writes) {
    const { runId, state, journal } = write
    packer.apart(runId)
    packer.rest(restOf(write))
    if (state) packState(packer, state)
    else packer.number(undefined)
    packer.number(journal?.length)
    for (const row of journal ?? noRows) packRow(packer, row)
  }
  return packer.packed()
}

function packedLength(writes: readonly RunWrite[]): number {
  let length = 0
  for (const { state, journal } of writes)
    length += 3 + (state ? valuesOfState : 1) + (journal?.length ?? 0) * valuesOfRow
  return length
}

function packState(packer: Packer, state: RunState): void {
  packer.text(state.status)
  packer.text(state.snapshot)
  packer.number(state.seq)
  packer.number(state.updatedAt)
  packer.number(state.endedAt)
  packer.text(state.counters)
  packer.text(state.outcome)
}

function packRow(packer: Packer, row: JournalRow): void {
  packer.number(row.seq)
  packer.number(row.at)
  packer.text(row.type)
  packer.number(row.schemaVersion)
  packer.text(row.stage)
  packer.number(row.attempt)
  packer.number(row.incarnation)
  packer.text(row.data)
}

class Packer {
  readonly #numbers: Float64Array
  readonly #texts: string[] = []
  readonly #apart: (string | Rest)[] = []
  #place = 0
  #length = 0

  /** @param values how many there will be */
  constructor(values: number) {
    this.#numbers = new Float64Array(values)
  }

  number(value: number | null | undefined): void {
    this.#numbers[this.#place++] = value ?? absent
  }

  text(value: string | null | undefined): void {
    if (value === null || value === undefined) return this.number(absent)
    if (value.length > longText || this.#length + value.length > mostText) return this.apart(value)
    this.#texts.push(value)
    this.#length += value.length
    this.number(value.length)
  }

  rest(value: Rest | undefined): void {
    if (value === undefined) this.number(absent)
    else this.apart(value)
  }

  /** What the writer remembers must not be a part of the one text, or it would keep all of that. */
  apart(value: string | Rest): void {
    this.#apart.push(value)
    this.number(isApart)
  }

  packed(): PackedWrites {
    return { numbers: this.#numbers, text: this.#texts.join(''), apart: this.#apart }
  }
}

export function unpackWrites(packed: PackedWrites): RunWrite[] {
  const unpacker = new Unpacker(packed)
  const writes: RunWrite[] = []
  while (unpacker.hasMore) {
    const runId = unpacker.text() as string
    const rest = unpacker.rest()
    const state = unpackState(unpacker)
    const rows = unpacker.number()
    const journal = rows === undefined ? undefined : Array.from({ length: rows }, () => unpackRow(unpacker))
    writes.push({ runId, state, journal, ...rest })
  }
  return writes
}

function unpackState(unpacker: Unpacker): RunState | undefined {
  const status = unpacker.text()
  if (status === undefined) return undefined
  return {
    // The writer remembers it, and so gets the constant rather than a part of the text.
    status: runStatuses.find(known => known === status) ?? (status as RunStatus),
    snapshot: unpacker.text() ?? null,
    seq: unpacker.number() as number,
    updatedAt: unpacker.number() as number,
    endedAt: unpacker.number() ?? null,
    counters: unpacker.text() as string,
    outcome: unpacker.text() ?? null,
  }
}

const unpackRow = (unpacker: Unpacker): JournalRow => ({
  seq: unpacker.number() as number,
  at: unpacker.number() as number,
  type: unpacker.text() as string,
  schemaVersion: unpacker.number() as number,
  stage: unpacker.text(),
  attempt: unpacker.number(),
  incarnation: unpacker.number(),
  data: unpacker.text() as string,
})

class Unpacker {
  readonly #packed: PackedWrites
  #place = 0
  #textPlace = 0
  #apartPlace = 0

  constructor(packed: PackedWrites) {
    this.#packed = packed
  }

  get hasMore(): boolean {
    return this.#place < this.#packed.numbers.length
  }

  number(): number | undefined {
    const value = this.#packed.numbers[this.#place++] as number
    return Number.isNaN(value) ? undefined : value
  }

  text(): string | undefined {
    const length = this.number()
    if (length === isApart) return this.#nextApart() as string
    if (length === undefined) return undefined
    const start = this.#textPlace
    this.#textPlace += length
    return this.#packed.text.slice(start, this.#textPlace)
  }

  rest(): Rest | undefined {
    return this.number() === isApart ? (this.#nextApart() as Rest) : undefined
  }

  #nextApart(): string | Rest {
    return this.#packed.apart[this.#apartPlace++] as string | Rest
  }
}

function restOf(write: RunWrite): Rest | undefined {
  const { create, definition, ledger, setTimers, clearTimers, addSignals, consumeSignals, wake } = write
  const isRare = create ?? definition ?? ledger ?? setTimers ?? clearTimers ?? addSignals ?? consumeSignals ?? wake
  if (isRare === undefined) return undefined
  return { create, definition, ledger, setTimers, clearTimers, addSignals, consumeSignals, wake }
}
