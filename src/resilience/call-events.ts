/** What is told of a model call as it goes, as plain data: its attempts, its hops from one candidate to the next, its end. */
import type { Tier } from '../providers/provider.ts'
import type { FallbackRule } from './fallback-route.ts'
import type { FailureKind } from './kinds.ts'
import type { AttemptEvent } from './retry.ts'

/** Who is asked. */
export interface Target {
  readonly provider: string
  readonly model: string
  readonly tier: Tier
  /** Which of the provider's keys, from 1; absent where it has one. */
  readonly key?: number
}

/** What became of one candidate with one key. */
export interface Hop extends Target {
  readonly attempts: number
  readonly outcome: 'answered' | 'failed' | 'refused'
  readonly kind?: FailureKind | undefined
  readonly message?: string | undefined
}

export type ModelCallEvent =
  | (AttemptEvent & Target)
  | ({
      readonly type: 'fallback.decided'
      readonly at: number
      readonly from: Target
      readonly kind: FailureKind
      readonly rule: FallbackRule
    } & Target)
  | { readonly type: 'call.succeeded'; readonly at: number; readonly attempts: number; readonly hops: readonly Hop[] }
  | {
      readonly type: 'call.failed'
      readonly at: number
      readonly attempts: number
      readonly hops: readonly Hop[]
      readonly kind: FailureKind
    }

/** What happened to an attempt, with who was asked. Assigned, since two spreads in one take thirty times as long. */
export const eventOf = (event: AttemptEvent, target: Target): AttemptEvent & Target => Object.assign({}, event, target)
