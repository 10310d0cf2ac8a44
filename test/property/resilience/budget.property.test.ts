import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BudgetAccount, type BudgetReservation, reserve } from '../../../src/resilience/budget.ts'

const runs = Number(process.env.HOLDFAST_PROPERTY_RUNS ?? 100)

interface Call {
  readonly level: number
  /** What is set aside, and which share of it is spent. */
  readonly usd: number
  readonly share: number
  readonly isWorstCase: boolean
  readonly cancelled: boolean
}

const call: fc.Arbitrary<Call> = fc.record({
  level: fc.integer({ min: 0, max: 2 }),
  usd: fc.integer({ min: 1, max: 40 }),
  share: fc.constantFrom(0, 0.25, 0.5, 1),
  isWorstCase: fc.boolean(),
  cancelled: fc.boolean(),
})

/** A chain of three accounts: what a lower one spends counts for those above it. */
function chain(limits: readonly number[]) {
  const spent = limits.map(() => ({ usd: 0, tokens: 0, calls: 0 }))
  const accounts = spent.map(amount => new BudgetAccount(() => amount))
  const levelsFrom = (level: number) =>
    accounts
      .slice(0, level + 1)
      .map((account, at) => ({ what: `${at}`, limits: { usd: limits[at] as number }, account }))
  const book = (level: number, usd: number): void => {
    for (const amount of spent.slice(0, level + 1)) amount.usd += usd
  }
  return { spent, accounts, levelsFrom, book }
}

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 8; turn++) await Promise.resolve()
}

describe('nested budgets', () => {
  it('are passed by at most one call that did not say what it may cost, at every level, and settle to nothing', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.tuple(
          fc.integer({ min: 10, max: 120 }),
          fc.integer({ min: 10, max: 120 }),
          fc.integer({ min: 10, max: 120 }),
        ),
        fc.array(call, { minLength: 1, maxLength: 30 }),
        fc.infiniteStream(fc.nat()),
        async (limits, calls, order) => {
          const { spent, accounts, levelsFrom, book } = chain(limits)
          const open: { readonly held: BudgetReservation; readonly call: Call }[] = []
          const pending = calls.map(async one => {
            const end = new AbortController()
            const asked = { usd: one.usd, tokens: 0, calls: 1, isWorstCase: one.isWorstCase }
            const held = reserve(levelsFrom(one.level), asked, end)
            if (one.cancelled) setImmediate(() => end.abort(new Error('cancelled')))
            await held.then(
              reservation => open.push({ held: reservation, call: one }),
              () => {},
            )
          })
          let done = false
          const all = Promise.all(pending).then(() => {
            done = true
          })
          while (!done || open.length > 0) {
            await turns()
            await new Promise(resolve => setImmediate(resolve))
            const [next] = open.splice((order.next().value ?? 0) % Math.max(1, open.length), 1)
            if (next === undefined) continue
            book(next.call.level, next.call.usd * next.call.share)
            next.held.settle()
            next.held.settle()
          }
          await all
          const largest = Math.max(0, ...calls.filter(one => !one.isWorstCase).map(one => one.usd))
          for (const [at, { usd }] of spent.entries()) expect(usd).toBeLessThanOrEqual((limits[at] as number) + largest)
          for (const account of accounts) {
            expect([account.underWay, account.reserved]).toEqual([0, { usd: 0, tokens: 0, calls: 0 }])
          }
        },
      ),
      { numRuns: runs },
    )
  })

  it('are never passed where every call says what it may cost', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 100 }), fc.array(call, { maxLength: 20 }), async (limit, calls) => {
        const { spent, levelsFrom, book } = chain([limit, limit, limit])
        await Promise.all(
          calls.map(async ({ level, usd, share }) => {
            try {
              const held = await reserve(levelsFrom(level), { usd, tokens: 0, calls: 1, isWorstCase: true })
              await turns()
              book(level, usd * share)
              held.settle()
            } catch {
              // Refused.
            }
          }),
        )
        for (const { usd } of spent) expect(usd).toBeLessThanOrEqual(limit)
      }),
      { numRuns: runs },
    )
  })
})
