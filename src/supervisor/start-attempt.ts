/** What one start attempt of a child runs: its logic, or what its function for logic returned this time. */
import { SupervisorError } from '../errors.ts'
import { type Logic, parseLogic } from './child-spec.ts'

export type AttemptLogic =
  | Exclude<Logic, { kind: 'function' }>
  | { readonly kind: 'ignore' }
  | { readonly kind: 'failed'; readonly error: unknown }

/** Never throws: what the function throws, or returns that is no logic, is a failed start. */
export function logicOfAttempt(logic: Logic, id: string): AttemptLogic {
  if (logic.kind !== 'function') return logic
  try {
    const created = logic.create()
    if (created === 'ignore') return { kind: 'ignore' }
    if (typeof created === 'function' || isPromise(created)) return { kind: 'failed', error: noLogic(id, created) }
    return parseLogic(created, `child '${id}'`) as AttemptLogic
  } catch (error) {
    return { kind: 'failed', error }
  }
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}

function noLogic(id: string, created: unknown): SupervisorError {
  const isPending = isPromise(created)
  // It may reject, and nobody else would take that.
  if (isPending) created.then(undefined, () => {})
  return new SupervisorError(
    'start_failed',
    `child '${id}': its function for logic must return logic or 'ignore', and returned a ${isPending ? 'promise' : 'function'}`,
    { id },
  )
}
