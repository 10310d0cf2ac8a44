/**
 * The kinds of failure, and what each means: whether trying again can help, whose fault it is, what to do. Retry,
 * circuit, fallback, cost and reports all read this one table.
 */
import type { ErrorCategory, ErrorType } from '../error-codes.ts'

export const failureKinds = [
  'rate_limit',
  'quota_exhausted',
  'overloaded',
  'server_error',
  'timeout',
  'connection',
  'tls',
  'auth',
  'permission',
  'region_blocked',
  'invalid_request',
  'context_length',
  'payload_too_large',
  'request_too_large_for_tier',
  'model_not_found',
  'content_filter',
  'stream_error',
  'invalid_response',
  'conflict',
  'no_provider',
  'cancelled',
  'cancelled_upstream',
  'circuit_open',
  'unknown',
] as const

export type FailureKind = (typeof failureKinds)[number]

/** Who is to blame, from the narrowest to the widest; a circuit opens only for what it stands for. */
export type FailureScope = 'request' | 'key' | 'model' | 'provider' | 'region' | 'network' | 'local'

export type FailureAction =
  | 'retry'
  | 'retry_then_fallback'
  | 'fallback_model'
  | 'fallback_larger_context'
  | 'fallback_provider'
  | 'fallback_or_surface'
  | 'fail'

export interface KindEntry {
  readonly type: ErrorType
  readonly category: ErrorCategory
  readonly scope: FailureScope
  readonly action: FailureAction
  readonly transient: boolean
}

const entry = (
  category: ErrorCategory,
  scope: FailureScope,
  action: FailureAction,
  type: ErrorType = 'provider',
): KindEntry => ({ type, category, scope, action, transient: category === 'transient' })

/** What each kind means for a call that went over the wire. */
export const kindTable: Readonly<Record<FailureKind, KindEntry>> = {
  rate_limit: entry('transient', 'key', 'retry'),
  quota_exhausted: entry('resource', 'key', 'fallback_provider'),
  overloaded: entry('transient', 'provider', 'retry_then_fallback'),
  server_error: entry('transient', 'provider', 'retry_then_fallback'),
  timeout: entry('transient', 'provider', 'retry_then_fallback', 'timeout'),
  connection: entry('transient', 'network', 'retry_then_fallback'),
  tls: entry('configuration', 'network', 'fallback_provider'),
  auth: entry('configuration', 'key', 'fallback_provider'),
  permission: entry('configuration', 'key', 'fallback_provider'),
  region_blocked: entry('configuration', 'region', 'fallback_provider'),
  invalid_request: entry('configuration', 'request', 'fail'),
  context_length: entry('resource', 'request', 'fallback_larger_context'),
  payload_too_large: entry('resource', 'request', 'fail'),
  request_too_large_for_tier: entry('resource', 'request', 'fallback_provider'),
  model_not_found: entry('configuration', 'model', 'fallback_model'),
  content_filter: entry('critical', 'request', 'fallback_model'),
  stream_error: entry('transient', 'provider', 'fallback_or_surface'),
  invalid_response: entry('transient', 'model', 'retry_then_fallback'),
  conflict: entry('transient', 'request', 'retry'),
  no_provider: entry('configuration', 'model', 'fallback_model'),
  cancelled: entry('critical', 'local', 'fail', 'cancelled'),
  cancelled_upstream: entry('transient', 'provider', 'retry'),
  circuit_open: entry('transient', 'provider', 'fallback_provider'),
  unknown: entry('critical', 'provider', 'fail'),
}

export function isFailureKind(value: unknown): value is FailureKind {
  return typeof value === 'string' && Object.hasOwn(kindTable, value)
}
