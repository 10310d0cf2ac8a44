/** What a thrown thing means for the stage that it came from: the facts that the stage's machine decides by. */

import { createHash } from 'node:crypto'
import type { StageFailure } from '../../../machines/stage.machine.ts'
import { type EncodedError, encodeError, HoldfastError } from '../../errors.ts'
import { answerTo, type Causes } from '../../resilience/causes.ts'
import { classifyError } from '../../resilience/classify.ts'
import { saysExhausted } from '../../resilience/retry-policy.ts'

interface FailureSurroundings {
  /** What the profile does about a cause, where it is not the usual. */
  readonly causes?: Causes | undefined
  /** A hash of what the stage was given. */
  readonly inputHash?: string | undefined
  /** That a hint's date is counted from, ms since the epoch. */
  readonly nowMs?: number | undefined
}

export function describeFailure(thrown: unknown, around: FailureSurroundings = {}): StageFailure {
  const classified = classifyError(thrown, { nowMs: around.nowMs })
  const details = detailsOf(thrown)
  const { type } = classified
  const kind = finalKindOf(details) ?? classified.kind
  const error = withoutStacks(encodeError(thrown)) as StageFailure['error']
  return {
    error,
    type,
    kind,
    exhausted: saysExhausted(thrown),
    answer: answerTo({ type, kind }, around.causes),
    retryAfterMs: classified.retryAfterMs ?? null,
    signature: hashOf([around.inputHash ?? '', error.name, type, kind, likeness(error.message)]),
  }
}

/** A thing that cannot even be asked what it is has none. */
function detailsOf(thrown: unknown): Readonly<Record<string, unknown>> {
  try {
    return thrown instanceof HoldfastError ? thrown.details : {}
  } catch {
    return {}
  }
}

/** What is recorded, or waits for a person to find out, would be told to the same code again. */
function finalKindOf(details: Readonly<Record<string, unknown>>): string | undefined {
  if (details.recorded === true) return 'wait_timeout'
  return details.kind === 'unknown_outcome' ? 'unknown_outcome' : undefined
}

/** A message without what differs from one time to the next: numbers, ids, times. */
const likeness = (message: string): string => message.replace(/[0-9a-f]{8,}|\d+/gi, '#')

export const hashOf = (parts: readonly string[]): string =>
  createHash('sha256').update(parts.join('\u0000')).digest('hex').slice(0, 16)

/** Stacks are kept in the journal only; a snapshot is written too often for them. */
export function withoutStacks(error: EncodedError): EncodedError {
  const { stack: _stack, cause, ...rest } = error
  return { ...rest, ...(cause ? { cause: withoutStacks(cause) } : {}) }
}
