import { execFile, execFileSync, execSync, spawn } from 'node:child_process'
import { existsSync, readFileSync, readFile as readWithCallback, writeFileSync } from 'node:fs'
import { appendFile, mkdir, open, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { defineWorkflow } from '../../../src/index.ts'
import { type SimulatedRun, type SimulateOptions, simulate } from '../../../src/testing.ts'

// Taken before a simulation begins, as modules do.
const run = promisify(execFile)

const doing = (work: (signal: AbortSignal) => unknown) =>
  defineWorkflow({ name: 'doing', version: '1' }).stage('work', async ({ signal }) => work(signal))

/** What the stage came to where nothing fails. */
async function outcomeOf(work: (signal: AbortSignal) => unknown, options: SimulateOptions): Promise<unknown> {
  let outcome: unknown
  const { ok, report } = await simulate(doing(work), {
    seeds: 1,
    runs: 1,
    faults: 'none',
    ...options,
    invariants: [
      ({ result }) => {
        outcome = result?.success === true ? result.output : result?.error.message
      },
    ],
  })
  expect(ok, report).toBe(true)
  return outcome
}

const files = { '/lake/a.txt': 'one', '/lake/deep/b.txt': 'two' }

describe('simulated files', () => {
  it('are what a stage finds, reads and writes, in each form that Node has', async () => {
    const found = await outcomeOf(
      async () => {
        await mkdir('/lake/new', { recursive: true })
        await writeFile('/lake/new/c.txt', 'three')
        await appendFile('/lake/new/c.txt', ', four')
        writeFileSync('/lake/d.txt', String(existsSync('/lake/nothing')))
        const called = await new Promise(resolve =>
          readWithCallback('/lake/a.txt', 'utf8', (error, text) => resolve(error ?? text)),
        )
        const missing = await readFile('/lake/nothing').catch(error => error.code)
        const names = await readdir('/lake', { recursive: true })
        return [called, missing, names, readFileSync('/lake/new/c.txt', 'utf8'), (await stat('/lake/d.txt')).size]
      },
      { files },
    )
    const names = ['a.txt', 'd.txt', 'deep', 'deep/b.txt', 'new', 'new/c.txt']
    expect(found).toEqual(['one', 'ENOENT', names, 'three, four', 5])
    expect(existsSync('/lake')).toBe(false)
  })

  it('are shown to invariants, with what the run changed of them', async () => {
    const seen: unknown[] = []
    const work = doing(() => writeFile('/lake/a.txt', 'changed'))
    await simulate(work, {
      seeds: 1,
      runs: 1,
      faults: 'none',
      replays: 0,
      files,
      invariants: [({ files: all, changes }) => seen.push(all, changes) > 0],
    })
    expect(seen).toEqual([
      { '/lake/a.txt': 'changed', '/lake/deep/b.txt': 'two' },
      [{ runId: 'run-1', stage: 'work', what: 'writeFile', path: '/lake/a.txt' }],
    ])
  })

  it('are left half-written by a process that dies, which the invariant of a careless stage finds', async () => {
    const text = 'x'.repeat(100)
    const careless = doing(async () => {
      for (let number = 0; number < 20; number++) {
        const place = `/lake/${number}.out`
        if (!existsSync(place)) await writeFile(place, text)
      }
    })
    const whole = ({ status, files: all }: SimulatedRun) =>
      status !== 'completed' || Object.entries(all).every(([path, found]) => !path.endsWith('.out') || found === text)
    const { ok, trace } = await simulate(careless, { seeds: 400, faults: { crashes: 1 }, files, invariants: { whole } })
    expect(ok).toBe(false)
    expect(trace?.join('\n')).toMatch(/dies in the middle of writeFile \/lake\/\d+\.out/)
  })

  it('do not take what they cannot do for a call to the machine', async () => {
    const { violation } = await simulate(
      doing(() => open('/lake/a.txt')),
      { seeds: 1, faults: 'none', files },
    )
    expect(violation?.message).toContain("stage 'work' reaches out by itself: fs/promises.open")
  })
})

const slow = 'slow'

describe('simulated programs', () => {
  const programs: SimulateOptions['programs'] = {
    git: ({ args }) => `git ${args.join(' ')}`,
    sh: ({ args }) => ({ exitCode: 3, stderr: `cannot ${args[1]}` }),
    [slow]: () => ({ durationMs: 60_000 }),
  }

  it('answer what a stage starts, in each form that Node has, also one taken from its module before', async () => {
    const line = 'work'
    const found = await outcomeOf(
      async () => {
        const { stdout } = await run('git', ['log'])
        const missing = await run('nothing').catch(error => error.code)
        const failed = await new Promise(resolve => {
          spawn('sh', ['-c', 'work']).once('close', (code, signal) => resolve([code, signal]))
        })
        const sync = execFileSync('git', ['status'], { encoding: 'utf8' })
        const refused = (() => {
          try {
            return execSync(line)
          } catch (error) {
            return (error as Error).message
          }
        })()
        return [stdout, missing, failed, sync, refused]
      },
      { programs },
    )
    expect(found).toEqual(['git log', 'ENOENT', [3, null], 'git status', 'Command failed: work\ncannot work'])
  })

  it('take simulated time, are stopped by a time-out and by the signal of the stage', async () => {
    const startedAt = performance.now()
    const found = await outcomeOf(
      async signal => {
        const timedOut = await new Promise(resolve =>
          execFile(slow, { timeout: 1000 }, error => resolve([error?.killed, error?.signal])),
        )
        const begun = Date.now()
        await new Promise(resolve => spawn(slow, { signal }).once('exit', resolve))
        return [timedOut, Date.now() - begun]
      },
      { programs },
    )
    expect(found).toEqual([[true, 'SIGTERM'], 60_000])
    expect(performance.now() - startedAt).toBeLessThan(30_000)
  })

  it('get a signal that is sent to their id, which never reaches a process of the machine', async () => {
    const found = await outcomeOf(
      async () => {
        const child = spawn(slow, { detached: true })
        const ended = new Promise(resolve => child.once('exit', (code, signal) => resolve([code, signal])))
        process.kill(-(child.pid as number), 'SIGTERM')
        return ended
      },
      { programs },
    )
    expect(found).toEqual([null, 'SIGTERM'])
  })

  it('are shown to invariants, with what they were given and how they ended', async () => {
    const seen: unknown[] = []
    await simulate(
      doing(() => run('git', ['log'], { cwd: '/lake', env: { A: 'b' } })),
      {
        seeds: 1,
        runs: 1,
        faults: 'none',
        replays: 0,
        programs,
        invariants: [({ programs: all }) => seen.push(...all) > 0],
      },
    )
    expect(seen).toMatchObject([
      { stage: 'work', command: 'git', args: ['log'], cwd: '/lake', env: { A: 'b' }, exitCode: 0, isHeard: true },
    ])
  })

  it('are refused where the simulation has none, also by a function taken from its module before', async () => {
    const { violation } = await simulate(
      doing(() => run('git')),
      { seeds: 1, faults: 'none' },
    )
    expect(violation?.message).toContain("stage 'work' reaches out by itself: child_process.spawn")
  })
})

describe('a stage of a simulation', () => {
  it('is found when it reaches out from a timer or from the listener of its signal', async () => {
    const late = doing(
      () =>
        new Promise(resolve => {
          setTimeout(() => resolve(existsSync('package.json')), 1000)
        }),
    )
    const { violation } = await simulate(late, { seeds: 1, faults: 'none' })
    expect(violation?.message).toContain('fs.existsSync')
  })
})
