/**
 * What a run waits for when its process is gone: it is due when it was due before, and where no process is there then,
 * as soon as there is one.
 */
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { setup } from 'xstate'
import { z } from 'zod'
import { defineProfile } from '../../../src/resilience/define-profile.ts'
import { type FaultyStoreOptions, faultyStore } from '../../../src/testing/faulty-store.ts'
import { defineWorkflow } from '../../../src/workflow/define-workflow.ts'
import type { AnyWorkflow } from '../../../src/workflow/definition.ts'
import { workflowFromMachine } from '../../../src/workflow/own-machine.ts'
import { stageActor } from '../../../src/workflow/stage-actor.ts'
import { createWorld, type World } from '../../support/runtime-world.ts'
import { propertyRuns, propertyTimeoutMs } from '../../support/supervised-worker.ts'

vi.setConfig({ testTimeout: propertyTimeoutMs })

/** A process lives for so long, or dies of a write before that, and then nobody is there for so long. */
interface Life {
  readonly livesMs: number
  readonly awayMs: number
  readonly crash: Pick<FaultyStoreOptions, 'crashAt' | 'mode'>
}

const ms = (max: number) => fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max }))
const livesOf = (max: number, crash: fc.Arbitrary<Life['crash']>): fc.Arbitrary<readonly Life[]> =>
  fc.array(fc.record({ livesMs: ms(max), awayMs: ms(max), crash }), { minLength: 1, maxLength: 4 })

const crashes = fc.oneof(
  fc.constant({}),
  fc.record({ crashAt: fc.integer({ min: 2, max: 9 }), mode: fc.constantFrom('before', 'after', 'torn') }),
)

/** Lives all of the lives and then one that is long enough; gives the times from and to which a process was there. */
async function endure(world: World, workflow: AnyWorkflow, lives: readonly Life[], lastMs: number) {
  const present: { from: number; to: number }[] = []
  for (const { livesMs, awayMs, crash } of [...lives, { livesMs: lastMs, awayMs: 0, crash: {} }]) {
    const from = world.clock.now()
    const store = faultyStore(world.store, crash)
    const runtime = await world.open({ store, workflows: [workflow], mode: 'minimal' }).catch(() => undefined)
    const run = await runtime?.start(workflow, undefined, { id: 'r' }).catch(() => undefined)
    run?.result().catch(() => {})
    await world.clock.advance(livesMs)
    await runtime?.close().catch(() => {})
    present.push({ from, to: world.clock.now() })
    await world.clock.advance(awayMs)
  }
  return present
}

describe('a delay that outlives its process', () => {
  it('property 30, durable: no restart comes before its durable deadline, across process restarts too', async () => {
    const profile = defineProfile({
      retry: { max: 1, backoff: { kind: 'exponential', base: '2s', max: '20s' } },
      restart: { intensity: 3, period: '1h' },
    })
    const deeds = fc.array(fc.boolean(), { minLength: 1, maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(fc.nat(), deeds, livesOf(20_000, crashes), async (seed, busy, lives) => {
        const world = createWorld(seed)
        const starts: { at: number; attempt: number }[] = []
        const workflow = defineWorkflow({ name: 'w', version: '1', profile }).stage('a', ({ attempt }) => {
          starts.push({ at: world.clock.now(), attempt })
          const isBusy = busy[attempt - 1]
          if (isBusy === undefined) return attempt
          throw Object.assign(new Error('failed'), isBusy ? { status: 503 } : {})
        })
        await endure(world, workflow, lives, 120_000)
        const rows = (await world.store.readJournal('r')).filter(({ type }) => /^(retry|restart)\.decided$/.test(type))
        expect(rows.length).toBeGreaterThan(0)
        // Each failed attempt is followed by one decision.
        for (const [place, { data }] of rows.entries()) {
          const { dueAt } = JSON.parse(data)
          expect(dueAt).toBeGreaterThan(0)
          const later = starts.filter(({ attempt }) => attempt > place + 1)
          expect(later.length).toBeGreaterThan(0)
          for (const { at } of later) expect(at).toBeGreaterThanOrEqual(dueAt)
        }
      }),
      { numRuns: propertyRuns },
    )
  })

  it('property 53, durable: pending delays survive with the remaining time', async () => {
    const kinds = {
      sleep: (delayMs: number, wake: () => void) =>
        defineWorkflow({ name: 'w', version: '1' }).stage('a', async ({ sleep }) => {
          await sleep(delayMs)
          wake()
        }),
      'a signal that does not come': (delayMs: number, wake: () => void) =>
        defineWorkflow({ name: 'w', version: '1', signals: { never: z.unknown() } }).stage('a', async ({ waitFor }) => {
          await waitFor('never', { timeout: delayMs }).catch((error: { code?: string }) => {
            if (error.code !== 'timed_out') throw error
            wake()
          })
        }),
      'a backoff': (delayMs: number, wake: () => void) =>
        defineWorkflow({
          name: 'w',
          version: '1',
          profile: defineProfile({
            retry: { max: 1, backoff: { kind: 'fixed', base: delayMs, max: delayMs, jitter: 0 } },
          }),
        }).stage('a', ({ attempt }) => {
          if (attempt === 1) throw Object.assign(new Error('busy'), { status: 503 })
          wake()
        }),
      'an after of a machine': (delayMs: number, wake: () => void) =>
        workflowFromMachine({
          name: 'w',
          version: '1',
          // Beside it a stage is at work, so that the run stays in memory.
          machine: setup({
            actors: { wake: stageActor({}, () => wake()), work: stageActor({}, () => new Promise(() => {})) },
          }).createMachine({
            id: 'own',
            type: 'parallel',
            states: {
              bell: {
                initial: 'waiting',
                states: { waiting: { after: { [delayMs]: 'over' } }, over: { invoke: { src: 'wake' } } },
              },
              work: { invoke: { src: 'work' } },
            },
          }) as never,
        }),
    }
    const kind = fc.constantFrom(...(Object.keys(kinds) as (keyof typeof kinds)[]))
    const delays = fc.oneof(fc.integer({ min: 1, max: 2000 }), fc.integer({ min: 1, max: 1_000_000 }))
    const cases = delays.chain(delayMs => fc.tuple(fc.constant(delayMs), livesOf(delayMs, fc.constant({}))))
    await fc.assert(
      fc.asyncProperty(kind, cases, async (name, [delayMs, lives]) => {
        const world = createWorld()
        const woken: number[] = []
        const begin = world.clock.now()
        const workflow = kinds[name](delayMs, () => woken.push(world.clock.now())) as AnyWorkflow
        const present = await endure(world, workflow, lives, 2_000_000)
        const due = begin + delayMs
        const there = present.find(({ to }) => to >= due)
        expect(woken[0]).toBe(Math.max(due, there?.from ?? Number.NaN))
      }),
      { numRuns: propertyRuns },
    )
  })
})
