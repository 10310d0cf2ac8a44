/**
 * A component with a stand-in. When the primary fails the fallback answers, and the component is degraded: it is left
 * alone until its circuit's open time is over, then one call tries it again, and its success ends the degradation.
 */
import { type Clock, systemClock } from '../time/clock.ts'
import type { Duration } from '../time/duration.ts'
import { createCircuit } from './circuit.ts'
import { classifyError } from './classify.ts'

export interface WithFallbackOptions {
  /**
   * The fallback answers for the failed call only; the next one tries the primary again.
   * @default false
   */
  readonly once?: boolean | undefined
  /** How long a degraded primary is left alone. @default '30s' */
  readonly openTime?: Duration | undefined
  /** @default the system clock */
  readonly clock?: Clock | undefined
  /** Told when the component degrades and when it has recovered; what it throws is dropped. */
  readonly onChange?: ((change: ComponentChange) => void) | undefined
}

export interface ComponentChange {
  readonly type: 'component.degraded' | 'component.recovered'
  readonly component: string
  readonly at: number
  readonly reason?: string | undefined
}

export interface FunctionWithFallback<TArguments extends readonly unknown[], T> {
  (...args: TArguments): Promise<T>
  readonly component: string
  /** Whether the last call was answered by the fallback. */
  readonly degraded: boolean
}

/** The primary function with its stand-in. A cancellation and a fault of the request itself are not stood in for. */
export function withFallback<TArguments extends readonly unknown[], T>(
  component: string,
  primary: (...args: TArguments) => T | Promise<T>,
  fallback: (...args: TArguments) => T | Promise<T>,
  options: WithFallbackOptions = {},
): FunctionWithFallback<TArguments, T> {
  const { once = false, openTime = '30s', clock = systemClock, onChange } = options
  const circuit = createCircuit(component, { preset: 'strict', failureThreshold: 1, openTime, clock })
  let degraded = false
  const change = (now: boolean, reason?: string): void => {
    if (degraded === now) return
    degraded = now
    const type = now ? 'component.degraded' : 'component.recovered'
    try {
      onChange?.({ type, component, at: clock.now(), ...(reason === undefined ? {} : { reason }) })
    } catch {
      // A listener's fault must not fail the call.
    }
  }
  const call = async (...args: TArguments): Promise<T> => {
    const permit = once ? undefined : circuit.acquire()
    if (!once && permit === undefined) return fallback(...args)
    try {
      const result = await primary(...args)
      permit?.success()
      change(false)
      return result
    } catch (error) {
      const { kind, scope, message } = classifyError(error, { nowMs: clock.now() })
      if (kind === 'cancelled' || scope === 'request') {
        permit?.release()
        throw error
      }
      permit?.failure()
      change(true, message)
      return fallback(...args)
    }
  }
  return Object.defineProperties(call, {
    component: { value: component },
    degraded: { get: () => degraded },
  }) as FunctionWithFallback<TArguments, T>
}
