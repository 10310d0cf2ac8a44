/**
 * What SQLite or the file system said, as an error that says what happened, to which file, and what to do about it.
 * The kinds are those that a person can act on: damaged, full, not writable; everything else failed.
 */
import { statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import type { ErrorCode } from '../error-codes.ts'
import { HoldfastError, StoreError } from '../errors.ts'

/** Primary result codes of SQLite (sqlite.org/rescode.html). */
const sqlite = {
  busy: 5,
  locked: 6,
  readonly: 8,
  ioerr: 10,
  corrupt: 11,
  full: 13,
  cantopen: 14,
  constraint: 19,
  notadb: 26,
}

const readonlySystemCodes = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST', 'ENOENT'])
const fullSystemCodes = new Set(['ENOSPC', 'EDQUOT'])

/** Below this much free space an I/O error is taken for a full disk: SQLite does not always say so. */
const fullDiskBytes = 1 << 20

/** The error to throw for a failure while `doing` something (`'the commit of 3 runs'`) to the store at `path`. */
export function storeFailure(failure: unknown, path: string, doing: string): HoldfastError {
  if (failure instanceof HoldfastError) return failure
  const kind = kindOf(failure, path)
  const said = failure instanceof Error ? failure.message : String(failure)
  return new StoreError(
    kind,
    `The store ${path} failed during ${doing}: ${said}. ${advice[kind](path)}`,
    { location: path, doing, ...(primaryCode(failure) === undefined ? {} : { sqliteCode: primaryCode(failure) }) },
    { cause: failure },
  )
}

/** What SQLite itself does not mind, and what no store is without. */
export const damaged = (what: string): Error => Object.assign(new Error(what), { errcode: sqlite.corrupt })

export const isBusy = (failure: unknown): boolean => primaryCode(failure) === sqlite.busy

/** Of a read: a transaction of before write-ahead logging was cut off, and only a writer can undo it. */
export const isHalfMade = (failure: unknown): boolean => primaryCode(failure) === sqlite.readonly

export const isConstraint = (failure: unknown): boolean => primaryCode(failure) === sqlite.constraint

/** The file is an SQLite database, and another program's. */
export const foreignDatabase = (path: string): StoreError =>
  new StoreError(
    'store_corrupt',
    `The file ${path} is an SQLite database, but no Holdfast store. It was not touched; choose another path for the store.`,
    { location: path },
  )

export const notAFile = (path: string): StoreError =>
  new StoreError(
    'store_readonly',
    `The store ${path} cannot be used: it is a directory. Name a file, such as one in that directory.`,
    { location: path },
  )

export const noStore = (path: string): StoreError =>
  new StoreError('store_missing', `There is no store at ${path}. Name the directory that it is in, or its file.`, {
    location: path,
  })
/** Two names of one file are two locks and two logs, and each owner would not see what the other wrote. */
export const manyNames = (path: string, names: number): StoreError =>
  new StoreError(
    'store_failed',
    `The store ${path} has ${names} names (hard links), and a database with a log beside it can have one. Nothing was changed; remove the other names, or make them copies.`,
    { location: path, names },
  )

export const newerStore = (path: string, version: number, known: number): StoreError =>
  new StoreError(
    'store_newer',
    `The store ${path} has schema version ${version}, and this Holdfast knows versions up to ${known}: a newer one wrote it. It was not touched; update Holdfast, or use another store.`,
    { location: path, version, known },
  )

export const weakSetting = (path: string, setting: string, wanted: string | number, found: unknown): StoreError =>
  new StoreError(
    'store_failed',
    `The store ${path} cannot promise that what it acknowledges is durable: ${setting} was set to ${wanted} and reads back as ${String(found)}. Use a local disk whose file system supports SQLite's write-ahead log.`,
    { location: path, setting, wanted, found: String(found) },
  )

type StoreFailureCode = Extract<ErrorCode, 'store_corrupt' | 'store_full' | 'store_readonly' | 'store_failed'>

const advice: Readonly<Record<StoreFailureCode, (path: string) => string>> = {
  store_corrupt: () =>
    'The file is damaged or is no Holdfast store; nothing was changed in it. Move it (with its -wal file) away to keep it as evidence, and restore a backup or start with a new store.',
  store_full: path =>
    `There is no room left in ${dirname(path)}. What was acknowledged is safe, this write is not stored; free some space and start again.`,
  store_readonly: path =>
    `${dirname(path)} must be a directory, and the store in it a file, that this user may write. Change the permissions, or use a store elsewhere.`,
  store_failed: () =>
    'What was acknowledged before is safe, this operation is not done. Look after the disk, and whether another program holds the file; then start again.',
}

function kindOf(failure: unknown, path: string): StoreFailureCode {
  const systemCode = (failure as { code?: unknown } | null)?.code
  if (typeof systemCode === 'string' && fullSystemCodes.has(systemCode)) return 'store_full'
  if (typeof systemCode === 'string' && readonlySystemCodes.has(systemCode)) return 'store_readonly'
  const code = primaryCode(failure)
  if (code === sqlite.corrupt || code === sqlite.notadb || saysDamaged(failure)) return 'store_corrupt'
  if (code === sqlite.full) return 'store_full'
  if (code === sqlite.readonly || code === sqlite.cantopen) return isDiskFull(path) ? 'store_full' : 'store_readonly'
  if (code === sqlite.ioerr) return isDiskFull(path) ? 'store_full' : 'store_failed'
  return 'store_failed'
}

/** Rows that are read one after the other come without a code, and a part of the store that is missing is damage too. */
const saysDamaged = (failure: unknown): boolean =>
  failure instanceof Error && /database disk image is malformed|no such (?:table|column|index)/.test(failure.message)

function primaryCode(failure: unknown): number | undefined {
  const code = (failure as { errcode?: unknown } | null)?.errcode
  return typeof code === 'number' ? code & 0xff : undefined
}

function isDiskFull(path: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(dirname(path))
    return bavail * bsize < fullDiskBytes
  } catch {
    return false
  }
}
