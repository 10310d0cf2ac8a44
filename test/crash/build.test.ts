import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pass } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { createClient } from '../../src/index.ts'
import { sqliteStore } from '../../src/store/sqlite-store.ts'
import type { JournalRow } from '../../src/store/store.ts'
import { seededRandom } from '../../src/time/random.ts'
import { projectRoot } from '../support/import-graph.ts'
import { prove } from '../support/proof.ts'
import { isAlive } from '../unit/bundled/project.ts'

const seed = Number(process.env.HOLDFAST_SEED ?? 20261123)
const kills = 10
const commands = 50
const secondTries = Math.floor(commands / 13)
const holdfast = join(projectRoot, 'dist/src/cli/main.js')

const running = new Set<ChildProcess>()
const directories: string[] = []
afterEach(() => {
  for (const child of running) killGroup(child)
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true, maxRetries: 3 })
})

/** What each command leaves in a file of its own directory: that it began, by which key and process, and that it ended. */
function planOf(count: number): string {
  const step = (number: number) => {
    const name = `c${String(number).padStart(2, '0')}`
    const lines = [
      `echo "start ${name} $HOLDFAST_IDEMPOTENCY_KEY $$" >> trace`,
      ...(number % 13 === 0 ? [`test -f tried-${name} || { touch tried-${name}; exit 1; }`] : []),
      'sleep 0.03',
      `echo "the output of ${name}"`,
      `echo "${name}" >> product`,
      `echo "end ${name}" >> trace`,
    ]
    // A few need a second try; a few fail, and the plan goes on without them.
    const fence = number % 13 === 0 ? 'sh retries=1' : number % 17 === 0 ? 'sh continueOnError' : 'sh'
    const end = number % 17 === 0 ? ['exit 3'] : []
    return [`## ${name}`, '', `\`\`\`${fence}`, ...lines, ...end, '```', ''].join('\n')
  }
  return ['# Fifty', '', ...Array.from({ length: count }, (_, index) => step(index + 1))].join('\n')
}

function place(): string {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-build-'))
  directories.push(directory)
  mkdirSync(join(directory, 'project'))
  writeFileSync(join(directory, 'project/plan.md'), planOf(commands))
  return directory
}

const traceOf = (directory: string): string[] => {
  try {
    return readFileSync(join(directory, 'project/trace'), 'utf8').split('\n').filter(Boolean)
  } catch {
    return []
  }
}

function killGroup(child: ChildProcess): void {
  try {
    process.kill(-(child.pid as number), 'SIGKILL')
  } catch {
    // It has ended.
  }
}

/** Runs `holdfast …` to its end, or kills its whole process group once the trace has grown and some time has passed. */
async function runProgram(
  directory: string,
  args: readonly string[],
  killAfter?: { lines: number; ms: number },
): Promise<'killed' | number | null> {
  const before = traceOf(directory).length
  const child = spawn(process.execPath, [holdfast, ...args, '--dir', join(directory, 'state')], {
    cwd: directory,
    detached: true,
    stdio: 'ignore',
  })
  running.add(child)
  const ended = new Promise<'killed' | number | null>(resolve =>
    child.on('exit', (code, signal) => {
      running.delete(child)
      resolve(signal === 'SIGKILL' ? 'killed' : code)
    }),
  )
  if (!killAfter) return ended
  while (traceOf(directory).length - before < killAfter.lines && child.exitCode === null) await pass(1)
  await pass(killAfter.ms)
  killGroup(child)
  return ended
}

/** What the run ended in, and the hash of all that it said. */
async function endOf(
  directory: string,
): Promise<{ status: string; success: boolean; hash: string; rows: JournalRow[] }> {
  const store = sqliteStore(join(directory, 'state/holdfast.db'))
  const { result } = await createClient({ store }).get('b')
  const rows = [...(await store.readJournal('b', { limit: 10_000 }))]
  await store.close()
  const output = result?.success ? result.output : undefined
  const { status = 'none', success = false, degraded = [] } = result ?? {}
  return {
    status,
    success,
    hash: createHash('sha256').update(JSON.stringify({ output, degraded })).digest('hex'),
    rows,
  }
}

describe(`a build of ${commands} commands (seed ${seed})`, () => {
  it(`that is killed ${kills} times ends as if it never was`, { timeout: 300_000 }, async () => {
    const calm = place()
    expect(await runProgram(calm, ['run', 'build', '--path', join(calm, 'project'), '--id', 'b'])).toBe(0)
    const expected = await endOf(calm)
    expect(expected).toMatchObject({ status: 'completed', success: true })
    expect(traceOf(calm)).toHaveLength(2 * commands + secondTries)

    const random = seededRandom(seed)
    const killed = place()
    let args: string[] = ['run', 'build', '--path', join(killed, 'project'), '--id', 'b']
    for (let kill = 0; kill < kills; kill++) {
      const when = { lines: 1 + Math.floor(random() * 8), ms: Math.floor(random() * 40) }
      expect(await runProgram(killed, args, when), `kill ${kill + 1}`).toBe('killed')
      args = ['recover']
    }
    expect(await runProgram(killed, args)).toBe(0)
    const end = await endOf(killed)

    expect(end.status).toBe(expected.status)
    expect(end.hash).toBe(expected.hash)

    // What really ran is in the trace, outside of the store.
    const names = Array.from({ length: commands }, (_, index) => `c${String(index + 1).padStart(2, '0')}`)
    const trace = traceOf(killed).map(line => line.split(' '))
    const starts = trace.filter(([word]) => word === 'start')
    expect([...new Set(starts.map(([, name]) => name))], 'in the order of the plan').toEqual(names)
    let again = 0
    for (const name of names) {
      const own = starts.filter(([, other]) => other === name)
      const [stage] = end.rows
        .filter(row => row.type === 'stage.succeeded' && row.stage?.includes(name))
        .map(row => row.stage)
      const rows = end.rows.filter(row => row.stage === stage)
      const unknown = rows.filter(row => row.type === 'step.unknown').length
      const failed = rows.filter(row => row.type === 'step.failed').length
      expect(
        rows.filter(row => row.type === 'step.succeeded'),
        `${name} is recorded once`,
      ).toHaveLength(1)
      expect(own.length, `${name} ran again only where a kill left its outcome unknown`).toBeLessThanOrEqual(
        1 + unknown + failed,
      )
      expect(new Set(own.map(([, , key]) => key)).size, `${name} has one key`).toBe(1)
      again += own.length - 1 - failed
    }
    expect(starts.length).toBeLessThanOrEqual(commands + secondTries + kills)
    // No command of a killed process went on beside its successor.
    const order = trace.map(([word, name]) => `${word} ${name}`)
    expect(order.indexOf('end c50')).toBe(order.length - 1)
    expect(starts.map(([, , , id]) => Number(id)).filter(isAlive), 'commands that still run').toEqual([])
    prove(`a build of ${commands} commands, killed with its process group (seed ${seed})`, {
      kills,
      'commands run once more since a kill left their outcome unknown': again,
      'completed commands run again': 0,
    })
  })
})
