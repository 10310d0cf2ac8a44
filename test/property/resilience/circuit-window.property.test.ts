import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type CallWindow,
  callWindow,
  emptyWindow,
  type OpeningRules,
  type WindowCall,
  windowAfter,
  windowTally,
  windowVerdict,
} from '../../../src/resilience/circuit-window.ts'

const numRuns = Number(process.env.HOLDFAST_PROPERTY_RUNS ?? 100)

const gaps = fc.array(fc.record({ afterMs: fc.nat(300), failed: fc.boolean(), slow: fc.boolean() }), { maxLength: 150 })

/** The calls of the gaps, one after the other. */
const callsOf = (steps: readonly { afterMs: number; failed: boolean; slow: boolean }[]): WindowCall[] => {
  let at = 1_764_000_000_000
  return steps.map(({ afterMs, failed, slow }) => {
    at += afterMs
    return { at, failed, slow }
  })
}

const countsOf = (calls: readonly WindowCall[]) => ({
  calls: calls.length,
  failures: calls.filter(({ failed }) => failed).length,
  slow: calls.filter(({ slow }) => slow).length,
})

const byCalls = (size: number): OpeningRules => ({
  failureThreshold: 1e9,
  window: { kind: 'calls', size, minimumCalls: 1, failureRatio: 0.5 },
})
const byTime = (size: number): OpeningRules => ({
  failureThreshold: 1e9,
  window: { kind: 'time', size, minimumCalls: 1, failureRatio: 0.5 },
})
const through = (calls: readonly WindowCall[], rules: OpeningRules): CallWindow =>
  calls.reduce<CallWindow>((window, call) => windowAfter(window, call, rules), emptyWindow)

describe('a window of calls', () => {
  test('holds exactly the last N, whatever came before', () => {
    fc.assert(
      fc.property(gaps, fc.integer({ min: 1, max: 60 }), (steps, size) => {
        const rules = byCalls(size)
        const calls = callsOf(steps)
        const window = through(calls, rules)
        expect(windowTally(window, 0, rules.window as never)).toEqual(countsOf(calls.slice(-size)))
      }),
      { numRuns },
    )
  })
})

describe('a window of time', () => {
  const sizeMs = 2000

  test('holds every call of nine tenths of its length, and none that is older than all of it', () => {
    fc.assert(
      fc.property(gaps, fc.nat(3000), (steps, laterMs) => {
        const rules = byTime(sizeMs)
        const calls = callsOf(steps)
        const now = (calls.at(-1)?.at ?? 0) + laterMs
        const { calls: held } = windowTally(through(calls, rules), now, rules.window as never)
        expect(held).toBeGreaterThanOrEqual(calls.filter(({ at }) => at > now - sizeMs * 0.9).length)
        expect(held).toBeLessThanOrEqual(calls.filter(({ at }) => at > now - sizeMs).length)
      }),
      { numRuns },
    )
  })

  test('neither loses nor keeps for ever what it holds when the clock is set back', () => {
    fc.assert(
      fc.property(gaps, fc.nat(10_000_000), (steps, backMs) => {
        const rules = byTime(sizeMs)
        const calls = callsOf(steps)
        const window = through(calls, rules)
        const last = calls.at(-1)?.at ?? 0
        const before = windowTally(window, last, rules.window as never)
        const moved = windowAfter(window, { at: last - backMs, failed: false, slow: false }, rules)
        expect(windowTally(moved, last - backMs, rules.window as never)).toEqual({ ...before, calls: before.calls + 1 })
        expect(windowTally(moved, last - backMs + sizeMs + 200, rules.window as never).calls).toBe(0)
      }),
      { numRuns },
    )
  })
})

describe('every window', () => {
  const rules = fc.oneof(
    fc.integer({ min: 1, max: 1000 }).map(byCalls),
    fc.integer({ min: 1, max: 5000 }).map(byTime),
    fc.constant<OpeningRules>({ failureThreshold: 3 }),
  )

  test('counts the failures since the last success', () => {
    fc.assert(
      fc.property(gaps, rules, (steps, given) => {
        const calls = callsOf(steps)
        const lastSuccess = calls.map(({ failed }) => failed).lastIndexOf(false)
        expect(through(calls, given).consecutive).toBe(calls.length - lastSuccess - 1)
      }),
      { numRuns },
    )
  })

  test('is a value: its steps change nothing that was there, and go through JSON and its schema', () => {
    fc.assert(
      fc.property(gaps, rules, (steps, given) => {
        let window = emptyWindow
        for (const call of callsOf(steps)) {
          const before = JSON.stringify(window)
          const next = windowAfter(window, call, given)
          expect(JSON.stringify(window)).toBe(before)
          window = callWindow.parse(JSON.parse(JSON.stringify(next)))
          expect(window).toEqual(next)
        }
      }),
      { numRuns },
    )
  })

  test('speaks for opening exactly where the numbers do', () => {
    const limits = fc.record({
      failureThreshold: fc.integer({ min: 1, max: 20 }),
      minimumCalls: fc.integer({ min: 1, max: 20 }),
      failureRatio: fc.double({ min: 0.01, max: 1, noNaN: true }),
      slowRatio: fc.double({ min: 0.01, max: 1, noNaN: true }),
    })
    fc.assert(
      fc.property(gaps, limits, (steps, { failureThreshold, minimumCalls, failureRatio, slowRatio }) => {
        const given: OpeningRules = {
          failureThreshold,
          window: { kind: 'calls', size: 50, minimumCalls, failureRatio, slow: { ratio: slowRatio, afterMs: 1 } },
        }
        const calls = callsOf(steps)
        const window = through(calls, given)
        const { calls: held, failures, slow } = countsOf(calls.slice(-50))
        const judged = held >= minimumCalls
        const expected =
          window.consecutive >= failureThreshold
            ? 'failures'
            : judged && failures / held >= failureRatio
              ? 'failure ratio'
              : judged && slow / held >= slowRatio
                ? 'slow calls'
                : undefined
        expect(windowVerdict(window, 0, given)).toBe(expected)
      }),
      { numRuns },
    )
  })
})
