import { expect, it } from 'vitest'
import { classifyError } from '../../../src/resilience/classify.ts'
import { decideRetry } from '../../../src/resilience/retry-policy.ts'

const failure = classifyError({ status: 503, headers: {}, body: '' })
const policy = {
  max: 3,
  on: [failure.kind],
  backoff: { kind: 'fixed', base: 100, max: 100, jitter: 0 } as const,
}

it('retries what may pass, and not what the service itself says will not', () => {
  const facts = { policy, failures: 1, unit: 0 }
  expect(decideRetry({ ...facts, failure })).toEqual({ retry: true, rule: 'attempts_left', delayMs: 100 })
  const permanent = { ...failure, transient: false }
  expect(decideRetry({ ...facts, failure: permanent })).toEqual({ retry: false, rule: 'permanent' })
})
