/**
 * A store whose process dies at a chosen write. It counts the writes (claim, commit, purge, enqueueCommand, replyToCommand …),
 * and at the one of number `crashAt` it dies as a process does: the store below is closed, which gives up the claim,
 * and this operation and every later one rejects. What the store below holds then is what the next process finds.
 * Counting the operations of a scenario, and crashing at each in each mode, tries every moment there is to die in.
 */
import { z } from 'zod'
import { StoreError } from '../errors.ts'
import { parseOptions } from '../options.ts'
import type { RunWrite, Store } from '../store/store.ts'

/** The operations that change a store, which are the ones that are counted. */
export type WriteOperation = 'claim' | 'commit' | 'enqueueCommand' | 'replyToCommand' | 'purge' | 'purgeCommands'

export interface FaultyStoreOptions {
  /** The write to die at, from 1. Without it none: the store only counts. */
  readonly crashAt?: number | undefined
  /**
   * `before`: nothing of that write is applied. `after`: all of it is, and the caller never hears of it. `torn`: of a
   * batch the first half of its runs, each wholly; of anything else nothing.
   * @default 'before'
   */
  readonly mode?: 'before' | 'after' | 'torn' | undefined
  /** Told of each write as it begins, with its number. */
  readonly onOperation?: ((number: number, name: WriteOperation) => void) | undefined
}

const faultyStoreOptions = z.strictObject({
  crashAt: z.int().min(1).optional(),
  mode: z.enum(['before', 'after', 'torn']).default('before'),
  onOperation: z.custom<NonNullable<FaultyStoreOptions['onOperation']>>(isFunction, 'must be a function').optional(),
})

export interface FaultyStore extends Store {
  /** How many writes were asked for so far. */
  readonly operations: number
}

export function faultyStore(store: Store, options: FaultyStoreOptions = {}): FaultyStore {
  const { crashAt, mode, onOperation } = parseOptions(faultyStoreOptions, options, 'faultyStore options')
  const listeners = new Set<() => void>()
  let operations = 0
  let isDead = false

  const alive = <T>(operation: () => Promise<T>): Promise<T> => (isDead ? Promise.reject(crash(crashAt)) : operation())

  /** Runs a write, or dies at it: `lastWords` is what of it reaches the store all the same. */
  const write = <T>(name: WriteOperation, operation: () => Promise<T>, torn?: () => Promise<unknown>): Promise<T> =>
    alive(async () => {
      operations++
      onOperation?.(operations, name)
      if (operations !== crashAt) return operation()
      isDead = true
      for (const stop of listeners) stop()
      const lastWords = mode === 'after' ? operation : mode === 'torn' ? torn : undefined
      await lastWords?.().catch(() => {})
      await store.close()
      throw crash(crashAt)
    })

  return {
    get operations() {
      return operations
    },
    claim: claimant => write('claim', () => store.claim(claimant)),
    commit: (epoch, writes) =>
      write(
        'commit',
        () => store.commit(epoch, writes),
        async () => {
          const prefix = firstHalf(writes)
          if (prefix.length > 0) await store.commit(epoch, prefix)
        },
      ),
    commitsAside: () => store.commitsAside?.() ?? false,
    enqueueCommand: command => write('enqueueCommand', () => store.enqueueCommand(command)),
    replyToCommand: (epoch, commandId, reply) =>
      write('replyToCommand', () => store.replyToCommand(epoch, commandId, reply)),

    purge: (epoch, filter) => write('purge', () => store.purge(epoch, filter)),
    purgeCommands: (epoch, before) => write('purgeCommands', () => store.purgeCommands(epoch, before)),
    ...(store.backup ? { backup: file => alive(async () => store.backup?.(file)) } : {}),
    ...(store.verify ? { verify: () => alive(async () => (await store.verify?.()) ?? []) } : {}),

    readEvents: (after, limit) => alive(() => store.readEvents(after, limit)),
    readRun: runId => alive(() => store.readRun(runId)),
    unfinished: filter => alive(() => store.unfinished(filter)),
    sleepingTimers: range => alive(() => store.sleepingTimers(range)),
    load: (runIds, journalTypes) => alive(() => store.load(runIds, journalTypes)),
    list: filter => alive(() => store.list(filter)),
    readJournal: (runId, range) => alive(() => store.readJournal(runId, range)),
    readLedger: runId => alive(() => store.readLedger(runId)),
    owner: () => alive(() => store.owner()),
    pendingCommands: () => alive(() => store.pendingCommands()),
    readReply: commandId => alive(() => store.readReply(commandId)),
    onCommands(listener) {
      if (isDead) return () => {}
      const stop = store.onCommands(listener)
      listeners.add(stop)
      return () => {
        listeners.delete(stop)
        stop()
      }
    },
    describe: () => alive(() => store.describe()),
    close: async () => {
      if (!isDead) await store.close()
    },
  }
}

const firstHalf = (writes: readonly RunWrite[]): readonly RunWrite[] => writes.slice(0, Math.floor(writes.length / 2))

function isFunction(value: unknown): boolean {
  return typeof value === 'function'
}

const crash = (crashAt: number | undefined): StoreError =>
  new StoreError(
    'store_failed',
    `A crash was injected at write ${crashAt} of this store: to its runtime the process is dead, and nothing works any more. Claim the store below to see what the next process finds.`,
    { injected: true, crashAt },
  )
