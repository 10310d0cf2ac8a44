import { describe, expect, it } from 'vitest'
import { createRegistry } from '../../../src/providers/registry.ts'
import { BudgetAccount, reserve } from '../../../src/resilience/budget.ts'
import { createKeyRests } from '../../../src/resilience/call-gate.ts'
import { createCircuits } from '../../../src/resilience/circuits.ts'
import { callModel } from '../../../src/resilience/model-call.ts'
import { builtInProfiles } from '../../../src/resilience/profiles.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'
import { seededRandom } from '../../../src/time/random.ts'
import { defineWorkflow } from '../../../src/workflow/define-workflow.ts'
import { type Mood, moodyPrice, moodyProvider, mostOutputTokens, outages } from '../../support/moody-provider.ts'
import { createWorld, settle } from '../../support/runtime-world.ts'

interface Ended {
  readonly ended: string
  readonly tookMs: number
}

const deadlineMs = builtInProfiles.balanced.timeout.callMs + 50

describe('ten thousand calls through outages of three providers', () => {
  it('end in time, within the budget, and ask the dead for probes only', async () => {
    const clock = virtualClock()
    const began = clock.now()
    const circuits = createCircuits({ clock })
    const circuit = (id: string): string => circuits.find(id)?.state ?? 'closed'
    const providers = Object.entries(outages).map(([id, mood]) =>
      moodyProvider({ id, clock, mood: at => mood(at - began), circuit }),
    )
    const catalogue = createRegistry({ providers, now: clock.now })
    const spent = { usd: 0, tokens: 0, calls: 0 }
    const limits = { usd: 3 }
    const account = new BudgetAccount(() => spent)
    const random = seededRandom(3)
    const rests = createKeyRests()

    const book = (cost: number | 'unknown'): void => {
      spent.usd += Number(cost)
    }

    const call = async (number: number): Promise<Ended> => {
      const at = clock.now()
      const request = { task: 'bug_predict', messages: [], maxOutputTokens: mostOutputTokens }
      const ended = await callModel(request, {
        providers,
        profile: builtInProfiles.balanced,
        catalogue,
        circuits,
        rests,
        clock,
        random,
        idempotencyKey: `${number}`,
        async admit({ inputTokens, outputTokens = 0 }, caller) {
          // What the provider counts for an empty request is more than nothing.
          const tokens = inputTokens + 3
          const usd = (tokens * moodyPrice.inputUsdPerMTok + outputTokens * moodyPrice.outputUsdPerMTok) / 1_000_000
          const ask = { usd, tokens: tokens + outputTokens, calls: 1, isWorstCase: true }
          const held = await reserve([{ what: 'chaos', limits, account }], ask, caller)
          spent.calls++
          return { settle: held.settle, late: (_answer, cost) => book(cost) }
        },
      }).then(
        outcome => {
          book(outcome.cost)
          outcome.admission?.settle()
          return outcome.provider
        },
        (error: { code?: string; details?: { kind?: string } }) => error.details?.kind ?? error.code ?? 'unknown',
      )
      return { ended, tookMs: clock.now() - at }
    }

    // A hundred callers, each of whom makes a hundred calls, one after another.
    const caller = async (first: number): Promise<Ended[]> => {
      const ended: Ended[] = []
      for (let number = first; number < first + 100; number++) ended.push(await call(number))
      return ended
    }
    const all = Promise.all(Array.from({ length: 100 }, (_, index) => caller(index * 100)))
    const outcomes = (await settle(clock, all, 5000)).flat()
    expect(outcomes).toHaveLength(10_000)
    expect(Math.max(...outcomes.map(({ tookMs }) => tookMs))).toBeLessThanOrEqual(deadlineMs)
    expect(spent.usd).toBeLessThanOrEqual(limits.usd)
    expect(spent.usd).toBeCloseTo(
      providers.reduce((sum, { charged }) => sum + charged, 0),
      9,
    )
    expect([account.underWay, account.reserved]).toEqual([0, { usd: 0, tokens: 0, calls: 0 }])
    // The budget ran out before the calls did, so the limit was met and not merely far away.
    expect(outcomes.some(({ ended }) => ended === 'usd' || ended === 'budget_exceeded')).toBe(true)
    for (const { id, metWhileDown } of providers) {
      const transitions = circuits.find(id)?.metrics().transitions ?? []
      const trippedAt = transitions.find(({ to }) => to === 'open')?.at ?? Number.POSITIVE_INFINITY
      const after = metWhileDown.filter(({ at }) => at > trippedAt)
      expect(after.filter(met => met.circuit !== 'half-open')).toEqual([])
      const halfOpen = transitions.filter(({ to }) => to === 'half-open').length
      expect(after.length).toBeLessThanOrEqual(halfOpen * (builtInProfiles.balanced.circuit.maxProbes + 2))
    }
    expect(providers[0]?.metWhileDown.length).toBeGreaterThan(5)
    expect(clock.pending).toBe(0)
  }, 120_000)
})

describe('the calls of a run through the same outages', () => {
  it('add up: what was charged is in the ledger and in the report, to the last cent', async () => {
    const world = createWorld(7)
    const began = world.clock.now()
    const moods: Record<string, (at: number) => Mood> = {
      a: at => (at > 1000 && at < 30_000 ? 'dead' : 'well'),
      b: at => (at > 2000 && at < 3000 ? 'broken' : 'well'),
      c: at => (at > 2500 && at < 20_000 ? 'limited' : 'well'),
    }
    const providers = Object.entries(moods).map(([id, mood]) =>
      moodyProvider({ id, clock: world.clock, mood: at => mood(at - began), circuit: () => '' }),
    )
    const runtime = await world.open({ providers })
    const flow = defineWorkflow({ name: 'chaos', version: '1', task: 'bug_predict' }).map(
      'calls',
      { over: () => Array.from({ length: 200 }, (_, at) => at), concurrency: 20 },
      ({ item, model }) =>
        model
          .generate({
            prompt: `call ${item}`,
            maxOutputTokens: mostOutputTokens,
            check: ({ text }) => text !== 'no json',
          })
          .then(
            () => true,
            () => false,
          ),
    )
    const run = await runtime.start(flow, undefined, { budget: { usd: 0.15 } })
    const result = await settle(world.clock, run.result(), 5000)
    expect(result).toMatchObject({ success: true })
    const charged = providers.reduce((sum, provider) => sum + provider.charged, 0)
    const ledger = (await world.store.readLedger(run.id)).map(({ data }) => JSON.parse(data).spend)
    const sum = (of: 'usd' | 'wastedUsd') => ledger.reduce((total, spend) => total + spend[of], 0)
    expect(result.cost.usd).toBeCloseTo(charged, 9)
    expect([sum('usd'), sum('wastedUsd')].map(usd => usd.toFixed(9))).toEqual(
      [result.cost.usd as number, result.cost.wastedUsd].map(usd => usd.toFixed(9)),
    )
    expect(result.cost.wastedUsd).toBeGreaterThan(0)
    expect(result.cost.usd as number).toBeLessThanOrEqual(0.15)
  }, 120_000)
})
