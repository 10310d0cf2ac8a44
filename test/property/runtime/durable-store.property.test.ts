/**
 * A store that does not give what was expected of it: a commit of which nobody knows the outcome, a newest snapshot that
 * is damaged, an owner that lost its claim and does not know it, a stage that is found failed.
 */
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { StoreError } from '../../../src/errors.ts'
import type { Runtime } from '../../../src/runtime/api.ts'
import type { RunState, RunWrite, Store } from '../../../src/store/store.ts'
import { defineWorkflow, type WorkflowBuilder } from '../../../src/workflow/define-workflow.ts'
import type { AnyWorkflow } from '../../../src/workflow/definition.ts'
import { expectResultAgrees, expectSoundJournal } from '../../support/journal-rules.ts'
import { createWorld, endOf, type World } from '../../support/runtime-world.ts'
import { propertyRuns, propertyTimeoutMs } from '../../support/supervised-worker.ts'

vi.setConfig({ testTimeout: propertyTimeoutMs })

/** Stages one after the other or side by side, of some steps each and a sleep after every step. */
interface Plan {
  readonly isParallel: boolean
  readonly stages: readonly { readonly steps: number; readonly sleepSeconds: number }[]
}

const plans: fc.Arbitrary<Plan> = fc.record({
  isParallel: fc.boolean(),
  stages: fc.array(fc.record({ steps: fc.integer({ min: 1, max: 3 }), sleepSeconds: fc.constantFrom(1, 5, 90) }), {
    minLength: 1,
    maxLength: 3,
  }),
})

const outputOf = ({ stages }: Plan): Record<string, string[]> =>
  Object.fromEntries(
    stages.map(({ steps }, place) => [`s${place}`, Array.from({ length: steps }, (_, step) => `s${place} ${step}`)]),
  )

function workflowOf({ isParallel, stages }: Plan, onEffect: (what: string) => void): AnyWorkflow {
  let workflow: WorkflowBuilder = defineWorkflow({ name: 'w', version: '1' })
  for (const [place, { steps, sleepSeconds }] of stages.entries()) {
    const needs = isParallel || place === 0 ? [] : [`s${place - 1}`]
    workflow = workflow.stage(`s${place}`, { needs }, async ({ stage, step, sleep }) => {
      const done: string[] = []
      for (let number = 0; number < steps; number++) {
        done.push(
          await step(`x${number}`, () => {
            onEffect(`${stage} ${number}`)
            return `${stage} ${number}`
          }),
        )
        await sleep(sleepSeconds * 1000)
      }
      return done
    })
  }
  return workflow.output(({ results }) => results)
}

/** The run ends as its plan says, nothing is done twice that the store had as done, and its journal is sound. */
async function expectWhole(world: World, runtime: Runtime, plan: Plan, effects: readonly string[]): Promise<void> {
  const result = await endOf(world, await runtime.get('r'))
  expect(result).toMatchObject({ success: true, output: outputOf(plan) })
  expect(new Set(effects)).toEqual(new Set(Object.values(outputOf(plan)).flat()))
  const rows = await world.store.readJournal('r', { limit: 10_000 })
  expectSoundJournal(rows)
  expectResultAgrees(result, rows)
}

/** Changes the row of the run behind the back of every runtime. */
async function rewrite(world: World, change: (state: RunState) => Partial<RunState>): Promise<void> {
  const row = await world.store.readRun('r')
  if (!row) throw new Error('there is no run')
  const { status, snapshot, seq, updatedAt, endedAt, counters, outcome } = row
  const state = { status, snapshot, seq, updatedAt, endedAt, counters, outcome }
  const { epoch } = await world.store.claim({ pid: 1, host: 'elsewhere', at: world.clock.now() })
  await world.store.commit(epoch, [{ runId: 'r', state: { ...state, ...change(state) } }])
  await world.store.close()
}

/** A process that lives for so long and stops in order. */
async function liveFor(world: World, workflow: AnyWorkflow, livesMs: number): Promise<void> {
  const runtime = await world.open({ workflows: [workflow], mode: 'minimal' })
  const run = await runtime.start(workflow, undefined, { id: 'r' })
  run.result().catch(() => {})
  await world.clock.advance(livesMs)
  await runtime.close()
}

type Node = Record<string, unknown>

/** The snapshots of all actors within a snapshot, itself the first. */
function actorsOf(snapshot: Node): Node[] {
  const children = Object.values((snapshot.children ?? {}) as Record<string, { snapshot?: Node }>)
  return [snapshot, ...children.flatMap(child => (child.snapshot ? actorsOf(child.snapshot) : []))]
}

describe('a run whose store gives something else back', () => {
  it('property 54, durable: a failed child and a live parent are never restored parked', async () => {
    await fc.assert(
      fc.asyncProperty(plans, fc.nat(2), fc.string(), async (plan, which, message) => {
        const world = createWorld()
        const workflow = workflowOf(plan, () => {})
        await liveFor(world, workflow, 500)
        let stage = ''
        await rewrite(world, ({ snapshot }) => {
          const root = JSON.parse(snapshot ?? '{}')
          const stages = actorsOf(root).filter(
            ({ context, status }) => status === 'active' && (context as Node | undefined)?.stage !== undefined,
          )
          const failed = stages[which % stages.length] as Node
          stage = (failed.context as { stage: string }).stage
          Object.assign(failed, { status: 'error', value: 'failed', error: { name: 'Error', message } })
          return { snapshot: JSON.stringify(root), status: 'running' }
        })
        const runtime = await world.open({ workflows: [workflow], mode: 'minimal' })
        const result = await endOf(world, await runtime.get('r'))
        expect(result).toMatchObject({ status: 'failed', error: { message, stage } })
        await runtime.close()
      }),
      { numRuns: propertyRuns },
    )
  })

  it('property 56, durable: an unknown commit outcome never goes on in memory', async () => {
    await fc.assert(
      fc.asyncProperty(plans, fc.integer({ min: 1, max: 12 }), fc.boolean(), async (plan, at, isApplied) => {
        const world = createWorld()
        const effects: string[] = []
        const workflow = workflowOf(plan, what => effects.push(what))
        let commits = 0
        let effectsThen: number | undefined
        const doubtful: Store = {
          ...world.store,
          async commit(epoch, writes) {
            commits++
            if (commits !== at) return world.store.commit(epoch, writes)
            if (isApplied) await world.store.commit(epoch, writes)
            effectsThen = effects.length
            throw new StoreError('store_failed', 'the answer got lost')
          },
        }
        const first = await world.open({ store: doubtful, workflows: [workflow], mode: 'minimal' })
        let told = 'nothing'
        first
          .start(workflow, undefined, { id: 'r' })
          .then(run => run.result())
          .then(
            () => {
              told = 'an end'
            },
            () => {
              told = 'a failure'
            },
          )
        await world.clock.advance('20m')
        // The run may have been at its end before: then there was no doubt.
        if (effectsThen === undefined) expect(told).toBe('an end')
        else {
          expect(told).toBe('a failure')
          expect(commits).toBe(at)
          expect(effects).toHaveLength(effectsThen)
        }
        await first.close().catch(() => {})
        await world.store.close()
        const second = await world.open({ workflows: [workflow], mode: 'minimal' })
        await second.start(workflow, undefined, { id: 'r' })
        await expectWhole(world, second, plan, effects)
        await second.close()
      }),
      { numRuns: propertyRuns },
    )
  })

  it('property 57, durable: a corrupt newest snapshot falls back a rung, never to an invalid state', async () => {
    const damages = fc.oneof(
      fc.record({ how: fc.constant('cut' as const), at: fc.double({ min: 0, max: 0.999, noNaN: true }) }),
      fc.record({ how: fc.constant('zeros' as const), at: fc.double({ min: 0, max: 0.999, noNaN: true }) }),
      fc.record({ how: fc.constantFrom('root', 'flow', 'childless'), at: fc.constant(0) }),
      fc.record({ how: fc.constant('actor' as const), at: fc.double({ min: 0, max: 0.999, noNaN: true }) }),
    )
    await fc.assert(
      fc.asyncProperty(plans, fc.integer({ min: 1, max: 20_000 }), damages, async (plan, livesMs, { how, at }) => {
        const world = createWorld()
        const effects: string[] = []
        const workflow = workflowOf(plan, what => effects.push(what))
        await liveFor(world, workflow, livesMs)
        if ((await world.store.unfinished()).length === 0) return
        await rewrite(world, ({ snapshot }) => {
          const text = snapshot ?? ''
          const place = Math.floor(at * text.length)
          if (how === 'cut') return { snapshot: text.slice(0, place) }
          if (how === 'zeros') return { snapshot: `${text.slice(0, place)}\0\0\0${text.slice(place + 3)}` }
          const root = JSON.parse(text)
          const actors = actorsOf(root)
          if (how === 'childless') root.children = {}
          else if (how === 'actor') (actors[Math.floor(at * actors.length)] as Node).value = 'nowhere'
          else (how === 'root' ? root : root.children.flow.snapshot).value = 'nowhere'
          return { snapshot: JSON.stringify(root) }
        })
        const runtime = await world.open({ workflows: [workflow], mode: 'minimal' })
        await expectWhole(world, runtime, plan, effects)
        // What was recorded as done before the damage is not done again.
        expect(new Set(effects).size).toBe(effects.length)
        const types = (await world.store.readJournal('r', { limit: 10_000 })).map(({ type }) => type)
        expect(types).toContain('snapshot.refused')
        expect(types).toContain('run.rebuilt')
        await runtime.close()
      }),
      { numRuns: propertyRuns },
    )
  })

  it('property 58, durable: of two writers the fenced one makes no further visible write', async () => {
    await fc.assert(
      fc.asyncProperty(plans, fc.integer({ min: 0, max: 20_000 }), async (plan, takenAfterMs) => {
        const world = createWorld()
        const effects: string[] = []
        const workflow = workflowOf(plan, what => effects.push(what))
        const written: { epoch: number; writes: readonly RunWrite[] }[] = []
        const watched: Store = {
          ...world.store,
          async commit(epoch, writes) {
            await world.store.commit(epoch, writes)
            written.push({ epoch, writes })
          },
        }
        // What the late one still closes is its own: it has no way to the claim of the other.
        const zombie = await world.open({
          store: { ...watched, close: async () => {} },
          workflows: [workflow],
          mode: 'minimal',
        })
        const run = await zombie.start(workflow, undefined, { id: 'r' })
        run.result().catch(() => {})
        await world.clock.advance(takenAfterMs)
        // Its claim is gone, as that of a process is which was stopped for too long; it goes on beside the next owner.
        await world.store.close()
        const writtenThen = written.length
        const owner = await world.open({ store: watched, workflows: [workflow], mode: 'minimal' })
        await expectWhole(world, owner, plan, effects)
        await world.clock.advance('3m')
        await run.signal('late', 1).catch(() => {})
        await run.cancel('late').catch(() => {})
        await world.clock.advance('1m')
        const claimed = (await world.store.owner())?.epoch
        expect(claimed).toBe(2)
        expect(written.slice(writtenThen).filter(({ epoch }) => epoch !== claimed)).toEqual([])
        expect((await world.store.readRun('r'))?.status).toBe('completed')
        await owner.close()
        await zombie.close().catch(() => {})
      }),
      { numRuns: propertyRuns },
    )
  })
})
