/**
 * The owner's writes, wherever they are made: in this thread, where a commit is done when the call returns, until there
 * have been so many commits of many runs that the process is a busy one; from then on in a thread of their own, so that
 * this one goes on while SQLite works and the disk is waited for. A process that is never busy never pays for the thread.
 * Where it cannot be started everything stays here. Where it dies, what it was asked is not known to be durable, so it
 * fails, and nothing is written any more.
 */
import type { Worker } from 'node:worker_threads'
import { decodeError, StoreError } from '../errors.ts'
import { packWrites } from './packed-writes.ts'
import { storeFailure } from './sqlite-errors.ts'
import type { Answered, Asked, OperationName, ThreadData, ThreadOperations } from './sqlite-thread-messages.ts'
import type { SqliteWrites } from './sqlite-writes.ts'
import type { CommandReply, PurgeFilter, RunWrite } from './store.ts'

/** Of so many runs a commit counts as one of a busy process. */
const busyRuns = 16
export interface SqliteWriterOptions {
  readonly writes: SqliteWrites
  /** The real file. */
  readonly path: string
  /** What errors call the store. */
  readonly location: string
  /** Undefined: there is no thread for this store. */
  readonly thread: WriterThreadOptions | undefined
}

export interface WriterThreadOptions {
  readonly start: (data: ThreadData) => Worker
  /** Commits of a busy process before it is started. */
  readonly afterCommits: number
}

export interface CommitPlace {
  readonly commitsIn: string
  readonly settings?: Readonly<Record<string, string | number>>
}

export class SqliteWriter {
  readonly #options: SqliteWriterOptions
  #busyCommits = 0
  #thread: WriterThread | undefined
  /** Of a thread that is being started: resolves when it works, or will not. */
  #starting: Promise<void> | undefined

  constructor(options: SqliteWriterOptions) {
    this.#options = options
    this.#startWhereBusy()
  }

  /** Whether the writes are made in the thread of their own by now. */
  get isAside(): boolean {
    return this.#thread !== undefined
  }

  async commit(epoch: number, writes: readonly RunWrite[]): Promise<void> {
    const { location } = this.#options
    if (this.#thread) return this.#thread.ask('commit', { epoch, writes: packWrites(writes) })
    doing(location, `a commit of ${writes.length} runs`, () => this.#options.writes.commit(epoch, writes))
    if (writes.length < busyRuns) return
    this.#busyCommits++
    this.#startWhereBusy()
  }

  async purge(epoch: number, filter: PurgeFilter): Promise<readonly string[]> {
    if (this.#thread) return this.#thread.ask('purge', { epoch, filter })
    return doing(this.#options.location, 'a purge', () => this.#options.writes.purge(epoch, filter))
  }

  async purgeCommands(epoch: number, before: number): Promise<number> {
    if (this.#thread) return this.#thread.ask('purgeCommands', { epoch, before })
    return doing(this.#options.location, 'a purge of commands', () => this.#options.writes.purgeCommands(epoch, before))
  }

  async reply(epoch: number, commandId: string, reply: CommandReply): Promise<void> {
    if (this.#thread) return this.#thread.ask('reply', { epoch, commandId, reply })
    doing(this.#options.location, 'the reply to a command', () => this.#options.writes.reply(epoch, commandId, reply))
  }

  /** Where commits are made; of a thread that lives, with the settings of its connection. */
  async place(): Promise<CommitPlace> {
    const thread = this.#thread
    if (!thread) return { commitsIn: 'the thread that asks' }
    try {
      return { commitsIn: 'a thread of their own', settings: await thread.ask('settings', undefined) }
    } catch (error) {
      if (!thread.hasEnded) throw error
      return { commitsIn: 'a thread that has ended: nothing is written any more' }
    }
  }

  /** Resolves when everything that was asked is done, and the thread has let go of the file. */
  async close(): Promise<void> {
    await this.#starting
    await this.#thread?.end()
  }

  #startWhereBusy(): void {
    const { thread: options, path, location } = this.#options
    if (!options || this.#starting || this.#busyCommits < options.afterCommits) return
    this.#starting = WriterThread.start(options, { path, location }).then(thread => {
      this.#thread = thread
    })
  }
}

type Answer<TName extends OperationName> = ThreadOperations[TName]['answer']

interface Waiter {
  readonly resolve: (answer: never) => void
  readonly reject: (error: unknown) => void
}

/** The other thread as seen from here. */
class WriterThread {
  readonly #worker: Worker
  readonly #location: string
  readonly #waiters = new Map<number, Waiter>()
  readonly #exited: Promise<void>
  #asked = 0
  #failure: Error | undefined

  private constructor(worker: Worker, location: string) {
    this.#worker = worker
    this.#location = location
    this.#exited = new Promise(resolve => worker.once('exit', () => resolve()))
    worker.on('message', (message: Answered) => this.#answered(message))
    worker.on('error', error => this.#died(error))
    worker.on('exit', () => this.#died(undefined))
  }

  /** Undefined where it cannot be started: a bundle may have left its module out, or the system be at its limit. */
  static async start(options: WriterThreadOptions, data: ThreadData): Promise<WriterThread | undefined> {
    try {
      const thread = new WriterThread(options.start(data), data.location)
      await thread.#answerTo(0)
      return thread
    } catch {
      return undefined
    }
  }

  get hasEnded(): boolean {
    return this.#failure !== undefined
  }

  ask<TName extends OperationName>(name: TName, asked: ThreadOperations[TName]['asked']): Promise<Answer<TName>> {
    if (this.#failure) return Promise.reject(this.#failure)
    const id = ++this.#asked
    this.#worker.postMessage({ id, name, asked } as Asked)
    return this.#answerTo(id)
  }

  async end(): Promise<void> {
    await this.ask('close', undefined).catch(() => {})
    this.#worker.ref()
    await this.#exited
  }

  /** While somebody waits the thread keeps the process alive, and only then. */
  #answerTo<T>(id: number): Promise<T> {
    if (this.#waiters.size === 0) this.#worker.ref()
    return new Promise((resolve, reject) => this.#waiters.set(id, { resolve, reject }))
  }

  #answered({ id, answer, error }: Answered): void {
    const waiter = this.#waiters.get(id)
    this.#waiters.delete(id)
    if (this.#waiters.size === 0) this.#worker.unref()
    if (error) waiter?.reject(decodeError(error))
    else waiter?.resolve(answer as never)
  }

  #died(cause: unknown): void {
    this.#failure ??= new StoreError(
      'store_failed',
      `The thread that writes to the store ${this.#location} has ended. What it had been asked may be stored or not; start the process anew, and it goes on from what is stored.`,
      { location: this.#location },
      cause === undefined ? undefined : { cause },
    )
    const waiters = [...this.#waiters.values()]
    this.#waiters.clear()
    for (const { reject } of waiters) reject(this.#failure)
  }
}

/** Does the work, with its failure told in the words of the store. */
function doing<T>(location: string, what: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw storeFailure(error, location, what)
  }
}
