/**
 * The leave to make one attempt of a model call: what is asked before it goes out, and what is told once it is over. So
 * a budget is reserved and settled by whoever keeps one.
 */
import type { ModelAnswer, ModelPrice } from '../providers/provider.ts'
import type { Target } from './call-events.ts'
import type { ModelFacts } from './model-catalogue.ts'
import type { RequestNeeds } from './request-needs.ts'

/** An attempt that is about to go out, and what it may take. */
export interface PlannedAttempt extends Target {
  /** Estimated. */
  readonly inputTokens: number
  /** The most that may be answered, where the request says so. */
  readonly outputTokens: number | undefined
  /** The most that the model can answer, where it is known. */
  readonly maxOutputTokens: number | undefined
  readonly price: ModelPrice | 'unknown'
}

/** The leave to make one attempt. */
export interface Admission {
  /** The attempt is over, and what it cost is booked. */
  settle(): void
  /** An answer that came when nobody waited for it any more: it is paid for all the same. */
  late(answer: ModelAnswer, cost: number | 'unknown'): void
}

export function plannedAttempt(
  target: Target,
  { inputTokens, outputTokens }: RequestNeeds,
  { price = 'unknown', maxOutputTokens }: Partial<ModelFacts> = {},
): PlannedAttempt {
  return { inputTokens, outputTokens, maxOutputTokens, price, ...target }
}
