/**
 * The thread that writes to a store file for its owner: the module that Node loads there. It opens the file with the same
 * settings, set and read back, and does what it is asked one after the other. Ownership stays with the thread that asks:
 * this one has no lock, and each of its transactions checks the epoch that it is given.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { encodeError } from '../errors.ts'
import { unpackWrites } from './packed-writes.ts'
import { durabilityOf, openForWriting } from './sqlite-connection.ts'
import { loadSqliteDriver, type SqliteDatabase } from './sqlite-driver.ts'
import { storeFailure } from './sqlite-errors.ts'
import type { Answered, Asked, ThreadData } from './sqlite-thread-messages.ts'
import { type SqliteWrites, sqliteWrites } from './sqlite-writes.ts'

const { path, location } = workerData as ThreadData
const answer = (message: Answered): void => parentPort?.postMessage(message)

function carryOut(database: SqliteDatabase, writes: SqliteWrites, message: Asked): unknown {
  switch (message.name) {
    case 'commit':
      return writes.commit(message.asked.epoch, unpackWrites(message.asked.writes))
    case 'purge':
      return writes.purge(message.asked.epoch, message.asked.filter)
    case 'purgeCommands':
      return writes.purgeCommands(message.asked.epoch, message.asked.before)
    case 'reply':
      return writes.reply(message.asked.epoch, message.asked.commandId, message.asked.reply)
    case 'settings':
      return durabilityOf(database)
    case 'close':
      return database.close()
  }
}

try {
  const database = openForWriting(await loadSqliteDriver(), path, false)
  const writes = sqliteWrites(database, location)
  parentPort?.on('message', (message: Asked) => {
    try {
      answer({ id: message.id, answer: carryOut(database, writes, message) })
    } catch (error) {
      answer({ id: message.id, error: encodeError(storeFailure(error, location, `a ${message.name} in its thread`)) })
    }
    if (message.name === 'close') parentPort?.close()
  })
  answer({ id: 0 })
} catch (error) {
  answer({ id: 0, error: encodeError(error) })
}
