/**
 * Chaos on the real thing: `createRuntime({ chaos: chaos('providers') })` injects the faults of the simulator into real
 * runs, in development. The same seed gives the same faults as long as the runs come to the same places in the same
 * order; each is in the journal of its run before it happens, and `holdfast simulate <workflow> --replay <run id>` does
 * them again.
 */
import { z } from 'zod'
import { LeaseLostError, StoreError } from '../../errors.ts'
import { parseOptions } from '../../options.ts'
import type { CallContext, ModelRequest, Provider } from '../../providers/provider.ts'
import type { Circuit } from '../../resilience/circuit.ts'
import type { Chaos, ChaosFault, ChaosPlace } from '../../runtime/chaos.ts'
import type { Store } from '../../store/store.ts'
import { type Clock, systemClock } from '../../time/clock.ts'
import { systemRandom } from '../../time/random.ts'
import { type Faults, resolveFaults } from '../simulator/fault-profile.ts'
import { outageFailure } from '../simulator/provider-failures.ts'
import { type Fault, faultText } from './fault.ts'
import { drawnFaults, type FaultSource } from './fault-source.ts'

export interface ChaosOptions {
  /** @default drawn by chance */
  readonly seed?: number | undefined
  /** Told of each fault as it happens; of the death of the process before it. */
  readonly onFault?: ((fault: ChaosFault, place: ChaosPlace) => void) | undefined
  /** Ends the process. @default says so on stderr, and `kill -9` of this process */
  readonly kill?: ((place: ChaosPlace) => void) | undefined
}

const optionsSchema = z.strictObject({
  seed: z.int().optional(),
  onFault: z.custom<ChaosOptions['onFault']>(value => typeof value === 'function', 'must be a function').optional(),
  kill: z.custom<ChaosOptions['kill']>(value => typeof value === 'function', 'must be a function').optional(),
})

export interface SeededChaos extends Chaos {
  readonly seed: number
  /** What it has injected so far. */
  readonly injected: readonly ChaosFault[]
}

/**
 * Faults for the option `chaos` of `createRuntime`.
 * @param faults a fault profile (`crashes disk providers clock owners operators all none`), or rates from 0 to 1 by kind of fault
 * @throws OptionsError for a profile, a kind or an option that there is not
 */
export function chaos(faults: Faults, options: ChaosOptions = {}): SeededChaos {
  const rates = resolveFaults(faults, 'chaos')
  const given = parseOptions(optionsSchema, options, 'chaos options')
  const seed = given.seed ?? Math.floor(systemRandom() * 1_000_000)
  const marks = { ...(typeof faults === 'string' ? { profile: faults } : {}), seed }
  return new InjectedChaos(drawnFaults(rates, seed), marks, given)
}

const killThis = ({ runId }: ChaosPlace): void => {
  process.stderr.write(`chaos: this process is killed on purpose; recover run ${runId} with a new one\n`)
  process.kill(process.pid, 'SIGKILL')
}

interface Marks {
  readonly profile?: string
  readonly seed: number
}

export class InjectedChaos implements SeededChaos {
  readonly seed: number
  readonly injected: ChaosFault[] = []
  readonly #source: FaultSource
  readonly #marks: Marks
  readonly #options: ChaosOptions
  /** Of model calls, by their idempotency key. */
  readonly #calls = new Map<string, { readonly fault: Fault; left: number; circuits: () => readonly Circuit[] }>()
  #clock: Clock = systemClock
  #skewMs = 0
  #slowMs = 0
  #failure: Error | undefined

  constructor(source: FaultSource, marks: Marks, options: ChaosOptions) {
    this.#source = source
    this.#marks = marks
    this.#options = options
    this.seed = marks.seed
  }

  faultAt(place: ChaosPlace): ChaosFault | undefined {
    const fault = this.#source(place)
    if (!fault) return undefined
    const told = { ...fault, text: faultText(fault, place), ...this.#marks, number: this.injected.length + 1 }
    this.injected.push(told)
    return told
  }

  strike(told: ChaosFault, place: ChaosPlace, target: Parameters<Chaos['strike']>[2]): void {
    const fault = told as ChaosFault & Fault
    this.#options.onFault?.(told, place)
    switch (fault.fault) {
      case 'process.killed':
        return (this.#options.kill ?? killThis)(place)
      case 'stage.killed':
        return target.killStage()
      case 'run.held':
        return target.hold(fault.ms)
      case 'store.slow':
        this.#slowMs = fault.ms
        return
      case 'store.failed':
        this.#failure = new StoreError('store_full', 'the disk is full, on purpose (chaos)', { injected: true })
        return
      case 'store.lost':
        this.#failure = new LeaseLostError('another process has the store, on purpose (chaos)', { injected: true })
        return
      case 'clock.jumped':
        this.#skewMs += fault.ms
        return
      default: {
        const left = fault.fault === 'call.failed' ? fault.times : 1
        this.#calls.set(`${place.runId}/${place.stage}/${place.key}`, { fault, left, circuits: target.circuits })
      }
    }
  }

  clock(clock: Clock): Clock {
    this.#clock = clock
    return {
      now: () => clock.now() + this.#skewMs,
      setTimeout: (callback, delayMs) => clock.setTimeout(callback, delayMs),
      clearTimeout: handle => clock.clearTimeout(handle),
    }
  }

  store(store: Store): Store {
    // Whatever was under way was so in the runtime before, where this is a new one.
    this.#failure = undefined
    this.#slowMs = 0
    this.#skewMs = 0
    this.#calls.clear()
    return standBefore(store, {
      commit: async (...given: Parameters<Store['commit']>) => {
        const slowMs = this.#slowMs
        this.#slowMs = 0
        if (slowMs > 0) await this.#pause(slowMs)
        if (this.#failure) throw this.#failure
        return store.commit(...given)
      },
    })
  }

  provider(provider: Provider): Provider {
    const { stream } = provider
    return standBefore(provider, {
      generate: async (request: ModelRequest, context: CallContext) => {
        await this.#meet(provider, context)
        return provider.generate(request, context)
      },
      ...(stream && {
        stream: (request: ModelRequest, context: CallContext) => {
          const meet = (): Promise<void> => this.#meet(provider, context)
          return (async function* () {
            await meet()
            yield* stream.call(provider, request, context)
          })()
        },
      }),
    })
  }

  /** What is planned for this call happens now. */
  async #meet(provider: Provider, { idempotencyKey, signal }: CallContext): Promise<void> {
    const planned = this.#calls.get(idempotencyKey)
    if (!planned || planned.left === 0) return
    planned.left--
    const { fault, circuits } = planned
    if (fault.fault === 'call.slow') await this.#pause(fault.ms, signal)
    if (fault.fault === 'call.failed') throw fault.failure
    if (fault.fault !== 'circuit.tripped') return
    for (const circuit of circuits()) if (circuit.name === provider.id) trip(circuit)
    throw outageFailure
  }

  #pause(ms: number, signal?: AbortSignal): Promise<void> {
    const clock = this.#clock
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const stop = (): void => {
        clock.clearTimeout(timer)
        reject(signal?.reason)
      }
      const timer = clock.setTimeout(() => {
        signal?.removeEventListener('abort', stop)
        resolve()
      }, ms)
      signal?.addEventListener('abort', stop, { once: true })
    })
  }
}

/** Failures that no circuit withstands. */
const mostFailures = 1000

function trip(circuit: Circuit): void {
  for (let failures = 0; failures < mostFailures && circuit.state === 'closed'; failures++) circuit.acquire()?.failure()
}

/** The same object, with some of its methods replaced. */
function standBefore<T extends object>(target: T, instead: Partial<Record<keyof T, unknown>>): T {
  // A proxy must give the methods of an object that is frozen as they are: so it stands for another one.
  return new Proxy({} as T, {
    get(_, key) {
      if (Object.hasOwn(instead, key)) return instead[key as keyof T]
      const value = Reflect.get(target, key) as unknown
      return typeof value === 'function' ? value.bind(target) : value
    },
    has: (_, key) => Reflect.has(target, key),
  })
}
