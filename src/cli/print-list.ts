/** Runs as lines: aligned and with a head for a person, separated by tabs for a program. */
import type { RunSummary } from '../index.ts'
import { formatMs } from '../time/duration.ts'
import { describeWait } from './print-waits.ts'

export interface ListView {
  readonly now: number
  readonly forPerson: boolean
  /** Whether a live process has the store; without one, nothing that is unfinished goes on. */
  readonly isOwned: boolean
}

export function runLines(runs: readonly RunSummary[], { now, forPerson, isOwned }: ListView): string[] {
  const rows = runs.map(run => [
    run.id,
    run.workflow,
    run.status,
    startedAt(run),
    took(run, now),
    run.tags.join(','),
    waits(run, isOwned),
  ])
  if (!forPerson) return rows.map(row => row.join('\t'))
  return aligned([['ID', 'WORKFLOW', 'STATUS', 'STARTED', 'TOOK', 'TAGS', 'WAITS FOR'], ...rows])
}

/** A table with a head: aligned for a person, for a program without the head and separated by tabs. */
export function tableLines(table: readonly (readonly string[])[], forPerson: boolean): string[] {
  return forPerson ? aligned(table) : table.slice(1).map(row => row.join('\t'))
}

function aligned(table: readonly (readonly string[])[]): string[] {
  const widths = (table[0] as string[]).map((_, column) =>
    Math.max(...table.map(row => (row[column] as string).length)),
  )
  return table.map(row =>
    row
      .map((cell, column) => cell.padEnd(widths[column] as number))
      .join('  ')
      .trimEnd(),
  )
}

/** A status is what was last written: it says `running` of a run whose process has died, too. */
const waits = ({ waitingFor = [], status, endedAt }: RunSummary, isOwned: boolean): string =>
  endedAt === undefined && !isOwned && status !== 'waiting' && status !== 'paused'
    ? 'a process (none has it)'
    : waitingFor.map(describeWait).join(', ')

const startedAt = ({ createdAt }: RunSummary): string =>
  new Date(createdAt).toISOString().slice(0, 19).replace('T', ' ')

const took = ({ createdAt, endedAt }: RunSummary, now: number): string =>
  formatMs(Math.max(0, (endedAt ?? now) - createdAt))
