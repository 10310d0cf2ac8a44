/**
 * The process dies before, after, or in the middle of every write to the store that a scenario makes; the next process
 * takes the run up. Whatever the moment, the run ends as the one that nothing happened to, no result is recorded twice,
 * and nothing that was recorded as done is done again.
 */
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { RunResult, Runtime } from '../../src/runtime/api.ts'
import { createRuntime } from '../../src/runtime/create-runtime.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import type { Store } from '../../src/store/store.ts'
import { faultyStore } from '../../src/testing/faulty-store.ts'
import { scriptedProvider } from '../../src/testing/scripted-provider.ts'
import { virtualClock } from '../../src/testing/virtual-clock.ts'
import { seededRandom } from '../../src/time/random.ts'
import { defineWorkflow } from '../../src/workflow/define-workflow.ts'
import type { AnyWorkflow } from '../../src/workflow/definition.ts'

interface Scenario {
  readonly name: string
  /** Counts in `done` what was really done. */
  readonly workflow: (done: Map<string, number>) => AnyWorkflow
  readonly signals?: number
}

/** Notes that it was really done, and gives the value. */
function count<T>(done: Map<string, number>, what: string, value: T): T {
  done.set(what, (done.get(what) ?? 0) + 1)
  return value
}

const begin = () => defineWorkflow({ name: 'scenario', version: '1', signals: { go: z.object({ n: z.number() }) } })

const scenarios: Scenario[] = [
  {
    name: 'a chain with steps',
    workflow: done =>
      begin()
        .stage('a', ({ step }) => step('a', () => count(done, 'a', 1)))
        .stage('b', async ({ step, results }) => {
          const two = await step('two', () => count(done, 'two', 2))
          return results.a + two + (await step('three', () => count(done, 'three', 3)))
        })
        .stage('c', ({ results }) => results.b * 7),
  },
  {
    name: 'a fork and a map with a sleep',
    workflow: done =>
      begin()
        .stage('a', () => 1)
        .stage('b', { needs: ['a'] }, async ({ sleep }) => {
          await sleep('10m')
          return 'b'
        })
        .stage('c', { needs: ['a'] }, ({ step }) => step('c', () => count(done, 'c', 'c')))
        .map('each', { needs: ['b', 'c'], over: () => [1, 2, 3], concurrency: 2 }, ({ item, step, stage }) =>
          step('x', () => count(done, stage, item * 2)),
        )
        .output(({ results }) => results),
  },
  {
    name: 'failures: a retry, a restart, a fallback and a lost stage',
    workflow: done =>
      begin()
        .stage('a', ({ attempt, step }) => {
          if (attempt === 1) throw Object.assign(new Error('busy'), { status: 503 })
          if (attempt === 2) throw new Error('broken')
          return step('a', () => count(done, 'a', attempt))
        })
        .stage('b', { restart: 'temporary', fallback: () => 'instead' }, (): string => {
          throw new Error('b is broken')
        })
        .stage('c', { restart: 'temporary', optional: true }, (): string => {
          throw new Error('c is broken')
        })
        .output(({ results }) => results),
  },
  {
    name: 'signals and a child run',
    signals: 2,
    workflow: done => {
      const child = defineWorkflow({ name: 'child', version: '1' }).stage('only', ({ step }) =>
        step('only', () => count(done, 'child', 5)),
      )
      return begin()
        .stage('a', async ({ waitFor }) => [await waitFor('go'), await waitFor('go')].map(payload => payload.n))
        .stage('b', async ({ startChild }) => {
          const result = await (await startChild(child, undefined)).result()
          return result.success ? result.output : undefined
        })
        .output(({ results }) => results)
    },
  },
  {
    name: 'model calls',
    workflow: done =>
      begin()
        .stage('a', async ({ model }) => {
          const one = await model.generate({ prompt: 'one' })
          const two = await model.generate({ prompt: 'two' })
          return [one.text, two.text, done.size >= 0]
        })
        .output(({ results }) => results),
  },
]

interface World {
  readonly clock: ReturnType<typeof virtualClock>
  readonly random: () => number
  readonly done: Map<string, number>
  readonly answered: Map<string, number>
  readonly workflow: AnyWorkflow
}

function createWorld(scenario: Scenario): World {
  const done = new Map<string, number>()
  return {
    clock: virtualClock(),
    random: seededRandom(7),
    done,
    answered: new Map(),
    workflow: scenario.workflow(done),
  }
}

/** Opens a runtime on the store and pushes the run as far as it goes; undefined when the process died. */
async function live(world: World, scenario: Scenario, store: Store): Promise<RunResult | undefined> {
  const provider = scriptedProvider(
    [
      request => {
        const text = String(request.messages.at(-1)?.content)
        world.answered.set(text, (world.answered.get(text) ?? 0) + 1)
        return { text: `answer to ${text}`, cost: 1 }
      },
    ],
    { clock: world.clock, loop: true },
  )
  let runtime: Runtime | undefined
  const passing = async <T>(promise: Promise<T>): Promise<T | undefined> => {
    let settled: { value?: T } | undefined
    promise.then(
      value => {
        settled = { value }
      },
      () => {
        settled = {}
      },
    )
    for (let i = 0; i < 100 && !settled; i++) await world.clock.advance('1m')
    return settled?.value
  }
  try {
    runtime = await createRuntime({
      store,
      clock: world.clock,
      random: world.random,
      logger: false,
      workflows: [world.workflow],
      providers: [provider],
    })
    const run = await passing(runtime.start(world.workflow, undefined, { id: 'r' }))
    if (!run) return undefined
    for (let n = 0; n < (scenario.signals ?? 0); n++) {
      // A sender that heard no answer looks before it sends again.
      const journal = await store.readJournal('r', { limit: 1000 })
      if (journal.filter(row => row.type === 'signal.received').length > n) continue
      const given = await passing(
        run.signal('go', { n }).then(
          () => true,
          error => (error.code === 'run_not_open' ? true : Promise.reject(error)),
        ),
      )
      if (!given) return undefined
    }
    return await passing(run.result())
  } catch {
    return undefined
  } finally {
    await runtime?.close().catch(() => {})
  }
}

const essence = (result: RunResult | undefined) =>
  result && {
    status: result.status,
    output: result.success ? result.output : result.error.message,
    degraded: result.degraded,
  }

describe.each(scenarios)('a crash at every store operation of $name', scenario => {
  it('changes nothing of how the run ends', async () => {
    const calm = createWorld(scenario)
    const counted = faultyStore(memoryStore())
    const expected = essence(await live(calm, scenario, counted))
    expect(expected?.status).toBe('completed')
    const operations = counted.operations
    expect(operations).toBeGreaterThan(4)

    for (const mode of ['before', 'after', 'torn'] as const) {
      for (let crashAt = 1; crashAt <= operations; crashAt++) {
        const world = createWorld(scenario)
        const store = memoryStore()
        let result = await live(world, scenario, faultyStore(store, { crashAt, mode }))
        const where = `${mode} operation ${crashAt} of ${operations}`
        for (let more = 0; result === undefined && more < 3; more++) result = await live(world, scenario, store)
        expect(essence(result), where).toEqual(expected)
        const rows = await store.readJournal('r', { limit: 1000 })
        expect(
          rows.map(row => row.seq),
          where,
        ).toEqual(rows.map((_, index) => index + 1))
        const ended = rows
          .filter(row => ['stage.succeeded', 'stage.fell_back', 'stage.degraded'].includes(row.type))
          .map(row => row.stage)
        expect(new Set(ended).size, where).toBe(ended.length)
        // One crash lets at most one of what was under way be done once more.
        const extra = (counts: Map<string, number>) => [...counts.values()].reduce((sum, times) => sum + times - 1, 0)
        expect(extra(world.done) + extra(world.answered), where).toBeLessThanOrEqual(2)
        const childRows = await store.readJournal('r.b.1', { limit: 1000 })
        const redone = [...rows, ...childRows].filter(
          row => row.type === 'step.unknown' || row.type === 'call.unknown',
        ).length
        expect(extra(world.done) + extra(world.answered), where).toBeLessThanOrEqual(redone)
      }
    }
  })
})
