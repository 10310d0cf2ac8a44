/**
 * The port through which faults are injected on purpose into a runtime, in development. A chaos stands before the store,
 * the providers and the clock, and hears of each journal event as it is written. What it decides is written down in the
 * same commit, and done once that is durable: so whatever it did, also to the process itself, can be read and replayed.
 * Without the option `chaos` of `createRuntime` nothing of this is there.
 */
import type { Provider } from '../providers/provider.ts'
import type { Circuit } from '../resilience/circuit.ts'
import type { Store } from '../store/store.ts'
import type { JournalEventType } from '../telemetry/catalogue.ts'
import type { Clock } from '../time/clock.ts'

/** Why a run was paused, where a chaos did it. */
export const chaosReason = 'on purpose (chaos)'

/** Where in a run something can go wrong: at the journal event of that kind. */
export interface ChaosPlace {
  readonly runId: string
  readonly type: JournalEventType
  readonly stage: string
  readonly attempt: number
  readonly incarnation: number
  /** Of the call, step or wait that the event is about. */
  readonly key?: string | undefined
}

/** A fault as the journal keeps it. */
export interface ChaosFault {
  readonly fault: string
  /** In a sentence. */
  readonly text: string
  readonly [detail: string]: unknown
}

/** What a chaos may do beside what it does to the store, the providers and the clock. */
export interface ChaosTarget {
  /** The stage ends as if it had crashed. */
  killStage(): void
  /** An operator pauses the run, and lets it go on after so many ms. */
  hold(ms: number): void
  circuits(): readonly Circuit[]
}

/** Made by `chaos` of `holdfast/testing`. */
export interface Chaos {
  store(store: Store): Store
  provider(provider: Provider): Provider
  clock(clock: Clock): Clock
  /** What goes wrong here; undefined: nothing. */
  faultAt(place: ChaosPlace): ChaosFault | undefined
  /** Does it: that it was decided is durable. */
  strike(fault: ChaosFault, place: ChaosPlace, target: ChaosTarget): void
}
