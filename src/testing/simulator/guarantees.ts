/**
 * The guarantees of docs/semantics.md, held against what a simulation does: against each commit as it becomes durable,
 * each effect as it begins, each word that is told, and each run as it ends. What breaks one is kept with its name.
 */
import { isEnded, type LedgerRow, type LedgerState, type RunStatus, type RunWrite } from '../../store/store.ts'
import { DurableRun } from './durable-run.ts'
import type { Broken, Guarantee } from './guarantee-table.ts'
import type { DiskWatch } from './simulated-disk.ts'

/** What is told to the function of a stage, and which entries of the ledger may hold it. */
export interface Told {
  readonly runId: string
  readonly stage: string
  readonly kind: LedgerRow['kind']
  readonly states: readonly LedgerState[]
  /** The entry, where it is known which. */
  readonly key?: string | undefined
  /** Whether what an entry has recorded is what is told. */
  readonly isIn: (data: string) => boolean
}

export interface GuaranteesListener {
  readonly note: (what: string) => void
  /** The end of a run is about to become durable. */
  readonly ending: (runId: string) => void
}

export class Guarantees implements DiskWatch {
  readonly broken: Broken[] = []
  readonly #runs = new Map<string, DurableRun>()
  readonly #listener: GuaranteesListener
  /** By run and row type: how many were acknowledged. */
  readonly #acknowledged = new Map<string, number>()
  #epoch = 0

  constructor(listener: GuaranteesListener) {
    this.#listener = listener
  }

  committing(writes: readonly RunWrite[]): void {
    for (const { runId, state } of writes) if (state && isEnded(state.status)) this.#listener.ending(runId)
  }

  noted(what: string): void {
    this.#listener.note(what)
  }

  fail(invariant: Guarantee | (string & {}), message: string, runId?: string): void {
    this.broken.push({ invariant, message, ...(runId === undefined ? {} : { runId }) })
    this.#listener.note(`! ${invariant}: ${message}${runId === undefined ? '' : ` (${runId})`}`)
  }

  get runIds(): readonly string[] {
    return [...this.#runs.keys()].sort()
  }

  run(runId: string): DurableRun | undefined {
    return this.#runs.get(runId)
  }

  statusOf(runId: string): RunStatus | undefined {
    return this.#runs.get(runId)?.status
  }

  /** The runs that wait for a signal, with its name; '' where a machine of the user's own takes any of its events. */
  *signalsWaitedFor(): Iterable<{ readonly runId: string; readonly name: string }> {
    for (const [runId, { status, waits = [] }] of this.#runs) {
      if (isEnded(status) || status === 'paused') continue
      for (const { kind, name } of waits) {
        if (kind === 'signal' && name !== undefined) yield { runId, name }
        else if (kind === 'event') yield { runId, name: '' }
      }
    }
  }

  isAtRest(runId: string): boolean {
    return this.#runs.get(runId)?.isAtRest ?? false
  }

  get allAtRest(): boolean {
    return [...this.#runs.values()].every(run => run.isAtRest)
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
    const found = this.#runOf(idempotencyKey)
    if (!found) return
    const { runId, run } = found
    const state = run.ledger.get(idempotencyKey.slice(runId.length + 1))?.state
    if (state === 'succeeded')
      this.fail('nothing is done again', `${kind} ${idempotencyKey} is executed though it has succeeded`, runId)
    else if (state !== 'intended')
      this.fail('intended first', `${kind} ${idempotencyKey} begins, and is ${state ?? 'not'} recorded`, runId)
  }

  /** The function of a stage hears something that it asked for. */
  told({ runId, stage, kind, states, key, isIn }: Told): void {
    const run = this.#runs.get(runId)
    if (!run || run.holds(stage, kind, states, isIn, key)) return
    this.fail('told is durable', `stage '${stage}' was told what came of a ${kind}, and no durable entry has it`, runId)
  }

  /** Whoever asked for something was told that it is done: the journal has a row of it for each time. */
  acknowledged(runId: string, type: string): void {
    const key = `${runId} ${type}`
    const times = (this.#acknowledged.get(key) ?? 0) + 1
    this.#acknowledged.set(key, times)
    const rows = this.#runs.get(runId)?.rows(type) ?? 0
    if (rows < times)
      this.fail('told is durable', `${type} was acknowledged ${times} times, and ${rows} are durable`, runId)
  }

  /** The run that a step or a call belongs to: the one with the longest id that its key begins with. */
  #runOf(idempotencyKey: string): { readonly runId: string; readonly run: DurableRun } | undefined {
    let found: { runId: string; run: DurableRun } | undefined
    for (const [runId, run] of this.#runs) {
      if (idempotencyKey.startsWith(`${runId}/`) && runId.length > (found?.runId.length ?? 0)) found = { runId, run }
    }
    return found
  }

  #committed(write: RunWrite): void {
    const { runId, create } = write
    if (create) {
      this.#runs.set(runId, new DurableRun((invariant, message) => this.fail(invariant, message, runId)))
      this.#expectAsked(runId, create.parent)
    }
    const run = this.#runs.get(runId)
    if (!run) return
    const before = run.status
    run.committed(write)
    if (run.status !== before) this.#listener.note(`run ${runId} is ${run.status}`)
  }

  /** A child run is there only after its parent has written down that it asks for it. */
  #expectAsked(childId: string, parent: { readonly runId: string; readonly stage: string } | undefined): void {
    const above = parent && this.#runs.get(parent.runId)
    if (!parent || !above) return
    const isAsked = above.holds(parent.stage, 'child', ['intended', 'succeeded'], data => {
      return (JSON.parse(data) as { id?: string }).id === childId
    })
    if (!isAsked)
      this.fail(
        'intended first',
        `the child ${childId} begins, and stage '${parent.stage}' has not asked for it`,
        parent.runId,
      )
  }
}
