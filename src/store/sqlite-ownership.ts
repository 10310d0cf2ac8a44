/**
 * Who may write to a store file: whoever holds an exclusive SQLite lock on the small file beside it. The operating
 * system holds the lock for the process and drops it at its death, `kill -9` included, so the next claim succeeds at
 * once and there is no heartbeat to be late. SQLite keeps the lock between two claims of one process too. The lock
 * file stays empty, and must be opened by nothing but SQLite: closing any other handle on it would drop the lock.
 * Paths given here are real ones: a lock beside a symbolic link would be another lock.
 */
import { existsSync } from 'node:fs'
import type { SqliteDatabase, SqliteDriver } from './sqlite-driver.ts'
import { isBusy } from './sqlite-errors.ts'

export interface OwnershipLock {
  release(): void
}

/** How long a claim waits while others only look whether there is an owner; they hold the lock for microseconds. */
const glanceMs = 100

const lockPath = (path: string): string => `${path}-owner`

/** Takes the lock of the store at `path`; undefined while a live process or another claim of this one holds it. */
export function takeOwnership(driver: SqliteDriver, path: string): OwnershipLock | undefined {
  const file = driver.open(lockPath(path))
  return closingOnFailure(file, () => {
    file.exec(`PRAGMA busy_timeout = ${glanceMs}; PRAGMA journal_mode = MEMORY`)
    file.exec('BEGIN EXCLUSIVE')
    return { release: () => file.close() }
  })
}

/** Whether a live process, or a claim in this one, holds the lock of the store at `path`. */
export function isOwned(driver: SqliteDriver, path: string): boolean {
  if (!existsSync(lockPath(path))) return false
  const file = driver.open(lockPath(path), { readOnly: true })
  const seen = closingOnFailure(file, () => {
    file.exec('PRAGMA busy_timeout = 0; SELECT count(*) FROM sqlite_master')
    return { release: () => file.close() }
  })
  seen?.release()
  return seen === undefined
}

/** What `attempt` gives, or undefined when the lock is held; the file is closed unless it succeeded. */
function closingOnFailure(file: SqliteDatabase, attempt: () => OwnershipLock): OwnershipLock | undefined {
  try {
    return attempt()
  } catch (error) {
    file.close()
    if (isBusy(error)) return undefined
    throw error
  }
}
