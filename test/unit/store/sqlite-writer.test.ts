import { EventEmitter } from 'node:events'
import type { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { encodeError, LeaseLostError } from '../../../src/errors.ts'
import type { Answered, Asked } from '../../../src/store/sqlite-thread-messages.ts'
import { SqliteWriter } from '../../../src/store/sqlite-writer.ts'
import type { SqliteWrites } from '../../../src/store/sqlite-writes.ts'
import type { RunWrite } from '../../../src/store/store.ts'

const turn = () => new Promise(resolve => setImmediate(resolve))
const batch = (runs: number): RunWrite[] => Array.from({ length: runs }, (_, run) => ({ runId: `r${run}` }))

/** A thread that answers when the test says so. */
class FakeWorker extends EventEmitter {
  readonly asked: Asked[] = []
  isHeld = true

  postMessage(message: Asked): void {
    this.asked.push(message)
  }

  answer(message: Answered): void {
    this.emit('message', message)
  }

  ref(): void {
    this.isHeld = true
  }

  unref(): void {
    this.isHeld = false
  }
}

function createWorld({ afterCommits = 2, fails = false } = {}) {
  const here: string[] = []
  const workers: FakeWorker[] = []
  const writes: SqliteWrites = {
    takeEpoch: () => ({ pid: 1, host: 'h', epoch: 1, claimedAt: 1 }),
    commit: (_, given) => void here.push(`commit of ${given.length}`),
    purge: () => [],
    purgeCommands: () => 0,
    reply: () => void here.push('reply'),
  }
  const start = (): Worker => {
    if (fails) throw new Error('no threads here')
    const worker = new FakeWorker()
    workers.push(worker)
    return worker as unknown as Worker
  }
  const writer = new SqliteWriter({ writes, path: '/f', location: 'f', thread: { start, afterCommits } })
  return { writer, here, workers }
}

async function withThread() {
  const world = createWorld({ afterCommits: 0 })
  const [worker] = world.workers as [FakeWorker]
  worker.answer({ id: 0 })
  await turn()
  return { ...world, worker }
}

describe('the writes of an owner', () => {
  it('stay in its thread while commits are of few runs', async () => {
    const { writer, here, workers } = createWorld()
    for (let commit = 0; commit < 100; commit++) await writer.commit(1, batch(15))
    expect(here).toHaveLength(100)
    expect(workers).toHaveLength(0)
  })

  it('go to a thread of their own after some commits of many, once it has opened the file', async () => {
    const { writer, here, workers } = createWorld()
    for (let commit = 0; commit < 3; commit++) await writer.commit(1, batch(16))
    const [worker, ...others] = workers as [FakeWorker]
    expect(others).toEqual([])
    expect(here).toHaveLength(3)
    expect(writer.isAside).toBe(false)
    worker.answer({ id: 0 })
    await turn()
    expect(writer.isAside).toBe(true)
    const commit = writer.commit(1, batch(1))
    expect(here).toHaveLength(3)
    expect(worker.asked).toMatchObject([{ id: 1, name: 'commit', asked: { epoch: 1 } }])
    worker.answer({ id: 1 })
    await commit
  })

  it('stay where no thread can be started, or where it cannot open the file', async () => {
    const none = createWorld({ fails: true })
    for (let commit = 0; commit < 5; commit++) await none.writer.commit(1, batch(16))
    expect(none.here).toHaveLength(5)
    await none.writer.close()

    const broken = createWorld()
    for (let commit = 0; commit < 2; commit++) await broken.writer.commit(1, batch(16))
    broken.workers[0]?.answer({ id: 0, error: encodeError(new Error('no such file')) })
    await turn()
    await broken.writer.commit(1, batch(16))
    expect(broken.here).toHaveLength(3)
    expect(broken.workers).toHaveLength(1)
  })

  it('hold the process only while one of them is under way', async () => {
    const { writer, worker } = await withThread()
    expect(worker.isHeld).toBe(false)
    const [first, second] = [writer.commit(1, batch(1)), writer.purgeCommands(1, 5)]
    worker.answer({ id: 1 })
    await first
    expect(worker.isHeld).toBe(true)
    worker.answer({ id: 2, answer: 7 })
    expect(await second).toBe(7)
    expect(worker.isHeld).toBe(false)
  })

  it('fail as they would here', async () => {
    const { writer, worker } = await withThread()
    const commit = writer.commit(1, batch(1))
    worker.answer({ id: 1, error: encodeError(new LeaseLostError('another owns it', { epoch: 1, current: 2 })) })
    const failure = await commit.catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(LeaseLostError)
    expect(failure).toMatchObject({ message: 'another owns it', details: { epoch: 1, current: 2 } })
  })

  it('fail when the thread dies: those under way, as nobody knows what is stored, and all that follow', async () => {
    const { writer, worker, here } = await withThread()
    const commit = writer.commit(1, batch(1))
    worker.emit('error', new Error('out of memory'))
    worker.emit('exit', 1)
    await expect(commit).rejects.toMatchObject({ code: 'store_failed', cause: { message: 'out of memory' } })
    await expect(writer.reply(1, 'c', {})).rejects.toMatchObject({ code: 'store_failed' })
    expect(here).toEqual([])
    await writer.close()
  })

  it('say where they are made: here, in the thread, or nowhere since it died', async () => {
    expect(await createWorld().writer.place()).toEqual({ commitsIn: 'the thread that asks' })
    const { writer, worker } = await withThread()
    const alive = writer.place()
    worker.answer({ id: 1, answer: { synchronous: 2 } })
    expect(await alive).toEqual({ commitsIn: 'a thread of their own', settings: { synchronous: 2 } })
    const dying = writer.place()
    worker.emit('exit', 1)
    for (const told of [await dying, await writer.place()])
      expect(told).toEqual({ commitsIn: 'a thread that has ended: nothing is written any more' })
    await writer.close()
  })

  it('tell a failure to read the settings of a thread that lives', async () => {
    const { writer, worker } = await withThread()
    const told = writer.place().catch((error: unknown) => error)
    worker.answer({ id: 1, error: encodeError(new Error('disk I/O error')) })
    expect(await told).toMatchObject({ message: 'disk I/O error' })
  })
})
