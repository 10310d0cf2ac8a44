/**
 * The store in one SQLite file, for one machine. What it acknowledged survives power loss: write-ahead log and FULL
 * sync, both read back when it is claimed. One live process owns it, by a lock that dies with the process; readers and
 * `enqueueCommand` work beside the owner. SQLite answers in the calling thread: a commit is done when its call returns.
 */
import { resolve } from 'node:path'
import { watchCommands } from './sqlite-command-watch.ts'
import { loadSqliteDriver, type SqliteDriver } from './sqlite-driver.ts'
import { StoreFile } from './sqlite-file.ts'
import { insertCommand } from './sqlite-writes.ts'
import type { Store } from './store.ts'

/**
 * A store in the file at `path`, which is made, with its directories, when it is written first.
 * @param loadDriver which SQLite to use; the one at hand unless told
 */
export function sqliteStore(path: string, loadDriver: () => Promise<SqliteDriver> = loadSqliteDriver): Store {
  const file = new StoreFile(resolve(path), loadDriver)
  const watch = watchCommands(() => file.version())
  return {
    claim: claimant => file.use('the claim', driver => file.claim(driver, claimant)),
    async commit(epoch, writes) {
      file.attempt(`a commit of ${writes.length} runs`, () => file.held(epoch).commit(epoch, writes))
    },

    readRun: runId => file.read(undefined, reads => reads.run(runId)),
    unfinished: filter => file.read([], reads => reads.unfinished(filter)),
    sleepingTimers: ({ above, limit = 1000 } = {}) => file.read([], reads => reads.sleepingTimers(above, limit)),
    load: (runIds, journalTypes) => file.read([], reads => reads.load(runIds, journalTypes)),
    list: filter => file.read({ items: [] }, reads => reads.list(filter)),
    readJournal: (runId, { after = 0, limit = 1000 } = {}) =>
      file.read([], reads => reads.journal(runId, after, limit)),
    readLedger: runId => file.read([], reads => reads.ledger(runId)),

    readEvents: (after, limit) => file.read([], reads => reads.events(after, limit)),
    async purge(epoch, filter) {
      return file.attempt('a purge', () => file.held(epoch).purge(epoch, filter))
    },
    async purgeCommands(epoch, before) {
      return file.attempt('a purge of commands', () => file.held(epoch).purgeCommands(epoch, before))
    },
    backup: target => file.use('a backup', driver => file.copyTo(driver, resolve(target))),
    verify: () => file.use('a check', driver => file.verify(driver)),

    owner: () => file.use('a look at its owner', driver => file.owner(driver)),
    enqueueCommand: command =>
      file.use('the hand-over of a command', driver => {
        file.write(driver, database => insertCommand(database, command))
        watch.notify()
      }),
    pendingCommands: () => file.read([], reads => reads.pendingCommands()),
    async replyToCommand(epoch, commandId, reply) {
      file.attempt('the reply to a command', () => file.held(epoch).reply(epoch, commandId, reply))
    },
    readReply: commandId => file.read(undefined, reads => reads.reply(commandId)),
    onCommands: listener => watch.add(listener),

    describe: () => file.use('its description', driver => file.describe(driver)),
    async close() {
      watch.stop()
      file.attempt('its closing', () => file.close())
    },
  }
}
