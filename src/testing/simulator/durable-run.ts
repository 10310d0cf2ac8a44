/**
 * What the store knows of one run, as commit after commit becomes durable, and what in a commit breaks a guarantee. It
 * knows nothing of the runtime's memory: only what a process that came up now would find.
 */
import {
  isEnded,
  type JournalRow,
  type LedgerRow,
  type LedgerState,
  type RunStatus,
  type RunWrite,
} from '../../store/store.ts'
import type { Guarantee } from './guarantee-table.ts'

export interface Wait {
  readonly stage?: string
  readonly kind: string
  readonly name?: string
  readonly until?: number
}

interface LedgerEntry {
  readonly kind: LedgerRow['kind']
  readonly state: LedgerState
  readonly data: string
}

/** Executions of a stage by their number: `attempt incarnation`. */
type Execution = string

export type Fail = (invariant: Guarantee, message: string) => void

/** Counters that only grow, whatever dies. */
const growing = ['attempts', 'failedAttempts', 'restarts', 'resumes', 'calls', 'inputTokens', 'outputTokens', 'usd']

/** Costs of simulated calls are whole 1024ths; what a user's provider says may not be. */
const roundingUsd = 1e-6

export class DurableRun {
  seq = 0
  status: RunStatus = 'pending'
  /** What it waits for, by its journal; undefined while something works. */
  waits: readonly Wait[] | undefined
  /** By `stage/key`. */
  readonly ledger = new Map<string, LedgerEntry>()
  readonly #fail: Fail
  readonly #results = new Set<string>()
  /** Rows of the journal by type. */
  readonly #rows = new Map<string, number>()
  readonly #executions = new Map<string, Execution>()
  /** What executions returned, as JSON; null where the result may be another, as its schema makes it. */
  readonly #returned = new Map<string, Set<string | null>>()
  readonly #attempts = new Set<string>()
  /** Executions of which it is known what they do. */
  readonly #watched = new Set<string>()
  readonly #overridden = new Set<string>()
  readonly #consumed = new Set<number>()
  #counters: Readonly<Record<string, number>> = {}
  /** By entry of the ledger. */
  readonly #spent = new Map<string, number>()
  /** It is made of another, so its journal tells not all that it counted. */
  #isCopy = false

  constructor(fail: Fail) {
    this.#fail = fail
  }

  get usd(): number {
    return this.#counters.usd ?? 0
  }

  get calls(): number {
    return this.#counters.calls ?? 0
  }

  rows(type: string): number {
    return this.#rows.get(type) ?? 0
  }

  committed({ state, journal = [], ledger = [], consumeSignals = [] }: RunWrite): void {
    for (const row of journal) this.#journalled(row)
    for (const row of ledger) this.#ledgered(row)
    this.#signalsTaken(journal, consumeSignals)
    if (!state) return
    if (isFinal(this.status) && state.status !== this.status) {
      this.#fail('an end is an end', `the run was ${this.status} and became ${state.status}`)
    }
    if (state.seq !== this.seq) {
      this.#fail('dense journal', `its row says seq ${state.seq}, its journal ends at ${this.seq}`)
    }
    this.status = state.status
    this.#count(JSON.parse(state.counters) as Record<string, number>)
  }

  /** A function of a stage begins. */
  executionBegins(stage: string, attempt: number, incarnation: number): void {
    this.#watched.add(`${stage} ${attempt} ${incarnation}`)
    const durable = this.#executions.get(stage)
    if (durable === `${attempt} ${incarnation}`) return
    const known = durable === undefined ? 'no execution' : `execution ${durable}`
    this.#fail(
      'intended first',
      `execution ${attempt} ${incarnation} of stage '${stage}' begins, and ${known} is durable`,
    )
  }

  /** @param text the value as JSON; null where the stage's schema may make another of it */
  executionReturned(stage: string, attempt: number, incarnation: number, text: string | null): void {
    const key = `${stage} ${attempt} ${incarnation}`
    const texts = this.#returned.get(key) ?? new Set()
    this.#returned.set(key, texts.add(text))
  }

  /** Whether an entry of the stage in one of these states holds what the function is told. */
  holds(
    stage: string,
    kind: LedgerRow['kind'],
    states: readonly LedgerState[],
    isIn: (data: string) => boolean,
    key?: string,
  ): boolean {
    for (const [place, entry] of this.ledger) {
      if (entry.kind !== kind || !states.includes(entry.state)) continue
      const isPlace = key === undefined ? place.startsWith(`${stage}/`) : place === `${stage}/${key}`
      if (isPlace && isIn(entry.data)) return true
    }
    return false
  }

  #ledgered({ stage, key, kind, state, data }: LedgerRow): void {
    const place = `${stage}/${key}`
    const known = this.ledger.get(place)
    if (known?.state === 'succeeded' && state !== 'superseded' && (state !== 'succeeded' || data !== known.data)) {
      this.#fail('recorded once', `the entry ${place} had succeeded and became ${state}`)
    }
    if (known && known.state !== 'superseded' && kind !== 'step' && kind !== 'call')
      this.#expectSame(place, known, data)
    this.ledger.set(place, { kind, state, data })
    if (kind !== 'call') return
    const { spend } = JSON.parse(data) as { spend?: { usd?: number } }
    this.#spent.set(place, spend?.usd ?? 0)
  }

  /** When a wait is over, and which child was started, does not change while it lasts. */
  #expectSame(place: string, known: LedgerEntry, data: string): void {
    const before = JSON.parse(known.data) as { until?: number; id?: string }
    const after = JSON.parse(data) as { until?: number; id?: string }
    if (before.until !== undefined && after.until !== undefined && before.until !== after.until)
      this.#fail('in its time', `${place} was due at ${before.until}, and became due at ${after.until}`)
    if (before.id !== undefined && before.id !== after.id)
      this.#fail('recorded once', `${place} had started the child ${before.id}, and became ${after.id}`)
  }

  #journalled(row: JournalRow): void {
    if (row.seq !== this.seq + 1) this.#fail('dense journal', `seq ${row.seq} follows ${this.seq}`)
    this.seq = row.seq
    this.#rows.set(row.type, this.rows(row.type) + 1)
    if (row.type === 'run.forked' || row.type === 'run.imported') this.#isCopy = true
    if (row.type === 'run.waiting') this.waits = (JSON.parse(row.data) as { for?: Wait[] }).for
    else if (row.type === 'run.active') this.waits = undefined
    if (row.type === 'run.reopened') {
      for (const stage of (JSON.parse(row.data) as { again?: string[] }).again ?? []) this.#results.delete(stage)
    }
    if (row.stage === undefined) return
    if (row.type === 'stage.attempted') {
      this.#executions.set(row.stage, `${row.attempt} ${row.incarnation}`)
      this.#attempts.add(`${row.stage} ${row.attempt}`)
    }
    if (row.type === 'stage.overridden') this.#overridden.add(row.stage)
    if (row.type === 'stage.succeeded') this.#succeeded(row.stage, row.data)
  }

  #succeeded(stage: string, data: string): void {
    if (this.#results.has(stage)) this.#fail('recorded once', `stage '${stage}' has succeeded twice`)
    this.#results.add(stage)
    const execution = this.#executions.get(stage)
    // A map has no function of its own; what an operator gave, no execution returned.
    if (execution === undefined || this.#overridden.has(stage)) return
    const returned = this.#returned.get(`${stage} ${execution}`)
    if (!returned) {
      if (this.#watched.has(`${stage} ${execution}`))
        this.#fail(
          'the result is its own',
          `stage '${stage}' has a result, and its execution ${execution} returned none`,
        )
    } else if (!returned.has(null) && !returned.has(data === '{}' ? '' : data.slice('{"result":'.length, -1))) {
      const shown = [...returned].join(' or ')
      this.#fail(
        'the result is its own',
        `stage '${stage}' has ${data}, and its execution ${execution} returned ${shown}`,
      )
    }
  }

  #signalsTaken(journal: readonly JournalRow[], consumed: readonly number[]): void {
    for (const ordinal of consumed) {
      if (this.#consumed.has(ordinal)) this.#fail('each signal once', `signal ${ordinal} is taken a second time`)
      this.#consumed.add(ordinal)
    }
    const received = journal.filter(({ type, data }) => type === 'wait.ended' && data.includes('"outcome":"received"'))
    if (received.length > consumed.length)
      this.#fail('each signal once', `${received.length} waits have ended by ${consumed.length} signals`)
  }

  #count(counters: Readonly<Record<string, number>>): void {
    for (const name of growing) {
      const before = this.#counters[name] ?? 0
      const after = counters[name] ?? 0
      if (after < before) this.#fail('counted as done', `${name} went from ${before} back to ${after}`)
    }
    this.#counters = counters
    if (this.#isCopy) return
    const expected: Readonly<Record<string, number>> = {
      attempts: this.#attempts.size,
      failedAttempts: this.rows('attempt.failed'),
      restarts: this.rows('restart.decided'),
    }
    for (const [name, count] of Object.entries(expected)) {
      if ((counters[name] ?? 0) !== count)
        this.#fail('counted as done', `it counts ${counters[name] ?? 0} ${name}, and its journal tells of ${count}`)
    }
    const spent = [...this.#spent.values()].reduce((sum, usd) => sum + usd, 0)
    if (Math.abs(spent - this.usd) > roundingUsd)
      this.#fail('counted as done', `it counts ${this.usd} USD, and its entries add up to ${spent}`)
  }

  /** Whether it has ended, or waits for what it can name and what time alone does not bring. */
  get isAtRest(): boolean {
    if (isEnded(this.status)) return true
    const { waits } = this
    return this.status === 'waiting' && waits !== undefined && waits.length > 0 && waits.every(hasNoTime)
  }
}

const isFinal = (status: RunStatus): boolean => status === 'completed' || status === 'cancelled'

/** A sleep, or a wait with a timeout, ends by itself. */
const hasNoTime = ({ kind, until }: Wait): boolean => kind !== 'sleep' && kind !== 'child' && until === undefined
