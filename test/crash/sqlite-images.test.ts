/**
 * What the disk holds when a process is killed: the files of the store as they were before and after each commit of a
 * scenario, and the write-ahead log cut at any byte of a commit. Each such image is recovered, and the run ends as the
 * one that nothing happened to. A database that was cut says so, and is never taken for a whole one.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { sqliteStore } from '../../src/store/sqlite-store.ts'
import type { Store } from '../../src/store/store.ts'
import { seededRandom } from '../../src/time/random.ts'
import {
  admitted,
  createScenarioWorld,
  essence,
  extra,
  faultsOf,
  live,
  type Moment,
  momentOf,
  type Scenario,
  scenarios,
  type World,
} from '../support/crash-scenarios.ts'
import { prove } from '../support/proof.ts'

const directory = mkdtempSync(join(tmpdir(), 'holdfast-images-'))
/** Each n-th moment; 1 in `npm run verify`. */
const every = Number(process.env.HOLDFAST_CRASH_EVERY ?? 7)
const cutsACommit = every === 1 ? 6 : 2

let images = 0
let agreed = 0
let refused = 0
afterAll(() => {
  rmSync(directory, { recursive: true, force: true })
  prove('images of a killed process on SQLite, and logs cut at any byte', { images, divergences: images - agreed })
  prove('databases cut at any byte', { refused })
})

interface Image {
  readonly database: Buffer
  readonly log: Buffer
  readonly moment: Moment
}

const contentOf = (file: string): Buffer => {
  try {
    return readFileSync(file)
  } catch {
    return Buffer.alloc(0)
  }
}

const imageOf = (file: string, world: World): Image => ({
  database: contentOf(file),
  log: contentOf(`${file}-wal`),
  moment: momentOf(world),
})

let made = 0
function placeOf(image: Pick<Image, 'database' | 'log'>): string {
  const place = join(directory, String(made++))
  mkdirSync(place)
  writeFileSync(join(place, 'holdfast.db'), image.database)
  if (image.log.length > 0) writeFileSync(join(place, 'holdfast.db-wal'), image.log)
  return join(place, 'holdfast.db')
}

/** The store, with an image of its files before and after each commit. */
function photographed(file: string, world: World, taken: { before: Image; after: Image }[]): Store {
  const store = sqliteStore(file)
  return {
    ...store,
    async commit(epoch, writes) {
      const before = imageOf(file, world)
      await store.commit(epoch, writes)
      taken.push({ before, after: imageOf(file, world) })
    },
  }
}

async function recoverFrom(scenario: Scenario, image: Image, where: string, expected: unknown): Promise<void> {
  images++
  const world = createScenarioWorld(scenario, () => {}, image.moment)
  const file = placeOf(image)
  const store = sqliteStore(file)
  const result = await live(world, scenario, store)
  expect(essence(result), where).toEqual(expected)
  expect(faultsOf(await store.readJournal('r', { limit: 1000 })), where).toEqual([])
  const undone = [...world.done].filter(([what]) => what.startsWith('undo')).reduce((sum, [, n]) => sum + n - 1, 0)
  expect(extra(world) - undone, where).toBeLessThanOrEqual(await admitted(store))
  await store.close()
  rmSync(join(file, '..'), { recursive: true, force: true })
  agreed++
}

describe.each(scenarios)('on a disk, $name', scenario => {
  it('ends as if nothing had happened, from every image and every cut', { timeout: 900_000 }, async () => {
    const random = seededRandom(11)
    const world = createScenarioWorld(scenario)
    const file = placeOf({ database: Buffer.alloc(0), log: Buffer.alloc(0) })
    const taken: { before: Image; after: Image }[] = []
    const expected = essence(await live(world, scenario, photographed(file, world, taken)))
    expect(expected?.status).toBe(scenario.ends)
    const offset = Math.floor(random() * every)
    for (const [place, { before, after }] of taken.entries()) {
      if (place % every !== offset % every) continue
      await recoverFrom(scenario, after, `after commit ${place + 1} of ${taken.length}`, expected)
      const grown = after.log.length - before.log.length
      for (let cut = 0; cut < cutsACommit && grown > 0; cut++) {
        const bytes = before.log.length + Math.floor(random() * grown)
        const image = { ...after, log: after.log.subarray(0, bytes) }
        await recoverFrom(scenario, image, `commit ${place + 1} of ${taken.length}, log cut at ${bytes}`, expected)
      }
    }
  })
})

it('a database cut at any byte is refused as damaged, or gives the run as it was; nothing in between', async () => {
  const scenario = scenarios[0] as Scenario
  const random = seededRandom(12)
  const world = createScenarioWorld(scenario)
  const file = placeOf({ database: Buffer.alloc(0), log: Buffer.alloc(0) })
  const result = await live(world, scenario, sqliteStore(file))
  const whole = readFileSync(file)
  for (let cut = 0; cut < 300 / every; cut++) {
    const bytes = Math.floor(random() * whole.length)
    const store = sqliteStore(placeOf({ database: whole.subarray(0, bytes), log: Buffer.alloc(0) }))
    const world = createScenarioWorld(scenario)
    try {
      await store.claim({ pid: 1, host: 'here', at: 1 })
      const row = await store.readRun('r')
      await store.readJournal('r')
      if (bytes > 0) expect(JSON.parse(row?.outcome ?? 'null'), `cut at ${bytes}`).toEqual(result)
    } catch (error) {
      expect(error, `cut at ${bytes}`).toMatchObject({ code: 'store_corrupt' })
      refused++
    }
    expect(world.done.size).toBe(0)
    await store.close()
  }
  expect(refused).toBeGreaterThan(0)
})

it('a log of another day beside the database is not taken for its own', async () => {
  const [scenario, other] = [scenarios[0], scenarios[13]] as [Scenario, Scenario]
  const lived = async (which: Scenario): Promise<{ whole: Buffer; image: Image; outcome: unknown }> => {
    const world = createScenarioWorld(which)
    const file = placeOf({ database: Buffer.alloc(0), log: Buffer.alloc(0) })
    const taken: { before: Image; after: Image }[] = []
    const outcome = essence(await live(world, which, photographed(file, world, taken)))
    return { whole: readFileSync(file), image: taken.at(-1)?.after as Image, outcome }
  }
  const [today, yesterday] = [await lived(scenario), await lived(other)]
  const file = placeOf({ database: today.whole, log: yesterday.image.log })
  const store = sqliteStore(file)
  // SQLite cannot know whose log it is: the whole of it is replayed, so the store is wholly yesterday's or refused.
  try {
    await store.claim({ pid: 1, host: 'here', at: 1 })
    const outcome = JSON.parse((await store.readRun('r'))?.outcome ?? 'null')
    expect([today.outcome, yesterday.outcome]).toContainEqual(essence(outcome))
  } catch (error) {
    expect(error).toMatchObject({ code: 'store_corrupt' })
  }
  await store.close()
})
