/**
 * Random workflows on the real runtime, crashed at random writes to the store and taken up by the next process: each
 * ends as the contract predicts from the workflow alone, as it does when nothing happens to it.
 */
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import type { RunResult } from '../../../src/runtime/api.ts'
import { expectResultAgrees, expectSoundJournal } from '../../support/journal-rules.ts'
import { type Crash, RunWorld } from '../../support/random-run.ts'
import { type Prediction, predict, type StageSpec, workflowSpecs } from '../../support/random-workflow.ts'
import { propertyRuns, propertyTimeoutMs } from '../../support/supervised-worker.ts'

vi.setConfig({ testTimeout: propertyTimeoutMs * 3 })

const most = 6

interface Lived {
  readonly result: RunResult
  readonly operations: number
}

/** Runs it to its end, over as many lives as the crashes make, until nothing is left to do. */
async function live(world: RunWorld, crashes: readonly Crash[]): Promise<Lived> {
  let lived: Lived | undefined
  for (let number = 0; number < most; number++) {
    const life = await world.open(crashes[number])
    const result = life && (await world.finish(life))
    await world.rest()
    if (life) await world.close(life)
    expect(world.clock.pending).toBe(0)
    if (life && result) {
      if (lived) expect(result).toEqual(lived.result)
      lived ??= { result, operations: life.operations() }
    }
    if (lived && (await world.store.unfinished()).length === 0) return lived
  }
  throw new Error(`the run did not end in ${most} lives`)
}

async function expectPredicted(world: RunWorld, result: RunResult, prediction: Prediction): Promise<void> {
  expect(world.doneAgain).toEqual([])
  expect(world.toldTooEarly).toEqual([])
  expect(result.status).toBe(prediction.status)
  const rows = await world.journal()
  expectSoundJournal(rows)
  expectResultAgrees(result, rows)
  if (!result.success) {
    expect(prediction.fatal).toContain(result.error.stage?.replace(/\[.*/, ''))
    return
  }
  expect(result.output).toEqual(prediction.output)
  expect(result.degraded.map(part => part.stage).sort()).toEqual([...prediction.degraded].sort())
  const attempts = Object.entries(result.performance.stages).filter(([, stage]) => stage.attempts > 0)
  expect(Object.fromEntries(attempts.map(([name, stage]) => [name, stage.attempts]))).toEqual(
    Object.fromEntries(prediction.attempts),
  )
}

/** A child ends no later than its parent: it is cancelled with it, whatever becomes of the process in between. */
async function expectSoundChildren(world: RunWorld): Promise<void> {
  const parent = await world.store.readRun('r')
  for (const { id } of (await world.store.list({ workflow: 'child', limit: 1000 })).items) {
    const rows = await world.journal(id)
    expectSoundJournal(rows)
    for (const row of rows.filter(({ type }) => type === 'step.intended'))
      expect(row.at, id).toBeLessThanOrEqual(parent?.endedAt ?? 0)
  }
}

const crashes = fc.array(
  fc.record({ at: fc.nat(1000), mode: fc.constantFrom('before' as const, 'after' as const, 'torn' as const) }),
  { minLength: 1, maxLength: 3 },
)

describe('a random workflow', () => {
  it('ends as the contract predicts, also when its process dies again and again', async () => {
    await fc.assert(
      fc.asyncProperty(workflowSpecs, fc.nat(), fc.nat(12), crashes, async (spec, seed, commitTurns, points) => {
        const prediction = predict(spec)
        const calm = new RunWorld(spec, { seed, commitTurns })
        const { result, operations } = await live(calm, [])
        await expectPredicted(calm, result, prediction)
        await expectSoundChildren(calm)

        const crashed = new RunWorld(spec, { seed, commitTurns })
        const where = points.map(({ at, mode }) => ({ crashAt: 1 + (at % operations), mode }))
        const { result: resumed } = await live(crashed, where)
        await expectPredicted(crashed, resumed, prediction)
        await expectSoundChildren(crashed)
      }),
      { numRuns: propertyRuns },
    )
  })
  it('tells of its end only when that is durable, however long a commit takes', async () => {
    const own = (name: string, turns: number): StageSpec => ({
      name,
      needs: [],
      acts: [{ do: 'own', turns }],
      failures: [],
      items: undefined,
      concurrency: 1,
      failsAfter: 0,
      when: 'absent',
      optional: false,
      fallback: 'none',
      restart: 'transient',
    })
    const turns = fc.nat(30)
    await fc.assert(
      fc.asyncProperty(turns, turns, fc.nat(20), async (one, other, commitTurns) => {
        const world = new RunWorld([own('a', one), own('b', other)], { seed: 1, commitTurns })
        const { result } = await live(world, [])
        expect(result.status).toBe('completed')
        expect(world.toldTooEarly).toEqual([])
      }),
      { numRuns: propertyRuns },
    )
  })
})
