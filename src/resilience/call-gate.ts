/**
 * The circuits that a call goes through: that of its provider, and, once they have been blamed for something, those of
 * its model and of its key. A failure counts against the one that is to blame and no other, so a bad key or a missing
 * model condemns no provider. A rate limit counts against none: it says how long the key is to rest, and a key that
 * rests is asked after one that does not.
 */
import type { CircuitOpenError } from '../errors.ts'
import type { Provider } from '../providers/provider.ts'
import type { Circuit, CircuitPermit, Gate } from './circuit.ts'
import type { CircuitSettings } from './circuit-options.ts'
import type { Circuits } from './circuits.ts'
import type { Classification } from './classify.ts'

export interface Route {
  readonly provider: Provider
  readonly model: string | undefined
  /** Which of the provider's keys, from 0. */
  readonly keyIndex: number
}

/** The gate of one route, as a circuit, and what it must be told of each attempt that failed. */
export interface CallGate {
  readonly circuit: Gate
  /** What the attempt failed with; its permits wait for it, since it says who is to blame. */
  blame(failure: Classification): void
  /** The tries are over: whatever permit is still held says nothing. */
  end(): void
}

/** The names of a provider's circuits, each put together once: a call looks for them several times. */
class CircuitNames {
  readonly #provider: string
  readonly #ofModels = new Map<string, string>()
  readonly #ofKeys: string[] = []

  constructor(provider: string) {
    this.#provider = provider
  }

  ofModel(model: string): string {
    const known = this.#ofModels.get(model)
    if (known !== undefined) return known
    const name = circuitOfModel(this.#provider, model)
    this.#ofModels.set(model, name)
    return name
  }

  ofKey(keyIndex: number): string {
    this.#ofKeys[keyIndex] ??= circuitOfKey(this.#provider, keyIndex)
    return this.#ofKeys[keyIndex]
  }
}

const knownNames = new WeakMap<Provider, CircuitNames>()

function namesOf(provider: Provider): CircuitNames {
  let names = knownNames.get(provider)
  if (names === undefined) {
    names = new CircuitNames(provider.id)
    knownNames.set(provider, names)
  }
  return names
}

const circuitOfModel = (provider: string, model: string): string => `${provider}/${model}`
/** Keys are counted from 1, as people do. */
const circuitOfKey = (provider: string, keyIndex: number): string => `${provider}#${keyIndex + 1}`

/** The names of the circuits that a target may be blamed by. */
export const circuitsOfTarget = (target: { provider: string; model: string; key?: number }): readonly string[] => [
  target.provider,
  circuitOfModel(target.provider, target.model),
  circuitOfKey(target.provider, (target.key ?? 1) - 1),
]

/** The circuits of a route that there are, the widest first. */
function circuitsOf(circuits: Circuits, { provider, model, keyIndex }: Route, settings: CircuitSettings): Circuit[] {
  const names = namesOf(provider)
  const all = [circuits.of(provider.id, settings)]
  const ofModel = model === undefined ? undefined : circuits.find(names.ofModel(model))
  if (ofModel !== undefined) all.push(ofModel)
  const ofKey = circuits.find(names.ofKey(keyIndex))
  if (ofKey !== undefined) all.push(ofKey)
  return all
}

const onlyKey: readonly number[] = [0]

/** One that needs no key has one that is nothing: what is to blame for a refusal has a name all the same. */
export const keysOf = ({ keyCount = 1 }: Provider): readonly number[] =>
  keyCount <= 1 ? onlyKey : Array.from({ length: keyCount }, (_, index) => index)

/** Whether a call to this model would be let through now, with one of the keys at least. */
export function isRouteOpen(circuits: Circuits, provider: Provider, model: string | undefined): boolean {
  if (!isOpen(circuits, provider.id)) return false
  if (model !== undefined && !isOpen(circuits, namesOf(provider).ofModel(model))) return false
  return keysOf(provider).some(index => isKeyOpen(circuits, provider, index))
}

const isOpen = (circuits: Circuits, name: string): boolean => circuits.find(name)?.isAvailable() ?? true

export const isKeyOpen = (circuits: Circuits, provider: Provider, keyIndex: number): boolean =>
  isOpen(circuits, namesOf(provider).ofKey(keyIndex))

export function createCallGate(circuits: Circuits, route: Route, settings: CircuitSettings): CallGate {
  return new RouteGate(circuits, route, settings)
}

interface HeldPermit {
  readonly circuit: Circuit
  readonly permit: CircuitPermit
}

/** Made anew for every call, so it is one object: the gate, and the permit of the one attempt that is under way. */
class RouteGate implements CallGate, Gate, CircuitPermit {
  readonly #circuits: Circuits
  readonly #route: Route
  readonly #settings: CircuitSettings
  #held: HeldPermit[] = []

  constructor(circuits: Circuits, route: Route, settings: CircuitSettings) {
    this.#circuits = circuits
    this.#route = route
    this.#settings = settings
  }

  get circuit(): Gate {
    return this
  }

  get name(): string {
    return this.#refusing().name
  }

  isAvailable(): boolean {
    return this.#all().every(circuit => circuit.isAvailable())
  }

  remainingMs(): number | undefined {
    return this.#refusing().remainingMs()
  }

  refusal(): CircuitOpenError {
    return this.#refusing().refusal()
  }

  acquire(): CircuitPermit | undefined {
    // Of an attempt that ended before it went out nobody was to blame, so nobody was told.
    this.end()
    for (const circuit of this.#all()) {
      const permit = circuit.acquire()
      if (permit === undefined) {
        this.end()
        return undefined
      }
      this.#held.push({ circuit, permit })
    }
    return this
  }

  success(): void {
    for (const { permit } of this.#held) permit.success()
    this.#held = []
  }

  /** Whose fault it was is told to `blame`; until then they are held. */
  failure(): void {}

  release(): void {}

  blame(failure: Classification): void {
    const name = blamed(failure, this.#route)
    const permits = this.#held
    this.#held = []
    for (const { circuit, permit } of permits) circuit.name === name ? permit.failure() : permit.release()
    if (name === undefined || permits.some(({ circuit }) => circuit.name === name)) return
    this.#circuits.of(name, this.#settings).acquire()?.failure()
  }

  end(): void {
    for (const { permit } of this.#held) permit.release()
    this.#held = []
  }

  #all(): Circuit[] {
    return circuitsOf(this.#circuits, this.#route, this.#settings)
  }

  #refusing(): Circuit {
    const refusing = this.#all().find(circuit => !circuit.isAvailable())
    return refusing ?? this.#circuits.of(this.#route.provider.id, this.#settings)
  }
}

/** The circuit of whoever is to blame; none for what the request or its caller is to blame for. */
function blamed({ kind, scope, type }: Classification, { provider, model, keyIndex }: Route): string | undefined {
  if (kind === 'cancelled' || kind === 'rate_limit') return undefined
  if (type === 'budget' || type === 'validation' || type === 'config') return undefined
  if (scope === 'provider' || scope === 'network' || scope === 'region') return provider.id
  if (scope === 'model') return model === undefined ? undefined : circuitOfModel(provider.id, model)
  return scope === 'key' ? circuitOfKey(provider.id, keyIndex) : undefined
}

/** Until when keys asked not to be asked. Shared by all calls of a runtime. */
export interface KeyRests {
  rest(provider: string, keyIndex: number, until: number): void
  /** Ms, 0 where it does not rest. */
  until(provider: string, keyIndex: number): number
}

export function createKeyRests(): KeyRests {
  const rests = new Map<string, number>()
  return {
    rest(provider, keyIndex, until) {
      const name = circuitOfKey(provider, keyIndex)
      rests.set(name, Math.max(until, rests.get(name) ?? 0))
    },
    until: (provider, keyIndex) => rests.get(circuitOfKey(provider, keyIndex)) ?? 0,
  }
}
