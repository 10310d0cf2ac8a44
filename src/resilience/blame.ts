/** Whom a failure speaks against: a circuit stands for what is called, not for the request or its caller. */
import type { Classification } from './classify.ts'

/**
 * Whether a failure says anything of what was called. A cancellation does not, nor what the request itself or its
 * caller is to blame for: too long, refused content, an invalid value or option, a used-up budget.
 */
export function speaksAgainstCallee({ kind, scope, type }: Classification): boolean {
  return scope !== 'request' && kind !== 'cancelled' && !callersOwn.has(type)
}

const callersOwn: ReadonlySet<string> = new Set(['validation', 'config', 'budget', 'cancelled'])
