/**
 * Where faults come from: drawn by a seed and the rates of a profile, or read from the journal of a run that had them.
 * Both are asked at each place of a run, in order.
 */
import type { ChaosPlace } from '../../runtime/chaos.ts'
import type { JournalEventType } from '../../telemetry/catalogue.ts'
import { type Random, seededRandom } from '../../time/random.ts'
import type { FaultRates } from '../simulator/fault-profile.ts'
import { providerFailures, weighted } from '../simulator/provider-failures.ts'
import type { Fault } from './fault.ts'

export type FaultSource = (place: ChaosPlace) => Fault | undefined

const working: readonly JournalEventType[] = [
  'stage.attempted',
  'call.intended',
  'call.succeeded',
  'step.intended',
  'step.succeeded',
]
const anywhere: readonly JournalEventType[] = [...working, 'sleep.begun', 'wait.begun']

interface Family {
  readonly kind: keyof FaultRates
  readonly places: readonly JournalEventType[]
  readonly draw: (random: Random, place: ChaosPlace) => Fault
}

const families: readonly Family[] = [
  {
    kind: 'crashes',
    places: anywhere,
    draw: (random, { type }) => {
      const kills = !working.includes(type) || random() < 0.4
      return { fault: kills ? 'process.killed' : 'stage.killed' }
    },
  },
  { kind: 'providers', places: ['call.intended'], draw: drawCallFault },
  {
    kind: 'disk',
    places: anywhere,
    draw: random =>
      random() < 0.2 ? { fault: 'store.failed' } : { fault: 'store.slow', ms: 100 + Math.floor(random() * 2900) },
  },
  {
    kind: 'clock',
    places: anywhere,
    draw: random => ({ fault: 'clock.jumped', ms: Math.floor((random() - 0.5) * 2 * 3_600_000) }),
  },
  {
    kind: 'operators',
    places: working,
    draw: random => ({ fault: 'run.held', ms: 200 + Math.floor(random() * 2800) }),
  },
  { kind: 'owners', places: anywhere, draw: () => ({ fault: 'store.lost' }) },
]

/** How many places of its kind a fault of rate 1 is apart from the next, at most. */
const widestGap = 2

/**
 * The same faults for the same seed at the same order of places. The first fault of each kind comes early, so that a
 * short run meets one, too.
 */
export function drawnFaults(rates: FaultRates, seed: number): FaultSource {
  const drawn = families
    .filter(({ kind }) => rates[kind] > 0)
    .map((family, index) => {
      const random = seededRandom(Math.imul(seed, 0x9e3779b1) + index)
      const gap = (): number => 1 + Math.floor((random() * widestGap) / rates[family.kind])
      // The first model call is the next one: there may be no other.
      return { family, random, gap, left: family.kind === 'providers' ? 0 : gap() - 1 }
    })
  return place => {
    let fault: Fault | undefined
    for (const one of drawn) {
      if (!one.family.places.includes(place.type)) continue
      if (one.left > 0) one.left--
      // Where two kinds fall on one place, the later of them waits for the next.
      else if (fault === undefined) {
        fault = one.family.draw(one.random, place)
        one.left = one.gap()
      }
    }
    return fault
  }
}

function drawCallFault(random: Random): Fault {
  const chance = random()
  if (chance < 0.2) return { fault: 'call.slow', ms: 500 + Math.floor(random() * 4500) }
  if (chance < 0.3) return { fault: 'circuit.tripped' }
  const [, name, failure] = weighted(providerFailures, random)
  // Nobody who develops waits for what a provider would really ask for.
  const headers = failure.headers && { ...failure.headers, 'retry-after': '1' }
  const isLimit = failure.headers?.['retry-after'] !== undefined
  return {
    fault: 'call.failed',
    name,
    failure: { ...failure, ...(isLimit ? { headers } : {}) },
    times: 1 + Math.floor(random() * 2),
  }
}

/** A fault of the journal of a run, with where it was. */
export interface RecordedFault {
  readonly at: ChaosPlace
  readonly fault: Fault
}

/** Each of them once, where it was. */
export function recordedFaults(faults: readonly RecordedFault[]): FaultSource {
  const left = [...faults]
  return place => {
    const found = left.findIndex(({ at }) => isSamePlace(at, place))
    return found < 0 ? undefined : left.splice(found, 1)[0]?.fault
  }
}

const isSamePlace = (one: ChaosPlace, other: ChaosPlace): boolean =>
  one.runId === other.runId &&
  one.type === other.type &&
  one.stage === other.stage &&
  one.attempt === other.attempt &&
  one.incarnation === other.incarnation &&
  one.key === other.key
