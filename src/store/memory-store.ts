/**
 * A store that lives as long as the process: for tests, for the simulator and for `':memory:'`. It keeps what the
 * SQLite store keeps and refuses what that refuses. Rows are frozen copies whose values are JSON text, so nothing is
 * shared with the caller. What it holds outlives `close`: a closed store that is claimed again is a process that
 * came back.
 */
import { initialState } from './initial-state.ts'
import {
  duplicateJournalRow,
  duplicateSignal,
  leaseLost,
  ownedElsewhere,
  refuseUnstorable,
  refuseUnstorableName,
  runExists,
  runMissing,
} from './refusals.ts'
import { decodeCursor, encodeCursor, pageSize, searchText } from './run-listing.ts'
import {
  type Command,
  type CommandReply,
  isEnded,
  type JournalRow,
  type LedgerRow,
  type NewRun,
  type Page,
  type PositionedRow,
  type PurgeFilter,
  type RunFilter,
  type RunRow,
  type RunState,
  type RunWrite,
  type SignalRow,
  type SleepingTimer,
  type Store,
  type StoredRun,
  type StoreOwner,
  type TimerRow,
} from './store.ts'

export function memoryStore(): Store {
  const runs = new Map<string, StoredRecord>()
  const commands = new Map<string, { readonly command: Command; reply?: CommandReply }>()
  const listeners = new Set<() => void>()
  const written: PositionedRow[] = []
  let positions = 0
  let ordinals = 0
  let epoch = 0
  let owner: StoreOwner | undefined

  const fence = (claimed: number): void => {
    if (!owner || claimed !== owner.epoch) throw leaseLost(location, claimed, owner?.epoch)
  }

  return {
    async claim(claimant) {
      if (owner) throw ownedElsewhere(location, owner)
      epoch++
      owner = Object.freeze({ pid: claimant.pid, host: claimant.host, epoch, claimedAt: claimant.at })
      return owner
    },
    async commit(claimed, writes) {
      fence(claimed)
      refuseContradictions(runs, writes)
      for (const write of writes) {
        apply(runs, write, () => ++ordinals)
        for (const row of write.journal ?? [])
          written.push({
            position: ++positions,
            runId: write.runId,
            row: runs.get(write.runId)?.journal.get(row.seq) as JournalRow,
          })
      }
    },

    readRun: async runId => runRow(runs.get(runId)),
    unfinished: async ({ status, limit = Number.POSITIVE_INFINITY } = {}) =>
      [...runs.values()]
        .filter(({ state }) => !isEnded(state.status) && (status?.includes(state.status) ?? true))
        .slice(0, limit)
        .map(record => record.id),
    sleepingTimers: async ({ above, limit = 1000 } = {}) => {
      const placeOf = ({ dueAt, runId, key }: SleepingTimer): TimerPlace => [dueAt, runs.get(runId)?.ordinal ?? 0, key]
      const place = above && placeOf(above)
      return [...runs.values()]
        .flatMap(sleepingTimersOf)
        .map(timer => ({ timer, place: placeOf(timer) }))
        .filter(found => !place || compare(found.place, place) > 0)
        .sort((a, b) => compare(a.place, b.place))
        .slice(0, limit)
        .map(({ timer }) => timer)
    },
    load: async (runIds, journalTypes) => {
      const wanted = new Set(journalTypes)
      return runIds.flatMap(runId => storedRun(runs.get(runId), wanted))
    },
    list: async filter => listRuns([...runs.values()], filter),
    async readJournal(runId, options = {}) {
      const { after = 0, limit = 1000 } = options
      return journalOf(runs.get(runId))
        .filter(row => row.seq > after)
        .slice(0, limit)
    },
    readLedger: async runId => [...(runs.get(runId)?.ledger.values() ?? [])],

    readEvents: async (after, limit) => written.filter(({ position }) => position > after).slice(0, limit),
    async purge(claimed, filter) {
      fence(claimed)
      const purged = expired([...runs.values()], filter)
      for (const id of purged) runs.delete(id)
      const gone = new Set(purged)
      written.splice(0, written.length, ...written.filter(({ runId }) => !gone.has(runId)))
      return purged
    },
    async purgeCommands(claimed, before) {
      fence(claimed)
      const old = [...commands.values()].filter(({ command, reply }) => reply && command.at < before)
      for (const { command } of old) commands.delete(command.id)
      return old.length
    },

    owner: async () => owner,
    async enqueueCommand(command) {
      refuseUnstorableName(command.id, command.name, command.runId)
      if (commands.has(command.id)) return
      commands.set(command.id, { command: frozen(command) })
      for (const listener of [...listeners]) listener()
    },
    pendingCommands: async () => [...commands.values()].filter(entry => !entry.reply).map(entry => entry.command),
    async replyToCommand(claimed, commandId, reply) {
      fence(claimed)
      const entry = commands.get(commandId)
      if (entry) entry.reply ??= frozen(reply)
    },
    readReply: async commandId => commands.get(commandId)?.reply,
    onCommands(listener) {
      const own = (): void => listener()
      listeners.add(own)
      return () => listeners.delete(own)
    },

    describe: async () => ({ kind: 'memory', location, durability: 'process', schemaVersion: 1, settings: {} }),
    async close() {
      owner = undefined
      listeners.clear()
    },
  }
}

const location = ':memory:'

interface StoredRecord {
  readonly id: string
  /** Its place in the order of creation, from 1. */
  readonly ordinal: number
  created: NewRun
  readonly search: string
  state: RunState
  readonly journal: Map<number, JournalRow>
  readonly ledger: Map<string, LedgerRow>
  readonly timers: Map<string, TimerRow>
  readonly signals: Map<number, SignalRow>
}

/** Throws what speaks against any of the writes, before any of them is applied. */
function refuseContradictions(runs: ReadonlyMap<string, StoredRecord>, writes: readonly RunWrite[]): void {
  const batch = new Map<string, { readonly seqs: Set<number>; readonly ordinals: Set<number> }>()
  for (const write of writes) {
    refuseUnstorable(write)
    const { runId, create, journal = [], addSignals = [] } = write
    const record = runs.get(runId)
    const known = record !== undefined || batch.has(runId)
    if (create && known) throw runExists(runId)
    if (!create && !known) throw runMissing(runId)
    const earlier = batch.get(runId) ?? { seqs: new Set(), ordinals: new Set() }
    batch.set(runId, earlier)
    for (const { seq } of journal) {
      if (record?.journal.has(seq) || earlier.seqs.has(seq)) throw duplicateJournalRow(runId, seq)
      earlier.seqs.add(seq)
    }
    for (const { ordinal } of addSignals) {
      if (record?.signals.has(ordinal) || earlier.ordinals.has(ordinal)) throw duplicateSignal(runId, ordinal)
      earlier.ordinals.add(ordinal)
    }
  }
}

function apply(runs: Map<string, StoredRecord>, write: RunWrite, nextOrdinal: () => number): void {
  const record = write.create
    ? createRecord(runs, write.runId, write.create, nextOrdinal())
    : (runs.get(write.runId) as StoredRecord)
  if (write.definition) {
    const { version, definitionHash } = write.definition
    record.created = frozen({ ...record.created, version, definitionHash })
  }
  if (write.state) record.state = frozen(write.state)
  for (const row of write.journal ?? []) record.journal.set(row.seq, frozen(row))
  for (const row of write.ledger ?? []) record.ledger.set(JSON.stringify([row.stage, row.key]), frozen(row))
  for (const key of write.clearTimers ?? []) record.timers.delete(key)
  for (const row of write.setTimers ?? []) record.timers.set(row.key, frozen(row))
  for (const row of write.addSignals ?? []) record.signals.set(row.ordinal, frozen({ ...row, consumed: false }))
  for (const ordinal of write.consumeSignals ?? []) {
    const signal = record.signals.get(ordinal)
    if (signal) record.signals.set(ordinal, frozen({ ...signal, consumed: true }))
  }
  for (const { runId, ...row } of write.wake ?? []) {
    const other = runs.get(runId)
    if (other && !isEnded(other.state.status)) other.timers.set(row.key, frozen(row))
  }
}

type TimerPlace = readonly [dueAt: number, ordinal: number, key: string]

function compare(a: TimerPlace, b: TimerPlace): number {
  return a[0] - b[0] || a[1] - b[1] || (a[2] < b[2] ? -1 : a[2] > b[2] ? 1 : 0)
}

function sleepingTimersOf({ id, state, timers }: StoredRecord): SleepingTimer[] {
  if (state.status !== 'waiting' && state.status !== 'paused') return []
  return [...timers.values()]
    .filter(({ key }) => state.status === 'waiting' || key.startsWith('run:'))
    .map(({ key, dueAt }) => ({ runId: id, key, dueAt }))
}

function createRecord(runs: Map<string, StoredRecord>, runId: string, run: NewRun, ordinal: number): StoredRecord {
  const created = frozen({
    ...run,
    tags: Object.freeze([...run.tags]),
    parent: run.parent && frozen(run.parent),
  })
  const record: StoredRecord = {
    id: runId,
    ordinal,
    created,
    search: searchText(runId, run),
    state: initialState(run),
    journal: new Map(),
    ledger: new Map(),
    timers: new Map(),
    signals: new Map(),
  }
  runs.set(runId, record)
  return record
}

/** A copy that nobody can change, without the keys that are undefined. */
const frozen = <T extends object>(row: T): T =>
  Object.freeze(Object.fromEntries(Object.entries(row).filter(([, value]) => value !== undefined))) as T

function runRow(record: StoredRecord): RunRow
function runRow(record: StoredRecord | undefined): RunRow | undefined
function runRow(record: StoredRecord | undefined): RunRow | undefined {
  return record && { id: record.id, ...record.created, ...record.state }
}

const journalOf = (record: StoredRecord | undefined): readonly JournalRow[] =>
  [...(record?.journal.values() ?? [])].sort((a, b) => a.seq - b.seq)

function storedRun(record: StoredRecord | undefined, journalTypes: ReadonlySet<string>): StoredRun[] {
  if (!record) return []
  return [
    {
      run: runRow(record),
      journal: journalOf(record).filter(row => journalTypes.has(row.type)),
      ledger: [...record.ledger.values()],
      timers: [...record.timers.values()].sort((a, b) => a.dueAt - b.dueAt || (a.key < b.key ? -1 : 1)),
      signals: [...record.signals.values()].filter(row => !row.consumed).sort((a, b) => a.ordinal - b.ordinal),
    },
  ]
}

function expired(records: readonly StoredRecord[], { status, endedBefore, limit }: PurgeFilter): string[] {
  const byId = new Map(records.map(record => [record.id, record]))
  const children = (id: string): StoredRecord[] => records.filter(({ created }) => created.parent?.runId === id)
  const family = (record: StoredRecord): StoredRecord[] => [record, ...children(record.id).flatMap(family)]
  return records
    .filter(({ state, created }) => {
      const isOld = status.includes(state.status) && state.endedAt !== null && state.endedAt < endedBefore
      return isOld && (created.parent === undefined || !byId.has(created.parent.runId))
    })
    .map(family)
    .filter(members => members.every(({ state }) => isEnded(state.status)))
    .slice(0, limit)
    .flatMap(members => members.map(({ id }) => id))
}

const newestFirst = (a: StoredRecord, b: StoredRecord): number =>
  b.created.createdAt - a.created.createdAt || b.ordinal - a.ordinal

function listRuns(records: readonly StoredRecord[], filter: RunFilter): Page<RunRow> {
  const limit = pageSize(filter.limit)
  const below = filter.cursor === undefined ? undefined : decodeCursor(filter.cursor)
  const found = records
    .filter(record => matches(record, filter))
    .sort(newestFirst)
    .filter(
      ({ created, ordinal }) =>
        !below ||
        created.createdAt < below.createdAt ||
        (created.createdAt === below.createdAt && ordinal < below.ordinal),
    )
  const items = found.slice(0, limit)
  const last = items.at(-1)
  return found.length > limit && last
    ? {
        items: items.map(record => runRow(record)),
        nextCursor: encodeCursor({ createdAt: last.created.createdAt, ordinal: last.ordinal }),
      }
    : { items: items.map(record => runRow(record)) }
}

const matches = ({ created, state, search }: StoredRecord, filter: RunFilter): boolean =>
  (filter.status === undefined || filter.status.includes(state.status)) &&
  (filter.workflow === undefined || created.workflow === filter.workflow) &&
  (filter.tags ?? []).every(tag => created.tags.includes(tag)) &&
  (filter.text === undefined || search.includes(filter.text.toLowerCase())) &&
  (filter.since === undefined || created.createdAt >= filter.since)
