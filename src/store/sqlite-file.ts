/**
 * One store file and the connection to it: the claim's, or else an idle one that is opened when something is read, or a
 * command is left, for the first time. Closing gives up the connection and the claim; the file may be claimed again.
 * What is opened and locked is the real file behind the path, so that two paths to one file are one store.
 */
import { statSync } from 'node:fs'
import { leaseLost, ownedElsewhere } from './refusals.ts'
import {
  closeWriter,
  durabilityOf,
  fileSettings,
  makePlace,
  openForReading,
  openForWriting,
} from './sqlite-connection.ts'
import { copyDatabase } from './sqlite-copy.ts'
import type { SqliteDatabase, SqliteDriver } from './sqlite-driver.ts'
import { manyNames, noStore, storeFailure } from './sqlite-errors.ts'
import { findingsIn } from './sqlite-findings.ts'
import { isOwned, type OwnershipLock, takeOwnership } from './sqlite-ownership.ts'
import { realPathOf } from './sqlite-path.ts'
import { type SqliteReads, sqliteReads } from './sqlite-reads.ts'
import { schemaVersion } from './sqlite-schema.ts'
import { SqliteWriter, type WriterThreadOptions } from './sqlite-writer.ts'
import { sqliteWrites } from './sqlite-writes.ts'
import type { Store, StoreDescription, StoreFinding, StoreOwner } from './store.ts'

interface Connection {
  readonly database: SqliteDatabase
  readonly reads: SqliteReads
}

interface Claim extends Connection {
  readonly writer: SqliteWriter
  readonly owner: StoreOwner
  readonly lock: OwnershipLock
}

export class StoreFile {
  readonly #path: string
  readonly #loadDriver: () => Promise<SqliteDriver>
  readonly #thread: WriterThreadOptions | undefined
  #driver: SqliteDriver | undefined
  #claim: Claim | undefined
  #idle: (Connection & { readonly isWritable: boolean }) | undefined
  #opened = 0

  constructor(path: string, loadDriver: () => Promise<SqliteDriver>, thread: WriterThreadOptions | undefined) {
    this.#path = path
    this.#loadDriver = loadDriver
    this.#thread = thread
  }

  /** Does the work, with its failure told in the words of the store. */
  async use<T>(doing: string, work: (driver: SqliteDriver) => T | Promise<T>): Promise<T> {
    this.#driver ??= await this.#loadDriver()
    try {
      return await work(this.#driver)
    } catch (error) {
      throw storeFailure(error, this.#path, doing)
    }
  }

  /** What the reads give, or `empty` where there is no store yet. */
  read<T>(empty: T, work: (reads: SqliteReads) => T): Promise<T> {
    return this.use('a read', driver => {
      const connection = this.#connection(driver)
      return connection ? work(connection.reads) : empty
    })
  }

  /** Writes without the need of a claim; the connection that it takes is kept, and reads from then on. */
  write(driver: SqliteDriver, work: (database: SqliteDatabase) => void): void {
    if (!this.#claim && !this.#idle?.isWritable) {
      const path = realPathOf(this.#path)
      makePlace(path)
      const database = openForWriting(driver, path, false)
      this.#closeIdle()
      this.#idle = this.#connected(database, true)
    }
    const connection = this.#claim ?? this.#idle
    if (connection) work(connection.database)
  }

  claim(driver: SqliteDriver, claimant: Parameters<Store['claim']>[0]): StoreOwner {
    if (this.#claim) throw ownedElsewhere(this.#path, this.#claim.owner)
    const path = realPathOf(this.#path)
    makePlace(path)
    const file = statSync(path, { throwIfNoEntry: false })
    if (file?.isFile() && file.nlink > 1) throw manyNames(this.#path, file.nlink)
    // What is there is read first: a file that is no store of ours is refused before anything is put beside it.
    const current = this.#connection(driver)
    const lock = takeOwnership(driver, path)
    if (!lock) throw ownedElsewhere(this.#path, current?.reads.lastOwner())
    try {
      const database = openForWriting(driver, path, true)
      try {
        const writes = sqliteWrites(database, this.#path)
        const owner = writes.takeEpoch(claimant)
        this.#closeIdle()
        const writer = new SqliteWriter({ writes, path, location: this.#path, thread: this.#thread })
        this.#claim = { ...this.#connected(database, true), writer, owner, lock }
        return owner
      } catch (error) {
        database.close()
        throw error
      }
    } catch (error) {
      lock.release()
      throw error
    }
  }

  /** The writes of the claim with this epoch. */
  held(epoch: number): SqliteWriter {
    if (!this.#claim) throw leaseLost(this.#path, epoch, undefined)
    return this.#claim.writer
  }

  /** Whether the writes of the claim are made in a thread of their own. */
  get commitsAside(): boolean {
    return this.#claim?.writer.isAside ?? false
  }

  owner(driver: SqliteDriver): StoreOwner | undefined {
    if (this.#claim) return this.#claim.owner
    return isOwned(driver, realPathOf(this.#path)) ? this.#connection(driver)?.reads.lastOwner() : undefined
  }

  async describe(driver: SqliteDriver): Promise<StoreDescription> {
    const claim = this.#claim
    const place = await claim?.writer.place()
    const connection = this.#connection(driver)
    return {
      kind: 'sqlite',
      location: this.#path,
      durability: 'fsync',
      schemaVersion: connection ? schemaVersion(connection.database, this.#path) : 0,
      settings: {
        driver: driver.name,
        ...(connection ? fileSettings(connection.database) : {}),
        // Of the connection that commits.
        ...(claim ? (place?.settings ?? durabilityOf(claim.database)) : {}),
        ...(place ? { commits_in: place.commitsIn } : {}),
      },
    }
  }

  /** Writes what is durable at this moment to a file that does not exist yet. */
  copyTo(driver: SqliteDriver, target: string): void {
    const connection = this.#connection(driver)
    if (!connection) throw noStore(this.#path)
    copyDatabase(connection.database, target)
  }

  verify(driver: SqliteDriver): readonly StoreFinding[] {
    const connection = this.#connection(driver)
    if (!connection) throw noStore(this.#path)
    return findingsIn(connection.database)
  }

  /** Another text whenever somebody else has committed, or the connection is a new one. */
  version(): string {
    const connection = this.#driver && this.#connection(this.#driver)
    return connection ? `${this.#opened}/${connection.reads.dataVersion()}` : ''
  }

  /** What was asked before is done first. */
  async close(): Promise<void> {
    const claim = this.#claim
    this.#claim = undefined
    try {
      await claim?.writer.close()
      // What was read meanwhile has opened one again.
      this.#closeIdle()
      if (claim) closeWriter(claim.database)
    } catch (error) {
      throw storeFailure(error, this.#path, 'its closing')
    } finally {
      claim?.lock.release()
    }
  }

  #connection(driver: SqliteDriver): Connection | undefined {
    if (this.#claim ?? this.#idle) return this.#claim ?? this.#idle
    const database = openForReading(driver, realPathOf(this.#path))
    if (database) this.#idle = this.#connected(database, false)
    return this.#idle
  }

  #connected(database: SqliteDatabase, isWritable: boolean): Connection & { readonly isWritable: boolean } {
    this.#opened++
    return { database, reads: sqliteReads(database), isWritable }
  }

  #closeIdle(): void {
    const idle = this.#idle
    this.#idle = undefined
    idle?.database.close()
  }
}
