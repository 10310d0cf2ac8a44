/** What the context of a stage says of it in a tree: of a live actor and of one that another process wrote down alike. */
import type { StageRule } from '../../../machines/stage.machine.ts'

export interface StageFacts {
  readonly attempt?: number | undefined
  readonly incarnation?: number | undefined
  readonly restarts?: number | undefined
  readonly waits?: number | undefined
  readonly rule?: StageRule | null | undefined
}

/** Restarts, waits and the rule only where there were any. */
export function stageFacts({ attempt, incarnation, restarts, waits, rule }: StageFacts = {}): {
  attempt?: number
  incarnation?: number
  restarts?: number
  waits?: number
  rule?: string
} {
  return {
    ...(attempt === undefined ? {} : { attempt }),
    ...(incarnation === undefined ? {} : { incarnation }),
    ...(restarts ? { restarts } : {}),
    ...(waits ? { waits } : {}),
    ...(rule ? { rule } : {}),
  }
}
