/**
 * The SQLite that is at hand, behind the few calls that the store needs: the one built into Node where it has it, else
 * `@photostructure/sqlite`, which has the same interface, prebuilt. Both run in this thread and answer at once.
 * With the latter a closed database keeps its files open until its prepared statements are garbage; `exec` leaves none
 * behind, so what is opened often uses that.
 */

export type SqliteValue = string | number | null

export interface SqliteStatement {
  run(...values: SqliteValue[]): { readonly changes: number | bigint; readonly lastInsertRowid: number | bigint }
  get(...values: SqliteValue[]): unknown
  all(...values: SqliteValue[]): unknown[]
}

export interface SqliteDatabase {
  exec(sql: string): void
  prepare(sql: string): SqliteStatement
  close(): void
}

export interface SqliteDriver {
  readonly name: 'node:sqlite' | '@photostructure/sqlite'
  /** Opens a file; one that does not exist is created, unless `readOnly`. */
  open(path: string, options?: { readonly readOnly?: boolean }): SqliteDatabase
}

type DatabaseClass = new (path: string, options?: { readOnly?: boolean }) => SqliteDatabase

interface SqliteModule {
  readonly DatabaseSync: DatabaseClass
}

export async function loadSqliteDriver(): Promise<SqliteDriver> {
  const builtIn = builtInSqlite()
  if (builtIn) return driverOf('node:sqlite', builtIn)
  return driverOf('@photostructure/sqlite', (await import('@photostructure/sqlite')) as unknown as SqliteModule)
}

const driverOf = (name: SqliteDriver['name'], { DatabaseSync }: SqliteModule): SqliteDriver => ({
  name,
  open: (path, options = {}) => new DatabaseSync(path, { readOnly: options.readOnly ?? false }),
})

/**
 * Node's own, if this Node has it. Loading it in Node 22 prints that it is experimental, which the person at the
 * terminal can do nothing about: that one kind of warning is held back for the moment of loading.
 */
function builtInSqlite(): SqliteModule | undefined {
  const { emitWarning } = process
  process.emitWarning = ((warning: string | Error, ...rest: unknown[]) => {
    if (rest[0] === 'ExperimentalWarning') return
    Reflect.apply(emitWarning, process, [warning, ...rest])
  }) as typeof process.emitWarning
  try {
    return process.getBuiltinModule?.('node:sqlite') as SqliteModule | undefined
  } finally {
    process.emitWarning = emitWarning
  }
}
