import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { classifyError } from '../../../src/resilience/classify.ts'
import { defineProfile } from '../../../src/resilience/define-profile.ts'
import { failureKinds } from '../../../src/resilience/kinds.ts'
import { builtInProfiles } from '../../../src/resilience/profiles.ts'
import { decideRetry } from '../../../src/resilience/retry-policy.ts'

const unit = fc.double({ min: 0, max: 0.999_999, noNaN: true })
const overloaded = classifyError({ status: 529 })

describe('the delay before a retry', () => {
  test('is between the base and the cap of its backoff, jitter included', () => {
    const backoff = fc.record({
      kind: fc.constantFrom('exponential', 'linear', 'fixed', 'decorrelated'),
      base: fc.integer({ min: 1, max: 5000 }),
      more: fc.integer({ min: 0, max: 60_000 }),
      jitter: fc.double({ min: 0, max: 1, noNaN: true }),
    })
    fc.assert(
      fc.property(backoff, fc.integer({ min: 1, max: 60 }), unit, ({ kind, base, more, jitter }, failures, chance) => {
        const max = base + more
        const { retry } = defineProfile({ retry: { max: 100, backoff: { kind, base, max, jitter } } })
        const decision = decideRetry({ policy: retry, failure: overloaded, failures, unit: chance })
        expect(decision.retry && decision.delayMs >= base && decision.delayMs <= max).toBe(true)
      }),
    )
  })

  test('always ends before the deadline', () => {
    const facts = fc.record({
      failures: fc.integer({ min: 1, max: 4 }),
      unit,
      remainingMs: fc.integer({ min: -10, max: 20_000 }),
      hintMs: fc.option(fc.integer({ min: 0, max: 20_000 }), { nil: undefined }),
    })
    fc.assert(
      fc.property(facts, ({ hintMs, remainingMs, ...rest }) => {
        const failure = hintMs === undefined ? overloaded : { ...overloaded, retryAfterMs: hintMs }
        const decision = decideRetry({ policy: builtInProfiles.tolerant.retry, failure, remainingMs, ...rest })
        if (decision.retry) expect(decision.delayMs).toBeLessThan(remainingMs)
        if (decision.retry && hintMs) expect(decision.delayMs).toBe(hintMs)
      }),
    )
  })
})

describe('a retry', () => {
  test('happens only for kinds of the policy, and never more often than it says', () => {
    const profile = fc.constantFrom(...Object.values(builtInProfiles))
    fc.assert(
      fc.property(
        profile,
        fc.constantFrom(...failureKinds),
        fc.integer({ min: 1, max: 9 }),
        unit,
        (p, kind, failures, chance) => {
          const failure = { ...overloaded, kind }
          const { retry } = decideRetry({ policy: p.retry, failure, failures, unit: chance })
          expect(retry).toBe((p.retry.on as readonly string[]).includes(kind) && failures <= p.retry.max)
        },
      ),
    )
  })
})
