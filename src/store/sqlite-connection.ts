/**
 * How a store file is opened: for writing with every setting that durability rests on, set and then read back, because
 * SQLite passes over in silence what a file system cannot do; or for reading beside a live owner, which changes nothing
 * and creates nothing.
 */
import { mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { SqliteDatabase, SqliteDriver } from './sqlite-driver.ts'
import { isHalfMade, notAFile, weakSetting } from './sqlite-errors.ts'
import { migrate, schemaVersion } from './sqlite-schema.ts'

/** What is set on a connection that writes, and must read back so. `synchronous` 2 is FULL. */
const durableSettings: readonly (readonly [name: string, value: string | number])[] = [
  ['journal_mode', 'wal'],
  ['synchronous', 2],
  ['fullfsync', 1],
  ['checkpoint_fullfsync', 1],
  ['wal_autocheckpoint', 4000],
]

/** How long a statement waits for another connection's transaction. */
const busyTimeoutMs = 5000
/** A write-ahead log that one big commit blew up is cut back to this. */
const keptLogBytes = 64 << 20

/** Makes the directories that the file is to be in. */
export function makePlace(path: string): void {
  mkdirSync(dirname(path), { recursive: true })
}

/**
 * Opens the file for writing; it and its tables are created where missing.
 * @param migratesOlder whether to bring an older schema up to date: for the owner only
 */
export function openForWriting(driver: SqliteDriver, path: string, migratesOlder: boolean): SqliteDatabase {
  const database = driver.open(path)
  try {
    database.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}`)
    const version = schemaVersion(database, path)
    setDurable(database, path)
    if (version === 0 || migratesOlder) migrate(database, path)
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

/** Opens the file for reading; undefined where there is no store yet: no file, or one without tables. */
export function openForReading(driver: SqliteDriver, path: string, mends = true): SqliteDatabase | undefined {
  const file = statSync(path, { throwIfNoEntry: false })
  if (file?.isDirectory()) throw notAFile(path)
  if (!file || file.size === 0) return undefined
  const database = driver.open(path, { readOnly: true })
  try {
    database.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}`)
    if (schemaVersion(database, path) > 0) return database
  } catch (error) {
    database.close()
    if (!mends || !isHalfMade(error)) throw error
    finishHalfMade(driver, path)
    return openForReading(driver, path, false)
  }
  database.close()
  return undefined
}

/** The power failed while the file was being made: only who may write can undo what was begun. */
function finishHalfMade(driver: SqliteDriver, path: string): void {
  const database = driver.open(path)
  try {
    database.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}; SELECT count(*) FROM sqlite_master`)
  } finally {
    database.close()
  }
}

/** Closes the owner's connection, with the write-ahead log moved into the file where no reader holds it. */
export function closeWriter(database: SqliteDatabase): void {
  try {
    database.exec('PRAGMA busy_timeout = 0; PRAGMA wal_checkpoint(TRUNCATE)')
  } catch {
    // The disk may be full or gone: the log keeps what was acknowledged, and the next claim reads it.
  } finally {
    database.close()
  }
}

/** The settings of a connection that writes, as SQLite tells them. */
export const durabilityOf = (database: SqliteDatabase): Record<string, string | number> =>
  Object.fromEntries(durableSettings.map(([name]) => [name, setting(database, name)]))

/** What SQLite says of itself and of the file, which holds for a connection that reads, too. */
export const fileSettings = (database: SqliteDatabase): Record<string, string | number> => ({
  sqlite_version: Object.values(database.prepare('SELECT sqlite_version()').get() as object)[0] as string,
  journal_mode: setting(database, 'journal_mode'),
  page_size: setting(database, 'page_size'),
  page_count: setting(database, 'page_count'),
})

function setDurable(database: SqliteDatabase, path: string): void {
  for (const [name, wanted] of durableSettings) {
    database.exec(`PRAGMA ${name} = ${wanted}`)
    const found = setting(database, name)
    if (found !== wanted) throw weakSetting(path, name, wanted, found)
  }
  database.exec(`PRAGMA journal_size_limit = ${keptLogBytes}`)
}

function setting(database: SqliteDatabase, name: string): string | number {
  return Object.values(database.prepare(`PRAGMA ${name}`).get() as object)[0] as string | number
}
