/**
 * The properties of the supervision list that speak of stages, by number: against live runs under a virtual clock, whose
 * stages fail, wait and are stopped at random. The pure machine has the same in `model/stage.test.ts`.
 */
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { ProviderError } from '../../../src/errors.ts'
import { defineProfile } from '../../../src/resilience/define-profile.ts'
import type { Run } from '../../../src/runtime/api.ts'
import { planOf } from '../../../src/runtime/planning/plan.ts'
import type { JournalEvent } from '../../../src/telemetry/catalogue.ts'
import { defineWorkflow, type WorkflowBuilder } from '../../../src/workflow/define-workflow.ts'
import { createWorld, settle } from '../../support/runtime-world.ts'
import { propertyRuns, propertyTimeoutMs } from '../../support/supervised-worker.ts'

vi.setConfig({ testTimeout: propertyTimeoutMs })

/** What each start of the function of a stage does, in order; after the last it returns. */
type Deed = 'crash' | 'busy' | 'limited' | 'denied' | 'progress'
interface Spec {
  readonly stages: readonly {
    readonly deeds: readonly Deed[]
    readonly optional: boolean
    readonly fallback: boolean
  }[]
  readonly intensity: number
  readonly maxRetries: number
  readonly periodMs: number
  readonly baseMs: number
  readonly parallel: boolean
  readonly seed: number
}

const specs: fc.Arbitrary<Spec> = fc.record({
  stages: fc.array(
    fc.record({
      deeds: fc.array(fc.constantFrom<Deed>('crash', 'busy', 'limited', 'denied', 'progress'), { maxLength: 6 }),
      optional: fc.boolean(),
      fallback: fc.boolean(),
    }),
    { minLength: 1, maxLength: 3 },
  ),
  intensity: fc.nat(3),
  maxRetries: fc.nat(2),
  periodMs: fc.constantFrom(1, 1000, 3_600_000),
  baseMs: fc.constantFrom(1, 500, 2000),
  parallel: fc.boolean(),
  seed: fc.nat(),
})

const hintMs = 7000

interface Witness {
  starts: { stage: string; at: number; attempt: number; incarnation: number }[]
  live: Map<string, number>
  mostLive: number
}

function workflowOf(spec: Spec, now: () => number, witness: Witness) {
  const profile = defineProfile({
    retry: { max: spec.maxRetries, backoff: { kind: 'exponential', base: spec.baseMs, max: 10_000 } },
    restart: { intensity: spec.intensity, period: spec.periodMs },
  })
  let workflow: WorkflowBuilder = defineWorkflow({ name: 'w', version: '1', profile })
  for (const [index, { deeds, optional, fallback }] of spec.stages.entries()) {
    let started = 0
    workflow = workflow.stage(
      `s${index}`,
      { optional, ...(spec.parallel ? { needs: [] } : {}), ...(fallback ? { fallback: () => 'instead' } : {}) },
      async ({ stage, attempt, incarnation, step }) => {
        witness.starts.push({ stage, at: now(), attempt, incarnation })
        witness.live.set(stage, (witness.live.get(stage) ?? 0) + 1)
        witness.mostLive = Math.max(witness.mostLive, ...witness.live.values())
        try {
          const deed = deeds[started++]
          if (deed === 'progress') await step(`p${started}`, () => started)
          if (deed === 'crash' || deed === 'progress') throw new Error('crash')
          if (deed === 'busy') throw new ProviderError('busy', { kind: 'server_error' })
          if (deed === 'limited')
            throw new ProviderError('limited', { kind: 'rate_limit', retryAfterMs: hintMs, attemptsExhausted: true })
          if (deed === 'denied') throw new ProviderError('denied', { kind: 'auth' })
          return stage
        } finally {
          witness.live.set(stage, (witness.live.get(stage) ?? 0) - 1)
        }
      },
    )
  }
  return workflow
}

async function eventsOf(run: Run): Promise<JournalEvent[]> {
  const events = []
  for await (const event of run.events()) events.push(event)
  return events
}

/** Runs to the end, or until `cancelAtMs`. */
async function live(spec: Spec, cancelAtMs?: number) {
  const world = createWorld(spec.seed)
  const witness: Witness = { starts: [], live: new Map(), mostLive: 0 }
  const runtime = await world.open()
  const workflow = workflowOf(spec, () => world.clock.now(), witness)
  const run = await runtime.start(workflow)
  const ends = [run.result(), run.result()] as const
  if (cancelAtMs !== undefined) {
    await world.clock.advance(cancelAtMs)
    await Promise.all([run.cancel('enough'), run.cancel('again')].map(cancelled => cancelled.catch(() => {})))
  }
  const result = await settle(world.clock, ends[0], 500)
  const startsAtEnd = witness.starts.length
  await world.clock.advance('3h')
  const events = await eventsOf(run)
  const late = await run.result()
  expect(await ends[1]).toEqual(result)
  await runtime.close()
  return { result, late, events, witness, startsAtEnd, pending: world.clock.pending, workflow }
}

const stagesOf = (events: readonly JournalEvent[]): Map<string, JournalEvent[]> => {
  const stages = new Map<string, JournalEvent[]>()
  for (const event of events)
    if (event.stage !== undefined) stages.set(event.stage, [...(stages.get(event.stage) ?? []), event])
  return stages
}
const decisions = (events: readonly JournalEvent[]) => events.filter(({ type }) => type.endsWith('.decided'))
const restartsOf = (events: readonly JournalEvent[], stage: string | undefined) =>
  events.filter(event => event.stage === stage && event.type === 'restart.decided')
const check = async (property: fc.IAsyncProperty<[Spec]>): Promise<void> =>
  fc.assert(property, { numRuns: propertyRuns })

describe('the stages of live runs', () => {
  it('7, 48: have one live execution each at any time, and incarnations that only grow', async () => {
    await check(
      fc.asyncProperty(specs, async spec => {
        const { witness } = await live(spec)
        expect(witness.mostLive).toBeLessThanOrEqual(1)
        for (const stage of new Set(witness.starts.map(start => start.stage))) {
          const own = witness.starts.filter(start => start.stage === stage)
          const ordered = [...own].sort((a, b) => a.incarnation - b.incarnation || a.attempt - b.attempt)
          expect(own).toEqual(ordered)
        }
      }),
    )
  })

  it('18: decide equally when all is equal, and as the journal says when asked again', async () => {
    await check(
      fc.asyncProperty(specs, async spec => {
        const [one, other] = [await live(spec), await live(spec)]
        const told = (events: readonly JournalEvent[]) => decisions(events).map(({ stage, data }) => ({ stage, data }))
        expect(told(one.events)).toEqual(told(other.events))
      }),
    )
  })

  it('19, 22, 26, 29: restart within the intensity and the static bound, and get none back without progress', async () => {
    await check(
      fc.asyncProperty(specs, async spec => {
        const { events, workflow, result } = await live(spec)
        const plan = planOf(workflow)
        for (const [name, own] of stagesOf(events)) {
          const restarts = own.filter(({ type }) => type === 'restart.decided')
          const progress = own.filter(({ type }) => type === 'step.succeeded')
          restarts.forEach((restart, index) => {
            const first = restarts[index - spec.intensity]
            if (!first) return
            expect(restart.at - first.at, name).toBeGreaterThan(spec.periodMs)
            expect(
              progress.some(({ seq }) => seq > first.seq && seq < restart.seq),
              name,
            ).toBe(true)
          })
          const bound = plan.stages.find(stage => stage.name === name)?.bound
          if (progress.length === 0) expect(restarts.length).toBeLessThanOrEqual(bound?.restarts ?? 0)
        }
        expect(result.restarts).toBe(events.filter(({ type }) => type === 'restart.decided').length)
      }),
    )
  })

  it('27, 30, 61: start again no sooner than was decided, and a rate limit costs time but no restart', async () => {
    await check(
      fc.asyncProperty(specs, async spec => {
        const { events, witness } = await live(spec)
        for (const { stage, at, type, data } of decisions(events)) {
          const { dueAt, delayMs, counters } = data as never as {
            dueAt?: number
            delayMs: number
            counters: { spent: number }
          }
          if (dueAt === undefined) continue
          const next = witness.starts.find(start => start.stage === stage && start.at >= dueAt)
          const early = witness.starts.find(start => start.stage === stage && start.at > at && start.at < dueAt)
          expect(early).toBeUndefined()
          const isStopped = events.some(event => event.type === 'stage.stopped' && event.stage === stage)
          if (!isStopped) expect(next).toBeDefined()
          if (type === 'wait.decided') {
            expect(delayMs).toBe(hintMs)
            const before = restartsOf(events, stage).filter(restart => restart.at <= at)
            expect(counters.spent).toBeLessThanOrEqual(before.length)
          } else {
            expect(delayMs).toBeGreaterThanOrEqual(spec.baseMs)
            expect(delayMs).toBeLessThanOrEqual(10_000)
          }
        }
      }),
    )
  })

  it('33, 34, 35, 40: end the run in a defined end with the cause chain, and only after all siblings have stopped', async () => {
    await check(
      fc.asyncProperty(specs, async spec => {
        const { result, events } = await live(spec)
        expect(['completed', 'failed']).toContain(result.status)
        const last = events.at(-1)
        expect(last?.type).toBe(`run.${result.status}`)
        for (const own of stagesOf(events).values())
          expect(
            own.filter(({ type }) => /^stage\.(succeeded|fell_back|degraded|failed|stopped|skipped)$/.test(type)),
          ).toHaveLength(1)
        if (result.success) return
        expect(['crash', 'busy', 'limited', 'denied']).toContain(result.error.message)
        expect(result.error.stage).toMatch(/^s\d$/)
      }),
    )
  })

  it('31, 38, 39: once cancelled never start again, whatever they waited for, and leave no timer', async () => {
    await fc.assert(
      fc.asyncProperty(specs, fc.nat(20_000), async (spec, atMs) => {
        const { result, events, witness, startsAtEnd, pending } = await live(spec, atMs)
        expect(['cancelled', 'completed', 'failed']).toContain(result.status)
        expect(witness.starts).toHaveLength(startsAtEnd)
        expect(pending).toBe(0)
        const cancelled = events.findIndex(({ type }) => type === 'run.cancelling')
        if (cancelled < 0) return
        const after = events.slice(cancelled).map(({ type }) => type)
        expect(after).not.toContain('stage.attempted')
        expect(after.filter(type => type === 'run.cancelling')).toHaveLength(1)
      }),
      { numRuns: propertyRuns },
    )
  })

  it('47: tell their end to each who asked, and the same to who asks late', async () => {
    await check(
      fc.asyncProperty(specs, async spec => {
        const { result, late } = await live(spec)
        expect(late).toEqual(result)
      }),
    )
  })
})
