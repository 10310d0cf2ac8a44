/**
 * The reads of a store file. They work on the owner's connection and on one of their own beside a live owner; what
 * belongs together is read in one transaction, so a commit in between is seen wholly or not at all.
 */
import { stateMissing } from './refusals.ts'
import { decodeCursor, encodeCursor, pageSize } from './run-listing.ts'
import type { SqliteDatabase, SqliteStatement, SqliteValue } from './sqlite-driver.ts'
import { rollBack } from './sqlite-schema.ts'
import {
  type Command,
  type CommandReply,
  isEnded,
  type JournalRow,
  type LedgerRow,
  type Page,
  type PositionedRow,
  type RunFilter,
  type RunRow,
  type RunStatus,
  runStatuses,
  type SignalRow,
  type SleepingTimer,
  type StoredRun,
  type StoreOwner,
  type TimerRow,
} from './store.ts'

export interface SqliteReads {
  run(runId: string): RunRow | undefined
  unfinished(filter?: { readonly status?: readonly RunStatus[]; readonly limit?: number }): readonly string[]
  sleepingTimers(above: SleepingTimer | undefined, limit: number): readonly SleepingTimer[]
  load(runIds: readonly string[], journalTypes: readonly string[]): readonly StoredRun[]
  list(filter: RunFilter): Page<RunRow>
  journal(runId: string, after: number, limit: number): readonly JournalRow[]
  ledger(runId: string): readonly LedgerRow[]
  events(after: number, limit: number): readonly PositionedRow[]
  lastOwner(): StoreOwner | undefined
  pendingCommands(): readonly Command[]
  reply(commandId: string): CommandReply | undefined
  /** Rises when another connection has committed. */
  dataVersion(): number
}

export function sqliteReads(database: SqliteDatabase): SqliteReads {
  const statements = prepareReads(database)
  return {
    run: runId => runOf(columnsOf(statements, runId)),
    unfinished: ({ status = liveStatuses, limit = -1 } = {}) =>
      (
        statements.unfinished.all(JSON.stringify(status.filter(one => !isEnded(one))), limit) as { run_id: string }[]
      ).map(row => row.run_id),
    sleepingTimers: (above, limit) => {
      const found = above
        ? statements.sleepingTimersAbove.all(above.dueAt, above.dueAt, above.runId, above.key, limit)
        : statements.sleepingTimers.all(limit)
      return (found as SleepingTimer[]).map(timer => ({ ...timer }))
    },
    load: (runIds, journalTypes) => {
      const journal = database.prepare(journalOfTypes(journalTypes.length))
      return reading(database, () => runIds.flatMap(runId => loadRun(statements, journal, runId, journalTypes)))
    },
    list: filter => listRuns(database, filter),
    journal: (runId, after, limit) => statements.journal.all(runId, after, limit).map(journalOf),
    ledger: runId => (statements.ledger.all(runId) as LedgerRow[]).map(row => ({ ...row })),
    events: (after, limit) =>
      statements.events.all(after, limit).map(columns => {
        const { position, runId, ...row } = columns as { position: number; runId: string }
        return { position, runId, row: journalOf(row) }
      }),
    lastOwner: () => {
      const owner = statements.owner.get() as { [K in keyof StoreOwner]: StoreOwner[K] | null }
      return owner.pid === null ? undefined : ({ ...owner } as StoreOwner)
    },
    pendingCommands: () => (statements.pendingCommands.all() as Command[]).map(row => ({ ...row })),
    reply: commandId => replyOf(statements.reply.get(commandId) as ReplyColumns | undefined),
    dataVersion: () => (statements.dataVersion.get() as { data_version: number }).data_version,
  }
}

type ReadStatements = ReturnType<typeof prepareReads>

const runColumns = `r.id AS row, r.run_id AS id, r.workflow, r.version, r.definition_hash AS definitionHash, r.source,
  r.input, r.options, r.tags, r.created_at AS createdAt, r.parent_run_id AS parentRunId, r.parent_stage AS parentStage,
  s.status, s.snapshot, s.seq, s.updated_at AS updatedAt, s.ended_at AS endedAt, s.counters, s.outcome`

const journalColumns = 'seq, at, type, schema_version AS schemaVersion, stage, attempt, incarnation, data'

const rowOf = '(SELECT id FROM runs WHERE run_id = ?)'

const liveStatuses = runStatuses.filter(status => !isEnded(status))

/** Timers of runs that sleep, in the order in which they come due: the index of due times is walked, never sorted. */
const sleepingTimers = (above: string): string =>
  `SELECT r.run_id AS runId, t.key, t.due_at AS dueAt
    FROM timers t CROSS JOIN run_states s ON s.run = t.run CROSS JOIN runs r ON r.id = t.run
    WHERE ${above} (s.status = 'waiting' OR (s.status = 'paused' AND t.key GLOB 'run:*'))
    ORDER BY t.due_at, t.run, t.key LIMIT ?`

function prepareReads(database: SqliteDatabase) {
  return {
    run: database.prepare(
      `SELECT ${runColumns}, (SELECT max(j.seq) FROM journal j WHERE j.run = r.id) AS lastSeq
        FROM runs r LEFT JOIN run_states s ON s.run = r.id WHERE r.run_id = ?`,
    ),
    unfinished: database.prepare(
      `SELECT r.run_id FROM run_states s INDEXED BY run_states_not_completed JOIN runs r ON r.id = s.run
        WHERE s.status <> 'completed' AND s.status IN (SELECT value FROM json_each(?)) ORDER BY s.run LIMIT ?`,
    ),
    sleepingTimers: database.prepare(sleepingTimers('')),
    sleepingTimersAbove: database.prepare(
      sleepingTimers(`t.due_at >= ? AND (t.due_at, t.run, t.key) > (?, ${rowOf}, ?) AND`),
    ),
    journal: database.prepare(
      `SELECT ${journalColumns} FROM journal WHERE run = ${rowOf} AND seq > ? ORDER BY seq LIMIT ?`,
    ),
    events: database.prepare(
      `SELECT j.id AS position, r.run_id AS runId, ${journalColumns} FROM journal j JOIN runs r ON r.id = j.run
        WHERE j.id > ? ORDER BY j.id LIMIT ?`,
    ),
    ledger: database.prepare(`SELECT stage, key, kind, state, data FROM ledger WHERE run = ${rowOf} ORDER BY id`),
    ledgerOfRow: database.prepare('SELECT stage, key, kind, state, data FROM ledger WHERE run = ? ORDER BY id'),
    timers: database.prepare('SELECT key, due_at AS dueAt, data FROM timers WHERE run = ? ORDER BY due_at, key'),
    signals: database.prepare(
      'SELECT ordinal, name, payload, at FROM signals WHERE run = ? AND consumed = 0 ORDER BY ordinal',
    ),
    owner: database.prepare('SELECT pid, host, epoch, claimed_at AS claimedAt FROM ownership'),
    pendingCommands: database.prepare(
      'SELECT id, name, run_id AS runId, args, at FROM commands WHERE replied = 0 ORDER BY position',
    ),
    reply: database.prepare(
      'SELECT reply_value AS value, reply_error AS error FROM commands WHERE id = ? AND replied = 1',
    ),
    dataVersion: database.prepare('PRAGMA data_version'),
  }
}

const journalOfTypes = (count: number): string =>
  `SELECT ${journalColumns} FROM journal WHERE run = ? AND type IN (${Array(count).fill('?').join(', ')}) ORDER BY seq`

interface RunColumns extends Omit<RunRow, 'tags' | 'parent' | 'source'> {
  readonly row: number
  readonly source: string | null
  readonly tags: string
  readonly parentRunId: string | null
  readonly parentStage: string | null
  /** The number of its last event, where that was asked for; null where it has none. */
  readonly lastSeq?: number | null
}

interface ReplyColumns {
  readonly value: string | null
  readonly error: string | null
}

/** @throws StoreError `store_corrupt` for a run whose state is gone: it is there, and not to be taken for unknown */
function columnsOf(statements: ReadStatements, runId: string): RunColumns | undefined {
  const columns = statements.run.get(runId) as RunColumns | { readonly status: null } | undefined
  if (columns?.status === null) throw stateMissing(runId)
  return columns
}

function runOf(columns: RunColumns): RunRow
function runOf(columns: RunColumns | undefined): RunRow | undefined
function runOf(columns: RunColumns | undefined): RunRow | undefined {
  if (!columns) return undefined
  const { row: _, source, tags, parentRunId, parentStage, lastSeq: __, ...rest } = columns
  return {
    ...rest,
    ...(source === null ? {} : { source }),
    tags: tagsOf(tags),
    ...(parentRunId === null ? {} : { parent: { runId: parentRunId, stage: parentStage as string } }),
  }
}

/** A damaged row costs its tags, and no other run anything. */
function tagsOf(text: string): string[] {
  try {
    return JSON.parse(text) as string[]
  } catch {
    return []
  }
}

type JournalColumns = { readonly [K in keyof JournalRow]-?: Exclude<JournalRow[K], undefined> | null }

/** The row without the columns that hold nothing. */
function journalOf(columns: unknown): JournalRow {
  const { stage, attempt, incarnation, ...rest } = columns as JournalColumns
  const row = rest as { -readonly [K in keyof JournalRow]: JournalRow[K] }
  if (stage !== null) row.stage = stage
  if (attempt !== null) row.attempt = attempt
  if (incarnation !== null) row.incarnation = incarnation
  return row
}

const replyOf = (columns: ReplyColumns | undefined): CommandReply | undefined =>
  columns && {
    ...(columns.value === null ? {} : { value: columns.value }),
    ...(columns.error === null ? {} : { error: columns.error }),
  }

function loadRun(
  statements: ReadStatements,
  journal: SqliteStatement,
  runId: string,
  journalTypes: readonly string[],
): StoredRun[] {
  const columns = columnsOf(statements, runId)
  if (!columns) return []
  const { row } = columns
  return [
    {
      run: { ...runOf(columns), seq: columns.lastSeq ?? columns.seq },
      journal: journal.all(row, ...journalTypes).map(journalOf),
      ledger: (statements.ledgerOfRow.all(row) as LedgerRow[]).map(entry => ({ ...entry })),
      timers: (statements.timers.all(row) as TimerRow[]).map(timer => ({ ...timer })),
      signals: (statements.signals.all(row) as SignalRow[]).map(signal => ({ ...signal, consumed: false })),
      ...mendedOf(columns),
    },
  ]
}

/** The journal knows better than a damaged number: to go on from a wrong one would be refused for ever. */
function mendedOf({ seq, lastSeq }: RunColumns): Pick<StoredRun, 'mended'> {
  if (lastSeq === undefined || lastSeq === null || lastSeq === seq) return {}
  return { mended: [`the number of its last event is ${lastSeq}, and its row said ${seq}`] }
}

function reading<T>(database: SqliteDatabase, work: () => T): T {
  database.exec('BEGIN')
  try {
    return work()
  } finally {
    rollBack(database)
  }
}

function listRuns(database: SqliteDatabase, filter: RunFilter): Page<RunRow> {
  const limit = pageSize(filter.limit)
  const { conditions, values } = conditionsOf(filter)
  const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`
  const found = database
    .prepare(
      `SELECT ${runColumns} FROM runs r JOIN run_states s ON s.run = r.id ${where}
        ORDER BY r.created_at DESC, r.id DESC LIMIT ?`,
    )
    .all(...values, limit + 1) as RunColumns[]
  const items = found.slice(0, limit)
  const last = items.at(-1)
  const page = items.map(columns => runOf(columns))
  return found.length > limit && last
    ? { items: page, nextCursor: encodeCursor({ createdAt: last.createdAt, ordinal: last.row }) }
    : { items: page }
}

function conditionsOf(filter: RunFilter): { conditions: string[]; values: SqliteValue[] } {
  const conditions: string[] = []
  const values: SqliteValue[] = []
  const add = (condition: string, ...bound: SqliteValue[]): void => {
    conditions.push(condition)
    values.push(...bound)
  }
  if (filter.status) {
    const wanted = JSON.stringify(filter.status)
    const statuses = 'status IN (SELECT value FROM json_each(?))'
    if (filter.status.includes('completed')) add(`s.${statuses}`, wanted)
    else add(`r.id IN (SELECT run FROM run_states WHERE status <> 'completed' AND ${statuses})`, wanted)
  }
  if (filter.workflow !== undefined) add('r.workflow = ?', filter.workflow)
  for (const tag of filter.tags ?? []) add('EXISTS (SELECT 1 FROM json_each(r.tags) WHERE value = ?)', tag)
  if (filter.text !== undefined) add('instr(r.search, ?) > 0', filter.text.toLowerCase())
  if (filter.since !== undefined) add('r.created_at >= ?', filter.since)
  if (filter.cursor !== undefined) {
    const { createdAt, ordinal } = decodeCursor(filter.cursor)
    add('r.created_at <= ? AND (r.created_at < ? OR r.id < ?)', createdAt, createdAt, ordinal)
  }
  return { conditions, values }
}
