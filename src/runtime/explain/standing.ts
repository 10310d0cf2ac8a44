/**
 * How each stage of a run stands, from its journal. Items of a map that ended well at once are counted and forgotten, so
 * that a map of ten thousand is a line.
 */
import type { StageRule } from '../../../machines/stage.machine.ts'
import type { EncodedError } from '../../errors.ts'
import type { JournalEvent, JournalEventType } from '../../telemetry/catalogue.ts'
import type { DecisionData } from '../stage/decisions.ts'
import type { ExplainedStage, StageStanding } from './explanation.ts'

/** A stage as far as the journal tells, with what is needed to say what happens next. */
export interface StandingStage {
  name: string
  standing: StageStanding
  attempts: number
  restarts: number
  waits: number
  incarnation: number
  rule?: StageRule | undefined
  quiet?: number | undefined
  decision?: DecisionData | undefined
  /** What it ended with, or what went wrong last. */
  error?: EncodedError | undefined
  /** What its function failed with last: a fallback's own failure does not stand in for it. */
  attemptError?: EncodedError | undefined
}

export interface Standings {
  take(event: JournalEvent): void
  readonly stages: ReadonlyMap<string, StandingStage>
}

const standingAfter: Partial<Record<JournalEventType, StageStanding>> = {
  'stage.attempted': 'running',
  'stage.succeeded': 'done',
  'stage.fell_back': 'fell back',
  'stage.skipped': 'skipped',
  'stage.degraded': 'lost',
  'stage.failed': 'failed',
  'stage.stopped': 'stopped',
  'sleep.begun': 'waiting',
  'sleep.ended': 'running',
  'wait.begun': 'waiting',
  'wait.ended': 'running',
  'child.started': 'running',
  'retry.decided': 'delayed',
  'restart.decided': 'delayed',
  'wait.decided': 'delayed',
  'remedy.decided': 'running',
  'fallback.decided': 'running',
}

export function createStandings(): Standings {
  const stages = new Map<string, StandingStage>()
  return {
    stages,
    take(event) {
      const { type, stage: name } = event
      if (name === undefined) return
      if (type === 'stage.started') {
        stages.set(name, { name, standing: 'running', attempts: 0, restarts: 0, waits: 0, incarnation: 1 })
        return
      }
      const stage = stages.get(name)
      if (!stage) return
      stage.standing = standingAfter[type] ?? stage.standing
      stage.attempts = Math.max(stage.attempts, event.attempt ?? 0)
      stage.incarnation = Math.max(stage.incarnation, event.incarnation ?? 1)
      if (event.data.error) stage.error = event.data.error as EncodedError
      if (type === 'attempt.failed') stage.attemptError = stage.error
      if (type.endsWith('.decided') && 'counters' in event.data) decided(stage, event.data as unknown as DecisionData)
      if (type === 'stage.succeeded' && stage.error === undefined) forget(stages, name)
    },
  }
}

function decided(stage: StandingStage, decision: DecisionData): void {
  stage.decision = decision
  stage.rule = decision.rule
  stage.restarts = decision.counters.restarts
  stage.waits = decision.counters.waits
}

/** An item without trouble is only counted. */
function forget(stages: Map<string, StandingStage>, item: string): void {
  const map = item.endsWith(']') ? stages.get(item.slice(0, item.indexOf('['))) : undefined
  if (!map) return
  map.quiet = (map.quiet ?? 0) + 1
  stages.delete(item)
}

export const explained = ({ decision: _, error: __, attemptError: ___, ...stage }: StandingStage): ExplainedStage =>
  stage
