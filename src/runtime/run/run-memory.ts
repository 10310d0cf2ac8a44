/**
 * What a run knows, in memory: its results, ledger, inbox and counters. The store is the truth and this is a cache of it.
 * Values are JSON text, so that no stage shares an object.
 */
import type { JsonText, LedgerRow, SignalRow } from '../../store/store.ts'
import type { ResultText } from '../../workflow/results.ts'
import type { Budget, DegradedPart } from '../api.ts'
import { type Counters, freshCounters } from './counters.ts'

/** The items of a map, found once. */
export interface OpenMap {
  readonly keys: readonly string[]
  /** The place of each key. */
  readonly places: ReadonlyMap<string, number>
  readonly items: readonly JsonText[]
  /** By item; absent where it has not ended or was lost. */
  readonly results: (JsonText | undefined)[]
}

export interface StageRecord {
  startedAt: number
  endedAt: number | null
  /** Its place among the ends, which no clock moves; 0 before. */
  endedSeq: number
  attempts: number
  /** Of the last attempt. */
  incarnation: number
  /** Retries since the last restart. */
  retries: number
  /** When it was restarted. */
  restartTimes: number[]
  failures: number
  outcome: 'succeeded' | 'fell_back' | 'degraded' | 'skipped' | 'failed' | 'stopped' | null
}

/** What `retry` and `resume` have changed of how the run was started. */
export interface Amendments {
  /** When the run was last reopened. */
  reopenedAt: number | null
  budget: Budget | undefined
  /** The tier that every later model call asks. */
  tier: string | undefined
}

/** A row that could not be read. */
export interface CorruptRecord {
  readonly what: string
  readonly message: string
  /** The snapshot rests on it: a stage that it has as ended has lost its result. */
  readonly breaksSnapshot: boolean
}

const noLedger: ReadonlyMap<string, LedgerRow> = new Map()

/** What few runs know is made when it is first asked for: there is a memory for every live run. */
export class RunMemory {
  /** What was left out when the memory was made from the store. */
  readonly corrupt: CorruptRecord[] = []
  /** Of stages and maps that gave a result; a map's is the list of its items'. */
  readonly results = new Map<string, ResultText>()
  readonly stages = new Map<string, StageRecord>()
  /** Signals that nobody has taken, oldest first. */
  inbox: SignalRow[] = []
  /** Signals accepted so far. */
  signalsAccepted = 0
  readonly counters: Counters = freshCounters()
  readonly degraded: DegradedPart[] = []
  /** What an operator has changed since the start. */
  readonly amended: Amendments = { reopenedAt: null, budget: undefined, tier: undefined }
  #ledger: Map<string, LedgerRow> | undefined
  #maps: Map<string, OpenMap> | undefined
  #progress: Map<string, StageProgress> | undefined
  #callsUnderWay: Set<string> | undefined
  #compensated: Set<string> | undefined
  #ownStages: OwnStages | undefined

  /** By `ledgerIdentity`. */
  get ledger(): ReadonlyMap<string, LedgerRow> {
    return this.#ledger ?? noLedger
  }

  putLedger(row: LedgerRow): void {
    this.#ledger ??= new Map()
    this.#ledger.set(ledgerIdentity(row.stage, row.key), row)
  }

  get maps(): Map<string, OpenMap> {
    this.#maps ??= new Map()
    return this.#maps
  }

  /** The map of this name, if the workflow has one and it is open. */
  mapOf(name: string): OpenMap | undefined {
    return this.#maps?.get(name)
  }

  get progress(): Map<string, StageProgress> {
    this.#progress ??= new Map()
    return this.#progress
  }

  /** Of this process: model calls that are being made, by their place in the ledger. */
  get callsUnderWay(): Set<string> {
    this.#callsUnderWay ??= new Set()
    return this.#callsUnderWay
  }

  /** Stages whose compensation has run. */
  get compensated(): Set<string> {
    this.#compensated ??= new Set()
    return this.#compensated
  }

  /** Of a machine of one's own. */
  get ownStages(): OwnStages {
    this.#ownStages ??= { occurrences: new Map(), sources: new Map(), inputs: new Map() }
    return this.#ownStages
  }
}

/** How far a stage has come: ledger entries that succeeded, and the highest fraction it told. It only grows. */
interface StageProgress {
  entries: number
  fraction: number
}

/** What is known of the stages of a machine of one's own, which says itself when they are started. */
interface OwnStages {
  /** How often an invoke id has been started. */
  readonly occurrences: Map<string, number>
  /** Under which source name a stage was given. */
  readonly sources: Map<string, string>
  readonly inputs: Map<string, unknown>
}

export const ledgerIdentity = (stage: string, key: string): string => `${stage}\u0000${key}`

/** What one entry of the ledger adds to the memory. */
export function rememberLedger(memory: RunMemory, row: LedgerRow): void {
  const identity = ledgerIdentity(row.stage, row.key)
  if (row.state === 'succeeded' && memory.ledger.get(identity)?.state !== 'succeeded')
    progressOf(memory, row.stage).entries++
  memory.putLedger(row)
}

/** A number that grows with each thing that a stage has got done. */
export function progressMark(memory: RunMemory, stage: string): number {
  const { entries, fraction } = memory.progress.get(stage) ?? { entries: 0, fraction: 0 }
  return entries + fraction
}

export function progressOf(memory: RunMemory, stage: string): StageProgress {
  const known = memory.progress.get(stage) ?? { entries: 0, fraction: 0 }
  memory.progress.set(stage, known)
  return known
}

/** A map's item by its stage name `name[key]`. */
export function itemOf(memory: RunMemory, stage: string): { map: OpenMap; index: number } | undefined {
  const open = stage.indexOf('[')
  if (open < 0) return undefined
  const map = memory.mapOf(stage.slice(0, open))
  const index = map?.places.get(stage.slice(open + 1, -1))
  return map && index !== undefined ? { map, index } : undefined
}
