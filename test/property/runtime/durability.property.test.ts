/**
 * What a death at any write leaves alone: where a run ends, what its restarts have cost, and how often it is taken up.
 * Random workflows of one or two stages, over the memory store and a virtual clock.
 */
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { crashesAt, crashModes, crashPoints, expectPredicted, live } from '../../support/random-lives.ts'
import { RunWorld } from '../../support/random-run.ts'
import { predict, smallWorkflowSpecs, type WorkflowSpec } from '../../support/random-workflow.ts'
import { propertyRuns, propertyTimeoutMs } from '../../support/supervised-worker.ts'

vi.setConfig({ testTimeout: propertyTimeoutMs * 3 })

/** The same, but nothing that fails takes the run and its siblings with it. */
const withoutFatal = (spec: WorkflowSpec): WorkflowSpec =>
  spec.map(stage => ({ ...stage, optional: true, fallback: stage.fallback === 'throws' ? 'none' : stage.fallback }))

/** What the decisions about each stage were, and what they had cost by then. */
async function decided(world: RunWorld) {
  const rows = (await world.journal()).filter(({ type }) => /^(retry|restart|wait)\.decided$/.test(type))
  const stages = new Map<string, unknown[]>()
  for (const { stage = '', type, attempt, data } of rows) {
    const { counters } = JSON.parse(data)
    stages.set(stage, [...(stages.get(stage) ?? []), { type, attempt, counters }])
  }
  return stages
}

async function counted(world: RunWorld) {
  const { attempts = 0, restarts = 0 } = JSON.parse((await world.store.readRun('r'))?.counters ?? '{}')
  return { attempts, restarts }
}

describe('a random workflow whose process dies', () => {
  it('property 25, durable: counters after crash and recovery equal those of the run without the crash', async () => {
    await fc.assert(
      fc.asyncProperty(smallWorkflowSpecs.map(withoutFatal), fc.nat(), crashPoints, async (spec, seed, points) => {
        const calm = new RunWorld(spec, { seed })
        const { operations } = await live(calm, [])
        const crashed = new RunWorld(spec, { seed })
        await live(crashed, crashesAt(points, operations))
        expect(await decided(crashed)).toEqual(await decided(calm))
        expect(await counted(crashed)).toEqual(await counted(calm))
      }),
      { numRuns: propertyRuns },
    )
  })

  /** Each workflow is tried at all of its writes in all three ways, so a tenth of the workflows are more cases than all. */
  it('property 50, durable: a crash at every store operation, before, after or torn, recovers to a state of the model', async () => {
    let cases = 0
    const numRuns = Math.ceil(propertyRuns / 10)
    await fc.assert(
      fc.asyncProperty(smallWorkflowSpecs, fc.nat(), async (spec, seed) => {
        const prediction = predict(spec)
        const { operations } = await live(new RunWorld(spec, { seed }), [])
        for (const mode of crashModes) {
          for (let crashAt = 1; crashAt <= operations; crashAt++) {
            const world = new RunWorld(spec, { seed })
            const { result } = await live(world, [{ crashAt, mode }])
            await expectPredicted(world, result, prediction)
            cases++
          }
        }
      }),
      { numRuns },
    )
    expect(cases).toBeGreaterThanOrEqual(propertyRuns)
  })

  it('property 51, durable: recovering twice is recovering once', async () => {
    const again = fc.record({ at: fc.nat(4), mode: fc.constantFrom(...crashModes) })
    await fc.assert(
      fc.asyncProperty(smallWorkflowSpecs, fc.nat(), fc.nat(1000), again, async (spec, seed, at, second) => {
        const prediction = predict(spec)
        const { operations } = await live(new RunWorld(spec, { seed }), [])
        const first = { crashAt: 1 + (at % operations), mode: 'after' as const }
        const once = new RunWorld(spec, { seed })
        const twice = new RunWorld(spec, { seed })
        const { result: ofOne } = await live(once, [first])
        // The second process dies of one of its first writes, which are those of the recovery.
        const { result: ofTwo } = await live(twice, [first, { crashAt: 1 + second.at, mode: second.mode }])
        for (const [world, result] of [
          [once, ofOne],
          [twice, ofTwo],
        ] as const)
          await expectPredicted(world, result, prediction)
        if (prediction.fatal.length > 0) return
        expect(await decided(twice)).toEqual(await decided(once))
        expect(await counted(twice)).toEqual(await counted(once))
      }),
      { numRuns: propertyRuns },
    )
  })
})
