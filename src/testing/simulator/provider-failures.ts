/** How providers fail, in simulations and in real runs on purpose. */
import type { WireFailure } from '../../resilience/failure-evidence.ts'
import type { Random } from '../../time/random.ts'

/** How long one who is limited is asked to wait. */
export const restMs = 20_000

/** As they come over the wire; each with how likely it is among the others. */
export const providerFailures: readonly (readonly [weight: number, name: string, failure: Partial<WireFailure>])[] = [
  [
    4,
    'rate limit',
    { status: 429, headers: { 'retry-after': String(restMs / 1000) }, body: { error: { type: 'rate_limit_error' } } },
  ],
  [4, 'overloaded', { status: 529, headers: {}, body: { type: 'error', error: { type: 'overloaded_error' } } }],
  [3, 'server error', { status: 500, headers: {}, body: { error: { message: 'Internal server error' } } }],
  [2, 'unavailable', { status: 503, headers: {}, body: 'upstream connect error' }],
  [2, 'gateway timeout', { status: 504, headers: {}, body: '' }],
  [3, 'connection reset', { status: null, network: { name: 'Error', message: 'read ECONNRESET' } }],
  [1, 'content filter', { status: 400, headers: {}, body: { error: { code: 'content_filter', message: 'filtered' } } }],
  [1, 'too long', { status: 400, headers: {}, body: { error: { code: 'context_length_exceeded' } } }],
  [1, 'bad key', { status: 401, headers: {}, body: { error: { type: 'authentication_error' } } }],
  [0.5, 'out of credit', { status: 429, headers: {}, body: { error: { code: 'insufficient_quota' } } }],
  [0.5, 'not allowed', { status: 403, headers: {}, body: { error: { type: 'permission_error' } } }],
  [
    0.2,
    'not in this country',
    { status: 403, headers: {}, body: { error: { code: 'unsupported_country_region_territory' } } },
  ],
  [0.2, 'no such model', { status: 404, headers: {}, body: { error: { code: 'model_not_found' } } }],
  [0.2, 'malformed', { status: 400, headers: {}, body: { error: { type: 'invalid_request_error' } } }],
  [0.2, 'too many bytes', { status: 413, headers: {}, body: { error: { type: 'request_too_large' } } }],
  [
    0.2,
    'too many tokens for the tier',
    {
      status: 429,
      headers: {},
      body: {
        error: { code: 'rate_limit_exceeded', message: 'Request too large for this model: limit 10, requested 20' },
      },
    },
  ],
  [0.2, 'conflict', { status: 409, headers: {}, body: { error: { message: 'the request is in conflict' } } }],
  [0.2, 'given up by the other side', { status: 499, headers: {}, body: '' }],
  [0.5, 'no answer in time', { status: null, network: { name: 'Error', message: 'read ETIMEDOUT' } }],
  [0.2, 'certificate', { status: null, network: { name: 'Error', message: 'self-signed certificate' } }],
  [1, 'broken stream', { status: 200, headers: {}, stream: 'the stream ended without its last event' }],
]
export const outageFailure: Partial<WireFailure> = { status: 503, headers: {}, body: 'service unavailable' }

/** One of them by chance; each has its weight first. */
export function weighted<T extends readonly [number, ...unknown[]]>(from: readonly T[], random: Random): T {
  let left = random() * from.reduce((sum, [weight]) => sum + weight, 0)
  for (const one of from) {
    left -= one[0]
    if (left < 0) return one
  }
  return from.at(-1) as T
}
