/**
 * What a run knows, in memory: its results, ledger, inbox and counters. The store is the truth and this is a cache of
 * it: `recall` makes the same memory from what was stored. Values are JSON text, so that no stage shares an object.
 */

import type { JournalRow, JsonText, LedgerRow, SignalRow, StoredRun } from '../../store/store.ts'
import type { JournalEventType } from '../../telemetry/catalogue.ts'
import { type ResultText, unwrapResult } from '../../workflow/results.ts'
import type { Budget, DegradedPart } from '../api.ts'
import { faultOfTimer } from '../commits/timer-purpose.ts'

/** Numbers of a run that outlive the process. */
export interface Counters {
  attempts: number
  failedAttempts: number
  restarts: number
  resumes: number
  /** Processes that died while the run's code was running, since the run last made progress. */
  crashes: number
  /** Of the runtime that took the run up last. */
  epoch: number
  /** The last process stopped in order, so its end is no crash. */
  stoppedCleanly: boolean
  calls: number
  unpricedCalls: number
  cachedCalls: number
  replayedCalls: number
  inputTokens: number
  outputTokens: number
  usd: number
  wastedUsd: number
  /** The same tokens at the premium model of the task, as far as its price is known. */
  baselineUsd: number
  unknownBaselines: number
  /** Costs that make no sense: negative, no number, absurdly large. */
  oddCosts: number
  /** Calls that were under way when their process died, and may have been charged. */
  unknownCalls: number
  /** What the child runs below have used, at any depth: it counts for the budget, and is theirs in reports. */
  childUsd: number
  childTokens: number
  childCalls: number
  childRestarts: number
}

const freshCounters = (): Counters => ({
  attempts: 0,
  failedAttempts: 0,
  restarts: 0,
  resumes: 0,
  crashes: 0,
  epoch: 0,
  stoppedCleanly: false,
  calls: 0,
  unpricedCalls: 0,
  cachedCalls: 0,
  replayedCalls: 0,
  inputTokens: 0,
  outputTokens: 0,
  usd: 0,
  wastedUsd: 0,
  baselineUsd: 0,
  unknownBaselines: 0,
  oddCosts: 0,
  unknownCalls: 0,
  childUsd: 0,
  childTokens: 0,
  childCalls: 0,
  childRestarts: 0,
})

/** As JSON, without those that stand where they began: they are written with every step of a run. */
export function countersText(counters: Counters): JsonText {
  let text = ''
  for (const name in counters) {
    const value = counters[name as keyof Counters]
    if (value !== 0 && value !== false) text += `${text === '' ? '' : ','}"${name}":${value}`
  }
  return `{${text}}`
}

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

/** What few runs know is made when it is first asked for: there is a memory for every live run. */
export class RunMemory {
  /** What was left out when the memory was made from the store. */
  readonly corrupt: CorruptRecord[] = []
  /** Of stages and maps that gave a result; a map's is the list of its items'. */
  readonly results = new Map<string, ResultText>()
  readonly stages = new Map<string, StageRecord>()
  readonly ledger = new Map<string, LedgerRow>()
  /** Signals that nobody has taken, oldest first. */
  inbox: SignalRow[] = []
  /** Signals accepted so far. */
  signalsAccepted = 0
  readonly counters: Counters = freshCounters()
  readonly degraded: DegradedPart[] = []
  /** What an operator has changed since the start. */
  readonly amended: Amendments = { reopenedAt: null, budget: undefined, tier: undefined }
  #maps: Map<string, OpenMap> | undefined
  #progress: Map<string, StageProgress> | undefined
  #callsUnderWay: Set<string> | undefined
  #compensated: Set<string> | undefined
  #ownStages: OwnStages | undefined

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

export const ledgerIdentity = (stage: string, key: string): string => `${stage}\u0000${key}`

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

/** What one entry of the ledger adds to the memory. */
export function rememberLedger(memory: RunMemory, row: LedgerRow): void {
  const identity = ledgerIdentity(row.stage, row.key)
  if (row.state === 'succeeded' && memory.ledger.get(identity)?.state !== 'succeeded')
    progressOf(memory, row.stage).entries++
  memory.ledger.set(identity, row)
}

/** A number that grows with each thing that a stage has got done. */
export function progressMark(memory: RunMemory, stage: string): number {
  const { entries, fraction } = memory.progress.get(stage) ?? { entries: 0, fraction: 0 }
  return entries + fraction
}

function progressOf(memory: RunMemory, stage: string): StageProgress {
  const known = memory.progress.get(stage) ?? { entries: 0, fraction: 0 }
  memory.progress.set(stage, known)
  return known
}

/** What one journal row adds to the memory. The live run and the recovery both come here, so they cannot differ. */
export function remember(memory: RunMemory, row: JournalRow): void {
  if (row.type === 'signal.received') {
    memory.signalsAccepted++
    return
  }
  if (row.type === 'run.reopened') return reopen(memory, row)
  if (row.type === 'degraded') {
    memory.degraded.push(degradedPart(row))
    return
  }
  const stage = row.stage
  if (stage === undefined) return
  switch (row.type as JournalEventType) {
    case 'stage.started': {
      noteStart(memory, stage, row)
      const { attempts = 0, incarnation = 0, failures = 0 } = memory.stages.get(stage) ?? {}
      memory.stages.set(stage, {
        startedAt: row.at,
        endedAt: null,
        endedSeq: 0,
        attempts,
        incarnation,
        retries: 0,
        restartTimes: [],
        failures,
        outcome: null,
      })
      return
    }
    case 'stage.replayed':
      return noteStart(memory, stage, row)
    case 'stage.attempted':
      return update(memory, stage, record => {
        record.attempts = Math.max(record.attempts, row.attempt ?? 1)
        record.incarnation = Math.max(record.incarnation, row.incarnation ?? 1)
      })
    case 'retry.decided':
      return update(memory, stage, record => {
        record.retries++
      })
    case 'restart.decided':
      return update(memory, stage, record => {
        record.retries = 0
        record.restartTimes.push(row.at)
      })
    case 'stage.progressed': {
      const progress = progressOf(memory, stage)
      progress.fraction = Math.max(progress.fraction, (JSON.parse(row.data) as { fraction: number }).fraction)
      return
    }
    case 'attempt.failed':
      return update(memory, stage, record => {
        record.failures++
      })
    case 'map.opened': {
      const opened = JSON.parse(row.data) as { keys: string[]; items: unknown[] }
      memory.maps.set(stage, {
        keys: opened.keys,
        places: new Map(opened.keys.map((key, index) => [key, index])),
        items: opened.items.map(item => JSON.stringify(item)),
        results: new Array<JsonText | undefined>(opened.keys.length).fill(undefined),
      })
      return
    }
    case 'stage.succeeded':
    case 'stage.fell_back':
      keepResult(memory, stage, resultIn(row))
      end(memory, stage, row, row.type === 'stage.succeeded' ? 'succeeded' : 'fell_back')
      if (row.type === 'stage.fell_back') memory.degraded.push(degradedPart(row))
      return
    case 'stage.degraded':
      memory.degraded.push(degradedPart(row))
      // A map that was lost as a whole is a list of no items.
      if (memory.maps.has(stage)) keepResult(memory, stage, undefined)
      return end(memory, stage, row, 'degraded')
    case 'stage.skipped':
      return end(memory, stage, row, 'skipped')
    case 'stage.failed':
      return end(memory, stage, row, 'failed')
    case 'stage.stopped':
      return end(memory, stage, row, 'stopped')
    case 'compensation.succeeded':
    case 'compensation.failed':
      memory.compensated.add(stage)
  }
}

/** Of a machine of one's own. */
function noteStart(memory: RunMemory, stage: string, row: JournalRow): void {
  if (!row.data.startsWith('{"source":')) return
  const { source, input } = JSON.parse(row.data) as { source: string; input?: unknown }
  const { occurrences, sources, inputs } = memory.ownStages
  const { id } = occurrenceOf(stage)
  occurrences.set(id, (occurrences.get(id) ?? 0) + 1)
  sources.set(stage, source)
  inputs.set(stage, input)
}

/** What is to run again loses its end and its result; the count of its attempts goes on. */
function reopen(memory: RunMemory, row: JournalRow): void {
  const { again, anew, budget, tier } = JSON.parse(row.data) as ReopenedData
  for (const name of anew) memory.maps.delete(name)
  for (const name of again) {
    const item = itemOf(memory, name)
    if (item) item.map.results[item.index] = undefined
    memory.results.delete(name)
    update(memory, name, record => {
      record.endedAt = null
      record.outcome = null
    })
  }
  const forgotten = new Set(again)
  memory.degraded.splice(
    0,
    memory.degraded.length,
    ...memory.degraded.filter(part => part.stage === undefined || !forgotten.has(part.stage)),
  )
  memory.amended.reopenedAt = row.at
  if (budget) memory.amended.budget = { ...memory.amended.budget, ...budget }
  if (tier !== undefined) memory.amended.tier = tier
}

/** The data of a `run.reopened` row. */
export interface ReopenedData {
  readonly how: string
  /** Stages and items that run again. */
  readonly again: readonly string[]
  /** Maps whose items are found anew. */
  readonly anew: readonly string[]
  readonly budget?: Budget | undefined
  readonly tier?: string | undefined
  readonly reason?: string | undefined
  readonly by?: string | undefined
  readonly fresh?: boolean | undefined
}

/** A map's item by its stage name `name[key]`. */
export function itemOf(memory: RunMemory, stage: string): { map: OpenMap; index: number } | undefined {
  const open = stage.indexOf('[')
  if (open < 0) return undefined
  const map = memory.mapOf(stage.slice(0, open))
  const index = map?.places.get(stage.slice(open + 1, -1))
  return map && index !== undefined ? { map, index } : undefined
}

/** `fetch#2` is the second start of the invoke id `fetch`. */
function occurrenceOf(stage: string): { id: string; occurrence: number } {
  const match = /^(.*)#(\d+)$/.exec(stage)
  return match ? { id: match[1] as string, occurrence: Number(match[2]) } : { id: stage, occurrence: 1 }
}

function keepResult(memory: RunMemory, stage: string, text: JsonText | undefined): void {
  const item = itemOf(memory, stage)
  if (item) {
    item.map.results[item.index] = text
    return
  }
  memory.results.set(stage, memory.mapOf(stage)?.results ?? text)
}

function end(memory: RunMemory, stage: string, { at, seq }: JournalRow, outcome: StageRecord['outcome']): void {
  const record = memory.stages.get(stage)
  // Of a stage that was recorded without having been started: by an operator, or in the run that this is a fork of.
  if (!record)
    memory.stages.set(stage, {
      startedAt: at,
      endedAt: at,
      endedSeq: seq,
      attempts: 0,
      incarnation: 0,
      retries: 0,
      restartTimes: [],
      failures: 0,
      outcome,
    })
  else {
    record.endedAt = at
    record.endedSeq = seq
    record.outcome = outcome
  }
}

function update(memory: RunMemory, stage: string, change: (record: StageRecord) => void): void {
  const record = memory.stages.get(stage)
  if (record) change(record)
}

function degradedPart(row: JournalRow): DegradedPart {
  const data = JSON.parse(row.data) as { reason?: string; component?: string; error?: { message?: string } }
  return {
    ...(row.stage === undefined ? {} : { stage: row.stage }),
    ...(data.component === undefined ? {} : { component: data.component }),
    reason: data.reason ?? data.error?.message ?? 'unknown',
  }
}

/** Of a success the result is all there is in the row, so reading it back is a cut and no parse. */
function resultIn({ type, data }: JournalRow): JsonText | undefined {
  if (type === 'stage.succeeded') return unwrapResult(data)
  return JSON.stringify((JSON.parse(data) as { result?: unknown }).result)
}
