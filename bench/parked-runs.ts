/**
 * A million runs that wait, for a timer, a signal or a child: how long a runtime takes to start up beside them, how much
 * memory it takes, and how soon a signal to any of them is answered. The store is made in bulk: one run of each kind is
 * really run until it waits, and its rows are copied.
 *
 *     npm run build && node dist/bench/parked-runs.js [runs]
 */
import { spawnSync } from 'node:child_process'
import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, statSync } from 'node:fs'
import { availableParallelism, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { createRuntime, defineWorkflow } from '../src/index.ts'
import { openForWriting } from '../src/store/sqlite-connection.ts'
import { loadSqliteDriver } from '../src/store/sqlite-driver.ts'

const signals = { go: z.unknown() }
const asker = defineWorkflow({ name: 'asker', version: '1', signals })
  .stage('ask', ({ waitFor }) => waitFor('go'))
  .stage('answer', ({ results }) => results.ask)
const sleeper = defineWorkflow({ name: 'sleeper', version: '1' }).stage('sleep', ({ sleep }) => sleep('30d'))
const parent = defineWorkflow({ name: 'parent', version: '1' }).stage('wait', async ({ startChild }) =>
  (await startChild(asker, undefined)).result(),
)
const workflows = [asker, sleeper, parent]
/** One run of each of these; the child comes with its parent. */
const kinds = ['asker', 'sleeper', 'parent', 'parent.wait.1']

/** Runs one of each until it waits, and copies their rows. */
async function makeStore(file: string, runs: number): Promise<void> {
  const runtime = await createRuntime({ store: file, workflows, logger: false })
  for (const workflow of workflows) await runtime.start(workflow as never, undefined as never, { id: workflow.name })
  for (const id of kinds) {
    while ((await (await runtime.get(id)).status()) !== 'waiting') await new Promise(resolve => setTimeout(resolve, 5))
  }
  await runtime.close()
  const database = openForWriting(await loadSqliteDriver(), file, true)
  database.exec('PRAGMA synchronous = 0; PRAGMA cache_size = -200000; BEGIN')
  const copies = Math.ceil(runs / kinds.length) - 1
  const numbers = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${copies})`
  kinds.forEach((id, place) => {
    const { row } = database.prepare(`SELECT id AS row FROM runs WHERE run_id = '${id}'`).get() as { row: number }
    // `parent.wait.1` becomes `parent-7.wait.1`, everywhere where the id is told.
    const [name = ''] = id.split('.')
    const renamed = (column: string): string => `replace(${column}, '"${name}', '"${name}-' || i || '')`
    const newId = `'${name}-' || i || '${id.slice(name.length)}'`
    const newRow = `${10 + place} + i * ${kinds.length}`
    const from = (table: string, column = 'run') => `FROM ${table}, n WHERE ${column} = ${row}`
    database.exec(`
      ${numbers} INSERT INTO runs SELECT ${newRow}, ${newId}, created_at, workflow, version, definition_hash, source, tags,
        ${newId}, CASE WHEN parent_run_id IS NULL THEN NULL ELSE 'parent-' || i END, parent_stage, options, input
        ${from('runs', 'id')};
      ${numbers} INSERT INTO run_states SELECT ${newRow}, status, seq, updated_at, ended_at, counters,
        replace(snapshot, '"runId":"${id}"', '"runId":"' || ${newId} || '"'), outcome ${from('run_states')};
      ${numbers} INSERT INTO journal (run, seq, at, type, schema_version, stage, attempt, incarnation, data)
        SELECT ${newRow}, seq, at, type, schema_version, stage, attempt, incarnation, ${renamed('data')} ${from('journal')};
      ${numbers} INSERT INTO ledger (run, stage, key, kind, state, data)
        SELECT ${newRow}, stage, key, kind, state, ${renamed('data')} ${from('ledger')};
      ${numbers} INSERT INTO timers SELECT ${newRow}, key, due_at + i, data ${from('timers')};
    `)
  })
  database.exec('COMMIT; PRAGMA wal_checkpoint(TRUNCATE)')
  database.close()
  syncFile(file)
}

/** Made without syncing, the file is still on its way to the disk, and the first checkpoint of a runtime would wait for it. */
function syncFile(file: string): void {
  const descriptor = openSync(file, 'r+')
  fsyncSync(descriptor)
  closeSync(descriptor)
}

/** What a process of its own measures beside the store. */
async function measure(file: string, signalled: number): Promise<void> {
  // What is loaded and compiled once is no matter of the number of runs.
  const warm = await createRuntime({ store: ':memory:', workflows, logger: false })
  await (await warm.start(sleeper, undefined as never)).status()
  await warm.close()
  const { rss } = process.memoryUsage()
  const began = performance.now()
  const runtime = await createRuntime({ store: file, workflows, logger: false })
  const startMs = performance.now() - began
  const grown = (): number => (process.memoryUsage().rss - rss) / 1e6
  console.log(`start-up: ${startMs.toFixed(0)} ms; RSS +${grown().toFixed(0)} MB`)
  const copies = Math.floor(Number(process.argv[4]) / kinds.length) - 1
  const answered: number[] = []
  const ended: number[] = []
  for (let n = 0; n < signalled; n++) {
    const id = n % 2 === 0 ? `asker-${1 + ((n * 7919) % copies)}` : `parent-${1 + ((n * 7919) % copies)}.wait.1`
    const before = performance.now()
    const cpuBefore = process.cpuUsage()
    const run = await runtime.get(id)
    await run.signal('go', n)
    answered.push(performance.now() - before)
    if (n === 0) {
      // Nothing is warm yet: neither the code nor the pages of the file.
      const { user, system } = process.cpuUsage(cpuBefore)
      console.log(
        `the first signal: ${(answered[0] as number).toFixed(1)} ms, ${((user + system) / 1000).toFixed(1)} ms of CPU`,
      )
    }
    const result = await run.result()
    ended.push(performance.now() - before)
    if (!result.success || result.output !== n) throw new Error(`run ${id} gave ${JSON.stringify(result)}`)
  }
  // The parents hear of it too.
  const parentId = `parent-${1 + (7919 % copies)}`
  const heard = await (await runtime.get(parentId)).result()
  if (!heard.success) throw new Error(`run ${parentId} gave ${JSON.stringify(heard)}`)
  const show = (took: number[]): string => {
    took.sort((a, b) => a - b)
    const at = (share: number): string => (took[Math.floor((took.length - 1) * share)] as number).toFixed(1)
    return `median ${at(0.5)} ms, p99 ${at(0.99)} ms, longest ${at(1)} ms`
  }
  console.log(`a signal to any of them is answered, durably, in: ${show(answered)} (of ${signalled})`)
  console.log(`and its run has ended in: ${show(ended)}; RSS +${grown().toFixed(0)} MB`)
  const closing = performance.now()
  await runtime.close()
  console.log(`close: ${(performance.now() - closing).toFixed(0)} ms`)
  console.log(`(load ${(loadavg()[0] as number).toFixed(1)} on ${availableParallelism()} cores)`)
}

if (process.argv[2] === 'measure') await measure(process.argv[3] as string, 200)
else {
  const runs = Number(process.argv[2] ?? 1_000_000)
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-parked-'))
  try {
    const file = join(directory, 'holdfast.db')
    const began = performance.now()
    await makeStore(file, runs)
    const seconds = ((performance.now() - began) / 1000).toFixed(0)
    console.log(`${runs} waiting runs, ${(statSync(file).size / 1e6).toFixed(0)} MB, made in ${seconds} s`)
    const args = [fileURLToPath(import.meta.url), 'measure', file, String(runs)]
    const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' })
    process.exitCode = status ?? 1
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
