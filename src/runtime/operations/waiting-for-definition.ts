/**
 * A run that was begun with a definition which this runtime was not given: it is never guessed onto another. It waits
 * for that definition, or for a `migrate`, and its journal says so. What was under way in it goes on by itself where that
 * is given: a timer that is due already has each process try.
 */
import type { JournalRow, RunRow, RunWrite } from '../../store/store.ts'
import type { TimerPurpose } from '../commits/timer-purpose.ts'
import { createRows } from './reopen.ts'

/** Undefined where the last row of the journal says so already. */
export function waitingForDefinition(
  run: RunRow,
  last: JournalRow | undefined,
  reason: Error,
  now: number,
): RunWrite | undefined {
  const told = last?.type === 'run.waiting' ? (JSON.parse(last.data) as { reason?: string }).reason : undefined
  if (run.status === 'waiting' && told === reason.message) return undefined
  const journal = createRows(run.seq, now)
  const wait = { kind: 'definition', name: `${run.workflow} ${run.version} ${run.definitionHash}` }
  journal.add('run.waiting', { for: [wait], reason: reason.message })
  const { snapshot, outcome, counters } = run
  return {
    runId: run.id,
    state: {
      status: 'waiting',
      snapshot,
      seq: run.seq + journal.rows.length,
      updatedAt: now,
      endedAt: null,
      counters,
      outcome,
    },
    journal: journal.rows,
    setTimers: [{ key: 'definition', dueAt: now, data: JSON.stringify({ kind: 'wake' } satisfies TimerPurpose) }],
  }
}
