/**
 * The process dies before, after, or in the middle of every write to the store that an operation makes: a retry, a
 * larger budget, a fork, decisions about stages, the quarantine. An operator who heard no answer looks, and asks again
 * where nothing happened. Whatever the moment, the run ends as it does without a crash, and nothing that succeeded
 * before the operation is done again.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineProfile } from '../../src/resilience/define-profile.ts'
import type { RunResult } from '../../src/runtime/api.ts'
import { createRuntime } from '../../src/runtime/create-runtime.ts'
import type { OperatedRuntime } from '../../src/runtime/operations/operations-api.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import { sqliteStore } from '../../src/store/sqlite-store.ts'
import { isEnded, type Store } from '../../src/store/store.ts'
import { faultyStore } from '../../src/testing/faulty-store.ts'
import { scriptedProvider } from '../../src/testing/scripted-provider.ts'
import { virtualClock } from '../../src/testing/virtual-clock.ts'
import { seededRandom } from '../../src/time/random.ts'
import { defineWorkflow } from '../../src/workflow/define-workflow.ts'
import type { AnyWorkflow } from '../../src/workflow/definition.ts'

interface Operation {
  readonly name: string
  /** What the run is after the operation has taken hold, as far as `done` can tell. */
  readonly act: (runtime: OperatedRuntime) => Promise<unknown>
  /** Whether the store shows that it has been carried out. */
  readonly done: (store: Store) => Promise<boolean>
  readonly onExhausted?: 'quarantine'
  readonly budget?: { readonly calls: number }
  /** Whose end is compared. */
  readonly runId?: string
}

const why = { reason: 'because' }
const wasReopened = async (store: Store): Promise<boolean> =>
  (await store.readJournal('r')).some(({ type }) => type === 'run.reopened')

const operations: Operation[] = [
  { name: 'retry', act: runtime => runtime.retry('r'), done: wasReopened },
  { name: 'retry --fresh', act: runtime => runtime.retry('r', { fresh: true }), done: wasReopened },
  { name: 'stage skip', act: runtime => runtime.stage.skip('r', 'b', why), done: wasReopened },
  { name: 'stage redo', act: runtime => runtime.stage.redo('r', 'a', why), done: wasReopened },
  {
    name: 'stage complete',
    act: runtime => runtime.stage.complete('r', 'b', { ...why, result: 5 }),
    done: wasReopened,
  },
  {
    name: 'quarantine release',
    onExhausted: 'quarantine',
    act: runtime => runtime.quarantine.release('r', why),
    done: wasReopened,
  },
  {
    name: 'quarantine discard',
    onExhausted: 'quarantine',
    act: runtime => runtime.quarantine.discard('r', why),
    done: async store => (await store.readRun('r'))?.status === 'cancelled',
  },
  {
    name: 'resume with a budget',
    budget: { calls: 1 },
    act: async runtime => (await runtime.get('r')).resume({ budget: { calls: 9 } }),
    done: wasReopened,
  },
  {
    name: 'fork',
    runId: 'f',
    act: runtime => runtime.fork('r', { from: 'b', id: 'f' }),
    done: async store => (await store.readRun('f')) !== undefined,
  },
]

interface World {
  readonly clock: ReturnType<typeof virtualClock>
  readonly random: () => number
  readonly done: string[]
  readonly workflow: AnyWorkflow
  isBroken: boolean
}

function createWorld(operation: Operation): World {
  const profile = defineProfile({ extends: 'critical', restart: { onExhausted: operation.onExhausted ?? 'fail' } })
  const done: string[] = []
  const world = { clock: virtualClock(), random: seededRandom(3), done, isBroken: true }
  const workflow = defineWorkflow({ name: 'w', version: '1', profile, signals: { go: z.object({}) } })
    .stage('a', ({ step }) => step('a', () => done.push('a')))
    .stage('b', { restart: 'temporary' }, async ({ step, model }) => {
      await step('b', () => done.push('b'))
      await model.generate({ prompt: 'one' })
      await model.generate({ prompt: 'two' })
      if (world.isBroken) throw new Error('broken')
      return 7
    })
    .map('c', { over: () => [1, 2] }, ({ item, step }) => step('c', () => done.push(`c${item}`)))
    .output(({ results }) => [results.b ?? null, results.c.length])
  return Object.assign(world, { workflow })
}

async function open(world: World, store: Store): Promise<OperatedRuntime> {
  return createRuntime({
    store,
    clock: world.clock,
    random: world.random,
    logger: false,
    workflows: [world.workflow],
    providers: [scriptedProvider([() => ({ text: 'yes', cost: 1 })], { clock: world.clock, loop: true })],
  })
}

/** What the promise gives within some virtual time; undefined where it rejects or never comes. */
async function passing<T>(world: World, promise: Promise<T>): Promise<T | undefined> {
  let settled: { value?: T } | undefined
  promise.then(
    value => {
      settled = { value }
    },
    () => {
      settled = {}
    },
  )
  for (let i = 0; i < 50 && !settled; i++) await world.clock.advance('1m')
  return settled?.value
}

/** A run that has ended badly, in a store of its own. */
async function failedRun(operation: Operation, store: Store): Promise<{ world: World; store: Store }> {
  const world = createWorld(operation)
  const runtime = await open(world, store)
  const { budget } = operation
  const run = await runtime.start(world.workflow, undefined, { id: 'r', ...(budget ? { budget } : {}) })
  const result = await passing(world, run.result())
  expect(result?.success).toBe(false)
  await runtime.close()
  world.isBroken = false
  return { world, store }
}

/** A process that carries the operation out where that has not been done, and stays until the run has ended. */
async function carryOut(operation: Operation, world: World, store: Store, real: Store): Promise<RunResult | undefined> {
  let runtime: OperatedRuntime | undefined
  try {
    runtime = await open(world, store)
    if (!(await operation.done(real))) await operation.act(runtime)
    return await passing(world, (await runtime.get(operation.runId ?? 'r')).result() as Promise<RunResult>)
  } catch {
    return undefined
  } finally {
    await runtime?.close().catch(() => {})
  }
}

const essence = (result: RunResult | undefined) =>
  result && { status: result.status, output: result.success ? result.output : result.error.message }

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hf-operations-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

let files = 0
const stores = [
  { kind: 'in memory', create: () => memoryStore(), of: operations },
  {
    kind: 'in a file',
    create: () => sqliteStore(join(directory, `${++files}.db`)),
    of: operations.filter(({ name }) => ['retry', 'fork', 'stage skip', 'quarantine release'].includes(name)),
  },
]
const cases = stores.flatMap(({ kind, create, of }) => of.map(operation => ({ kind, create, operation, ...operation })))

describe.each(cases)('a crash at every operation of a store $kind during $name', ({ operation, create }) => {
  it('leaves it done or not done, and asking again ends the same', async () => {
    const calm = await failedRun(operation, create())
    const counted = faultyStore(calm.store)
    const expected = essence(await carryOut(operation, calm.world, counted, calm.store))
    expect(expected).toBeDefined()
    const calmlyDone = [...calm.world.done]
    expect(counted.operations).toBeGreaterThan(1)

    for (const mode of ['before', 'after', 'torn'] as const) {
      for (let crashAt = 1; crashAt <= counted.operations; crashAt++) {
        const where = `${mode} operation ${crashAt} of ${counted.operations}`
        const { world, store } = await failedRun(operation, create())
        let result = await carryOut(operation, world, faultyStore(store, { crashAt, mode }), store)
        for (let more = 0; result === undefined && more < 3; more++)
          result = await carryOut(operation, world, store, store)
        expect(essence(result), where).toEqual(expected)
        const { items } = await store.list({})
        expect(items.map(({ id }) => id).sort(), where).toEqual(operation.runId ? ['f', 'r'] : ['r'])
        for (const { id, status, seq } of items) {
          const rows = await store.readJournal(id)
          expect(
            rows.map(row => row.seq),
            where,
          ).toEqual(rows.map((_, index) => index + 1))
          expect(seq, where).toBe(rows.length)
          expect(isEnded(status), where).toBe(true)
          const stages = rows.filter(({ type }) => type === 'stage.succeeded').map(({ stage }) => stage)
          if (operation.name !== 'stage redo') expect(new Set(stages).size, where).toBe(stages.length)
        }
        // One crash lets at most one step be done once more, and the journal says that it may have been.
        const unknown = (await Promise.all(items.map(({ id }) => store.readJournal(id))))
          .flat()
          .filter(({ type }) => type === 'step.unknown').length
        expect(world.done.length, where).toBeLessThanOrEqual(calmlyDone.length + unknown)
        await store.close()
      }
    }
  })
})
