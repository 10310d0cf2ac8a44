/**
 * Makes the decisions of a run again, from its journal alone, and says where they differ from the recorded ones. A
 * decision is a pure function of a stage's state and an event; the journal has the events (what failed, with the time and
 * the chance that decided), so the machine gives the same decisions to whoever asks. Rows come in order, one by one.
 */
import { initialTransition, transition } from 'xstate'
import {
  type StageFailure,
  type StageMachineEvent,
  type StagePolicy,
  type StageRule,
  stageMachine,
} from '../../../machines/stage.machine.ts'
import type { JournalEvent } from '../../telemetry/catalogue.ts'
import { type DecisionData, journalOfDecision } from '../stage/decisions.ts'

/** A decision that the machine would not make today. */
export interface DecisionDifference {
  readonly seq: number
  readonly stage: string
  readonly recorded: string
  /** What the machine decides from the same facts; `nothing` where it decides nothing. */
  readonly derived: string
}

export interface DecisionReplay {
  take(event: JournalEvent): void
  readonly checked: number
  readonly differences: readonly DecisionDifference[]
}

type Snapshot = ReturnType<typeof stageMachine.getInitialSnapshot>

interface ReplayedStage {
  snapshot: Snapshot | undefined
  /** What failed and is not decided yet. */
  failed: StageMachineEvent | undefined
  /** Decisions that the machine made and that have not been seen in the journal. */
  derived: DecisionData[]
}

const startsAgain = new Set<JournalEvent['type']>(['stage.attempted', 'preflight.passed', 'preflight.failed'])
const eventByRow: Partial<Record<JournalEvent['type'], 'ATTEMPT_FAILED' | 'PREFLIGHT_FAILED' | 'REMEDY_FAILED'>> = {
  'attempt.failed': 'ATTEMPT_FAILED',
  'preflight.failed': 'PREFLIGHT_FAILED',
  'remedy.failed': 'REMEDY_FAILED',
}

export function createDecisionReplay(): DecisionReplay {
  const stages = new Map<string, ReplayedStage>()
  const differences: DecisionDifference[] = []
  let checked = 0

  const check = (stage: ReplayedStage, { seq, stage: name = '', data }: JournalEvent): void => {
    const recorded = data as unknown as DecisionData
    if (stage.failed || stage.snapshot === undefined) decide(stage, name, recorded)
    checked++
    const derived = stage.derived.shift()
    if (!derived || essence(derived) !== essence(recorded))
      differences.push({
        seq,
        stage: name,
        recorded: described(recorded),
        derived: derived ? described(derived) : 'nothing',
      })
  }

  return {
    get checked() {
      return checked
    },
    differences,
    take(event) {
      if (event.stage === undefined) return
      if (event.type === 'stage.started') stages.delete(event.stage)
      const stage = stages.get(event.stage) ?? { snapshot: undefined, failed: undefined, derived: [] }
      stages.set(event.stage, stage)
      if (startsAgain.has(event.type)) send(stage, { type: 'DELAY_PASSED' })
      if (event.type === 'preflight.passed') send(stage, { type: 'PREFLIGHT_PASSED' })
      if (event.type === 'remedy.applied') send(stage, { type: 'REMEDY_APPLIED' })
      const failed = failureIn(event)
      if (failed) stage.failed = failed
      else if (event.type.endsWith('.decided') && 'policy' in event.data) check(stage, event)
    },
  }
}

/** Gives the machine what failed, under the policy that was in force, and keeps what it decides. */
function decide(stage: ReplayedStage, name: string, { policy, kind }: DecisionData): void {
  const { failed } = stage
  stage.failed = undefined
  if (!stage.snapshot) {
    // Before the first failure nothing was decided; without one, the stage was refused before it began.
    const refused = { ...unknownFailure, kind }
    const given = failed ? ({ admission: 'run' } as const) : ({ admission: 'refuse', failure: refused } as const)
    const [first, actions] = initialTransition(stageMachine, { stage: name, policy, ...given })
    stage.snapshot = first
    stage.derived = decisionsIn(actions, first, policy, 0)
    if (failed?.type === 'ATTEMPT_FAILED') send(stage, { type: 'PREFLIGHT_PASSED' })
  }
  if (!failed) return
  const before = { ...stage.snapshot, context: { ...stage.snapshot.context, policy } }
  const [after, actions] = transition(stageMachine, before as Snapshot, failed)
  stage.snapshot = after
  stage.derived = decisionsIn(actions, after, policy, 'at' in failed ? failed.at : 0)
}

/** What the machine explained with this transition, in order. */
const decisionsIn = (
  actions: readonly { readonly type: string; readonly params?: unknown }[],
  { context }: Snapshot,
  policy: StagePolicy,
  at: number,
): DecisionData[] =>
  actions
    .filter(({ type }) => type === 'explainDecision')
    .map(({ params }) => journalOfDecision((params as { rule: StageRule }).rule, context, policy, at).data)

function send(stage: ReplayedStage, event: StageMachineEvent): void {
  if (stage.snapshot) [stage.snapshot] = transition(stageMachine, stage.snapshot, event)
}

const unknownFailure: StageFailure = {
  error: { name: '', message: '' },
  type: 'runtime',
  kind: null,
  exhausted: false,
  answer: 'stop',
  retryAfterMs: null,
  signature: '',
}

/** The event that the machine was given, made from the facts in the journal. */
function failureIn({ type, data }: JournalEvent): StageMachineEvent | undefined {
  if (type === 'fallback.failed') return { type: 'FALLBACK_FAILED', failure: unknownFailure }
  const machineEvent = eventByRow[type]
  const facts = data.facts as (StageFailure & Record<string, never>) | undefined
  if (!machineEvent || !facts) return undefined
  const { at, delayMs, restartBudgetLeft, progress, ...failure } = facts
  return {
    type: machineEvent,
    failure: { ...failure, error: unknownFailure.error },
    at,
    delayMs,
    restartBudgetLeft,
    progress,
  } as unknown as StageMachineEvent
}

/** What must be equal. The kind of a fallback's own failure decides nothing, and is not in the facts. */
const essence = ({ rule, because, counters, dueAt, alternatives }: DecisionData): string =>
  JSON.stringify([rule, because ?? null, Object.entries(counters).sort(), dueAt ?? null, alternatives])

function described({ rule, because, counters, dueAt }: DecisionData): string {
  const { attempt, retries, spent, waits, alike } = counters
  const due = dueAt === undefined ? '' : `, due ${new Date(dueAt).toISOString()}`
  return `${rule}${because === undefined ? '' : ` (${because})`} at attempt ${attempt}, ${retries} retries, ${spent} restarts, ${waits} waits, ${alike} alike${due}`
}
