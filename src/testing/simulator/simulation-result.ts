/** What `simulate` gives back. */
import type { Coverage } from '../machine/coverage.ts'
import type { Broken } from './guarantee-table.ts'
import type { OutsideUse } from './place.ts'

export interface SeedReport {
  readonly seed: number
  readonly ok: boolean
  /** How many runs ended how. */
  readonly outcomes: Readonly<Record<string, number>>
  readonly spentUsd: number
  readonly attempts: number
  readonly restarts: number
  /** Processes that it took. */
  readonly lives: number
  readonly simulatedMs: number
  /** From the moment on at which nothing failed any more; absent where something did not end. */
  readonly recoveryMs?: number | undefined
  /** A fingerprint of the journals: the same for the same seed. */
  readonly digest: string
}

export interface SimulationResult {
  readonly ok: boolean
  /** The first seed that broke something; the others are not there then. */
  readonly seed?: number | undefined
  /** What it broke first. */
  readonly violation?: Broken | undefined
  /** All that it broke. */
  readonly violations: readonly Broken[]
  /** What happened in that seed, with the simulated time. */
  readonly trace?: readonly string[] | undefined
  /** The call that does it again. */
  readonly replay?: string | undefined
  /** The journals of that seed, or of the last one: a row a line, as JSON. */
  readonly journal: string
  readonly seeds: readonly SeedReport[]
  /** What stages did by themselves: the clock, chance and timers were replaced by simulated ones. */
  readonly outside: readonly OutsideUse[]
  readonly coverage: Coverage
  readonly simulatedHours: number
  /** All of it for people. */
  readonly report: string
}
