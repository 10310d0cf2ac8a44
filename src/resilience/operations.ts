/** Presets of retries for operations that are no model calls. Contract section 4: base × retries. */
import { OptionsError } from '../errors.ts'
import { suggestion } from '../options.ts'
import { defaultBackoff } from './profiles.ts'
import type { RetryPolicy } from './retry-policy.ts'

const preset = (base: number, max: number): Omit<RetryPolicy, 'on'> => ({
  max,
  backoff: { ...defaultBackoff, base },
})

export const operationPresets = {
  'socket.connect': preset(200, 5),
  'agent.connect': preset(200, 5),
  'model.prompt': preset(500, 2),
  'agent.message': preset(150, 4),
  'http.fetch': preset(100, 3),
} as const

export type OperationName = keyof typeof operationPresets

/** A profile's policy with the numbers of an operation. @throws OptionsError for an operation that nobody knows */
export function policyOf(operation: string | undefined, policy: RetryPolicy): RetryPolicy {
  if (operation === undefined) return policy
  if (Object.hasOwn(operationPresets, operation)) return { ...policy, ...operationPresets[operation as OperationName] }
  const known = suggestion(operation, Object.keys(operationPresets))
  throw new OptionsError(`unknown operation '${operation}'${known}`, { operation })
}
