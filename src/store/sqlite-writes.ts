/**
 * The owner's writes. A batch is one transaction: the epoch is checked inside it, then each run's rows go in through
 * prepared statements, and the commit returns when they are on disk. Whatever fails undoes the whole batch.
 */
import { initialState } from './initial-state.ts'
import {
  duplicateJournalRow,
  duplicateSignal,
  leaseLost,
  refuseUnstorable,
  refuseUnstorableName,
  runExists,
  runMissing,
} from './refusals.ts'
import { searchText } from './run-listing.ts'
import type { SqliteDatabase, SqliteStatement } from './sqlite-driver.ts'
import { damaged, isConstraint } from './sqlite-errors.ts'
import { purgeRuns } from './sqlite-purge.ts'
import { rollBack } from './sqlite-schema.ts'
import {
  type Command,
  type CommandReply,
  endedStatuses,
  type JournalRow,
  type NewRun,
  type PurgeFilter,
  type RunState,
  type RunStatus,
  type RunWrite,
  type StoreOwner,
} from './store.ts'

export interface SqliteWrites {
  /** Raises the epoch and writes down who holds it. */
  takeEpoch(claimant: { readonly pid: number; readonly host: string; readonly at: number }): StoreOwner
  commit(epoch: number, writes: readonly RunWrite[]): void
  reply(epoch: number, commandId: string, reply: CommandReply): void
  purge(epoch: number, filter: PurgeFilter): readonly string[]
  purgeCommands(epoch: number, before: number): number
}

/** What the writer remembers of a run, so that it need not look it up again. */
interface KnownRun {
  readonly row: number
  status: RunStatus
}

/** More runs than this are rarely alive at once; the memory is emptied when it is full. */
const mostKnownRuns = 50_000

export function sqliteWrites(database: SqliteDatabase, path: string): SqliteWrites {
  const statements = prepareWrites(database)
  const known = new Map<string, KnownRun>()

  const inTransaction = <T>(work: () => T): T => {
    statements.begin.run()
    try {
      const result = work()
      statements.commit.run()
      return result
    } catch (error) {
      rollBack(database)
      known.clear()
      throw error
    }
  }

  const fence = (epoch: number): void => {
    const { epoch: current } = statements.readEpoch.get() as { epoch: number }
    if (current !== epoch) throw leaseLost(path, epoch, current)
  }

  const lookUp = (runId: string): KnownRun => {
    const found = known.get(runId)
    if (found) return found
    const stored = statements.findRun.get(runId) as { row: number; status: RunStatus } | undefined
    if (!stored) throw runMissing(runId)
    return remember(runId, { row: stored.row, status: stored.status })
  }

  const remember = (runId: string, run: KnownRun): KnownRun => {
    if (known.size >= mostKnownRuns) known.clear()
    known.set(runId, run)
    return run
  }

  const create = (runId: string, created: NewRun, state: RunState): KnownRun => {
    const { lastInsertRowid } = refusing(
      () => statements.insertRun.run(...runValues(runId, created)),
      () => runExists(runId),
    )
    const row = Number(lastInsertRowid)
    statements.insertState.run(row, ...stateValues(state), state.status)
    return remember(runId, { row, status: state.status })
  }

  /** The status is only written when it changed: it is in an index, and most writes leave it as it is. */
  const update = (run: KnownRun, state: RunState): void => {
    if (state.status === run.status) {
      statements.updateState.run(...stateValues(state), run.row)
    } else {
      statements.updateStateAndStatus.run(...stateValues(state), state.status, run.row)
      run.status = state.status
    }
  }

  const insertJournal = (runId: string, run: number, row: JournalRow): void => {
    const { seq, at, type, schemaVersion, stage = null, attempt = null, incarnation = null, data } = row
    try {
      statements.insertJournal.run(run, seq, at, type, schemaVersion, stage, attempt, incarnation, data)
    } catch (error) {
      throw isConstraint(error) ? duplicateJournalRow(runId, seq) : error
    }
  }

  const write = (runWrite: RunWrite): void => {
    const { runId } = runWrite
    refuseUnstorable(runWrite)
    let run: KnownRun
    if (runWrite.create) run = create(runId, runWrite.create, runWrite.state ?? initialState(runWrite.create))
    else {
      run = lookUp(runId)
      if (runWrite.state) update(run, runWrite.state)
    }
    if (runWrite.definition) {
      const { version, definitionHash } = runWrite.definition
      statements.updateDefinition.run(version, definitionHash, run.row)
    }
    for (const row of runWrite.journal ?? []) insertJournal(runId, run.row, row)
    writeEffects(statements, run.row, runWrite)
  }

  return {
    takeEpoch: claimant =>
      inTransaction(() => {
        const taken = statements.takeEpoch.get(claimant.pid, claimant.host, claimant.at) as
          | { epoch: number }
          | undefined
        if (!taken) throw damaged('the row that says who owns it is gone')
        return { pid: claimant.pid, host: claimant.host, epoch: taken.epoch, claimedAt: claimant.at }
      }),
    commit: (epoch, writes) =>
      inTransaction(() => {
        fence(epoch)
        for (const runWrite of writes) write(runWrite)
      }),
    purge: (epoch, filter) =>
      inTransaction(() => {
        fence(epoch)
        const purged = purgeRuns(database, filter)
        for (const runId of purged) known.delete(runId)
        return purged
      }),
    purgeCommands: (epoch, before) =>
      inTransaction(() => {
        fence(epoch)
        return Number(database.prepare('DELETE FROM commands WHERE replied = 1 AND at < ?').run(before).changes)
      }),
    reply: (epoch, commandId, reply) =>
      inTransaction(() => {
        fence(epoch)
        statements.reply.run(reply.value ?? null, reply.error ?? null, commandId)
      }),
  }
}

/** Leaves a command; the first of an id stays. Any connection that writes may do so. */
export function insertCommand(database: SqliteDatabase, command: Command): void {
  refuseUnstorableName(command.id, command.name, command.runId)
  database
    .prepare('INSERT OR IGNORE INTO commands (id, name, run_id, args, at) VALUES (?, ?, ?, ?, ?)')
    .run(command.id, command.name, command.runId, command.args, command.at)
}

type WriteStatements = ReturnType<typeof prepareWrites>

function prepareWrites(database: SqliteDatabase) {
  const ended = endedStatuses.map(status => `'${status}'`).join(', ')
  const prepare = (sql: string): SqliteStatement => database.prepare(sql)
  return {
    begin: prepare('BEGIN IMMEDIATE'),
    commit: prepare('COMMIT'),
    readEpoch: prepare('SELECT epoch FROM ownership'),
    takeEpoch: prepare('UPDATE ownership SET epoch = epoch + 1, pid = ?, host = ?, claimed_at = ? RETURNING epoch'),
    findRun: prepare('SELECT id AS row, status FROM runs JOIN run_states ON run = id WHERE run_id = ?'),
    insertRun: prepare(
      `INSERT INTO runs (run_id, created_at, workflow, version, definition_hash, source, tags, search,
        parent_run_id, parent_stage, options, input) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    updateDefinition: prepare('UPDATE runs SET version = ?, definition_hash = ? WHERE id = ?'),
    insertState: prepare(
      `INSERT INTO run_states (run, seq, updated_at, ended_at, counters, snapshot, outcome, status)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    updateState: prepare(
      'UPDATE run_states SET seq = ?, updated_at = ?, ended_at = ?, counters = ?, snapshot = ?, outcome = ? WHERE run = ?',
    ),
    updateStateAndStatus: prepare(
      `UPDATE run_states SET seq = ?, updated_at = ?, ended_at = ?, counters = ?, snapshot = ?, outcome = ?, status = ?
        WHERE run = ?`,
    ),
    insertJournal: prepare(
      `INSERT INTO journal (run, seq, at, type, schema_version, stage, attempt, incarnation, data)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    putLedger: prepare(
      `INSERT INTO ledger (run, stage, key, kind, state, data) VALUES (?, ?, ?, ?, ?, ?)
        ON CONFLICT (run, stage, key) DO UPDATE SET kind = excluded.kind, state = excluded.state, data = excluded.data`,
    ),
    clearTimer: prepare('DELETE FROM timers WHERE run = ? AND key = ?'),
    setTimer: prepare('INSERT OR REPLACE INTO timers (run, key, due_at, data) VALUES (?, ?, ?, ?)'),
    wake: prepare(
      `INSERT OR REPLACE INTO timers (run, key, due_at, data)
        SELECT r.id, ?, ?, ? FROM runs r JOIN run_states s ON s.run = r.id WHERE r.run_id = ? AND s.status NOT IN (${ended})`,
    ),
    addSignal: prepare('INSERT INTO signals (run, ordinal, name, payload, at) VALUES (?, ?, ?, ?, ?)'),
    consumeSignal: prepare('UPDATE signals SET consumed = 1 WHERE run = ? AND ordinal = ?'),
    reply: prepare('UPDATE commands SET replied = 1, reply_value = ?, reply_error = ? WHERE id = ? AND replied = 0'),
  }
}

/** Everything of a run's write beside its state and its journal. */
function writeEffects(statements: WriteStatements, run: number, write: RunWrite): void {
  for (const row of write.ledger ?? []) {
    statements.putLedger.run(run, row.stage, row.key, row.kind, row.state, row.data)
  }
  for (const key of write.clearTimers ?? []) statements.clearTimer.run(run, key)
  for (const row of write.setTimers ?? []) statements.setTimer.run(run, row.key, row.dueAt, row.data)
  for (const row of write.addSignals ?? []) {
    refusing(
      () => statements.addSignal.run(run, row.ordinal, row.name, row.payload, row.at),
      () => duplicateSignal(write.runId, row.ordinal),
    )
  }
  for (const ordinal of write.consumeSignals ?? []) statements.consumeSignal.run(run, ordinal)
  for (const row of write.wake ?? []) statements.wake.run(row.key, row.dueAt, row.data, row.runId)
}

/** Runs an insert whose uniqueness is a promise of the port: a row that exists is refused in its words. */
function refusing<T>(insert: () => T, refusal: () => Error): T {
  try {
    return insert()
  } catch (error) {
    throw isConstraint(error) ? refusal() : error
  }
}

const runValues = (runId: string, run: NewRun) =>
  [
    runId,
    run.createdAt,
    run.workflow,
    run.version,
    run.definitionHash,
    run.source ?? null,
    JSON.stringify(run.tags),
    searchText(runId, run),
    run.parent?.runId ?? null,
    run.parent?.stage ?? null,
    run.options,
    run.input,
  ] as const

const stateValues = (state: RunState) =>
  [state.seq, state.updatedAt, state.endedAt, state.counters, state.snapshot, state.outcome] as const
