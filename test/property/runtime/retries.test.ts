/**
 * Random workflows that fail for a while, retried until they complete, with deaths of the process at random writes in
 * between: whatever had a result keeps it and has it once, and nothing that is recorded as done is done again.
 */
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import type { RunResult } from '../../../src/runtime/api.ts'
import { type Crash, RunWorld } from '../../support/random-run.ts'
import { predict, type WorkflowSpec, workflowSpecs } from '../../support/random-workflow.ts'
import { propertyRuns, propertyTimeoutMs } from '../../support/supervised-worker.ts'

vi.setConfig({ testTimeout: propertyTimeoutMs * 3 })

/** That fail, and not for ever. */
const mending = workflowSpecs
  .map(
    (spec): WorkflowSpec =>
      spec.map(stage => ({
        ...stage,
        when: stage.when === 'throws' ? 'yes' : stage.when,
        acts: stage.acts.map(act => (act.do === 'lateSignal' ? { ...act, caught: true } : act)),
      })),
  )
  .filter(spec => predict(spec).status === 'failed')

const crashes = fc.array(
  fc.record({
    crashAt: fc.integer({ min: 1, max: 40 }),
    mode: fc.constantFrom('before' as const, 'after' as const, 'torn' as const),
  }),
  { maxLength: 3 },
)

const mostLives = 40

/** Retries the run until it completes, in as many lives as it takes. */
async function retried(world: RunWorld, points: readonly Crash[]): Promise<RunResult> {
  for (let number = 0; number < mostLives; number++) {
    const life = await world.open(points[number])
    if (!life) continue
    const result = await world.finish(life)
    if (result?.status === 'completed') {
      await world.close(life)
      return result
    }
    if (result) await world.pass(life.runtime.retry('r'))
    await world.close(life)
  }
  throw new Error('the run did not complete')
}

describe('a random workflow that fails for a while', () => {
  it('completes when it is retried, with every result once and nothing done again', async () => {
    await fc.assert(
      fc.asyncProperty(mending, fc.nat(), crashes, async (spec, seed, points) => {
        const world = new RunWorld(spec, { seed })
        const result = await retried(world, points)
        expect(world.doneAgain).toEqual([])
        expect(world.toldTooEarly).toEqual([])
        const rows = await world.journal()
        expect(rows.map(({ seq }) => seq)).toEqual(rows.map((_, index) => index + 1))
        const ends = rows
          .filter(({ type }) =>
            ['stage.succeeded', 'stage.fell_back', 'stage.degraded', 'stage.skipped'].includes(type),
          )
          .map(({ stage }) => stage)
        expect(ends).toEqual([...new Set(ends)])
        const attempted = rows.filter(({ type }) => type === 'stage.attempted')
        expect(result.attempts).toBe(new Set(attempted.map(row => `${row.stage} ${row.attempt}`)).size)
        for (const stage of spec) {
          const started = attempted.filter(row => row.stage === stage.name)
          const incarnations = started.map(row => row.incarnation as number)
          expect(incarnations).toEqual([...incarnations].sort((a, b) => a - b))
        }
        if (!result.success) throw new Error(result.error.message)
        const output = result.output as Record<string, unknown>
        for (const { name, items } of spec) {
          if (items && output[name] !== undefined) expect(output[name]).toHaveLength(items.length)
        }
      }),
      { numRuns: propertyRuns },
    )
  })
})
