/**
 * A process on a real SQLite file kills itself (SIGKILL) at the n-th write to its store: before it, after it, or in the
 * middle of it, between two statements of its transaction. The next process takes the run up, and some of those die too.
 * Whatever the moment, the run ends as the one that nothing happened to, and nothing that was recorded is done again.
 */
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sqliteStore } from '../../src/store/sqlite-store.ts'
import { seededRandom } from '../../src/time/random.ts'
import { type CompiledProgram, compileProgram } from '../support/compiled-program.ts'
import {
  admitted,
  createScenarioWorld,
  essence,
  extra,
  faultsOf,
  live,
  type Scenario,
  scenarios,
} from '../support/crash-scenarios.ts'
import type { Death, DeathMode } from '../support/mortal-store.ts'
import { momentIn } from '../support/outside-file.ts'
import { prove } from '../support/proof.ts'

const seed = Number(process.env.HOLDFAST_SEED ?? 20261123)
/** In `npm run verify` every write in each mode; else one write in each. */
const isWhole = process.env.HOLDFAST_CRASH_EVERY === '1'
const modes: readonly DeathMode[] = ['before', 'torn', 'after']

const directory = mkdtempSync(join(tmpdir(), 'holdfast-deaths-'))
let program: CompiledProgram
let deaths = 0
let agreed = 0
let lives = 0

beforeAll(() => {
  program = compileProgram('test/crash/mortal-scenario')
})
afterAll(() => {
  program.remove()
  rmSync(directory, { recursive: true, force: true })
  prove(`real deaths (SIGKILL) at a write to SQLite: before, in the middle of and after it (seed ${seed})`, {
    deaths,
    'runs, each as if nothing had happened': agreed,
    divergences: lives - agreed,
  })
})

interface Life {
  readonly signal: NodeJS.Signals | null
  readonly end?: ReturnType<typeof essence>
  readonly statements: readonly number[]
}

let places = 0
function newPlace(): string {
  const place = join(directory, String(places++))
  mkdirSync(place)
  return place
}

/** One process, which lives the scenario to its end or to its death. */
function liveApart(index: number, place: string, death?: Death): Promise<Life> {
  const args = [String(index), join(place, 'holdfast.db'), join(place, 'outside')]
  const last = death ? [String(death.at), death.mode, String(death.statement)] : []
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [program.file, ...args, ...last], (error, stdout, stderr) => {
      const signal = (error?.signal as NodeJS.Signals | undefined) ?? null
      if (signal) return resolve({ signal, statements: [] })
      if (error) return reject(new Error(`${error.message}\n${stderr}`))
      resolve({ signal: null, ...(JSON.parse(stdout) as Omit<Life, 'signal'>) })
    })
  })
}

/** What comes after the deaths, in this process: the run ends as the calm one did. */
async function recover(scenario: Scenario, place: string, expected: unknown, where: string): Promise<void> {
  const world = createScenarioWorld(scenario, () => {}, momentIn(join(place, 'outside')))
  const store = sqliteStore(join(place, 'holdfast.db'))
  const result = await live(world, scenario, store)
  expect(essence(result), where).toEqual(expected)
  expect(faultsOf(await store.readJournal('r', { limit: 1000 })), where).toEqual([])
  expect(await store.unfinished(), where).toEqual([])
  expect(await store.verify?.(), where).toEqual([])
  // What was under way may be done once more for each death, and the journal says so.
  const undone = [...world.done].filter(([what]) => what.startsWith('undo')).reduce((sum, [, n]) => sum + n - 1, 0)
  expect(extra(world) - undone, where).toBeLessThanOrEqual(await admitted(store))
  await store.close()
  rmSync(place, { recursive: true, force: true })
}

describe.each(scenarios.map((scenario, index) => ({ scenario, index, name: scenario.name })))(
  'a process that kills itself at a write of $name',
  ({ scenario, index }) => {
    it('leaves a store from which the run ends as if nothing had happened', { timeout: 1_800_000 }, async () => {
      const random = seededRandom(seed + index)
      const calm = await liveApart(index, newPlace())
      expect(calm.end?.status).toBe(scenario.ends)
      const writes = calm.statements.map((count, write) => ({ at: write + 1, count }))
      const points = modes.flatMap(mode => {
        const chosen = isWhole ? writes : [writes[Math.floor(random() * writes.length)] as (typeof writes)[number]]
        return chosen.map(({ at, count }) => ({
          death: { at, mode, statement: 1 + Math.floor(random() * count) },
          // Recovering twice is recovering once: a fifth of the next processes die as well.
          second: random() < 0.2 ? 1 + Math.floor(random() * 6) : undefined,
        }))
      })
      const die = async ({ death, second }: (typeof points)[number]): Promise<void> => {
        const place = newPlace()
        const where = `${death.mode} write ${death.at} of ${calm.statements.length}, statement ${death.statement}`
        lives++
        expect((await liveApart(index, place, death)).signal, where).toBe('SIGKILL')
        deaths++
        if (second !== undefined) {
          const again = { at: second, mode: 'after', statement: 1 } as const
          if ((await liveApart(index, place, again)).signal === 'SIGKILL') deaths++
        }
        await recover(scenario, place, calm.end, where)
        agreed++
      }
      const todo = points.values()
      const worker = async (): Promise<void> => {
        for (const point of todo) await die(point)
      }
      await Promise.all(Array.from({ length: availableParallelism() }, worker))
    })
  },
)
