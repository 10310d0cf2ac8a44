/**
 * The properties of the supervision list that speak of model calls, by number and sentence: runs of paid calls under a
 * virtual clock, whose provider is limited, down, slow or talks nonsense at random, in a process that dies at random
 * writes.
 */
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { defineProfile, type ProfileOptions } from '../../../src/resilience/define-profile.ts'
import type { RunResult } from '../../../src/runtime/api.ts'
import { isEnded } from '../../../src/store/store.ts'
import { answerUsd, type Deed, hintMs, type PaidSpec, PaidWorld } from '../../support/paid-world.ts'
import { propertyRuns, propertyTimeoutMs } from '../../support/supervised-worker.ts'

vi.setConfig({ testTimeout: propertyTimeoutMs * 3 })

const numRuns = Math.ceil(propertyRuns / 4)
const deedsOf = (...deeds: readonly Deed[]) => fc.array(fc.constantFrom(...deeds), { maxLength: 12 })

function specOf(given: Partial<PaidSpec>, profile: ProfileOptions = {}): PaidSpec {
  return {
    items: 3,
    concurrency: 2,
    says: true,
    deeds: [],
    seed: 1,
    ...given,
    profile: defineProfile({ fallback: 'none', ...profile }),
  }
}

const specs = fc.record({
  items: fc.integer({ min: 1, max: 6 }),
  concurrency: fc.integer({ min: 1, max: 4 }),
  says: fc.boolean(),
  deeds: deedsOf('well', 'limited', 'down', 'broken', 'slow'),
  seed: fc.nat(),
})

const crashes = fc.array(
  fc.record({ crashAt: fc.integer({ min: 2, max: 60 }), mode: fc.constantFrom('before', 'after', 'torn') }),
  { maxLength: 3 },
)

/** Begins the run and goes on with it over as many lives as it takes; `afterDeath` looks at what a life left behind. */
async function live(
  world: PaidWorld,
  points: readonly { readonly crashAt: number; readonly mode: 'before' | 'after' | 'torn' }[],
  start: Parameters<NonNullable<Awaited<ReturnType<PaidWorld['open']>>>['start']>[2] = {},
  afterDeath: () => Promise<void> = async () => {},
): Promise<RunResult> {
  for (let life = 0; life <= points.length; life++) {
    const runtime = await world.open(points[life])
    const began = runtime?.start(world.workflow, undefined, { ...start, id: 'r' }).then(run => run.result())
    const result = began && (await world.pass(began as Promise<RunResult>))
    if (runtime) await world.pass(runtime.close())
    if (result) return result
    await afterDeath()
  }
  throw new Error('the run did not end in its last life, in which nothing happens to it')
}

describe('model calls', () => {
  it('59: spend ≤ budget + one declared in-flight reservation; reservations always settle', async () => {
    await fc.assert(
      fc.asyncProperty(specs, fc.integer({ min: 0, max: 8 }), async (spec, answers) => {
        const usd = answers * answerUsd
        const world = new PaidWorld(specOf(spec))
        const runtime = await world.open()
        const run = await runtime?.start(world.workflow, undefined, { budget: { usd } })
        const first = (await world.pass(run?.result() as Promise<RunResult>)) as RunResult
        expect(world.charged).toBeLessThanOrEqual(usd + (spec.says ? 0 : answerUsd) + 1e-9)
        expect(first.cost.usd).toBeCloseTo(world.charged, 9)
        if (first.status !== 'budget_exceeded') return
        // What was set aside and not given back would be waited for now, or be missing.
        await world.pass(run?.resume({ budget: { usd: 1000 } }) as Promise<unknown>)
        const second = (await world.pass(run?.result() as Promise<RunResult>)) as RunResult
        expect(second.status).not.toBe('budget_exceeded')
        expect(second.cost.usd).toBeCloseTo(world.charged, 9)
      }),
      { numRuns },
    )
  })

  it('60: a restart never resets spend', async () => {
    await fc.assert(
      fc.asyncProperty(specs, crashes, async (spec, points) => {
        const world = new PaidWorld(specOf(spec))
        let booked = 0
        const result = await live(world, points as never, {}, async () => {
          const now = await world.booked('r')
          expect(now).toBeGreaterThanOrEqual(booked)
          booked = now
        })
        expect(result.cost.usd).toBeGreaterThanOrEqual(booked)
        expect(result.cost.usd).toBeCloseTo(await world.booked('r'), 9)
        // Nothing is booked that was not charged; of each death at most what was under way is unknown.
        expect(result.cost.usd).toBeLessThanOrEqual(world.charged + 1e-9)
        const unheard = points.length * spec.concurrency * answerUsd
        expect(result.cost.usd as number).toBeGreaterThanOrEqual(world.charged - unheard - 1e-9)
      }),
      { numRuns },
    )
  })

  it('61: a rate-limit wait costs no restart unit and honours Retry-After', async () => {
    await fc.assert(
      fc.asyncProperty(deedsOf('well', 'limited'), fc.integer({ min: 1, max: 3 }), async (deeds, items) => {
        const world = new PaidWorld(specOf({ deeds, items, concurrency: 1 }))
        const result = await live(world, [])
        expect(result).toMatchObject({ success: true, restarts: 0 })
        world.asks.forEach(({ deed, endedAt = 0 }, at) => {
          const next = world.asks[at + 1]
          if (deed === 'limited' && next) expect(next.at - endedAt).toBeGreaterThanOrEqual(hintMs)
        })
      }),
      { numRuns },
    )
  })

  it('62: an open circuit admits probes only', async () => {
    const outages = fc.tuple(fc.nat(2000), fc.integer({ min: 5000, max: 200_000 }))
    await fc.assert(
      fc.asyncProperty(outages, fc.integer({ min: 3, max: 20 }), async (outage, items) => {
        const spec = specOf({ outage, items, concurrency: 10 }, { restart: { intensity: 100, livelockAfter: 100 } })
        const world = new PaidWorld(spec)
        const runtime = await world.open()
        const run = await runtime?.start(world.workflow)
        const result = await world.pass(run?.result() as Promise<RunResult>)
        expect(result).toMatchObject({ success: true })
        const [circuit] = (await runtime?.circuits.list()) ?? []
        const transitions = circuit?.transitions ?? []
        const stateAt = (at: number) => transitions.findLast(change => change.at <= at)?.to ?? 'closed'
        expect(world.asks.filter(({ at }) => stateAt(at) === 'open')).toEqual([])
        const { maxProbes } = spec.profile.circuit
        const probes = world.asks.filter(({ at }) => stateAt(at) === 'half-open')
        for (const { at } of probes) {
          const together = probes.filter(other => other.at <= at && (other.endedAt ?? Number.POSITIVE_INFINITY) > at)
          expect(together.length).toBeLessThanOrEqual(maxProbes)
        }
      }),
      { numRuns },
    )
  })

  it('63: a completed paid call is never repeated; an unknown one follows the policy', async () => {
    const policies = fc.constantFrom('retry' as const, 'fail' as const)
    await fc.assert(
      fc.asyncProperty(specs, crashes, policies, async (spec, points, unknownOutcome) => {
        const world = new PaidWorld(specOf({ ...spec, deeds: [] }, { unknownOutcome }))
        const underWay = new Set<string>()
        const result = await live(world, points as never, {}, async () => {
          for (const { stage, state } of await world.store.readLedger('r'))
            if (state === 'intended') underWay.add(`r ${/\[(\d+)\]/.exec(stage)?.[1]}`)
        })
        expect(world.askedAgain).toEqual([])
        if (unknownOutcome === 'retry') expect(result.success).toBe(true)
        const times = (prompt: string) => world.asks.filter(ask => ask.prompt === prompt).length
        if (unknownOutcome === 'fail') for (const prompt of underWay) expect(times(prompt)).toBeLessThanOrEqual(1)
        for (const { prompt } of world.asks) if (!underWay.has(prompt)) expect(times(prompt)).toBe(1)
      }),
      { numRuns },
    )
  })

  it('64: quarantined work uses nothing until released, and the release is audited', async () => {
    const hours = fc.integer({ min: 1, max: 48 })
    await fc.assert(
      fc.asyncProperty(hours, fc.boolean(), fc.integer({ min: 1, max: 3 }), async (waits, dies, items) => {
        const restart = { intensity: 0, onExhausted: 'quarantine' } as const
        const broken = Array.from({ length: 2 }, () => 'broken' as const)
        const spec = specOf({ items, concurrency: 1, deeds: broken }, { retry: { max: 0 }, restart })
        const world = new PaidWorld(spec)
        const result = await live(world, [])
        expect(result.status).toBe('quarantined')
        const before = [world.asks.length, world.charged]
        let runtime = await world.open()
        if (dies) {
          await world.pass(runtime?.close() as Promise<void>)
          runtime = await world.open()
        }
        await world.clock.advance(`${waits}h`)
        expect([world.asks.length, world.charged]).toEqual(before)
        const run = await runtime?.get('r')
        await world.pass(runtime?.quarantine.release('r', { reason: 'it is well', by: 'kim' }) as Promise<unknown>)
        const released = await world.pass(run?.result() as Promise<RunResult>)
        expect(released?.success).toBe(true)
        expect(world.asks.length).toBe((before[0] as number) + items)
        const audited = (await world.journal('r')).filter(({ type }) => type === 'quarantine.released')
        expect(audited).toMatchObject([{ data: { reason: 'it is well', by: 'kim' } }])
      }),
      { numRuns },
    )
  })

  it('65: one provider outage is one incident for any number of workers', async () => {
    const runs = fc.integer({ min: 1, max: 3 })
    await fc.assert(
      fc.asyncProperty(runs, fc.integer({ min: 5, max: 10 }), fc.boolean(), async (count, items, dies) => {
        const outage = [0, 40_000] as const
        const spec = specOf({ outage, items, concurrency: 10 }, { restart: { intensity: 100, livelockAfter: 100 } })
        const world = new PaidWorld(spec)
        let runtime = await world.open()
        const ids = Array.from({ length: count }, (_, at) => `r${at}`)
        for (const id of ids) await world.pass(runtime?.start(world.workflow, undefined, { id }) as never)
        await world.clock.advance('20s')
        expect((await runtime?.degradation())?.incidents.open).toHaveLength(1)
        if (dies) {
          await world.pass(runtime?.close() as Promise<void>)
          runtime = await world.open()
        }
        for (const id of ids) {
          const run = await runtime?.get(id)
          expect(await world.pass(run?.result() as Promise<RunResult>)).toMatchObject({ success: true })
        }
        const opened = await Promise.all(ids.map(id => world.journal(id)))
        // A process that does not keep its circuits in a file meets the outage anew.
        expect(opened.flat().filter(({ type }) => type === 'incident.opened').length).toBeLessThanOrEqual(dies ? 2 : 1)
      }),
      { numRuns: Math.ceil(propertyRuns / 20) },
    )
  })

  it('66: when faults stop, every run that is not quarantined reaches a terminal state or a declared wait', async () => {
    await fc.assert(
      fc.asyncProperty(specs, crashes, async (spec, points) => {
        const world = new PaidWorld(specOf(spec))
        await live(world, points as never)
        const row = await world.store.readRun('r')
        expect(row && (isEnded(row.status) || row.status === 'waiting')).toBe(true)
        expect(await world.store.unfinished()).toEqual([])
        // The provider of a process that died goes on for a while.
        await world.clock.advance('1m')
        expect(world.clock.pending).toBe(0)
      }),
      { numRuns },
    )
  })
})
