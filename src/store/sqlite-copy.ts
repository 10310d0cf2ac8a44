/**
 * A whole copy of a store at one moment, and a store put in the place of another. A copy is written beside its place,
 * flushed to the disk and then renamed, so that what bears the name is always whole.
 */
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { StoreError } from '../errors.ts'
import { ownedElsewhere } from './refusals.ts'
import { makePlace, openForReading } from './sqlite-connection.ts'
import { loadSqliteDriver, type SqliteDatabase, type SqliteDriver } from './sqlite-driver.ts'
import { noStore, storeFailure } from './sqlite-errors.ts'
import { findingsIn } from './sqlite-findings.ts'
import { takeOwnership } from './sqlite-ownership.ts'
import { realPathOf } from './sqlite-path.ts'

/** @throws StoreError `store_not_empty` where the file exists */
export function copyDatabase(database: SqliteDatabase, target: string): void {
  if (existsSync(target)) {
    throw new StoreError(
      'store_not_empty',
      `The file ${target} exists, and a backup writes over nothing; name another.`,
      {
        file: target,
      },
    )
  }
  makePlace(target)
  const partial = `${target}.partial`
  rmSync(partial, { force: true })
  try {
    database.prepare('VACUUM INTO ?').run(partial)
    flush(partial)
    renameSync(partial, target)
    flush(dirname(target))
  } catch (error) {
    rmSync(partial, { force: true })
    throw error
  }
}

/**
 * Puts a copy of the store in `from` into the place `path`. Nothing may own a store there. What was there is kept
 * beside it as `<path>.replaced`.
 * @param options.force replaces a store that holds runs
 * @throws StoreError `store_missing store_corrupt store_newer` for `from`; `store_not_empty store_owned` for `path`
 */
export async function restoreStore(
  path: string,
  from: string,
  options: { readonly force?: boolean | undefined } = {},
): Promise<{ readonly runs: number }> {
  const driver = await loadSqliteDriver()
  try {
    return restore(driver, realPathOf(path), realPathOf(from), options.force ?? false)
  } catch (error) {
    throw storeFailure(error, from, 'a restore')
  }
}

function restore(driver: SqliteDriver, path: string, from: string, force: boolean): { runs: number } {
  const source = openForReading(driver, from)
  if (!source) throw noStore(from)
  try {
    refuseDamaged(source, from)
    makePlace(path)
    const lock = takeOwnership(driver, path)
    if (!lock) throw ownedElsewhere(path, undefined)
    try {
      if (!force) refuseFull(driver, path)
      const restored = `${path}.restored`
      rmSync(restored, { force: true })
      copyDatabase(source, restored)
      for (const end of ['', '-wal', '-shm']) {
        rmSync(`${path}.replaced${end}`, { force: true })
        if (existsSync(`${path}${end}`)) renameSync(`${path}${end}`, `${path}.replaced${end}`)
      }
      renameSync(restored, path)
      flush(dirname(path))
    } finally {
      lock.release()
    }
    return { runs: countRuns(source) }
  } finally {
    source.close()
  }
}

function refuseDamaged(source: SqliteDatabase, from: string): void {
  const damage = findingsIn(source).find(({ kind }) => kind === 'integrity')
  if (damage)
    throw new StoreError('store_corrupt', `The backup ${from} is damaged: ${damage.message}. Nothing was changed.`, {
      location: from,
    })
}

function refuseFull(driver: SqliteDriver, path: string): void {
  if (!existsSync(path)) return
  const there = openForReading(driver, path)
  if (!there) return
  try {
    const runs = countRuns(there)
    if (runs === 0) return
    throw new StoreError(
      'store_not_empty',
      `The store ${path} holds ${runs} ${runs === 1 ? 'run' : 'runs'}, which a restore would replace; restore elsewhere, or say so with --force.`,
      { location: path, runs },
    )
  } finally {
    there.close()
  }
}

const countRuns = (database: SqliteDatabase): number =>
  (database.prepare('SELECT count(*) AS runs FROM runs').get() as { runs: number }).runs

/** Of a file or a directory. */
function flush(path: string): void {
  const descriptor = openSync(path, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
