/**
 * The catalogue of journal events: every type that a journal can hold, with what it means and what its `data` carries.
 * Nothing is written to a journal under a name that is not here.
 */

export const journalEventTypes = {
  'run.started': 'The run began. data: workflow, version, profile',
  'run.recovered': 'A new process took the run up again. data: epoch, crashes',
  'run.woken': 'The run had left memory while it only waited, and is back.',
  'snapshot.refused': 'The snapshot could not be restored. data: error, snapshotHash, snapshotBytes',
  'record.corrupt': 'A row of the run is damaged in the store and was left out. data: what, message',
  'run.rebuilt': 'The run was rebuilt from its journal; what was under way starts anew.',
  'run.migrated':
    'The run goes on with another definition, into which `migrate` turned its snapshot. data: from, to (version, hash)',
  'run.waiting': 'Nothing in the run works; it waits. data: for[] of { stage, kind, name?, until? }',
  'run.active': 'Something in the run works again.',
  'run.paused': 'An operator held the run. data: reason',
  'run.resumed': 'An operator let the run go on.',
  'run.cancelling': 'An operator or the parent cancelled the run. data: reason',
  'run.reopened':
    'An ended run goes on. data: how, again[] and anew[] (stages and maps to run again), reason?, by?, fresh?, tier?, budget?',
  'run.forked': 'The run began as a fork. data: runId, from, copied[], rerun[]',
  'run.imported': 'The run was read from a bundle; it is never resumed. data: status, exportedAt',
  'run.deadline_passed': 'The time of the run was up.',
  'run.completed': 'The run gave its output.',
  'run.cancelled': 'The run was cancelled and its compensations have run. data: reason',
  'run.failed': 'The run failed. data: error, stage?',
  'run.quarantined': 'The run was set aside. data: error, stage?',
  'run.budget_exceeded': 'The budget did not allow more. data: error, stage?',
  'stage.started': 'A stage or an item was created. data: item?',
  'stage.attempted': 'An attempt is about to start.',
  'stage.succeeded': 'A stage ended well. data: result? (the one place where it is kept)',
  'stage.fell_back': 'The fallback gave the result. data: result?, error',
  'stage.degraded': 'An optional stage was lost. data: error',
  'stage.skipped': '`when` said that the stage is not needed.',
  'stage.failed': 'A stage failed for good. data: error',
  'stage.stopped': 'A stage was stopped before its end, since its run or map ended.',
  'stage.replayed':
    'A stage had a result from before the run was reopened or forked, and was not run. data: source?, input?',
  'stage.overridden': 'An operator decided about a stage. data: how (skip, redo, complete), reason, by?',
  'stage.warned': 'A stage runs longer than `warnAfter`. data: afterMs',
  'stage.progressed': 'A stage said how far it is. data: fraction, note?',
  'attempt.failed': 'An attempt failed. data: error, kind, type, facts (what the decision rests on)',
  'retry.decided': 'The stage is tried again. data: rule, counters, kind, delayMs, dueAt, alternatives, policy',
  'wait.decided': 'The stage waits until the cause has passed; no restart is spent. data: as retry.decided',
  'restart.decided': 'The stage is restarted. data: as retry.decided; rule is restart or change_plan',
  'remedy.decided': 'A remedy is applied. data: as retry.decided, remedy',
  'remedy.applied': 'A remedy ended well. data: remedy',
  'remedy.failed': 'A remedy failed. data: remedy, error, facts',
  'livelock.decided': 'The same failure in the same state came again and again. data: as retry.decided, because',
  'budget.decided': 'The budget of the run does not allow more. data: as retry.decided, because',
  'fallback.decided': 'The fallback is asked. data: as retry.decided, because',
  'fallback.failed': 'The fallback failed. data: error',
  'degrade.decided': 'The stage is given up, since it is optional. data: as retry.decided, because',
  'fail.decided': 'Nothing was left to try. data: as retry.decided, because',
  'quarantine.decided': 'Nothing was left to try, and the profile sets the run aside. data: as retry.decided, because',
  'preflight.passed': 'The health monitors found the ground good. data: monitors',
  'preflight.failed': 'A critical monitor found a fault. data: monitors, facts',
  'map.opened': 'The items of a map were found. data: items, keys',
  'step.intended': 'A step is about to run. data: key',
  'step.succeeded': 'A step ended well; its value is in the ledger. data: key',
  'step.failed': 'A step failed. data: key, error',
  'step.unknown': 'A step was under way when its process died; whether it happened is unknown. data: key, policy',
  'call.intended': 'A model call is about to be made. data: key, task',
  'call.attempted':
    'One try of a model call failed or was refused. data: key, provider, model, tier, apiKey?, outcome, kind, error?, durationMs?, retryAfterMs?',
  'call.fell_back': 'A model call goes on elsewhere. data: key, from, to, kind, rule',
  'call.succeeded':
    'A model call was answered. data: key, provider, model, tier, attempts, usage, cost, hops?, cached?',
  'call.failed': 'A model call failed. data: key, kind, error',
  'call.unknown': 'A model call was under way when its process died. data: key, policy',
  'call.replayed': 'A recorded answer was given instead of a call. data: key',
  'ledger.superseded': 'Recorded effects of a stage will be asked anew; they stay booked. data: keys[]',
  'ledger.diverged':
    'A stage succeeded without asking for what an earlier execution had recorded. data: unasked[] of keys',
  'incident.opened': 'A circuit opened while this call was made. data: id, circuit, kind, message',
  'incident.closed':
    'A circuit closed again while this call was made. data: id, circuit, openedAt, closedAt, runs, stages',
  'sleep.begun': 'A stage sleeps. data: key, until',
  'sleep.ended': 'The sleep is over. data: key',
  'wait.begun': 'A stage waits for a signal. data: key, name, until?',
  'wait.ended': 'The wait is over: the signal came, or the time was up. data: key, name, outcome',
  'signal.received': 'A signal was accepted. data: name, ordinal, payload? (of a machine of one’s own)',
  'child.started': 'A child run was started. data: key, childId, workflow',
  'child.ended': 'The end of a child run was recorded. data: key, childId, status',
  'compensation.succeeded': 'The compensation of a stage ran.',
  'compensation.failed': 'The compensation of a stage failed. data: error',
  'quarantine.released': 'An operator let a quarantined run go on. data: reason?, by?',
  'quarantine.discarded': 'An operator gave a quarantined run up for good. data: reason?, by?',
  'chaos.injected':
    'A fault was injected on purpose: `run --chaos`. data: fault, text, at (the event at which), profile, seed, number, and what the fault needs',
  degraded: 'Something works less well. data: reason, component?',
} as const

export type JournalEventType = keyof typeof journalEventTypes

/** The version of the form of `data`; older ones are read with defaults. */
export const journalSchemaVersion = 1

/** One line of a run's journal, as users see it. `seq` is dense per run, from 1. */
export interface JournalEvent {
  readonly seq: number
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly runId: string
  readonly type: JournalEventType
  readonly schemaVersion: number
  readonly stage?: string | undefined
  readonly attempt?: number | undefined
  readonly incarnation?: number | undefined
  readonly data: Readonly<Record<string, unknown>>
}
