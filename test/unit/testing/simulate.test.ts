import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createRuntime, defineWorkflow } from '../../../src/index.ts'
import { simulate } from '../../../src/testing.ts'
import { torture } from '../../support/torture-workflow.ts'

const order = defineWorkflow({
  name: 'order',
  version: '1',
  input: z.object({ count: z.int().min(1).max(3) }),
  signals: { approval: z.object({ ok: z.boolean() }) },
})
  .stage('ship', async ({ input, step, sleep }) => {
    await sleep('1h')
    return step('ship', () => input.count)
  })
  .stage('gate', async ({ waitFor }) => waitFor('approval'))

describe('simulate', () => {
  it('gives the same journals for the same seed, byte for byte, and others for another', async () => {
    const journalOf = async (seed: number) => (await simulate(torture, { seeds: [seed], replays: 0 })).journal
    const first = await journalOf(7)
    expect(first.length).toBeGreaterThan(1000)
    expect(await journalOf(7)).toBe(first)
    expect(await journalOf(8)).not.toBe(first)
  })

  it('lets hours pass in no time, brings the signals that runs wait for, and says what it did', async () => {
    const { ok, seeds, simulatedHours, coverage, report } = await simulate(order, {
      seeds: 10,
      faults: 'none',
      runs: 1,
    })
    expect(ok, report).toBe(true)
    expect(seeds.map(({ outcomes }) => outcomes)).toEqual(Array(10).fill({ completed: 1 }))
    expect(simulatedHours).toBeGreaterThan(10)
    expect(coverage.states.reached.length).toBeGreaterThan(0)
    expect(report).toContain('10 seeds')
  })

  it('breaks an invariant of the user with its seed, what happened, and how to do it again', async () => {
    const invariants = { 'few items': ({ input }: { input: unknown }) => (input as { count: number }).count < 3 }
    const found = await simulate(order, { seeds: 50, invariants, faults: 'crashes' })
    expect(found).toMatchObject({ ok: false, violation: { invariant: 'few items' } })
    expect(found.replay).toBe(`simulate(order, { seeds: [${found.seed}], faults: 'crashes', invariants })`)
    expect(found.trace?.[0]).toContain('process 1 opens')
    const again = await simulate(order, { seeds: [found.seed as number], invariants, faults: 'crashes' })
    expect(again.journal).toBe(found.journal)
  })

  it('gives a stage simulated time and chance where it asks for them by itself, and says so', async () => {
    const real = { now: Date.now, random: Math.random, setTimeout: globalThis.setTimeout }
    const selfish = defineWorkflow({ name: 'selfish', version: '1' }).stage('own', async () => {
      await new Promise(resolve => setTimeout(resolve, 60_000))
      return [Date.now(), Math.random(), new Date().toISOString(), crypto.randomUUID()]
    })
    const { ok, outside, report } = await simulate(selfish, { seeds: 5, replays: 5 })
    expect(ok, report).toBe(true)
    expect(outside.map(({ stage, what, replaced }) => `${stage} ${what} ${replaced}`).sort()).toEqual([
      'own Date.now true',
      'own Math.random true',
      'own crypto.randomUUID true',
      'own new Date() true',
      'own setTimeout true',
    ])
    expect(report).toContain("stage 'own' uses Date.now")
    expect({ now: Date.now, random: Math.random, setTimeout: globalThis.setTimeout }).toEqual(real)
  })

  it.each([
    ['fetch', () => fetch('http://127.0.0.1:1')],
    ['fs/promises.readFile', () => readFile('package.json', 'utf8')],
  ])('refuses a stage that reaches out by %s, and takes a stand-in', async (what, reach) => {
    const reaching = defineWorkflow({ name: 'reaching', version: '1' }).stage('collect', async () => {
      await reach()
      return 1
    })
    const refused = await simulate(reaching, { seeds: 1, faults: 'none' })
    expect(refused.violation).toMatchObject({
      invariant: 'inside the simulation',
      message: expect.stringContaining(`stage 'collect' reaches out by itself: ${what}`),
    })
    const { ok, report } = await simulate(reaching, { seeds: 3, stages: { collect: () => 2 } })
    expect(ok, report).toBe(true)
  })

  it('finds a stage that depends on a variable of its module', async () => {
    let calls = 0
    const counting = defineWorkflow({ name: 'counting', version: '1' }).stage('count', () => ++calls)
    const { violation } = await simulate(counting, { seeds: 1, faults: 'none' })
    expect(violation?.invariant).toBe('same seed, same journal')
    expect(violation?.message).toContain("of stage 'count'")
  })

  it('finds a run that waits for ever for what never comes', async () => {
    const stuck = defineWorkflow({ name: 'stuck', version: '1' }).stage('never', { timeout: '1000d' }, async () => {
      await new Promise(() => {})
    })
    const { violation } = await simulate(stuck, { seeds: [1], faults: 'none' })
    expect(violation).toMatchObject({ invariant: 'every run ends', runId: 'run-1' })
  })

  it('simulates what a factory opens', async () => {
    const factory = async (world: object, { watch }: { watch: (workflow: never) => never }) =>
      createRuntime({ ...world, workflows: [watch(order as never)] })
    const start = (runtime: Awaited<ReturnType<typeof createRuntime>>) =>
      runtime.start(order, { count: 1 }, { id: 'one' })
    const { ok, report, seeds } = await simulate(factory as never, {
      seeds: 5,
      start: start as never,
      signals: { approval: { ok: true } },
    })
    expect(ok, report).toBe(true)
    expect(seeds.every(({ outcomes }) => outcomes.completed === 1)).toBe(true)
  })

  it.each([
    [{ seed: 1 }, "did you mean 'seeds'?"],
    [{ faults: 'crash' }, "did you mean 'crashes'?"],
    [{ faults: { crash: 1 } }, "did you mean 'crashes'?"],
    [{ stages: { shipp: 1 } }, 'has no such stage'],
    [{ invariants: [1] }, 'must be functions'],
  ])('refuses %o', async (options, message) => {
    await expect(simulate(order, options as never)).rejects.toThrow(message)
  })
})
