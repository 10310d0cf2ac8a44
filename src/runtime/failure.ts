/** What a thrown thing means for the stage that it came from: the facts that the stage's machine decides by. */
import type { StageFailure } from '../../machines/stage.machine.ts'
import { type EncodedError, encodeError, HoldfastError } from '../errors.ts'
import { classifyError } from '../resilience/classify.ts'
import { saysExhausted } from '../resilience/retry-policy.ts'

export function describeFailure(thrown: unknown): StageFailure {
  const classified = classifyError(thrown)
  const details = thrown instanceof HoldfastError ? thrown.details : {}
  return {
    error: withoutStacks(encodeError(thrown)) as StageFailure['error'],
    type: classified.type,
    // A wait that timed out is recorded: the same code would hear the same again.
    kind: details.recorded === true ? 'wait_timeout' : classified.kind,
    exhausted: saysExhausted(thrown),
  }
}

/** Stacks are kept in the journal only; a snapshot is written too often for them. */
export function withoutStacks(error: EncodedError): EncodedError {
  const { stack: _stack, cause, ...rest } = error
  return { ...rest, ...(cause ? { cause: withoutStacks(cause) } : {}) }
}
