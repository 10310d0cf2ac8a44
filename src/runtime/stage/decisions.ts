/**
 * A decision of a stage's machine as it is written to the journal: the rule, why the other ways were closed, the counters
 * it rests on, what else there would have been, and the policy, so that the same can be decided again from the journal.
 */
import type { StageMachineContext, StagePolicy, StageRule } from '../../../machines/stage.machine.ts'
import type { JournalEventType } from '../../telemetry/catalogue.ts'

/** The data of a `….decided` event of a stage. */
export interface DecisionData {
  readonly rule: StageRule
  /** Why the function is not started again; absent where it is. */
  readonly because?: string | undefined
  readonly counters: {
    readonly attempt: number
    readonly retries: number
    readonly maxRetries: number
    /** In all, and those that count against the intensity. */
    readonly restarts: number
    readonly spent: number
    readonly intensity: number
    readonly periodMs: number
    readonly waits: number
    /** How often in a row the same failure came in the same state. */
    readonly alike: number
    readonly livelockAfter: number
  }
  readonly kind: string | null
  readonly remedy?: string | undefined
  readonly delayMs?: number | undefined
  readonly dueAt?: number | undefined
  /** What would have come next had this way been closed. */
  readonly alternatives: readonly string[]
  readonly policy: StagePolicy
}

export function journalOfDecision(
  rule: StageRule,
  context: StageMachineContext,
  policy: StagePolicy,
  now: number,
): { type: JournalEventType; data: DecisionData } {
  const { dueAt } = context
  const remedy = rule === 'remedy' ? policy.remedies[context.remediesTried] : undefined
  const goesOn = ['retry', 'remedy', 'wait', 'restart', 'change_plan'].includes(rule)
  return {
    type: typeOf(rule),
    data: {
      rule,
      ...(context.because === null || goesOn ? {} : { because: context.because }),
      counters: {
        attempt: context.attempt,
        retries: context.retries,
        maxRetries: policy.maxRetries,
        restarts: context.restarts,
        spent: context.spent.length,
        intensity: policy.intensity,
        periodMs: policy.periodMs,
        waits: context.waits,
        alike: context.alike?.times ?? 0,
        livelockAfter: policy.livelockAfter,
      },
      kind: context.failure?.kind ?? null,
      ...(remedy === undefined ? {} : { remedy }),
      ...(dueAt === null ? {} : { delayMs: dueAt - now, dueAt }),
      alternatives: alternativesTo(rule, policy),
      policy,
    },
  }
}

const typeOf = (rule: StageRule): JournalEventType => (rule === 'change_plan' ? 'restart.decided' : `${rule}.decided`)

/** In the order in which they would be taken. */
function alternativesTo(rule: StageRule, policy: StagePolicy): string[] {
  const ways: readonly (readonly [string, boolean])[] = [
    ['retry', true],
    ['remedy', policy.remedies.length > 0],
    ['restart', policy.restart === 'transient'],
    ['fallback', policy.fallback],
    ['degrade', policy.optional],
    [policy.onExhausted, true],
  ]
  const place = ways.findIndex(([way]) => way === wayOf(rule))
  if (place < 0) return []
  return ways.filter(([, isThere], index) => index > place && isThere).map(([way]) => way)
}

/** A wait and a change of the plan stand where a restart would. */
const wayOf = (rule: StageRule): string =>
  rule === 'wait' || rule === 'change_plan' || rule === 'livelock' ? 'restart' : rule
