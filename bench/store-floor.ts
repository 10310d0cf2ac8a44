/**
 * The floor under the runtime's speed: workload W (workflows in stages, some in flight, each stage persisted before the
 * next, FULL sync) done with raw SQLite statements on the store's own layout, and then through the store. Group commit
 * as in the runtime: a transaction holds what became ready while the one before was written.
 *
 * `npm run build && node dist/bench/store-floor.js [directory]`: the disk of the directory is what is measured.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openForWriting } from '../src/store/sqlite-connection.ts'
import { loadSqliteDriver, type SqliteDatabase } from '../src/store/sqlite-driver.ts'
import { sqliteStore } from '../src/store/sqlite-store.ts'
import type { RunState, RunWrite } from '../src/store/store.ts'

export interface Workload {
  readonly workflows: number
  readonly stages: number
  /** Size of a stage's result. */
  readonly bytes: number
  readonly inFlight: number
  /** A file that does not exist yet. */
  readonly file: string
}

export interface Throughput {
  readonly workflowsPerSecond: number
  /** User and system time of this process, for each stage. */
  readonly cpuMicrosPerStage: number
  /** Of one workflow, from its start to its end. */
  readonly latencyMs: { readonly median: number; readonly p99: number }
}

export const workloadW = { workflows: 1000, stages: 5, bytes: 1000, inFlight: 100 } as const

/** Workload W by raw statements: for each stage a row that is updated and two journal rows, one with the result. */
export async function rawFloor(workload: Workload): Promise<Throughput> {
  const database = openForWriting(await loadSqliteDriver(), workload.file, true)
  const raw = rawStatements(database)
  const result = JSON.stringify('x'.repeat(workload.bytes))
  const write = groupCommit<() => void>(async batch => {
    raw.begin.run()
    for (const apply of batch) apply()
    raw.commit.run()
  })
  const throughput = await measure(workload, async index => {
    let run = 0
    await write(() => {
      run = Number(raw.insertRun.run(`w-${index}`, 1, 'w', '1', 'h', '[]', `w-${index}`, '{}', '{}').lastInsertRowid)
      raw.insertState.run(run, 'running', 1, 1, '{}', snapshot)
      raw.insertJournal.run(run, 1, 1, 'run.started', 1, null, null, '{}')
    })
    for (let stage = 0; stage < workload.stages; stage++) {
      const seq = 2 + stage * 2
      await write(() => {
        raw.insertJournal.run(run, seq, 1, 'stage.started', 1, `stage${stage}`, 1, '{}')
        raw.insertJournal.run(run, seq + 1, 1, 'stage.succeeded', 1, `stage${stage}`, 1, result)
        if (stage === workload.stages - 1) raw.endState.run('completed', seq + 1, 1, 1, '{}', null, '{}', run)
        else raw.updateState.run(seq + 1, 1, '{}', snapshot, run)
      })
    }
  })
  database.close()
  return throughput
}

/** The same through the store's port. */
export async function storeFloor(workload: Workload): Promise<Throughput> {
  const store = sqliteStore(workload.file)
  const { epoch } = await store.claim({ pid: process.pid, host: 'bench', at: 1 })
  const data = JSON.stringify('x'.repeat(workload.bytes))
  const write = groupCommit<RunWrite>(batch => store.commit(epoch, batch))
  const throughput = await measure(workload, async index => {
    const runId = `w-${index}`
    const create = {
      workflow: 'w',
      version: '1',
      definitionHash: 'h',
      input: '{}',
      options: '{}',
      tags: [],
      createdAt: 1,
    }
    const journal = [{ seq: 1, at: 1, type: 'run.started', schemaVersion: 1, data: '{}' }]
    await write({ runId, create, state: stateAt(1, false), journal })
    for (let stage = 0; stage < workload.stages; stage++) {
      const seq = 2 + stage * 2
      const place = { at: 1, schemaVersion: 1, stage: `stage${stage}`, attempt: 1 }
      await write({
        runId,
        state: stateAt(seq + 1, stage === workload.stages - 1),
        journal: [
          { ...place, seq, type: 'stage.started', data: '{}' },
          { ...place, seq: seq + 1, type: 'stage.succeeded', data },
        ],
      })
    }
  })
  await store.close()
  return throughput
}

const snapshot = JSON.stringify({ status: 'active', value: { run: 'stage3' }, context: { at: 'y'.repeat(200) } })

const stateAt = (seq: number, isOver: boolean): RunState => ({
  status: isOver ? 'completed' : 'running',
  snapshot: isOver ? null : snapshot,
  seq,
  updatedAt: 1,
  endedAt: isOver ? 1 : null,
  counters: '{}',
  outcome: isOver ? '{}' : null,
})

function rawStatements(database: SqliteDatabase) {
  return {
    begin: database.prepare('BEGIN IMMEDIATE'),
    commit: database.prepare('COMMIT'),
    insertRun: database.prepare(
      `INSERT INTO runs (run_id, created_at, workflow, version, definition_hash, tags, search, options, input)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    insertState: database.prepare(
      'INSERT INTO run_states (run, status, seq, updated_at, counters, snapshot) VALUES (?, ?, ?, ?, ?, ?)',
    ),
    insertJournal: database.prepare(
      'INSERT INTO journal (run, seq, at, type, schema_version, stage, attempt, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    ),
    updateState: database.prepare(
      'UPDATE run_states SET seq = ?, updated_at = ?, counters = ?, snapshot = ? WHERE run = ?',
    ),
    endState: database.prepare(
      `UPDATE run_states SET status = ?, seq = ?, updated_at = ?, ended_at = ?, counters = ?, snapshot = ?, outcome = ?
        WHERE run = ?`,
    ),
  }
}

/** Gathers what is written in one turn of the event loop into one batch. */
function groupCommit<T>(commit: (batch: readonly T[]) => Promise<void>): (write: T) => Promise<void> {
  let batch: T[] = []
  let acknowledge: (() => void)[] = []
  const flush = async (): Promise<void> => {
    const [writes, waiting] = [batch, acknowledge]
    batch = []
    acknowledge = []
    await commit(writes)
    for (const resolve of waiting) resolve()
  }
  return write =>
    new Promise(resolve => {
      if (batch.push(write) === 1) setImmediate(() => void flush())
      acknowledge.push(resolve)
    })
}

export async function measure(
  workload: Omit<Workload, 'bytes' | 'file'>,
  workflow: (index: number) => Promise<void>,
): Promise<Throughput> {
  const cpuBefore = process.cpuUsage()
  const begun = performance.now()
  const latencies: number[] = []
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < workload.workflows) {
      const started = performance.now()
      await workflow(next++)
      latencies.push(performance.now() - started)
    }
  }
  await Promise.all(Array.from({ length: workload.inFlight }, lane))
  const seconds = (performance.now() - begun) / 1000
  const cpu = process.cpuUsage(cpuBefore)
  const stages = workload.workflows * workload.stages
  latencies.sort((a, b) => a - b)
  const percentile = (share: number): number => latencies[Math.floor(latencies.length * share)] as number
  return {
    workflowsPerSecond: Math.round(workload.workflows / seconds),
    cpuMicrosPerStage: Math.round(((cpu.user + cpu.system) / stages) * 10) / 10,
    latencyMs: { median: percentile(0.5), p99: percentile(0.99) },
  }
}

/** Commits of one row each, and rows in transactions of 100, through the same two tables. */
async function commitRates(file: string): Promise<{ commitsPerSecond: number; rowsPerSecond: number }> {
  const database = openForWriting(await loadSqliteDriver(), file, true)
  const raw = rawStatements(database)
  const data = JSON.stringify('x'.repeat(1000))
  let seq = 0
  const rate = (transactions: number, rows: number): number => {
    const begun = performance.now()
    for (let n = 0; n < transactions; n++) {
      raw.begin.run()
      for (let row = 0; row < rows; row++) raw.insertJournal.run(1, ++seq, 1, 'stage.succeeded', 1, 'a', 1, data)
      raw.commit.run()
    }
    return Math.round((transactions * rows) / ((performance.now() - begun) / 1000))
  }
  const rates = { commitsPerSecond: rate(1000, 1), rowsPerSecond: rate(300, 100) }
  database.close()
  return rates
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const directory = mkdtempSync(join(process.argv[2] ?? tmpdir(), 'holdfast-floor-'))
  try {
    console.log('one by one and in groups of 100:', await commitRates(join(directory, 'rates.db')))
    for (let pass = 1; pass <= 3; pass++) {
      console.log(`pass ${pass}, raw: `, await rawFloor({ ...workloadW, file: join(directory, `raw${pass}.db`) }))
      console.log(`pass ${pass}, store:`, await storeFloor({ ...workloadW, file: join(directory, `store${pass}.db`) }))
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
