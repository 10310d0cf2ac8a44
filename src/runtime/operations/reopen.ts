/**
 * Reopening a run that has ended, as one write to the store: the journal says what runs again and why, the ledger what
 * is asked anew, and the run is unfinished from then on. A workflow of stages begins its flow afresh, and every stage
 * that has a recorded end is passed over; a machine of one's own goes on from its last snapshot, with the stages that
 * had failed at the start of a further attempt. A process that dies around the write leaves the run ended or reopened.
 */
import { OptionsError } from '../../errors.ts'
import type { JournalRow, LedgerRow, RunRow, RunWrite, StoredRun, TimerRow } from '../../store/store.ts'
import { type JournalEventType, journalSchemaVersion } from '../../telemetry/catalogue.ts'
import { toMs } from '../../time/duration.ts'
import type { WorkflowDefinition } from '../../workflow/definition.ts'
import type { Budget } from '../api.ts'
import type { TimerPurpose } from '../commits/timer-purpose.ts'
import type { Counters } from '../run/counters.ts'
import type { KeptOptions } from '../run/kept-options.ts'
import { recall } from '../run/recall.ts'
import type { ReopenedData } from '../run/remember.ts'
import type { RunMemory } from '../run/run-memory.ts'
import type { Downstream } from './downstream.ts'
import type { Override } from './overrides.ts'
import { refreshedSnapshot } from './refreshed-snapshot.ts'
import { supersededEntries } from './superseded-entries.ts'

export interface Reopening {
  readonly how: 'retry' | 'resume' | 'release' | 'skip' | 'redo' | 'complete'
  readonly reason?: string | undefined
  /** Who asked for it. */
  readonly by?: string | undefined
  /** Asks every effect of the stages that run again anew. */
  readonly fresh?: boolean | undefined
  readonly tier?: string | undefined
  readonly budget?: Budget | undefined
  /** Stages to run again whatever came of them; their effects are asked anew. */
  readonly redo?: Downstream | undefined
  /** A stage whose end an operator records. */
  readonly override?: Override | undefined
}

export interface ReopenFacts {
  readonly stored: StoredRun
  readonly definition: WorkflowDefinition
  readonly now: number
  /** The child runs of the run that are in the store, by id. */
  readonly children: ReadonlyMap<string, RunRow>
}

/** @throws OptionsError for a budget that is spent already */
export function reopened(facts: ReopenFacts, asked: Reopening): RunWrite {
  const { stored, definition, now } = facts
  const { run } = stored
  const memory = recall(stored)
  const { redo } = asked
  const again = [...new Set([...unendedStages(memory), ...(redo?.again ?? [])])].filter(
    name => name !== asked.override?.stage,
  )
  const all = asked.fresh ? again : (redo?.effects ?? [])
  refuseSpent(asked.budget, memory.counters)
  const ledger = supersededEntries(memory, { again, all, children: facts.children })
  const journal = createRows(run.seq, now)
  if (asked.how === 'release') journal.add('quarantine.released', audit(asked))
  const { reason, by, fresh, tier, budget } = asked
  const data: ReopenedData = { how: asked.how, again, anew: redo?.anew ?? [], reason, by, fresh, tier, budget }
  journal.add('run.reopened', data)
  for (const [stage, keys] of keysByStage(ledger)) journal.add('ledger.superseded', { keys }, stage)
  if (asked.override) addOverride(journal, asked.override, asked)
  const isPaused = run.status === 'paused'
  const ofMachine = definition.origin === 'machine' && run.snapshot !== null
  return {
    runId: run.id,
    state: {
      status: isPaused ? 'paused' : ofMachine ? 'recovering' : 'pending',
      snapshot: ofMachine ? refreshedSnapshot(run.snapshot as string, again, memory, isPaused) : null,
      seq: run.seq + journal.rows.length,
      updatedAt: now,
      endedAt: null,
      counters: JSON.stringify(reopenedCounters(memory.counters, ofMachine)),
      outcome: null,
    },
    journal: journal.rows,
    ...(ledger.length === 0 ? {} : { ledger }),
    setTimers: timersOf(facts, asked, ledger),
  }
}

/** Records what an operator decided about a stage of a run that is unfinished and in nobody's memory. */
export function overridden(run: RunRow, asked: Reopening & { readonly override: Override }, now: number): RunWrite {
  const journal = createRows(run.seq, now)
  addOverride(journal, asked.override, asked)
  const { snapshot, endedAt, counters, outcome } = run
  // A run that slept is looked at again by the next process, which finds the decision.
  const status = run.status === 'waiting' ? 'recovering' : run.status
  const seq = run.seq + journal.rows.length
  return {
    runId: run.id,
    state: { status, snapshot, seq, updatedAt: now, endedAt, counters, outcome },
    journal: journal.rows,
  }
}

/** Those that failed, were stopped by the end of the run, or were under way. */
function unendedStages(memory: RunMemory): string[] {
  return [...memory.stages]
    .filter(([, { outcome }]) => outcome === null || outcome === 'failed' || outcome === 'stopped')
    .map(([name]) => name)
}

/** A run that is restored from its snapshot counts that by itself. */
const reopenedCounters = (counters: Counters, ofMachine: boolean): Counters => ({
  ...counters,
  crashes: 0,
  stoppedCleanly: true,
  resumes: counters.resumes + (ofMachine ? 0 : 1),
})

function refuseSpent(budget: Budget | undefined, counters: Counters): void {
  const spent = {
    usd: counters.usd,
    tokens: counters.inputTokens + counters.outputTokens,
    calls: counters.calls,
    restarts: counters.restarts,
  }
  for (const [currency, used] of Object.entries(spent)) {
    const limit = budget?.[currency as keyof typeof spent]
    if (limit === undefined || used === 0 || limit > used) continue
    throw new OptionsError(
      `budget.${currency}: ${used} are spent already, so ${limit} would allow no more; a budget is for the whole run, name more than ${used}`,
      { currency, limit, spent: used },
    )
  }
}

/** What the run waited for when it ended, and the times that hold for it as a whole, as far as they lie ahead. */
function timersOf({ stored, now }: ReopenFacts, { budget }: Reopening, superseded: readonly LedgerRow[]): TimerRow[] {
  const timers: TimerRow[] = []
  const set = (key: string, dueAt: number, purpose: TimerPurpose): void => {
    timers.push({ key, dueAt, data: JSON.stringify(purpose) })
  }
  const { deadlineAt, wallTimeUntil } = JSON.parse(stored.run.options) as KeptOptions
  if (deadlineAt !== undefined && deadlineAt > now) set('run:deadline', deadlineAt, { kind: 'deadline' })
  const until = budget?.wallTime === undefined ? wallTimeUntil : now + toMs(budget.wallTime, 'budget.wallTime')
  if (until !== undefined && until > now) set('run:wallTime', until, { kind: 'wallTime' })
  const gone = new Set(superseded.map(({ stage, key }) => JSON.stringify([stage, key])))
  for (const { stage, key, kind, state, data } of stored.ledger) {
    if (state !== 'intended' || gone.has(JSON.stringify([stage, key]))) continue
    const { until: dueAt } = JSON.parse(data) as { until?: number }
    if (dueAt === undefined) continue
    if (kind === 'sleep') set(`sleep:${stage}:${key}`, dueAt, { kind: 'sleep', stage, key })
    if (kind === 'signal') set(`wait:${stage}:${key}`, dueAt, { kind: 'wait', stage, key })
  }
  return timers
}

export interface Rows {
  readonly rows: JournalRow[]
  add(type: JournalEventType, data: object, stage?: string): void
  /** With data that is JSON text already. */
  addText(type: JournalEventType, data: string, stage?: string): void
}

/** Journal rows that go on after `seq`. */
export function createRows(seq: number, at: number): Rows {
  const rows: JournalRow[] = []
  const addText = (type: JournalEventType, data: string, stage?: string): void => {
    rows.push({
      seq: seq + rows.length + 1,
      at,
      type,
      schemaVersion: journalSchemaVersion,
      data,
      ...(stage === undefined ? {} : { stage }),
    })
  }
  return { rows, addText, add: (type, data, stage) => addText(type, JSON.stringify(data), stage) }
}

const audit = ({ reason, by }: Pick<Reopening, 'reason' | 'by'>): object => ({ reason, by })

function addOverride(journal: Rows, override: Override, asked: Reopening): void {
  journal.add('stage.overridden', { how: asked.how, ...audit(asked) }, override.stage)
  journal.addText(override.row.type, override.row.data, override.stage)
}

function keysByStage(rows: readonly LedgerRow[]): ReadonlyMap<string, readonly string[]> {
  const keys = new Map<string, string[]>()
  for (const { stage, key } of rows) keys.set(stage, [...(keys.get(stage) ?? []), key])
  return keys
}
