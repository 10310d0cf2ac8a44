/**
 * What a stage does about the cause of a failure, once its own attempts and remedies are used up: one table from the
 * kind of failure to the answer, which a profile may override by kind. Only what nobody can explain is met with "let it
 * crash": a new start, within the intensity.
 */
import { type FailureKind, isFailureKind } from './kinds.ts'

/**
 * `restart`: a new start of the function, within the intensity · `wait`: the stage is parked until the cause has passed,
 * which costs no restart · `stop`: it is given up, so its fallback is asked · `change_plan`: a restart whose function is
 * told what was wrong (`lastFailure`) · `escalate`: it fails at once, without remedies, fallback or `optional`.
 */
export const causeAnswers = ['restart', 'wait', 'stop', 'change_plan', 'escalate'] as const

export type CauseAnswer = (typeof causeAnswers)[number]

/** What a profile says otherwise, by kind. */
export type Causes = Readonly<Partial<Record<FailureKind, CauseAnswer>>>

/** Unless a profile says otherwise. */
export const usualAnswers: Readonly<Record<FailureKind, CauseAnswer>> = {
  // They pass by themselves, and starting anew only asks more of who asks for less.
  rate_limit: 'wait',
  circuit_open: 'wait',
  // Another answer is wanted, so another question is needed.
  invalid_response: 'change_plan',
  overloaded: 'restart',
  server_error: 'restart',
  timeout: 'restart',
  connection: 'restart',
  stream_error: 'restart',
  conflict: 'restart',
  cancelled_upstream: 'restart',
  unknown: 'restart',
  // The same would happen again.
  quota_exhausted: 'stop',
  tls: 'stop',
  auth: 'stop',
  permission: 'stop',
  region_blocked: 'stop',
  invalid_request: 'stop',
  context_length: 'stop',
  payload_too_large: 'stop',
  request_too_large_for_tier: 'stop',
  model_not_found: 'stop',
  content_filter: 'stop',
  no_provider: 'stop',
  cancelled: 'stop',
}

/** Failures of our own making, or recorded ones, that another start of the same code would only repeat. */
const finalTypes: readonly string[] = ['validation', 'config', 'cancelled']

/** @param kind one of the table, or one that only stages know and that is final */
export function answerTo(failure: { readonly type: string; readonly kind: string }, causes: Causes = {}): CauseAnswer {
  if (finalTypes.includes(failure.type) || !isFailureKind(failure.kind)) return 'stop'
  return causes[failure.kind] ?? usualAnswers[failure.kind]
}
