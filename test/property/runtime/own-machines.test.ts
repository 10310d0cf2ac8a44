/**
 * Random machines of one's own, with delays, stages, events, spawned machines and parallel states, whose process dies at
 * random writes: each ends as the one that nothing happened to.
 */
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { assign, setup } from 'xstate'
import { z } from 'zod'
import type { Run } from '../../../src/runtime/api.ts'
import { memoryStore } from '../../../src/store/memory-store.ts'
import { faultyStore } from '../../../src/testing/faulty-store.ts'
import { workflowFromMachine } from '../../../src/workflow/own-machine.ts'
import { stageActor } from '../../../src/workflow/stage-actor.ts'
import {
  admitted,
  type Count,
  createScenarioWorld,
  essence,
  extra,
  faultsOf,
  live,
  type Scenario,
} from '../../support/crash-scenarios.ts'
import { propertyRuns, propertyTimeoutMs } from '../../support/supervised-worker.ts'

vi.setConfig({ testTimeout: propertyTimeoutMs * 3 })

/** What one state after the other of a region does before it goes on. */
type Beat =
  | { readonly is: 'after'; readonly minutes: number }
  | { readonly is: 'stage'; readonly sleepMinutes: number }
  | { readonly is: 'event' }
  | { readonly is: 'spawned'; readonly minutes: number }

const minutes = fc.integer({ min: 0, max: 180 })
const beats: fc.Arbitrary<readonly Beat[]> = fc.array(
  fc.oneof(
    fc.record({ is: fc.constant('after' as const), minutes }),
    fc.record({ is: fc.constant('stage' as const), sleepMinutes: fc.oneof(fc.constant(0), minutes) }),
    fc.record({ is: fc.constant('event' as const) }),
    fc.record({ is: fc.constant('spawned' as const), minutes }),
  ),
  { minLength: 1, maxLength: 4 },
)
const regions = fc.array(beats, { minLength: 1, maxLength: 3 })

const timer = setup({
  types: {} as { input: { minutes: number }; context: { minutes: number } },
  delays: { while: ({ context }) => context.minutes * 60_000 },
}).createMachine({
  id: 'timer',
  context: ({ input }) => ({ minutes: input.minutes }),
  initial: 'running',
  states: { running: { after: { while: 'over' } }, over: { type: 'final' } },
})

function machineOf(plan: readonly (readonly Beat[])[], count: Count) {
  const note = (name: string) =>
    assign({ log: ({ context }: { context: { log: string[] } }) => [...context.log, name] })
  const region = (own: readonly Beat[], place: number) => ({
    initial: 'b0',
    states: Object.fromEntries([
      ...own.map((beat, index) => {
        const name = `r${place}b${index}`
        const go = { target: `b${index + 1}`, actions: note(name) }
        const state = {
          after: () => ({ after: { [(beat as { minutes: number }).minutes * 60_000]: go } }),
          stage: () => ({ invoke: { id: name, src: 'work', input: { name, ...beat }, onDone: go } }),
          event: () => ({ on: { [`GO_${name}`]: go } }),
          spawned: () => ({ invoke: { id: name, src: 'timer', input: beat, onDone: go } }),
        }[beat.is]()
        return [`b${index}`, state]
      }),
      [`b${own.length}`, { type: 'final' }],
    ]),
  })
  return setup({
    types: {} as { context: { log: string[] } },
    actors: {
      timer,
      work: stageActor({ input: z.looseObject({ name: z.string(), sleepMinutes: z.number() }) }, async context => {
        const { name, sleepMinutes } = context.input
        const value = await context.step('work', () => count(name, name))
        if (sleepMinutes > 0) await context.sleep(sleepMinutes * 60_000)
        return value
      }),
    },
  }).createMachine({
    id: 'random',
    context: { log: [] },
    type: 'parallel',
    states: Object.fromEntries(plan.map((own, place) => [`r${place}`, region(own, place)])),
    output: ({ context }: { context: { log: string[] } }) => [...context.log].sort(),
  } as never)
}

function scenarioOf(plan: readonly (readonly Beat[])[]): Scenario {
  const events = plan.flatMap((own, place) =>
    own.flatMap((beat, index) => (beat.is === 'event' ? [{ name: `GO_r${place}b${index}`, index }] : [])),
  )
  // In the order in which the regions can take them; by then every delay before them has passed.
  const acts = events
    .sort((a, b) => a.index - b.index)
    .map(({ name }) => ({ leaves: 'signal.received', after: 800, do: (run: Run) => run.signal(name, {}) }))
  return {
    name: 'random',
    ends: 'completed',
    acts,
    workflow: count => workflowFromMachine({ name: 'random', version: '1', machine: machineOf(plan, count) as never }),
  }
}

const crashes = fc.array(
  fc.record({ at: fc.nat(1000), mode: fc.constantFrom('before' as const, 'after' as const, 'torn' as const) }),
  { minLength: 1, maxLength: 3 },
)

describe('a random machine of one’s own', () => {
  it('ends as if its process had never died', async () => {
    await fc.assert(
      fc.asyncProperty(regions, crashes, async (plan, points) => {
        const scenario = scenarioOf(plan)
        const survive = async (at: readonly { crashAt: number; mode: 'before' | 'after' | 'torn' }[]) => {
          const world = createScenarioWorld(scenario)
          const store = memoryStore()
          for (let number = 0; number < at.length + 3; number++) {
            const faulty = faultyStore(store, at[number] ?? {})
            const result = await live(world, scenario, faulty)
            if (result) return { world, store, result, operations: faulty.operations }
          }
          throw new Error('the run did not end')
        }
        const calm = await survive([])
        expect(calm.result).toMatchObject({ success: true })
        expect(calm.result.success && (calm.result.output as string[]).length).toBe(plan.flat().length)
        const { world, store, result } = await survive(
          points.map(({ at, mode }) => ({ crashAt: 1 + (at % calm.operations), mode })),
        )
        expect(essence(result)).toEqual(essence(calm.result))
        expect(faultsOf(await store.readJournal('r', { limit: 1000 }))).toEqual([])
        expect(extra(world)).toBeLessThanOrEqual(await admitted(store))
      }),
      { numRuns: Math.ceil(propertyRuns / 4) },
    )
  })
})
