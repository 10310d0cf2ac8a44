/**
 * What a journal row adds to the memory of its run. The live run and the recovery both come here with each row that they
 * write or read, so what they know cannot differ.
 */
import type { JournalRow, JsonText } from '../../store/store.ts'
import type { JournalEventType } from '../../telemetry/catalogue.ts'
import { unwrapResult } from '../../workflow/results.ts'
import type { Budget, DegradedPart } from '../api.ts'
import { itemOf, progressOf, type RunMemory, type StageRecord } from './run-memory.ts'

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
