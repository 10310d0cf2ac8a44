/**
 * Many callers at once through one circuit while the other side hangs, fails, asks to wait and recovers. Of the
 * properties of supervised model calls: an open circuit admits probes only (62), and an outage is one incident for any
 * number of workers (65); beside them every call ends within its deadline, and nothing is left behind.
 */
import { getEventListeners } from 'node:events'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { CircuitReport } from '../../../src/resilience/circuit.ts'
import { createCircuit } from '../../../src/resilience/create-circuit.ts'
import { createResilience } from '../../../src/resilience/create-resilience.ts'
import { defineProfile } from '../../../src/resilience/define-profile.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'
import { seededRandom } from '../../../src/time/random.ts'

const numRuns = Math.ceil(Number(process.env.HOLDFAST_PROPERTY_RUNS ?? 100) / 4)

const behaviour = fc.oneof(
  fc.constant({ does: 'hang' as const, ms: 0 }),
  fc.record({ does: fc.constantFrom('succeed' as const, 'fail' as const), ms: fc.nat(3000) }),
  fc.record({ does: fc.constant('ask to wait' as const), ms: fc.nat(20_000) }),
  fc.constant({ does: 'throw' as const, ms: 0 }),
)
type Behaviour = typeof behaviour extends fc.Arbitrary<infer T> ? T : never

const deadlineMs = 5000
const profile = defineProfile({
  extends: 'tolerant',
  retry: { backoff: { kind: 'exponential', base: 50, max: '1s', jitter: 0.2 } },
  timeout: { attempt: '1s', call: deadlineMs },
})

describe('callers at once through one circuit', () => {
  test('end within their deadline, whatever the other side does, and leave neither timer nor listener', async () => {
    const worker = fc.record({
      startsAfterMs: fc.nat(4000),
      behaviours: fc.array(behaviour, { minLength: 1, maxLength: 4 }),
      abortsAfterMs: fc.option(fc.nat(6000), { nil: undefined }),
      hasFallback: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(worker, { minLength: 1, maxLength: 12 }), fc.nat(), async (workers, seed) => {
        const clock = virtualClock()
        const circuit = createCircuit('api', { clock, failureThreshold: 3, openTime: 500, halfOpenTime: 700 })
        const shared = { clock, circuit, random: seededRandom(seed), profile }
        const took: number[] = []
        const signals: AbortSignal[] = []
        const never = (): Promise<never> => new Promise(() => undefined)
        const run = async ({ startsAfterMs, behaviours, abortsAfterMs, hasFallback }: (typeof workers)[0]) => {
          await after(clock, startsAfterMs)
          const controller = new AbortController()
          signals.push(controller.signal)
          if (abortsAfterMs !== undefined) clock.setTimeout(() => controller.abort(), abortsAfterMs)
          const resilience = createResilience({ ...shared, ...(hasFallback ? { fallback: never } : {}) })
          const startedAt = clock.now()
          let attempt = 0
          const act = (): unknown => behave(clock, behaviours[attempt++ % behaviours.length] as Behaviour)
          await resilience.execute(act, { signal: controller.signal }).catch(() => undefined)
          took.push(clock.now() - startedAt)
        }
        const all = Promise.all(workers.map(run))
        await clock.advance('30s')
        await all
        expect(Math.max(...took)).toBeLessThanOrEqual(deadlineMs + 50)
        expect(clock.pending).toBe(0)
        for (const signal of signals) expect(getEventListeners(signal, 'abort')).toHaveLength(0)
        const { calls, successes, failures } = circuit.metrics()
        expect(successes + failures).toBeLessThanOrEqual(calls)
      }),
      { numRuns },
    )
  })

  test('reach a dead other side with probes only after the trip, and see one incident, however many they are', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 4 }), async (workers, rounds) => {
        const clock = virtualClock()
        const reports: CircuitReport[] = []
        const circuit = createCircuit('api', { clock, onEvent: report => reports.push(report) })
        const resilience = createResilience({ clock, circuit, random: () => 0.5, profile: 'tolerant' })
        let calls = 0
        const work = async (): Promise<never> => {
          calls++
          throw Object.assign(new Error('down'), { status: 503 })
        }
        const burst = async (): Promise<void> => {
          const all = Promise.all(
            Array.from({ length: workers }, () => resilience.execute(work).catch(() => undefined)),
          )
          await clock.advance('20s')
          await all
        }
        while (circuit.state === 'closed') await burst()
        const trips = reports.filter(report => report.type === 'circuit.changed' && report.from === 'closed')
        expect(trips).toHaveLength(1)
        for (let round = 0; round < rounds; round++) {
          calls = 0
          await burst()
          expect(calls).toBeLessThanOrEqual(circuit.settings.maxProbes)
        }
        expect(circuit.metrics().trips).toBe(1)
      }),
      { numRuns },
    )
  })
})

const after = (clock: ReturnType<typeof virtualClock>, ms: number): Promise<void> =>
  new Promise(resolve => clock.setTimeout(() => resolve(), ms))

async function behave(clock: ReturnType<typeof virtualClock>, { does, ms }: Behaviour): Promise<string> {
  if (does === 'hang') return new Promise(() => undefined)
  if (does === 'throw') throw new TypeError('a defect')
  if (does === 'ask to wait') {
    throw Object.assign(new Error('limited'), { status: 429, headers: { 'retry-after-ms': String(ms) } })
  }
  await after(clock, ms)
  if (does === 'fail') throw Object.assign(new Error('down'), { status: 503 })
  return 'done'
}
