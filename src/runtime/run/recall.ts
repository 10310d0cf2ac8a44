/** Makes the memory of a run again from what was stored: the rows that say something of it, each read once. */
import type { JsonText, StoredRun } from '../../store/store.ts'
import type { JournalEventType } from '../../telemetry/catalogue.ts'
import { faultOfTimer } from '../commits/timer-purpose.ts'
import { remember } from './remember.ts'
import { RunMemory, rememberLedger } from './run-memory.ts'

/** The journal rows that a memory is made from. */
export const rememberedTypes: readonly JournalEventType[] = [
  'run.reopened',
  'stage.replayed',
  'stage.started',
  'stage.attempted',
  'stage.progressed',
  'attempt.failed',
  'retry.decided',
  'restart.decided',
  'stage.succeeded',
  'stage.fell_back',
  'stage.degraded',
  'stage.skipped',
  'stage.failed',
  'stage.stopped',
  'map.opened',
  'signal.received',
  'degraded',
  'compensation.succeeded',
  'compensation.failed',
]

/** The memory of a run as the store has it. */
export function recall(stored: StoredRun): RunMemory {
  const memory = new RunMemory()
  const read = (what: string, text: JsonText, breaksSnapshot: boolean): unknown => {
    try {
      return JSON.parse(text)
    } catch (error) {
      memory.corrupt.push({ what, message: error instanceof Error ? error.message : String(error), breaksSnapshot })
      return undefined
    }
  }
  for (const row of stored.journal) {
    const data = read(`journal ${row.seq} (${row.type}${row.stage ? ` of ${row.stage}` : ''})`, row.data, true)
    if (data !== undefined) remember(memory, row)
  }
  for (const row of stored.ledger) {
    const data = read(`ledger ${row.stage} ${row.key}`, row.data, false)
    // Whether it happened, and with what, nobody knows any more.
    const known = data === undefined ? { ...row, state: 'intended' as const, data: '{}' } : row
    if (data !== undefined || row.kind === 'step' || row.kind === 'call') rememberLedger(memory, known)
  }
  for (const signal of stored.signals) {
    if (read(`signal ${signal.ordinal} (${signal.name})`, signal.payload, false) !== undefined)
      memory.inbox.push(signal)
  }
  // A timer that is lost would never come due: the stage that it was for begins again, with its record.
  for (const timer of stored.timers) {
    const fault = faultOfTimer(timer)
    if (fault !== undefined) memory.corrupt.push({ what: `timer ${timer.key}`, message: fault, breaksSnapshot: true })
  }
  for (const message of stored.mended ?? []) memory.corrupt.push({ what: 'run', message, breaksSnapshot: false })
  Object.assign(memory.counters, read('counters', stored.run.counters, false))
  return memory
}
