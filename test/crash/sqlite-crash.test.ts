import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { linkSync, mkdtempSync, rmSync, unlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, expect, test } from 'vitest'
import { sqliteStore } from '../../src/store/sqlite-store.ts'
import { seededRandom } from '../../src/time/random.ts'

const directory = mkdtempSync(join(tmpdir(), 'holdfast-crash-'))
const writerScript = fileURLToPath(new URL('./sqlite-writer.ts', import.meta.url))
const running = new Set<ChildProcess>()

afterEach(() => {
  for (const child of running) child.kill('SIGKILL')
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

interface Writer {
  /** Why it ended by itself. */
  readonly ended: Promise<string>
  readonly pid: number
  readonly epoch: number
  /** The last acknowledged sequence number of each run. */
  readonly acknowledged: ReadonlyMap<string, number>
  /** Resolves when that many writes have been acknowledged. */
  reached(count: number): Promise<void>
  signal(name: 'SIGSTOP' | 'SIGCONT'): void
  /** `kill -9`; resolves when it is gone. */
  kill(): Promise<void>
}

async function startWriter(file: string, ...more: string[]): Promise<Writer> {
  const child = spawn(process.execPath, ['--import', 'tsx', writerScript, file, ...more], {
    stdio: 'pipe',
  })
  running.add(child)
  const acknowledged = new Map<string, number>()
  const waiting: { count: number; resolve: () => void }[] = []
  let epoch = 0
  let count = 0
  let complaints = ''
  child.stderr.on('data', (text: Buffer) => {
    complaints += text
  })
  const claimed = new Promise<void>((resolve, reject) => {
    child.once('close', code => reject(new Error(`the writer ended with ${code}: ${complaints}`)))
    createInterface({ input: child.stdout }).on('line', line => {
      const [word, subject, seq] = line.split(' ')
      if (word === 'claimed') {
        epoch = Number(subject)
        resolve()
      } else if (word === 'ack') {
        acknowledged.set(subject as string, Number(seq))
        count++
        for (const waiter of waiting) if (count >= waiter.count) waiter.resolve()
      }
    })
  })
  const ended = new Promise<string>(resolve => child.once('close', () => resolve(complaints)))
  await claimed
  return {
    ended,
    signal: name => void child.kill(name),
    pid: child.pid as number,
    epoch,
    acknowledged,
    reached: wanted => new Promise(resolve => waiting.push({ count: wanted, resolve })),
    async kill() {
      child.kill('SIGKILL')
      await once(child, 'close')
      running.delete(child)
    },
  }
}

/** Fails unless every acknowledged write is there and every run is whole, the unacknowledged last write included. */
async function expectWhole(file: string, acknowledged: ReadonlyMap<string, number>): Promise<void> {
  const store = sqliteStore(file)
  const runIds = await store.unfinished()
  const stored = new Map<string, number>()
  for (const runId of runIds) {
    const [loaded] = await store.load([runId], [])
    const { seq, snapshot } = loaded?.run ?? { seq: -1, snapshot: null }
    stored.set(runId, seq)
    const upToSeq = Array.from({ length: seq }, (_, index) => index + 1)
    expect(snapshot).toBe(`{"seq":${seq}}`)
    expect((await store.readJournal(runId)).map(row => row.seq)).toEqual(upToSeq)
    expect(loaded?.ledger.map(row => Number(row.key))).toEqual(upToSeq)
    expect(loaded?.signals.map(row => row.ordinal)).toEqual(upToSeq)
    expect(loaded?.timers).toEqual([{ key: 'timeout', dueAt: seq, data: '{}' }])
  }
  for (const [runId, seq] of acknowledged) expect(stored.get(runId), runId).toBeGreaterThanOrEqual(seq)
  await store.close()
}

test.each([
  ['in the thread that asks', []],
  ['in a thread of their own', ['thread']],
])('after kill -9 at any moment of commits %s every acknowledged write is there', async (_, more) => {
  const file = join(directory, `killed${more.join('-')}.db`)
  const random = seededRandom(20261123)
  const acknowledged = new Map<string, number>()
  let lastEpoch = 0
  for (let kill = 0; kill < 12; kill++) {
    const writer = await startWriter(file, ...more)
    expect(writer.epoch).toBe(lastEpoch + 1)
    lastEpoch = writer.epoch
    await writer.reached(1 + Math.floor(random() * 90))
    const delayed = random() * 20
    await new Promise(resolve => setTimeout(resolve, delayed))
    await writer.kill()
    for (const [runId, seq] of writer.acknowledged) acknowledged.set(runId, seq)
    await expectWhole(file, acknowledged)
  }
  expect(acknowledged.size).toBeGreaterThan(12)
})

test('one live process owns the file; another is refused, reads, and hands commands over', async () => {
  const file = join(directory, 'owned.db')
  const writer = await startWriter(file)
  await writer.reached(6)
  const store = sqliteStore(file)
  expect(await store.owner()).toMatchObject({ pid: writer.pid, epoch: writer.epoch })
  await expect(store.claim({ pid: process.pid, host: 'here', at: 1 })).rejects.toMatchObject({
    code: 'store_owned',
    details: { owner: { pid: writer.pid, epoch: writer.epoch } },
  })
  expect((await store.readJournal(`${writer.epoch}-1-1`)).length).toBeGreaterThanOrEqual(2)

  await store.enqueueCommand({ id: 'c', name: 'cancel', runId: 'r', args: '{}', at: 1 })
  await expect.poll(() => store.readReply('c'), { timeout: 5_000 }).toEqual({ value: `{"epoch":${writer.epoch}}` })

  await writer.kill()
  expect(await store.owner()).toBeUndefined()
  const next = await store.claim({ pid: process.pid, host: 'here', at: 1 })
  expect(next.epoch).toBe(writer.epoch + 1)
  await expect(startWriter(file)).rejects.toThrow('store_owned')
  await store.close()
})

test('a zombie that is continued after another has taken over changes nothing', async () => {
  const file = join(directory, 'zombie.db')
  const zombie = await startWriter(file)
  const store = sqliteStore(file)
  await zombie.reached(6)
  let owner: { epoch: number } | undefined
  for (let tries = 0; owner === undefined && tries < 20; tries++) {
    zombie.signal('SIGSTOP')
    if (tries === 0) {
      // It is alive, so the store is its own, until somebody takes its lock away by hand.
      await expect(sqliteStore(file).claim({ pid: 1, host: 'here', at: 1 })).rejects.toMatchObject({
        code: expect.stringMatching(/^store_(owned|failed)$/),
      })
      unlinkSync(`${file}-owner`)
    }
    // It may have been stopped in the middle of a transaction, which nobody else can get past.
    owner = await store.claim({ pid: process.pid, host: 'here', at: 1 }).catch(() => undefined)
    if (owner) break
    zombie.signal('SIGCONT')
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  expect(owner?.epoch).toBe(zombie.epoch + 1)
  const seen = async () => {
    const runIds = await store.unfinished()
    return (await store.load(runIds, ['stage.succeeded'])).map(({ run, journal }) => [run.id, run.seq, journal.length])
  }
  const before = await seen()
  zombie.signal('SIGCONT')
  expect(await zombie.ended).toContain('LeaseLostError')
  expect(await seen()).toEqual(before)
  const place = { workflow: 'w', version: '1', definitionHash: 'h', input: '{}', options: '{}', tags: [], createdAt: 1 }
  await store.commit(owner?.epoch ?? 0, [{ runId: 'mine', create: place }])
  expect((await seen()).length).toBe(before.length + 1)
  await store.close()
})

test('a database that has two names is refused: each would have a lock and a log of its own', async () => {
  const file = join(directory, 'named.db')
  const store = sqliteStore(file)
  await store.claim({ pid: 1, host: 'here', at: 1 })
  await store.close()
  linkSync(file, join(directory, 'second-name.db'))
  for (const name of ['named.db', 'second-name.db']) {
    await expect(sqliteStore(join(directory, name)).claim({ pid: 1, host: 'here', at: 1 })).rejects.toMatchObject({
      code: 'store_failed',
      message: expect.stringContaining('hard links'),
    })
  }
})
