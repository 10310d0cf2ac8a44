/**
 * Random workflows on the real runtime, crashed at random writes to the store and taken up by the next process: each
 * ends as the contract predicts from the workflow alone, as it does when nothing happens to it.
 */
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { expectSoundJournal } from '../../support/journal-rules.ts'
import { crashesAt, crashPoints, expectPredicted, live } from '../../support/random-lives.ts'
import { RunWorld } from '../../support/random-run.ts'
import { predict, type StageSpec, workflowSpecs } from '../../support/random-workflow.ts'
import { propertyRuns, propertyTimeoutMs } from '../../support/supervised-worker.ts'

vi.setConfig({ testTimeout: propertyTimeoutMs * 3 })

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

describe('a random workflow', () => {
  it('property 52, durable: a resumed run ends as the uninterrupted one, with the same seed', async () => {
    await fc.assert(
      fc.asyncProperty(workflowSpecs, fc.nat(), fc.nat(12), crashPoints, async (spec, seed, commitTurns, points) => {
        const prediction = predict(spec)
        const calm = new RunWorld(spec, { seed, commitTurns })
        const { result, operations } = await live(calm, [])
        await expectPredicted(calm, result, prediction)
        await expectSoundChildren(calm)

        const crashed = new RunWorld(spec, { seed, commitTurns })
        const { result: resumed } = await live(crashed, crashesAt(points, operations))
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
