/**
 * What a run knows, in memory: its results, ledger, inbox and counters. The store is the truth and this is a cache of
 * it: `recall` makes the same memory from what was stored. Values are JSON text, so that no stage shares an object.
 */
import type { JournalRow, JsonText, LedgerRow, SignalRow, StoredRun } from '../store/store.ts'
import type { JournalEventType } from '../telemetry/catalogue.ts'
import type { ResultText } from '../workflow/results.ts'
import type { DegradedPart } from './api.ts'

/** Numbers of a run that outlive the process. */
export interface Counters {
  attempts: number
  failedAttempts: number
  restarts: number
  resumes: number
  /** Processes that died while the run's code was running, since the run last made progress. */
  crashes: number
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
  attempts: number
  failures: number
  outcome: 'succeeded' | 'fell_back' | 'degraded' | 'skipped' | 'failed' | 'stopped' | null
}

export interface RunMemory {
  /** Of stages and maps that gave a result; a map's is the list of its items'. */
  readonly results: Map<string, ResultText>
  readonly maps: Map<string, OpenMap>
  readonly stages: Map<string, StageRecord>
  readonly ledger: Map<string, LedgerRow>
  /** Signals that nobody has taken, oldest first. */
  inbox: SignalRow[]
  /** Signals accepted so far. */
  signalsAccepted: number
  readonly counters: Counters
  readonly degraded: DegradedPart[]
  /** Of this process: model calls that are being made, by their place in the ledger. */
  readonly callsUnderWay: Set<string>
  /** Stages whose compensation has run. */
  readonly compensated: Set<string>
  /** How often an invoke id of a machine of one's own has been started. */
  readonly occurrences: Map<string, number>
  /** Under which source name a stage of a machine of one's own was given. */
  readonly sources: Map<string, string>
  /** The inputs of stages of a machine of one's own. */
  readonly stageInputs: Map<string, unknown>
}

/** The journal rows that a memory is made from. */
export const rememberedTypes: readonly JournalEventType[] = [
  'stage.started',
  'stage.attempted',
  'attempt.failed',
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

export function emptyMemory(): RunMemory {
  return {
    results: new Map(),
    maps: new Map(),
    stages: new Map(),
    ledger: new Map(),
    inbox: [],
    signalsAccepted: 0,
    counters: freshCounters(),
    degraded: [],
    callsUnderWay: new Set(),
    compensated: new Set(),
    occurrences: new Map(),
    sources: new Map(),
    stageInputs: new Map(),
  }
}

/** The memory of a run as the store has it. */
export function recall(stored: StoredRun): RunMemory {
  const memory = emptyMemory()
  for (const row of stored.journal) remember(memory, row)
  for (const row of stored.ledger) memory.ledger.set(ledgerIdentity(row.stage, row.key), row)
  memory.inbox = [...stored.signals]
  Object.assign(memory.counters, JSON.parse(stored.run.counters))
  return memory
}

/** What one journal row adds to the memory. The live run and the recovery both come here, so they cannot differ. */
export function remember(memory: RunMemory, row: JournalRow): void {
  if (row.type === 'signal.received') {
    memory.signalsAccepted++
    return
  }
  if (row.type === 'degraded') {
    memory.degraded.push(degradedPart(row))
    return
  }
  const stage = row.stage
  if (stage === undefined) return
  switch (row.type as JournalEventType) {
    case 'stage.started': {
      const { id } = occurrenceOf(stage)
      memory.occurrences.set(id, (memory.occurrences.get(id) ?? 0) + 1)
      if (row.data.startsWith('{"source":')) {
        const { source, input } = JSON.parse(row.data) as { source: string; input?: unknown }
        memory.sources.set(stage, source)
        memory.stageInputs.set(stage, input)
      }
      memory.stages.set(stage, { startedAt: row.at, endedAt: null, attempts: 0, failures: 0, outcome: null })
      return
    }
    case 'stage.attempted':
      return update(memory, stage, record => {
        record.attempts = Math.max(record.attempts, row.attempt ?? 1)
      })
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
      end(memory, stage, row.at, row.type === 'stage.succeeded' ? 'succeeded' : 'fell_back')
      if (row.type === 'stage.fell_back') memory.degraded.push(degradedPart(row))
      return
    case 'stage.degraded':
      memory.degraded.push(degradedPart(row))
      return end(memory, stage, row.at, 'degraded')
    case 'stage.skipped':
      return end(memory, stage, row.at, 'skipped')
    case 'stage.failed':
      return end(memory, stage, row.at, 'failed')
    case 'stage.stopped':
      return end(memory, stage, row.at, 'stopped')
    case 'compensation.succeeded':
    case 'compensation.failed':
      memory.compensated.add(stage)
  }
}

/** A map's item by its stage name `name[key]`. */
export function itemOf(memory: RunMemory, stage: string): { map: OpenMap; index: number } | undefined {
  const open = stage.indexOf('[')
  if (open < 0) return undefined
  const map = memory.maps.get(stage.slice(0, open))
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
  memory.results.set(stage, memory.maps.get(stage)?.results ?? text)
}

function end(memory: RunMemory, stage: string, at: number, outcome: StageRecord['outcome']): void {
  update(memory, stage, record => {
    record.endedAt = at
    record.outcome = outcome
  })
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

const resultPrefix = '{"result":'

/** The data of a `stage.succeeded` row: the result is all there is, so reading it back is a cut and no parse. */
export const resultData = (text: JsonText | undefined): JsonText =>
  text === undefined ? '{}' : `${resultPrefix}${text}}`

function resultIn(row: JournalRow): JsonText | undefined {
  if (!row.data.startsWith(resultPrefix)) return undefined
  if (row.type === 'stage.succeeded') return row.data.slice(resultPrefix.length, -1)
  return JSON.stringify((JSON.parse(row.data) as { result: unknown }).result)
}
