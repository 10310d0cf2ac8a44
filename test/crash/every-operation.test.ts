/**
 * The process dies before, after, or in the middle of every write to the store that a scenario makes; the next process
 * takes the run up, and dies too. Whatever the moment, the run ends as the one that nothing happened to, no result is
 * recorded twice, and nothing that was recorded as done is done again.
 */
import { afterAll, describe, expect, it } from 'vitest'
import { memoryStore } from '../../src/store/memory-store.ts'
import { faultyStore } from '../../src/testing/faulty-store.ts'
import { admitted, createScenarioWorld, essence, extra, faultsOf, live, scenarios } from '../support/crash-scenarios.ts'
import { prove } from '../support/proof.ts'

const modes = ['before', 'after', 'torn'] as const
/** Each n-th moment of the second life, too; 1 in `npm run verify`. */
const everyOfSecondLife = Number(process.env.HOLDFAST_CRASH_EVERY ?? 7)

let points = 0
let agreed = 0
afterAll(() => prove('crash points over the memory store', { points, divergences: points - agreed }))

describe.each(scenarios)('a crash at every store operation of $name', scenario => {
  /** Lives on until the run has ended; the crashes are those of the first lives. */
  async function survive(crashes: readonly { crashAt: number; mode: (typeof modes)[number] }[]) {
    const world = createScenarioWorld(scenario)
    const store = memoryStore()
    let operations = 0
    let result: Awaited<ReturnType<typeof live>>
    for (let number = 0; number < crashes.length + 4; number++) {
      const faulty = faultyStore(store, crashes[number] ?? {})
      const told = await live(world, scenario, faulty)
      if (result && told) expect(told).toEqual(result)
      result ??= told
      operations = faulty.operations
      if (result && (await store.unfinished()).length === 0) break
    }
    return { world, store, result, operations }
  }

  it('changes nothing of how the run ends', { timeout: 900_000 }, async () => {
    const calm = await survive([])
    const expected = essence(calm.result)
    expect(expected?.status).toBe(scenario.ends)
    const { operations } = calm
    expect(operations).toBeGreaterThan(4)

    const check = async (...crashes: { crashAt: number; mode: (typeof modes)[number] }[]) => {
      points++
      const where = crashes.map(({ crashAt, mode }) => `${mode} operation ${crashAt} of ${operations}`).join(', then ')
      const { world, store, result } = await survive(crashes)
      expect(essence(result), where).toEqual(expected)
      expect(faultsOf(await store.readJournal('r', { limit: 1000 })), where).toEqual([])
      expect(await store.unfinished(), where).toEqual([])
      expect(new Set(world.done.keys()), where).toEqual(new Set(calm.world.done.keys()))
      // One crash lets at most what was under way be done once more, and the journal says so.
      const undone = [...world.done].filter(([what]) => what.startsWith('undo')).reduce((sum, [, n]) => sum + n - 1, 0)
      expect(undone, where).toBeLessThanOrEqual(crashes.length)
      expect(extra(world) - undone, where).toBeLessThanOrEqual(await admitted(store))
      agreed++
    }

    for (const mode of modes) {
      for (let crashAt = 1; crashAt <= operations; crashAt++) {
        await check({ crashAt, mode })
        // Recovering twice is recovering once.
        if ((crashAt + points) % everyOfSecondLife === 0) {
          for (const second of [2, 3, 5]) await check({ crashAt, mode }, { crashAt: second, mode: 'after' })
        }
      }
    }
  })
})
