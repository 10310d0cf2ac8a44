/** The failures of simulated providers, against the kinds that a failure of a model call can have. */
import { describe, expect, it } from 'vitest'
import { classifyError } from '../../../src/resilience/classify.ts'
import { failureKinds } from '../../../src/resilience/kinds.ts'
import { providerFailures } from '../../../src/testing/simulator/provider-failures.ts'

/** What nobody sends: ours, the caller's, an answer that is none, and what is told by no rule. */
const notSent = ['cancelled', 'circuit_open', 'invalid_response', 'no_provider', 'unknown']

describe('the failures of simulated providers', () => {
  it('are of every kind that comes over a wire', () => {
    const told = new Set(providerFailures.map(([, , failure]) => classifyError(failure).kind))
    expect([...told].sort()).toEqual(failureKinds.filter(kind => !notSent.includes(kind)).sort())
  })

  it('are named each by a name of its own', () => {
    const names = providerFailures.map(([, name]) => name)
    expect(new Set(names).size).toBe(names.length)
  })
})
