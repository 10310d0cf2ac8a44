/** The quarantine: runs that were set aside, with the evidence of why, until an operator releases or discards them. */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { CancelledError, type EncodedError, encodeError, HoldfastError, RunNotFoundError } from '../../errors.ts'
import { parseOptions } from '../../options.ts'
import type { Page, RunRow, RunWrite, Store, StoredRun } from '../../store/store.ts'
import type { RunFailed } from '../api.ts'
import { eventOf } from '../commits/journal-feed.ts'
import type { Counters } from '../run/counters.ts'
import type { OperatorNote, QuarantineEvidence, QuarantineListOptions, QuarantineSummary } from './operations-api.ts'
import { createRows } from './reopen.ts'

/** Events of the journal that are shown as evidence. */
const shownEvents = 20

export async function listQuarantine(
  store: Store,
  given: QuarantineListOptions = {},
): Promise<Page<QuarantineSummary>> {
  const { workflow, limit, cursor } = parseOptions(listSchema, given, 'quarantine.list')
  const { items, nextCursor } = await store.list({ workflow, limit, cursor, status: ['quarantined'] })
  return { items: items.map(summaryOf), ...(nextCursor === undefined ? {} : { nextCursor }) }
}

const listSchema = z.strictObject({
  workflow: z.string().optional(),
  limit: z.int().min(1).max(1000).optional(),
  cursor: z.string().optional(),
})

function summaryOf(row: RunRow): QuarantineSummary {
  const { error } = outcomeOf(row)
  return {
    id: row.id,
    workflow: row.workflow,
    version: row.version,
    quarantinedAt: row.endedAt ?? row.updatedAt,
    ...(error.stage === undefined ? {} : { stage: error.stage }),
    code: error.code,
    message: error.message,
  }
}

/** @throws RunNotFoundError; HoldfastError `run_not_open run_open` for a run that is not in quarantine */
export async function evidenceOf(store: Store, runId: string): Promise<QuarantineEvidence> {
  const row = await store.readRun(runId)
  if (!row) throw new RunNotFoundError(runId)
  if (row.status !== 'quarantined') {
    throw new HoldfastError(
      row.endedAt === null ? 'run_open' : 'run_not_open',
      `run ${runId} is ${row.status}, and not in quarantine`,
      { runId, status: row.status },
    )
  }
  const events = await store.readJournal(runId, { after: Math.max(0, row.seq - shownEvents), limit: shownEvents })
  const { cost, error, attempts, restarts } = outcomeOf(row)
  const told = events.findLast(event => event.type === 'run.quarantined')
  return {
    ...summaryOf(row),
    status: row.status,
    error,
    causes: causesOf((told && (JSON.parse(told.data) as { error?: EncodedError }).error) ?? undefined),
    snapshot:
      row.snapshot === null
        ? null
        : {
            sha256: createHash('sha256').update(row.snapshot).digest('hex'),
            bytes: Buffer.byteLength(row.snapshot),
          },
    lastEvents: events.map(event => eventOf(runId, event)),
    spend: cost,
    attempts,
    restarts,
    crashes: (JSON.parse(row.counters) as Partial<Counters>).crashes ?? 0,
  }
}

/** The write that gives the run up for good. Its compensations are not run: its code is what was set aside. */
export function discarded({ run: row, timers }: StoredRun, { reason, by }: OperatorNote, now: number): RunWrite {
  const journal = createRows(row.seq, now)
  const message = reason === undefined ? 'discarded from quarantine' : `discarded from quarantine: ${reason}`
  const error = encodeError(new CancelledError(message, { runId: row.id }))
  const { stack: _, ...told } = error
  journal.add('quarantine.discarded', { reason, by })
  journal.add('run.cancelled', { error: told })
  const outcome = outcomeOf(row)
  const { error: before, ...rest } = outcome
  const given: RunFailed = {
    ...rest,
    status: 'cancelled',
    error: {
      ...before,
      type: 'cancelled',
      kind: 'cancelled',
      category: 'critical',
      code: 'cancelled',
      message,
      transient: false,
      scope: 'request',
      recommendations: [],
    },
  }
  return {
    runId: row.id,
    state: {
      status: 'cancelled',
      snapshot: null,
      seq: row.seq + journal.rows.length,
      updatedAt: now,
      endedAt: now,
      counters: row.counters,
      outcome: JSON.stringify(given),
    },
    journal: journal.rows,
    clearTimers: timers.map(({ key }) => key),
  }
}

const outcomeOf = (row: RunRow): RunFailed => JSON.parse(row.outcome as string) as RunFailed

function causesOf(error: EncodedError | undefined): EncodedError[] {
  if (!error) return []
  const { cause, ...own } = error
  return [own, ...causesOf(cause)]
}
