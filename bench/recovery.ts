/**
 * A thousand runs in flight, and the process is killed (`kill -9`): how soon after the start of the next process the
 * functions of all of them work again. The time counts from when the program and its modules are loaded, from its first
 * line, and from the spawn.
 *
 *     npm run build && node dist/bench/recovery.js [runs]
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const upAt = performance.now()
const program = fileURLToPath(import.meta.url)

/** Starts the runs, or takes them up, and says when the function of each works. */
async function work(file: string, count: number, starts: boolean): Promise<void> {
  const { createRuntime, defineWorkflow } = await import('../src/index.ts')
  const loadedAt = performance.now()
  const cpuAtLoad = process.cpuUsage()
  const working = new Set<string>()
  let done = (): void => {}
  const allWork = new Promise<void>(resolve => {
    done = resolve
  })
  const workflow = defineWorkflow({ name: 'in-flight', version: '1' })
    .stage('one', ({ step }) => step('first', () => 1))
    .stage('two', ({ runId, signal }) => {
      if (working.add(runId).size === count) done()
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    })
  const runtime = await createRuntime({
    store: file,
    workflows: [workflow],
    logger: false,
    concurrency: { runs: count, stages: count },
  })
  if (starts) for (let n = 0; n < count; n++) await runtime.start(workflow, undefined, { id: `r${n}` })
  await allWork
  const now = performance.now()
  const { user, system } = process.cpuUsage(cpuAtLoad)
  const rssMb = (process.memoryUsage().rss / 1e6).toFixed(0)
  console.log(`all ${now - loadedAt} ${now - upAt} ${rssMb} ${(user + system) / 1000}`)
  await new Promise(() => {})
}

interface Recovered {
  readonly sinceSpawnMs: number
  readonly sinceFirstLineMs: number
  readonly sinceLoadedMs: number
  readonly rssMb: number
  /** Of all its threads, since it was loaded. */
  readonly cpuMs: number
}

/** Runs the program until all runs work, then kills it. */
async function untilKilled(args: string[]): Promise<Recovered> {
  const began = performance.now()
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'close')
  for await (const line of createInterface({ input: child.stdout })) {
    const [word, ...figures] = line.split(' ')
    if (word !== 'all') continue
    const sinceSpawnMs = performance.now() - began
    const [sinceLoadedMs = 0, sinceFirstLineMs = 0, rssMb = 0, cpuMs = 0] = figures.map(Number)
    child.kill('SIGKILL')
    await ended
    return { sinceSpawnMs, sinceFirstLineMs, sinceLoadedMs, rssMb, cpuMs }
  }
  throw new Error('the process ended by itself')
}

if (process.argv[2] === 'work')
  await work(process.argv[3] as string, Number(process.argv[4]), process.argv[5] === 'start')
else {
  const count = Number(process.argv[2] ?? 1000)
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-recovery-'))
  try {
    const file = join(directory, 'holdfast.db')
    await untilKilled(['work', file, String(count), 'start'])
    for (let pass = 1; pass <= 5; pass++) {
      const { sinceLoadedMs, sinceFirstLineMs, sinceSpawnMs, rssMb, cpuMs } = await untilKilled([
        'work',
        file,
        String(count),
      ])
      console.log(
        `${count} runs killed in flight: all work again ${sinceLoadedMs.toFixed(0)} ms after the program is loaded (${sinceFirstLineMs.toFixed(0)} ms after its first line, ${sinceSpawnMs.toFixed(0)} ms after its spawn), ${cpuMs.toFixed(0)} ms of CPU, RSS ${rssMb} MB (load ${(loadavg()[0] as number).toFixed(1)})`,
      )
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
