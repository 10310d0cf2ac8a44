/**
 * A component with a stand-in. When the primary fails the fallback answers, and the component is degraded: it is left
 * alone until its circuit's open time is over, then one call tries it again, and its success ends the degradation. Which
 * components are degraded is told to a listener and kept in a set that several may share.
 */
import { z } from 'zod'
import { OptionsError } from '../errors.ts'
import { checkFunction, parseOptions } from '../options.ts'
import { type Clock, systemClock } from '../time/clock.ts'
import type { Duration } from '../time/duration.ts'
import { speaksAgainstCallee } from './blame.ts'
import type { CircuitPermit } from './circuit.ts'
import { classifyError } from './classify.ts'
import { createCircuit } from './create-circuit.ts'

export interface WithFallbackOptions {
  /**
   * The fallback answers for the failed call only; the next one tries the primary again.
   * @default false
   */
  readonly once?: boolean | undefined
  /** How long a degraded primary is left alone. @default '30s' */
  readonly openTime?: Duration | undefined
  /** Has the component's name in it while it is degraded; components may share one. @default none */
  readonly degradedSet?: Set<string> | undefined
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
  /** Whether the fallback stands in. */
  readonly degraded: boolean
  /** Ends the degradation: the next call tries the primary. */
  reset(): void
}

const shape = z.strictObject({
  once: z.boolean().optional(),
  openTime: z.custom<Duration>(value => typeof value === 'number' || typeof value === 'string').optional(),
  degradedSet: z.custom<Set<string>>(value => value instanceof Set, { error: 'must be a Set' }).optional(),
  clock: z.custom<Clock>(value => typeof value === 'object' && value !== null).optional(),
  onChange: z
    .custom<NonNullable<WithFallbackOptions['onChange']>>(value => typeof value === 'function', {
      error: 'must be a function',
    })
    .optional(),
})

/**
 * The primary function with its stand-in. A cancellation and a fault of the request itself are not stood in for.
 * @throws OptionsError for an unknown option or a component without a name
 */
export function withFallback<TArguments extends readonly unknown[], T>(
  component: string,
  primary: (...args: TArguments) => T | Promise<T>,
  fallback: (...args: TArguments) => T | Promise<T>,
  options: WithFallbackOptions = {},
): FunctionWithFallback<TArguments, T> {
  if (typeof component !== 'string' || component === '') {
    throw new OptionsError('withFallback: a component needs a name')
  }
  checkFunction(primary, `withFallback: the primary of '${component}'`)
  checkFunction(fallback, `withFallback: the fallback of '${component}'`)
  const given = parseOptions(shape, options, 'withFallback options')
  const { once = false, openTime = '30s', clock = systemClock } = given
  const circuit = createCircuit(component, { failureThreshold: 1, openTime, maxProbes: 1, successThreshold: 1, clock })
  const degradation = new Degradation(component, clock, given)
  // The circuit tells a late success of a call that began before the trip from a recovery; without it every call tells.
  const succeeded = (permit: CircuitPermit | undefined): void => {
    permit?.success()
    if (once || circuit.state === 'closed') degradation.end()
  }
  const call = async (...args: TArguments): Promise<T> => {
    const permit = once ? undefined : circuit.acquire()
    if (!once && permit === undefined) return fallback(...args)
    try {
      const result = await primary(...args)
      succeeded(permit)
      return result
    } catch (error) {
      const failure = classifyError(error, { nowMs: clock.now() })
      if (!speaksAgainstCallee(failure)) {
        permit?.release()
        throw error
      }
      permit?.failure()
      if (once || circuit.state !== 'closed') degradation.begin(failure.message)
    }
    return fallback(...args)
  }
  const reset = (): void => {
    circuit.reset()
    degradation.end()
  }
  return Object.defineProperties(call, {
    component: { value: component },
    degraded: { get: () => degradation.on },
    reset: { value: reset },
  }) as FunctionWithFallback<TArguments, T>
}

class Degradation {
  on = false
  readonly #component: string
  readonly #clock: Clock
  readonly #options: Pick<WithFallbackOptions, 'degradedSet' | 'onChange'>

  constructor(component: string, clock: Clock, options: Pick<WithFallbackOptions, 'degradedSet' | 'onChange'>) {
    this.#component = component
    this.#clock = clock
    this.#options = options
  }

  begin(reason: string): void {
    if (this.on) return
    this.on = true
    this.#options.degradedSet?.add(this.#component)
    this.#tell('component.degraded', reason)
  }

  end(): void {
    if (!this.on) return
    this.on = false
    this.#options.degradedSet?.delete(this.#component)
    this.#tell('component.recovered')
  }

  #tell(type: ComponentChange['type'], reason?: string): void {
    const about = reason === undefined ? {} : { reason }
    try {
      this.#options.onChange?.({ type, component: this.#component, at: this.#clock.now(), ...about })
    } catch {
      // A listener's fault must not fail the call.
    }
  }
}
