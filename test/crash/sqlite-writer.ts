/**
 * The process that the crash tests kill: it claims the store at `argv[2]` and commits for ever, in batches over several
 * runs with values from small to large, and prints each write once it has been acknowledged. With `thread` as `argv[3]`
 * the commits are made in a thread of their own.
 */
import { writeSync } from 'node:fs'
import { hostname } from 'node:os'
import { sqliteStore } from '../../src/store/sqlite-store.ts'
import type { RunWrite } from '../../src/store/store.ts'
import { storeWithThread, untilInThread } from '../support/writer-thread.ts'

const say = (line: string): void => void writeSync(1, `${line}\n`)

const file = process.argv[2] as string
const inThread = process.argv[3] === 'thread'
const store = inThread ? storeWithThread(file) : sqliteStore(file)
const { epoch } = await store.claim({ pid: process.pid, host: hostname(), at: Date.now() })
if (inThread) await untilInThread(store)
say(`claimed ${epoch}`)

store.onCommands(async () => {
  for (const command of await store.pendingCommands()) {
    await store.replyToCommand(epoch, command.id, { value: `{"epoch":${epoch}}` })
  }
})

const sizes = [10, 1_000, 200_000, 10, 3_000_000]

for (let round = 1; ; round++) {
  const batch = [1, 2, 3].map(lane => writeOf(`${epoch}-${Math.ceil(round / 20)}-${lane}`, ((round - 1) % 20) + 1))
  await store.commit(epoch, batch)
  for (const { runId, state } of batch) say(`ack ${runId} ${state?.seq}`)
  await new Promise(resolve => setImmediate(resolve))
}

/** The write that takes a run to `seq`: one row of everything. */
function writeOf(runId: string, seq: number): RunWrite {
  const text = JSON.stringify('x'.repeat(sizes[seq % sizes.length] as number))
  const place = { workflow: 'w', version: '1', definitionHash: 'h', input: '{}', options: '{}', tags: [], createdAt: 1 }
  return {
    runId,
    create: seq === 1 ? place : undefined,
    state: {
      status: 'running',
      snapshot: `{"seq":${seq}}`,
      seq,
      updatedAt: seq,
      endedAt: null,
      counters: '{}',
      outcome: null,
    },
    journal: [{ seq, at: seq, type: 'stage.succeeded', schemaVersion: 1, data: text }],
    ledger: [{ stage: 's', key: `${seq}`, kind: 'step', state: 'succeeded', data: '{}' }],
    setTimers: [{ key: 'timeout', dueAt: seq, data: '{}' }],
    addSignals: [{ ordinal: seq, name: 'n', payload: '{}', at: seq }],
  }
}
