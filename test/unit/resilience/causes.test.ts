import { describe, expect, it } from 'vitest'
import { answerTo, causeAnswers, usualAnswers } from '../../../src/resilience/causes.ts'
import { defineProfile } from '../../../src/resilience/define-profile.ts'
import { failureKinds, kindTable } from '../../../src/resilience/kinds.ts'

describe('what a stage does about a cause', () => {
  it('is said for every kind of failure', () => {
    expect(Object.keys(usualAnswers).sort()).toEqual([...failureKinds].sort())
  })

  it('is no new start where the same would only happen again', () => {
    for (const kind of failureKinds) {
      const { category } = kindTable[kind]
      if (category === 'configuration' || category === 'resource')
        expect(answerTo({ type: 'provider', kind }), kind).toBe('stop')
    }
  })

  it('is what a profile says, for the kinds that it names and no other', () => {
    const { causes } = defineProfile({ causes: { rate_limit: 'restart', timeout: undefined } })
    expect(causes).toEqual({ rate_limit: 'restart' })
    const extended = defineProfile({ extends: defineProfile({ causes: { auth: 'escalate' } }), causes })
    expect(extended.causes).toEqual({ auth: 'escalate', rate_limit: 'restart' })
    expect(answerTo({ type: 'provider', kind: 'rate_limit' }, extended.causes)).toBe('restart')
    expect(answerTo({ type: 'timeout', kind: 'timeout' }, extended.causes)).toBe('restart')
  })

  it('is always a stop for a failure of our own making, and for what only stages know to be final', () => {
    const causes = Object.fromEntries(failureKinds.map(kind => [kind, 'restart' as const]))
    for (const type of ['validation', 'config', 'cancelled'])
      expect(answerTo({ type, kind: 'unknown' }, causes)).toBe('stop')
    for (const kind of ['wait_timeout', 'unknown_outcome', 'toString'])
      expect(answerTo({ type: 'runtime', kind }, causes)).toBe('stop')
  })

  it('is refused where it is no kind or no answer, with the nearest known one', () => {
    expect(() => defineProfile({ causes: { rate_limt: 'wait' } as never })).toThrow(/rate_limt/)
    expect(() => defineProfile({ causes: { rate_limit: 'pray' } as never })).toThrow(/causes\.rate_limit/)
    expect(causeAnswers).toHaveLength(5)
  })
})
