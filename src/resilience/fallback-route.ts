/**
 * Who is asked after a candidate has failed: a pure function of the failure and of who is left. Another model of the same
 * provider helps only where the model or the request was at fault; a prompt that was too long goes to a model that takes
 * more; everything else goes to another provider.
 */
import type { Candidate } from './candidates.ts'
import type { Classification } from './classify.ts'

export type FallbackRule = 'next_key' | 'next_model' | 'larger_context' | 'next_provider'

export interface NextRoute {
  readonly rule: Exclude<FallbackRule, 'next_key'>
  readonly candidate: Candidate
  /** Who may be asked after it. */
  readonly left: readonly Candidate[]
}

/** Undefined where nobody who is left could do better. */
export function nextRoute(
  left: readonly Candidate[],
  failed: Candidate,
  { action, scope }: Pick<Classification, 'action' | 'scope'>,
): NextRoute | undefined {
  if (action === 'fallback_larger_context') {
    const window = failed.facts?.contextWindow
    const larger = left.findIndex(({ facts }) => (facts?.contextWindow ?? 0) > (window ?? Number.POSITIVE_INFINITY))
    // Where nobody knows, whoever is next may take more.
    const at = larger >= 0 ? larger : left.findIndex(({ facts }) => window === undefined || !facts?.contextWindow)
    return routeAt(left, at, 'larger_context')
  }
  const sameProviderHelps =
    action === 'fallback_model' || ((scope === 'model' || scope === 'request') && action !== 'fallback_provider')
  const at = left.findIndex(({ provider }) => sameProviderHelps || provider !== failed.provider)
  return routeAt(left, at, left[at]?.provider === failed.provider ? 'next_model' : 'next_provider')
}

function routeAt(left: readonly Candidate[], at: number, rule: NextRoute['rule']): NextRoute | undefined {
  const candidate = left[at]
  return candidate && { rule, candidate, left: left.filter((_, index) => index !== at) }
}
