import { describe, expect, it } from 'vitest'
import { classifyError } from '../../../src/resilience/classify.ts'

const nowMs = Date.parse('2026-11-23T12:00:00Z')
const hintOf = (headers: Record<string, string>, body: unknown = null, status = 429): number | undefined =>
  classifyError({ status, headers, body }, { nowMs }).retryAfterMs
const soon = '1795435260'

describe('when to come again, from headers', () => {
  it.each([
    [{ 'retry-after': '20' }, 20_000],
    [{ 'Retry-After': '1.5' }, 1500],
    [{ 'retry-after': '0' }, 0],
    [{ 'retry-after': '-5' }, 0],
    [{ 'retry-after': 'Mon, 23 Nov 2026 12:01:00 GMT' }, 60_000],
    [{ 'retry-after': 'Monday, 23-Nov-26 12:01:00 GMT' }, 60_000],
    [{ 'retry-after': 'Mon Nov 23 12:01:00 2026' }, 60_000],
    [{ 'retry-after': '2026-11-23T12:01:00Z' }, 60_000],
    [{ 'retry-after': 'Mon, 23 Nov 2026 11:59:00 GMT' }, 0],
    [{ 'retry-after': 'Mon, 23 Nov 2026 13:01:00 GMT', date: 'Mon, 23 Nov 2026 13:00:30 GMT' }, 30_000],
    [{ 'retry-after': 'soon' }, undefined],
    [{ 'retry-after': '1e400' }, undefined],
    [{ 'retry-after': '99999999999999999999' }, Number.MAX_SAFE_INTEGER],
    [{ 'retry-after-ms': '1234' }, 1234],
    [{ 'retry-after-ms': '1234.5' }, 1235],
    [{ 'retry-after-ms': '1234', 'retry-after': '9' }, 1234],
    [{ 'retry-after-ms': '-1', 'retry-after': '9' }, 9000],
    [{ 'x-ms-retry-after-ms': '77' }, 77],
    [{ 'x-ratelimit-retry-after': '4' }, 4000],
    [{ 'x-rate-limit-reset': soon }, 60_000],
    [
      { 'anthropic-ratelimit-requests-reset': '2026-11-23T12:00:10Z', 'anthropic-ratelimit-requests-remaining': '0' },
      10_000,
    ],
    [
      {
        'anthropic-ratelimit-requests-reset': '2026-11-23T12:00:50Z',
        'anthropic-ratelimit-requests-remaining': '5',
        'anthropic-ratelimit-tokens-reset': '2026-11-23T12:00:40Z',
        'anthropic-ratelimit-tokens-remaining': '0',
      },
      40_000,
    ],
    [{ 'x-ratelimit-reset-requests': '1s' }, 1000],
    [{ 'x-ratelimit-reset-tokens': '6m0s' }, 360_000],
    [{ 'x-ratelimit-reset-tokens': '120ms' }, 120],
    [{ 'x-ratelimit-reset': soon }, 60_000],
    [{ 'x-ratelimit-reset': `${soon}000` }, 60_000],
    [{ 'ratelimit-reset': '30', 'ratelimit-remaining': '0' }, 30_000],
    [{ ratelimit: 'limit=100, remaining=0, reset=50' }, 50_000],
    [{ ratelimit: '"default";r=0;t=50' }, 50_000],
    [{ ratelimit: '"default";r=7;t=50' }, undefined],
  ] as const)('%j', (headers, expected) => {
    expect(hintOf(headers as unknown as Record<string, string>)).toBe(expected)
  })
})

describe('when to come again, from the body', () => {
  it.each([
    [{ error: { details: [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '3.5s' }] } }, 3500],
    [{ error: { details: [{ retryDelay: { seconds: 3, nanos: 500_000_000 } }] } }, 3500],
    [{ error: { details: [{ retry_delay: { seconds: '3' } }] } }, 3000],
    [{ retry_after: 3 }, 3000],
    [{ retry_after: -3 }, undefined],
    [{ error: { retry_after_seconds: 3 } }, 3000],
    [{ error: { retryAfterMs: 3 } }, 3],
    [{ error: { metadata: { headers: { 'X-RateLimit-Reset': `${soon}000`, 'X-RateLimit-Remaining': '0' } } } }, 60_000],
  ] as const)('%j', (body, expected) => {
    expect(hintOf({}, body)).toBe(expected)
  })
})

describe('when to come again, from a sentence', () => {
  it.each([
    ['Please try again in 20s', 20_000],
    ['Rate limited, retry in ~15s', 15_000],
    ['Try again at 2026-11-23 12:00:45 UTC', 45_000],
    ['retryDelay: 37s', 37_000],
    ['retry in 1m2.5s', 62_500],
    ['Please try again in 7m12s. Visit the console', 432_000],
    ['try again in 6m0s', 360_000],
    ['try again in 1h2m3s', 3_723_000],
    ['Try again in 1 minute.', 60_000],
    ['try again in 1 day', 86_400_000],
    ['Please retry after 1.5 seconds', 1500],
    ['Please retry in 56.223s.', 56_223],
    ['retry in 500ms', 500],
    ['Please wait 30 seconds and try again', 30_000],
    ['Rate limit resets in 2 minutes and 5 seconds', 125_000],
    ['available in 12 seconds', 12_000],
    ['Limit: 10/min. Current: 11. Please try again in 20s. Contact us', 20_000],
    ['Retry after 2026-11-23T12:00:30Z', 30_000],
    ['Retry-After: 7', 7000],
    ['Too many requests, retry later', undefined],
  ] as const)('%s', (message, expected) => {
    expect(hintOf({}, { error: { message } })).toBe(expected)
  })

  it('is nothing where coming again cannot help', () => {
    expect(hintOf({ 'retry-after': '20' }, null, 401)).toBeUndefined()
  })
})

describe('the advice of x-should-retry', () => {
  it.each([
    [503, 'false', false],
    [400, 'true', true],
    [400, 'TRUE', true],
    [404, 'true', true],
    [429, 'true', true],
    [401, 'false', false],
  ])('%d with %s', (status, advice, transient) => {
    expect(classifyError({ status, headers: { 'x-should-retry': advice }, body: null }).transient).toBe(transient)
  })

  it('does not overrule a code', () => {
    const body = { error: { code: 'insufficient_quota' } }
    expect(classifyError({ status: 429, headers: { 'x-should-retry': 'true' }, body })).toMatchObject({
      kind: 'quota_exhausted',
      transient: false,
    })
  })
})
