/**
 * The guarantees of docs/semantics.md, held against what a simulation does: against each commit as it becomes durable,
 * each effect as it begins, and each run as it ends. What breaks one is kept with the guarantee's name.
 */
import {
  endedStatuses,
  isEnded,
  type JournalRow,
  type LedgerState,
  type RunStatus,
  type RunWrite,
} from '../../store/store.ts'
import type { DiskWatch } from './simulated-disk.ts'

export interface Broken {
  /** The name of the guarantee or of the user's invariant. */
  readonly invariant: string
  readonly message: string
  readonly runId?: string | undefined
}

/** The built-in invariants, by name, with the sentence of the guarantee. */
export const guarantees = {
  'dense journal': 'the journal of a run has no gap, no double and one beginning',
  'recorded once': 'a stage has at most one result, and what was recorded does not change',
  'nothing is done again': 'a step or model call that is recorded as succeeded is not executed again',
  'one owner': 'only the newest owner of the store writes, and a live owner is not replaced unasked',
  'one live incarnation': 'no stage is executed twice at once in one process',
  'an end is an end': 'a run that completed or was cancelled stays so, and who asks hears what is durable',
  'every run ends': 'once nothing fails any more, each run ends or names what it waits for',
  'budget kept': 'a run uses no more calls and money than its budget allows',
  'nothing left behind': 'a runtime that was closed leaves no timer',
  'same seed, same journal': 'the same seed gives the same journals, byte for byte',
  'inside the simulation': 'no stage reaches for the network, the disk or other processes by itself',
  'the runtime works': 'the runtime opens, takes runs up and closes without an error that no fault explains',
} as const

export type Guarantee = keyof typeof guarantees

interface RunRecord {
  seq: number
  status: RunStatus
  /** What it waits for, by its journal; undefined while something works. */
  waits: readonly Wait[] | undefined
  readonly ledger: Map<string, { state: LedgerState; data: string }>
  readonly results: Set<string>
}

export interface Wait {
  readonly stage?: string
  readonly kind: string
  readonly name?: string
  readonly until?: number
}

export class Guarantees implements DiskWatch {
  readonly broken: Broken[] = []
  readonly #runs = new Map<string, RunRecord>()
  readonly #note: (what: string) => void
  readonly #onStatus: (runId: string, status: RunStatus) => void
  #epoch = 0

  constructor(note: (what: string) => void, onStatus: (runId: string, status: RunStatus) => void = () => {}) {
    this.#note = note
    this.#onStatus = onStatus
  }

  noted(what: string): void {
    this.#note(what)
  }

  fail(invariant: Guarantee | (string & {}), message: string, runId?: string): void {
    this.broken.push({ invariant, message, ...(runId === undefined ? {} : { runId }) })
  }

  get runIds(): readonly string[] {
    return [...this.#runs.keys()].sort()
  }

  statusOf(runId: string): RunStatus | undefined {
    return this.#runs.get(runId)?.status
  }

  /** The runs that wait for a signal, with its name; '' where a machine of the user's own takes any of its events. */
  *signalsWaitedFor(): Iterable<{ readonly runId: string; readonly name: string }> {
    for (const [runId, { status, waits = [] }] of this.#runs) {
      if (isEnded(status)) continue
      for (const { kind, name } of waits) {
        if (kind === 'signal' && name !== undefined) yield { runId, name }
        else if (kind === 'event') yield { runId, name: '' }
      }
    }
  }

  /** Whether the run has ended, or waits for what it can name and what time alone does not bring. */
  isAtRest(runId: string): boolean {
    const run = this.#runs.get(runId)
    if (!run) return false
    if (isEnded(run.status)) return true
    const { waits } = run
    return run.status === 'waiting' && waits !== undefined && waits.length > 0 && waits.every(hasNoTime)
  }

  get allAtRest(): boolean {
    return [...this.#runs.keys()].every(runId => this.isAtRest(runId))
  }

  get allEnded(): boolean {
    return [...this.#runs.values()].every(({ status }) => isEnded(status))
  }

  committed(writes: readonly RunWrite[], epoch: number): void {
    if (epoch < this.#epoch) this.fail('one owner', `a commit of epoch ${epoch} was taken after one of ${this.#epoch}`)
    this.#epoch = Math.max(epoch, this.#epoch)
    for (const write of writes) this.#committed(write)
  }

  /** A step's function begins, or a request reaches a provider. */
  effectBegins(kind: 'step' | 'call', idempotencyKey: string): void {
    for (const [runId, { ledger }] of this.#runs) {
      if (!idempotencyKey.startsWith(`${runId}/`)) continue
      if (ledger.get(idempotencyKey.slice(runId.length + 1))?.state !== 'succeeded') continue
      this.fail('nothing is done again', `${kind} ${idempotencyKey} is executed though it has succeeded`, runId)
    }
  }

  #committed({ runId, create, state, journal = [], ledger = [] }: RunWrite): void {
    if (create) {
      this.#runs.set(runId, { seq: 0, status: 'pending', waits: undefined, ledger: new Map(), results: new Set() })
    }
    const run = this.#runs.get(runId)
    if (!run) return
    for (const row of journal) this.#journalled(runId, run, row)
    for (const { stage, key, state: next, data } of ledger) {
      const place = `${stage}/${key}`
      const known = run.ledger.get(place)
      if (known?.state === 'succeeded' && next !== 'superseded' && (next !== 'succeeded' || data !== known.data)) {
        this.fail('recorded once', `the entry ${place} had succeeded and became ${next}`, runId)
      }
      run.ledger.set(place, { state: next, data })
    }
    if (!state) return
    if (isFinal(run.status) && state.status !== run.status) {
      this.fail('an end is an end', `the run was ${run.status} and became ${state.status}`, runId)
    }
    if (state.seq !== run.seq) {
      this.fail('dense journal', `its row says seq ${state.seq}, its journal ends at ${run.seq}`, runId)
    }
    if (state.status !== run.status) this.#onStatus(runId, state.status)
    run.status = state.status
  }

  #journalled(runId: string, run: RunRecord, row: JournalRow): void {
    if (row.seq !== run.seq + 1) this.fail('dense journal', `seq ${row.seq} follows ${run.seq}`, runId)
    run.seq = row.seq
    if (row.type === 'run.waiting') run.waits = (JSON.parse(row.data) as { for?: Wait[] }).for
    else if (row.type === 'run.active') run.waits = undefined
    if (row.type !== 'stage.succeeded' || row.stage === undefined) return
    if (run.results.has(row.stage)) this.fail('recorded once', `stage '${row.stage}' has succeeded twice`, runId)
    run.results.add(row.stage)
  }
}

const isFinal = (status: RunStatus): boolean => status === 'completed' || status === 'cancelled'

/** A sleep, or a wait with a timeout, ends by itself. */
const hasNoTime = ({ kind, until }: Wait): boolean => kind !== 'sleep' && kind !== 'child' && until === undefined

const runEnds: readonly string[] = endedStatuses.map(status => `run.${status}`)

/** What a whole journal of a run that has ended breaks, as sentences. */
export function journalFaults(rows: readonly JournalRow[]): string[] {
  const faults: string[] = []
  if (rows[0]?.type !== 'run.started') faults.push(`it begins with ${rows[0]?.type ?? 'nothing'}`)
  for (const [index, row] of rows.entries()) {
    if (row.seq !== index + 1) faults.push(`row ${index + 1} has seq ${row.seq}`)
  }
  const executions = new Map<string, JournalRow>()
  for (const row of rows) {
    if (row.type !== 'stage.attempted' || row.stage === undefined) continue
    const before = executions.get(row.stage)
    executions.set(row.stage, row)
    const attempt = row.attempt ?? 0
    const was = before?.attempt ?? 0
    if (attempt !== was && attempt !== was + 1)
      faults.push(`stage '${row.stage}' goes from attempt ${was} to ${attempt} (seq ${row.seq})`)
    if (before && (row.incarnation ?? 0) < (before.incarnation ?? 0))
      faults.push(`stage '${row.stage}' goes back to incarnation ${row.incarnation} (seq ${row.seq})`)
  }
  return [...faults, ...faultsOfHolds(rows)]
}

const beginnings = ['stage.attempted', 'step.intended', 'call.intended']

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
