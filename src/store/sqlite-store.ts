/**
 * The store in one SQLite file, for one machine. What it acknowledged survives power loss: write-ahead log and FULL
 * sync, both read back when it is claimed. One live process owns it, by a lock that dies with the process; readers and
 * `enqueueCommand` work beside the owner. SQLite answers in the thread that calls it; the owner's writes get a thread of
 * their own in a process that is busy.
 */
import { resolve } from 'node:path'
import { Worker } from 'node:worker_threads'
import { watchCommands } from './sqlite-command-watch.ts'
import { loadSqliteDriver, type SqliteDriver } from './sqlite-driver.ts'
import { StoreFile } from './sqlite-file.ts'
import type { WriterThreadOptions } from './sqlite-writer.ts'
import { insertCommand } from './sqlite-writes.ts'
import type { Store } from './store.ts'

/**
 * Node reads what is built; run from the sources, a store has no thread of its own. In a bundle of CommonJS no module has
 * a place, whatever its type says.
 */
const isBuilt = (import.meta.url as string | undefined)?.endsWith('.js') ?? false

const writerThread: WriterThreadOptions = {
  start: data =>
    new Worker(new URL('./sqlite-thread.js', import.meta.url), {
      workerData: data,
      name: 'holdfast store',
      // What this process was told to load or to evaluate first is no business of the thread.
      execArgv: [],
    }),
  afterCommits: 50,
}

/**
 * A store in the file at `path`, which is made, with its directories, when it is written first.
 * @param loadDriver which SQLite to use; the one at hand unless told
 * @param thread the thread for the owner's writes, or none; it uses the SQLite at hand
 */
export function sqliteStore(
  path: string,
  loadDriver: () => Promise<SqliteDriver> = loadSqliteDriver,
  thread: WriterThreadOptions | undefined = isBuilt && loadDriver === loadSqliteDriver ? writerThread : undefined,
): Store {
  const file = new StoreFile(resolve(path), loadDriver, thread)
  const watch = watchCommands(() => file.version())
  return {
    claim: claimant => file.use('the claim', driver => file.claim(driver, claimant)),
    async commit(epoch, writes) {
      return file.held(epoch).commit(epoch, writes)
    },
    commitsAside: () => file.commitsAside,

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
      return file.held(epoch).purge(epoch, filter)
    },
    async purgeCommands(epoch, before) {
      return file.held(epoch).purgeCommands(epoch, before)
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
      return file.held(epoch).reply(epoch, commandId, reply)
    },
    readReply: commandId => file.read(undefined, reads => reads.reply(commandId)),
    onCommands: listener => watch.add(listener),

    describe: () => file.use('its description', driver => file.describe(driver)),
    async close() {
      watch.stop()
      await file.close()
    },
  }
}
