/**
 * The tables of a store file, version by version. Each migration runs in a transaction of its own together with the
 * version number that it leads to, so a process that dies in between leaves a whole version. The layout is made for
 * writing: integer run ids, a small row that changes apart from what is written once, an append-only journal with one
 * narrow index, and an index over the few runs that have not completed.
 */

import type { SqliteDatabase } from './sqlite-driver.ts'
import { foreignDatabase, newerStore } from './sqlite-errors.ts'

export interface Migration {
  /** The version that it leads to; it applies to the one below. */
  readonly version: number
  readonly sql: string
}

/** Never change an entry that has been released: append one. */
export const migrations: readonly Migration[] = [
  {
    version: 1,
    sql: `
      CREATE TABLE ownership (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        epoch INTEGER NOT NULL, pid INTEGER, host TEXT, claimed_at INTEGER
      );
      INSERT INTO ownership (only, epoch) VALUES (1, 0);

      CREATE TABLE runs (
        id INTEGER PRIMARY KEY,
        run_id TEXT NOT NULL UNIQUE,
        created_at INTEGER NOT NULL,
        workflow TEXT NOT NULL, version TEXT NOT NULL, definition_hash TEXT NOT NULL, source TEXT,
        tags TEXT NOT NULL, search TEXT NOT NULL,
        parent_run_id TEXT, parent_stage TEXT,
        options TEXT NOT NULL, input TEXT NOT NULL
      );
      CREATE INDEX runs_by_creation ON runs (created_at);
      CREATE INDEX runs_by_workflow ON runs (workflow, created_at);

      CREATE TABLE run_states (
        run INTEGER PRIMARY KEY,
        status TEXT NOT NULL, seq INTEGER NOT NULL, updated_at INTEGER NOT NULL, ended_at INTEGER,
        counters TEXT NOT NULL, snapshot TEXT, outcome TEXT
      );
      CREATE INDEX run_states_not_completed ON run_states (status) WHERE status <> 'completed';

      CREATE TABLE journal (
        id INTEGER PRIMARY KEY,
        run INTEGER NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL,
        type TEXT NOT NULL, schema_version INTEGER NOT NULL,
        stage TEXT, attempt INTEGER, incarnation INTEGER, data TEXT NOT NULL
      );
      CREATE UNIQUE INDEX journal_by_run ON journal (run, seq);

      CREATE TABLE ledger (
        id INTEGER PRIMARY KEY,
        run INTEGER NOT NULL, stage TEXT NOT NULL, key TEXT NOT NULL,
        kind TEXT NOT NULL, state TEXT NOT NULL, data TEXT NOT NULL
      );
      CREATE UNIQUE INDEX ledger_by_key ON ledger (run, stage, key);

      CREATE TABLE timers (
        run INTEGER NOT NULL, key TEXT NOT NULL, due_at INTEGER NOT NULL, data TEXT NOT NULL,
        PRIMARY KEY (run, key)
      ) WITHOUT ROWID;

      CREATE TABLE signals (
        id INTEGER PRIMARY KEY,
        run INTEGER NOT NULL, ordinal INTEGER NOT NULL, name TEXT NOT NULL,
        at INTEGER NOT NULL, consumed INTEGER NOT NULL DEFAULT 0, payload TEXT NOT NULL
      );
      CREATE UNIQUE INDEX signals_by_run ON signals (run, ordinal);

      CREATE TABLE commands (
        position INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, run_id TEXT NOT NULL, args TEXT NOT NULL, at INTEGER NOT NULL,
        replied INTEGER NOT NULL DEFAULT 0, reply_value TEXT, reply_error TEXT
      );
      CREATE INDEX commands_pending ON commands (position) WHERE replied = 0;
    `,
  },
  // Runs that only wait are not in memory: what is due next is asked of the file.
  { version: 2, sql: 'CREATE INDEX timers_by_due ON timers (due_at)' },
]

/** 'HOLD' in ASCII, in the header of the file: says whose database it is. */
const applicationId = 0x484f4c44

/**
 * The schema version of an open database; 0 for an empty one.
 * @throws StoreError `store_corrupt` when it is another program's, `store_newer` when a newer Holdfast wrote it
 */
export function schemaVersion(
  database: SqliteDatabase,
  path: string,
  known: readonly Migration[] = migrations,
): number {
  const { owner, version, objects } = database
    .prepare(
      `SELECT (SELECT application_id FROM pragma_application_id) AS owner,
        (SELECT user_version FROM pragma_user_version) AS version,
        (SELECT count(*) FROM sqlite_master) AS objects`,
    )
    .get() as { owner: number; version: number; objects: number }
  if (owner !== applicationId && (owner !== 0 || version !== 0 || objects > 0)) throw foreignDatabase(path)
  const latest = latestVersion(known)
  if (version > latest) throw newerStore(path, version, latest)
  return version
}

const latestVersion = (known: readonly Migration[] = migrations): number => known.at(-1)?.version ?? 0

/** Brings the schema up to the newest version. Two processes may do so at once: each step is done by one of them. */
export function migrate(database: SqliteDatabase, path: string, known: readonly Migration[] = migrations): void {
  for (const { version, sql } of known) {
    if (schemaVersion(database, path, known) >= version) continue
    database.exec('BEGIN IMMEDIATE')
    try {
      if (schemaVersion(database, path, known) < version) {
        database.exec(`${sql}; PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${version}`)
      }
      database.exec('COMMIT')
    } catch (error) {
      rollBack(database)
      throw error
    }
  }
}

/** Undoes the open transaction; after some errors SQLite has done so by itself. */
export function rollBack(database: SqliteDatabase): void {
  try {
    database.exec('ROLLBACK')
  } catch {
    // No transaction is open any more.
  }
}
