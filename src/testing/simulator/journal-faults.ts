/** What a whole journal of a run that has ended or is at rest breaks, as sentences by guarantee. */
import { endedStatuses, type JournalRow } from '../../store/store.ts'
import { decisionFaults } from './decision-faults.ts'
import type { Guarantee } from './guarantee-table.ts'

export interface JournalFault {
  readonly guarantee: Guarantee
  readonly message: string
}

export function journalFaults(rows: readonly JournalRow[]): JournalFault[] {
  const faults = (guarantee: Guarantee, messages: readonly string[]): JournalFault[] =>
    messages.map(message => ({ guarantee, message }))
  return [
    ...faults('dense journal', [...faultsOfOrder(rows), ...faultsOfHolds(rows)]),
    ...faults('within the policy', [...faultsOfExecutions(rows), ...decisionFaults(rows)]),
    ...faults('in its time', faultsOfWaits(rows)),
    ...faults('undone in reverse', faultsOfCompensations(rows)),
  ]
}

function faultsOfOrder(rows: readonly JournalRow[]): string[] {
  const faults: string[] = []
  if (rows[0]?.type !== 'run.started') faults.push(`it begins with ${rows[0]?.type ?? 'nothing'}`)
  for (const [index, row] of rows.entries()) {
    if (row.seq !== index + 1) faults.push(`row ${index + 1} has seq ${row.seq}`)
  }
  return faults
}

const stageEnds = [
  'stage.succeeded',
  'stage.fell_back',
  'stage.degraded',
  'stage.skipped',
  'stage.failed',
  'stage.stopped',
]

/** Attempts are counted one by one, over every restart, and none begins after the end of its stage. */
function faultsOfExecutions(rows: readonly JournalRow[]): string[] {
  const faults: string[] = []
  const executions = new Map<string, JournalRow>()
  const ended = new Map<string, string>()
  for (const row of rows) {
    if (row.type === 'run.reopened' || row.type === 'snapshot.refused') ended.clear()
    if (row.stage === undefined) continue
    if (stageEnds.includes(row.type)) ended.set(row.stage, row.type)
    if (row.type === 'stage.started') ended.delete(row.stage)
    if (row.type !== 'stage.attempted') continue
    const end = ended.get(row.stage)
    if (end !== undefined) faults.push(`stage '${row.stage}' is executed after ${end} (seq ${row.seq})`)
    const before = executions.get(row.stage)
    executions.set(row.stage, row)
    const attempt = row.attempt ?? 0
    const was = before?.attempt ?? 0
    if (attempt !== was && attempt !== was + 1)
      faults.push(`stage '${row.stage}' goes from attempt ${was} to ${attempt} (seq ${row.seq})`)
    if (before && (row.incarnation ?? 0) < (before.incarnation ?? 0))
      faults.push(`stage '${row.stage}' goes back to incarnation ${row.incarnation} (seq ${row.seq})`)
  }
  return faults
}

const beginnings = ['stage.attempted', 'step.intended', 'call.intended']
const runEnds: readonly string[] = endedStatuses.map(status => `run.${status}`)

/** No function is started while an operator holds the run, nor after it was cancelled or has ended. */
function faultsOfHolds(rows: readonly JournalRow[]): string[] {
  const faults: string[] = []
  let held: string | undefined
  for (const row of rows) {
    if (row.type === 'run.paused' || row.type === 'run.cancelling' || runEnds.includes(row.type)) held = row.type
    else if (held !== undefined && beginnings.includes(row.type))
      faults.push(`${row.type} after ${held} (seq ${row.seq})`)
    else if (held !== 'run.cancelling' && /^run\.(?!waiting|active)/.test(row.type)) held = undefined
  }
  return faults
}

/** A sleep, and a wait whose time is up, end at their time and not before, by the clock that the process showed. */
function faultsOfWaits(rows: readonly JournalRow[]): string[] {
  const until = new Map<string, number>()
  const faults: string[] = []
  for (const row of rows) {
    if (!/^(sleep|wait)\.(begun|ended)$/.test(row.type)) continue
    const data = JSON.parse(row.data) as { key: string; until?: number; outcome?: string }
    const place = `${row.stage}/${data.key}`
    if (row.type.endsWith('begun')) {
      if (data.until !== undefined) until.set(place, data.until)
    } else if (data.outcome !== 'received' && row.at < (until.get(place) ?? 0)) {
      faults.push(`${place} ends ${(until.get(place) as number) - row.at} ms early (seq ${row.seq})`)
    }
  }
  return faults
}

function faultsOfCompensations(rows: readonly JournalRow[]): string[] {
  const succeeded = new Map<string, number>()
  const undone = new Set<string>()
  const faults: string[] = []
  let last: { readonly stage: string; readonly seq: number } | undefined
  for (const row of rows) {
    if (row.stage === undefined) continue
    if (row.type === 'stage.succeeded') succeeded.set(row.stage, row.seq)
    if (row.type !== 'compensation.succeeded' && row.type !== 'compensation.failed') continue
    const { stage } = row
    const seq = succeeded.get(stage)
    if (seq === undefined) faults.push(`stage '${stage}' is undone and had not succeeded (seq ${row.seq})`)
    else if (last && seq > last.seq)
      faults.push(`stage '${stage}' is undone after '${last.stage}', which came before it`)
    if (undone.has(stage)) faults.push(`stage '${stage}' is undone twice (seq ${row.seq})`)
    undone.add(stage)
    last = { stage, seq: seq ?? 0 }
  }
  return faults
}
