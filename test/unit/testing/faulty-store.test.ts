import { expect, test } from 'vitest'
import { memoryStore } from '../../../src/store/memory-store.ts'
import type { RunWrite, Store } from '../../../src/store/store.ts'
import { faultyStore } from '../../../src/testing/faulty-store.ts'

const claimant = { pid: 1, host: 'here', at: 1 }
const command = { id: 'c', name: 'cancel', runId: 'a', args: '{}', at: 1 }
const start = (runId: string): RunWrite => ({
  runId,
  create: { workflow: 'w', version: '1', definitionHash: 'h', input: '{}', options: '{}', tags: [], createdAt: 1 },
})
const crashed = { name: 'StoreError', code: 'store_failed', message: expect.stringContaining('crash was injected') }

/** Four writes: claim, a batch of three runs, a command, a reply. */
async function scenario(store: Store): Promise<void> {
  const { epoch } = await store.claim(claimant)
  await store.commit(epoch, ['a', 'b', 'c'].map(start))
  await store.enqueueCommand(command)
  await store.replyToCommand(epoch, 'c', { value: '1' })
}

/** What the next process finds after a crash at that write. */
async function found(crashAt: number, mode: 'before' | 'after' | 'torn') {
  const store = memoryStore()
  const faulty = faultyStore(store, { crashAt, mode })
  await expect(scenario(faulty)).rejects.toMatchObject(crashed)
  expect(await store.owner()).toBeUndefined()
  const { epoch } = await store.claim(claimant)
  return {
    epoch,
    runs: await store.unfinished(),
    pending: (await store.pendingCommands()).length,
    reply: await store.readReply('c'),
  }
}

test('counts the writes and names them, and no reads', async () => {
  const heard: string[] = []
  const store = faultyStore(memoryStore(), { onOperation: (number, name) => heard.push(`${number} ${name}`) })
  await store.unfinished()
  await scenario(store)
  await store.list({})
  expect(store.operations).toBe(4)
  expect(heard).toEqual(['1 claim', '2 commit', '3 enqueueCommand', '4 replyToCommand'])
})

test('a crash before a write leaves nothing of it', async () => {
  expect(await found(1, 'before')).toEqual({ epoch: 1, runs: [], pending: 0, reply: undefined })
  expect(await found(2, 'before')).toEqual({ epoch: 2, runs: [], pending: 0, reply: undefined })
  expect(await found(3, 'before')).toEqual({ epoch: 2, runs: ['a', 'b', 'c'], pending: 0, reply: undefined })
  expect(await found(4, 'before')).toEqual({ epoch: 2, runs: ['a', 'b', 'c'], pending: 1, reply: undefined })
})

test('a crash after a write leaves all of it', async () => {
  expect(await found(1, 'after')).toEqual({ epoch: 2, runs: [], pending: 0, reply: undefined })
  expect(await found(2, 'after')).toEqual({ epoch: 2, runs: ['a', 'b', 'c'], pending: 0, reply: undefined })
  expect(await found(3, 'after')).toEqual({ epoch: 2, runs: ['a', 'b', 'c'], pending: 1, reply: undefined })
  expect(await found(4, 'after')).toEqual({ epoch: 2, runs: ['a', 'b', 'c'], pending: 0, reply: { value: '1' } })
})

test('a torn batch leaves whole runs of its first part, and a torn single write leaves nothing', async () => {
  expect(await found(2, 'torn')).toEqual({ epoch: 2, runs: ['a'], pending: 0, reply: undefined })
  expect(await found(3, 'torn')).toEqual({ epoch: 2, runs: ['a', 'b', 'c'], pending: 0, reply: undefined })
  const store = memoryStore()
  const faulty = faultyStore(store, { crashAt: 2, mode: 'torn' })
  const { epoch } = await faulty.claim(claimant)
  await expect(faulty.commit(epoch, [start('only')])).rejects.toMatchObject(crashed)
  expect(await store.unfinished()).toEqual([])
})

test('after the crash every operation rejects, and nobody is called any more', async () => {
  const store = memoryStore()
  const faulty = faultyStore(store, { crashAt: 2 })
  const { epoch } = await faulty.claim(claimant)
  let calls = 0
  faulty.onCommands(() => calls++)
  await expect(faulty.commit(epoch, [start('a')])).rejects.toMatchObject(crashed)
  const operations: readonly (() => Promise<unknown>)[] = [
    () => faulty.claim(claimant),
    () => faulty.commit(epoch, []),
    () => faulty.readRun('a'),
    () => faulty.unfinished(),
    () => faulty.load([], []),
    () => faulty.list({}),
    () => faulty.readJournal('a'),
    () => faulty.readLedger('a'),
    () => faulty.owner(),
    () => faulty.enqueueCommand(command),
    () => faulty.pendingCommands(),
    () => faulty.replyToCommand(epoch, 'c', {}),
    () => faulty.readReply('c'),
    () => faulty.describe(),
  ]
  for (const operation of operations) await expect(operation()).rejects.toMatchObject(crashed)
  faulty.onCommands(() => calls++)
  await store.claim(claimant)
  await store.enqueueCommand(command)
  expect(calls).toBe(0)
  expect(faulty.operations).toBe(2)
})

test('closing the dead store does not take the claim of the next process', async () => {
  const store = memoryStore()
  const faulty = faultyStore(store, { crashAt: 1, mode: 'after' })
  await expect(faulty.claim(claimant)).rejects.toMatchObject(crashed)
  const next = await store.claim(claimant)
  await faulty.close()
  expect(await store.owner()).toEqual(next)
})

test('an option that does not exist is refused', () => {
  expect(() => faultyStore(memoryStore(), { crashat: 1 } as object)).toThrow(`did you mean 'crashAt'?`)
})
