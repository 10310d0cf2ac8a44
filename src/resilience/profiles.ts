/**
 * Resilience profiles: what a task may cost in retries, fallbacks and time before it is given up. Three are built in,
 * and each task of the table has one of them. A profile is plain JSON with milliseconds, so that it can be recorded with
 * the run that it governs.
 */
import type { Backoff } from '../time/backoff.ts'
import type { Causes } from './causes.ts'
import { type CircuitSettings, circuitPresets } from './circuit-options.ts'
import type { FailureKind } from './kinds.ts'

export type FallbackPolicy = 'none' | 'cross_provider' | 'same_tier_then_down' | 'any_available'
export type UnknownOutcome = 'retry' | 'ask' | 'fail'

/** A profile with everything decided: plain JSON, times in milliseconds. */
export interface ResolvedProfile {
  readonly name: string
  readonly retry: {
    /** Tries after the first attempt. */
    readonly max: number
    readonly on: readonly FailureKind[]
    readonly backoff: Backoff
  }
  /** A failure that is not understood ends the call; otherwise another provider is tried first. */
  readonly failFast: boolean
  readonly fallback: FallbackPolicy
  readonly allowTierDowngrade: boolean
  /** Whether a cached answer may stand in, marked as such. */
  readonly cache: boolean
  /** Whether the offline provider may stand in, marked as such. */
  readonly offline: boolean
  /** Whether only providers of this machine are asked; no profile says so by itself, see `ProfileOverrides`. */
  readonly local?: boolean | undefined
  readonly timeout: {
    readonly attemptMs: number
    readonly callMs: number
    readonly stageMs: number
    /** Absent: a run may take for ever. */
    readonly runMs?: number | undefined
  }
  readonly circuit: CircuitSettings
  readonly restart: {
    readonly intensity: number
    readonly periodMs: number
    readonly onExhausted: 'fail' | 'quarantine'
    /** Restarts and waits in a row for the same failure in the same state; one more is a livelock. */
    readonly livelockAfter: number
  }
  /** What a stage does about a cause, where it is not the usual; see `usualAnswers`. */
  readonly causes: Causes
  readonly budget?: ProfileBudget | undefined
  /** What happens to a call or step of which nobody knows whether it was done. */
  readonly unknownOutcome: UnknownOutcome
}

export interface ProfileBudget {
  readonly usd?: number | undefined
  readonly tokens?: number | undefined
  readonly calls?: number | undefined
  readonly restarts?: number | undefined
  readonly wallTimeMs?: number | undefined
}

/** Defaults of contract section 4, "Backoff 100 ms × 2^n, cap 10 s, ±20 % jitter never above the cap". */
export const defaultBackoff: Backoff = { kind: 'exponential', base: 100, max: 10_000, jitter: 0.2 }

/** Contract section 4: one attempt of a model call 60 s, a call 3 min, an incarnation of a stage 30 min, a run none. */
const defaultTimeout = { attemptMs: 60_000, callMs: 180_000, stageMs: 1_800_000 } as const

/** Contract section 4: `restart` defaults, period 1 h, `onExhausted: 'fail'`; the intensity differs by profile. */
const restartWithin = (intensity: number): ResolvedProfile['restart'] => ({
  intensity,
  periodMs: 3_600_000,
  onExhausted: 'fail',
  livelockAfter: 10,
})

/** Contract section 4, the table of profiles: critical retries on these two, the others "also" on three more. */
const criticalKinds: readonly FailureKind[] = ['rate_limit', 'timeout']
const usualKinds: readonly FailureKind[] = [...criticalKinds, 'overloaded', 'server_error', 'connection']

/** The three of the contract's table. */
export const builtInProfiles = {
  critical: {
    name: 'critical',
    retry: { max: 1, on: criticalKinds, backoff: defaultBackoff },
    failFast: true,
    fallback: 'cross_provider',
    allowTierDowngrade: false,
    cache: false,
    offline: false,
    timeout: defaultTimeout,
    circuit: circuitPresets.default,
    restart: restartWithin(1),
    causes: {},
    unknownOutcome: 'retry',
  },
  balanced: {
    name: 'balanced',
    retry: { max: 2, on: usualKinds, backoff: defaultBackoff },
    failFast: false,
    fallback: 'same_tier_then_down',
    allowTierDowngrade: true,
    cache: true,
    offline: false,
    timeout: defaultTimeout,
    circuit: circuitPresets.default,
    restart: restartWithin(3),
    causes: {},
    unknownOutcome: 'retry',
  },
  tolerant: {
    name: 'tolerant',
    retry: { max: 3, on: usualKinds, backoff: { ...defaultBackoff, kind: 'linear' } },
    failFast: false,
    fallback: 'any_available',
    allowTierDowngrade: true,
    cache: true,
    offline: true,
    timeout: defaultTimeout,
    circuit: circuitPresets.default,
    restart: restartWithin(3),
    causes: {},
    unknownOutcome: 'retry',
  },
} as const satisfies Record<string, ResolvedProfile>

export type ProfileName = keyof typeof builtInProfiles

/** Contract section 4, the column `tasks`. */
export const taskProfiles = {
  security_audit: 'critical',
  code_review: 'critical',
  bug_predict: 'balanced',
  refactor_plan: 'balanced',
  pr_review: 'balanced',
  summarize: 'tolerant',
  document_gen: 'tolerant',
  research: 'tolerant',
} as const satisfies Record<string, ProfileName>

export type TaskName = keyof typeof taskProfiles
