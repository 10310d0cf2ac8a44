import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { sqliteStore } from '../../src/store/sqlite-store.ts'
import { seededRandom } from '../../src/time/random.ts'
import { prove } from '../support/proof.ts'

const kills = Number(process.env.HOLDFAST_KILLS ?? 50)
const seed = Number(process.env.HOLDFAST_SEED ?? 20261123)
const program = new URL('./kill-workflow.mjs', import.meta.url).pathname

const linesOf = (file: string): string[] => {
  try {
    return readFileSync(file, 'utf8').split('\n').filter(Boolean)
  } catch {
    return []
  }
}

/** Runs the program until it ends, or kills it when its trace has grown by `lines` and some more milliseconds passed. */
async function runProgram(
  args: string[],
  trace: string,
  killAfter?: { lines: number; ms: number },
): Promise<'ended' | 'killed'> {
  const before = linesOf(trace).length
  const child = spawn(process.execPath, [program, ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const ended = new Promise<'ended'>(resolve => child.on('exit', () => resolve('ended')))
  if (!killAfter) return ended
  const killed = (async () => {
    while (linesOf(trace).length - before < killAfter.lines && child.exitCode === null) await wait(1)
    await wait(killAfter.ms)
    child.kill('SIGKILL')
    await ended
    return child.signalCode === 'SIGKILL' ? 'killed' : 'ended'
  })()
  return killed as Promise<'ended' | 'killed'>
}

describe(`a run whose process is killed (seed ${seed})`, () => {
  it(`completes after each of ${kills} kills, and nothing recorded is done again`, {
    timeout: 60_000 + kills * 6_000,
  }, async () => {
    const random = seededRandom(seed)
    const directory = mkdtempSync(join(tmpdir(), 'holdfast-kill-'))
    const calm = join(directory, 'calm')
    await runProgram([join(directory, 'calm.db'), calm, 'calm'], calm)
    const expected = linesOf(calm).at(-1)
    expect(expected).toContain('"status":"completed"')

    let done = 0
    let killed = 0
    const counted = { steps: 0, calls: 0, again: 0 }
    for (let id = 0; killed < kills; id++) {
      const trace = join(directory, `trace-${id}`)
      const args = [join(directory, 'killed.db'), trace, `run-${id}`]
      let killsOfRun = 0
      for (;;) {
        const last = killed + killsOfRun >= kills || killsOfRun >= 6
        const outcome = await runProgram(
          args,
          trace,
          last ? undefined : { lines: 1 + Math.floor(random() * 16), ms: Math.floor(random() * 6) },
        )
        if (outcome === 'ended') break
        killsOfRun++
      }
      killed += killsOfRun
      done++
      const lines = linesOf(trace)
      expect(lines.filter(line => line.startsWith('result')).at(-1), `run-${id}`).toBe(expected)
      // At most one execution more for each live stage and kill: three stages can be live at once.
      const starts = lines.filter(line => line.startsWith('start ')).length
      expect(starts).toBeLessThanOrEqual(13 + 3 * killsOfRun)
    }

    const store = sqliteStore(join(directory, 'killed.db'))
    for (let id = 0; id < done; id++) {
      const rows = await store.readJournal(`run-${id}`, { limit: 1000 })
      const results = rows.filter(row => row.type === 'stage.succeeded').map(row => row.stage)
      expect(new Set(results).size, `run-${id}: no result is recorded twice`).toBe(results.length)
      const steps = rows.filter(row => row.type === 'step.succeeded').map(row => `${row.stage} ${row.data}`)
      expect(new Set(steps).size, `run-${id}: no step is recorded twice`).toBe(steps.length)
      // A step that was recorded never runs again: whatever ran again had been under way when the process died.
      const unknown = rows.filter(row => row.type === 'step.unknown').length
      const effects = linesOf(join(directory, `trace-${id}`)).filter(line => line.startsWith('effect ')).length
      expect(effects, `run-${id}`).toBeLessThanOrEqual(steps.length + unknown)
      // Nor is a model call that was recorded as answered made again.
      const answered = rows.filter(row => row.type === 'call.succeeded').map(row => `${row.stage} ${row.data}`)
      expect(new Set(answered).size, `run-${id}: no answer is recorded twice`).toBe(answered.length)
      const unknownCalls = rows.filter(row => row.type === 'call.unknown').length
      const made = linesOf(join(directory, `trace-${id}`)).filter(line => line.startsWith('call ')).length
      expect(made, `run-${id}`).toBeLessThanOrEqual(answered.length + unknownCalls)
      counted.steps += effects
      counted.calls += made
      counted.again += effects - steps.length + made - answered.length
    }
    prove(`real kill -9 of a run of ten stages (seed ${seed})`, {
      kills: killed,
      'runs, each as if never killed': done,
      'steps made': counted.steps,
      'model calls made': counted.calls,
      'of both once more since their outcome was unknown': counted.again,
      'recorded ones made again': 0,
    })
    await store.close()
    rmSync(directory, { recursive: true })
  })
})
