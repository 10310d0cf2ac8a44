/** A run explained, as data: what `runtime.explain` gives and `explain --json` prints. Times are ms since the epoch. */
import type { StageReason, StageRule } from '../../../machines/stage.machine.ts'
import type { RunStatus } from '../../store/store.ts'
import type { JournalEventType } from '../../telemetry/catalogue.ts'
import type { DecisionDifference } from './replay.ts'

/** What the run has used so far. */
export interface RunSpend {
  readonly usd: number | 'unknown'
  readonly calls: number
  readonly tokens: number
  /** Paid for answers that were thrown away. */
  readonly wastedUsd: number
  /** Recorded answers that were given again instead of a call. */
  readonly replayedCalls: number
  /** The most that it may use, where that is bounded. */
  readonly budget?: Readonly<Record<string, number | string>> | undefined
}

/** What was decided about something that happened. */
export interface ToldDecision {
  readonly rule: StageRule
  /** Why the function is not started again, where it is not. */
  readonly because?: StageReason | undefined
  readonly text: string
  readonly counters: Readonly<Record<string, number>>
  /** What would have come next had this way been closed. */
  readonly alternatives: readonly string[]
  readonly dueAt?: number | undefined
}

/** Something that mattered. The same again is told once, with how often. */
export interface StoryEntry {
  readonly seq: number
  readonly at: number
  readonly type: JournalEventType
  readonly stage?: string | undefined
  /** Of what came more than once, that of the first time. */
  readonly attempt?: number | undefined
  /** That of the last time, where it is another. */
  readonly lastAttempt?: number | undefined
  readonly text: string
  readonly decisions: readonly ToldDecision[]
  readonly times: number
  /** When it came last; equal to `at` where it came once. */
  readonly lastAt: number
}

export interface CauseLink {
  readonly name: string
  readonly message: string
  readonly code?: string | undefined
  readonly kind?: string | undefined
}

/** What happens without anybody doing something. */
export interface NextStep {
  readonly text: string
  readonly stage?: string | undefined
  readonly dueAt?: number | undefined
  /** What the stage has left, should it fail again. */
  readonly left?: { readonly retries: number; readonly restarts: number; readonly waits: number } | undefined
}

export interface SuggestedCommand {
  readonly command: string
  readonly why: string
}

export type StageStanding =
  | 'running'
  | 'waiting'
  | 'delayed'
  | 'done'
  | 'fell back'
  | 'skipped'
  | 'lost'
  | 'failed'
  | 'stopped'

/** One stage or item. Items that ended well at once are only counted, in `quiet` of their map. */
export interface ExplainedStage {
  readonly name: string
  readonly standing: StageStanding
  readonly attempts: number
  readonly restarts: number
  readonly waits: number
  readonly incarnation: number
  /** The rule of the last decision. */
  readonly rule?: StageRule | undefined
  /** Of a map: items that ended well without a failure. */
  readonly quiet?: number | undefined
}

export interface Explanation {
  readonly runId: string
  readonly workflow: string
  readonly version: string
  readonly status: RunStatus
  /** What the explanation is about, where it is not the whole run. */
  readonly stage?: string | undefined
  readonly startedAt: number
  readonly endedAt?: number | undefined
  /** What the run is and how it stands, in a sentence or two. */
  readonly summary: string
  readonly stages: readonly ExplainedStage[]
  readonly story: readonly StoryEntry[]
  /** Entries that were left out of the middle of a long story. */
  readonly leftOut: number
  /** From what ended the run, or troubles it, to the root; empty where nothing does. */
  readonly causes: readonly CauseLink[]
  readonly next: readonly NextStep[]
  readonly commands: readonly SuggestedCommand[]
  readonly spend: RunSpend
  /** Whether the journal's decisions are those that the machine makes of its facts. */
  readonly decisions: { readonly checked: number; readonly differences: readonly DecisionDifference[] }
  /** All of it as prose. */
  readonly text: string
}

export interface ExplainOptions {
  /** Only this stage, item, or map with its items. */
  readonly stage?: string | undefined
  /** Makes the suggested commands, from `retry <id>` and the like. @default (text) => `holdfast ${text}` */
  readonly command?: ((text: string) => string) | undefined
}
