/**
 * What a status means when no code decides. A *definite* status needs no more; of the others each says what a sentence
 * may make of it, and what it is otherwise.
 */
import type { FailureKind } from './kinds.ts'

interface StatusEntry {
  readonly kind: FailureKind
  /** The kinds that a sentence may turn it into; none for a definite status. */
  readonly textMaySay: ReadonlySet<FailureKind> | 'all'
}

const nothing: ReadonlySet<FailureKind> = new Set()
const definite = (kind: FailureKind): StatusEntry => ({ kind, textMaySay: nothing })
const open = (kind: FailureKind, ...kinds: readonly FailureKind[]): StatusEntry => ({
  kind,
  textMaySay: kinds.length === 0 ? 'all' : new Set(kinds),
})

const serverError = open('server_error', 'overloaded', 'context_length', 'no_provider', 'quota_exhausted')

const statuses: Readonly<Record<number, StatusEntry>> = {
  400: open('invalid_request'),
  401: definite('auth'),
  402: definite('quota_exhausted'),
  403: open(
    'permission',
    'region_blocked',
    'quota_exhausted',
    'content_filter',
    'auth',
    'no_provider',
    'overloaded',
    'rate_limit',
  ),
  404: open('model_not_found', 'no_provider', 'region_blocked', 'permission', 'invalid_request', 'model_not_found'),
  407: definite('auth'),
  408: definite('timeout'),
  409: definite('conflict'),
  410: definite('model_not_found'),
  413: open('payload_too_large', 'request_too_large_for_tier', 'context_length'),
  414: definite('payload_too_large'),
  422: open('invalid_request'),
  424: open('server_error'),
  425: definite('server_error'),
  429: open('rate_limit', 'request_too_large_for_tier', 'quota_exhausted', 'overloaded', 'no_provider'),
  431: definite('payload_too_large'),
  451: definite('region_blocked'),
  // Cohere: a token of the request or the answer is on a deny list.
  498: definite('content_filter'),
  499: definite('cancelled_upstream'),
  500: serverError,
  501: definite('invalid_request'),
  502: serverError,
  503: open('overloaded', 'overloaded', 'no_provider', 'context_length', 'quota_exhausted', 'model_not_found'),
  504: definite('timeout'),
  // Cloudflare: the origin did not answer in time; its other numbers, 520 to 526, are the origin's failures.
  524: definite('timeout'),
  529: definite('overloaded'),
}

const clientError = open('invalid_request')

export function statusEntry(status: number): StatusEntry | undefined {
  if (status < 400) return undefined
  return statuses[status] ?? (status < 500 ? clientError : serverError)
}

/** Where a provider's bare status means another thing than elsewhere. */
export function kindByBareStatus(
  provider: string,
  status: number,
  headers: Readonly<Record<string, string>>,
): FailureKind | undefined {
  // A router's 503: no provider meets the routing requirements, and asking again changes nothing.
  if (provider === 'openrouter' && status === 503) return 'no_provider'
  // Groq's flex tier is at its capacity; elsewhere the number is a deny list's.
  if (provider === 'groq' && status === 498) return 'overloaded'
  // OpenAI's limiter always tells its limits; a bare 429 was sent before it, by billing.
  if (provider === 'openai' && status === 429) {
    const limited = Object.keys(headers).some(name => name.includes('ratelimit') || name.includes('retry'))
    return limited ? undefined : 'quota_exhausted'
  }
  return undefined
}
