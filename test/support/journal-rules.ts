/** What holds of the journal of every run, whatever happened to it; and what of it the result must agree with. */
import { expect } from 'vitest'
import type { RunResult } from '../../src/runtime/api.ts'
import { eventOf } from '../../src/runtime/commits/journal-feed.ts'
import { createDecisionReplay } from '../../src/runtime/explain/replay.ts'
import type { JournalRow } from '../../src/store/store.ts'

const stageEnds = [
  'stage.succeeded',
  'stage.fell_back',
  'stage.degraded',
  'stage.skipped',
  'stage.failed',
  'stage.stopped',
]
const runEnds = ['run.completed', 'run.failed', 'run.cancelled', 'run.quarantined', 'run.budget_exceeded']

const count = (rows: readonly JournalRow[], ...types: string[]): number =>
  rows.filter(row => types.includes(row.type)).length

export function expectSoundJournal(rows: readonly JournalRow[]): void {
  expect(rows.map(row => row.seq)).toEqual(rows.map((_, index) => index + 1))
  expect(rows[0]?.type).toBe('run.started')
  expect(runEnds).toContain(rows.at(-1)?.type)
  expect(count(rows, ...runEnds)).toBe(1)
  for (const [at, row] of rows.entries()) expect(row.at).toBeGreaterThanOrEqual(rows[at - 1]?.at ?? 0)

  for (const stage of stagesIn(rows)) {
    const own = rows.filter(row => row.stage === stage)
    expect(count(own, 'stage.started'), stage).toBe(1)
    expect(count(own, ...stageEnds), stage).toBeLessThanOrEqual(1)
    expectSoundAttempts(stage, own)
  }
  expectHeldWhilePaused(rows)
  expectSameDecisions(rows)
}

/** Every decision can be made again from the journal alone. */
function expectSameDecisions(rows: readonly JournalRow[]): void {
  const replay = createDecisionReplay()
  for (const row of rows) replay.take(eventOf('r', row))
  expect(replay.differences).toEqual([])
  expect(replay.checked).toBe(rows.filter(({ type }) => type.endsWith('.decided')).length)
}

/**
 * Each `stage.attempted` row is one execution. The numbers of attempts are 1, 2, 3 … without a gap, one more for each
 * retry, restart and applied remedy whose delay has passed; the same number again is the same attempt executed anew,
 * which only a recovery or a resume does, and its incarnation is then higher.
 */
function expectSoundAttempts(stage: string, own: readonly JournalRow[]): void {
  const executions = own.filter(row => row.type === 'stage.attempted')
  const numbers = [...new Set(executions.map(row => row.attempt))]
  expect(numbers, stage).toEqual(numbers.map((_, index) => index + 1))
  for (const [at, row] of executions.entries()) {
    const previous = executions[at - 1]
    if (!previous) continue
    expect(row.attempt, stage).toBeGreaterThanOrEqual(previous.attempt as number)
    expect(row.incarnation, stage).toBeGreaterThanOrEqual(previous.incarnation as number)
    if (row.attempt === previous.attempt) expect(row.incarnation, stage).toBe((previous.incarnation as number) + 1)
  }
  const decided = count(own, 'retry.decided', 'restart.decided', 'remedy.applied')
  const tried = numbers.length === 0 ? 0 : numbers.length - 1
  expect([tried, tried + 1], stage).toContain(decided)
  expect(count(own, 'attempt.failed'), stage).toBeGreaterThanOrEqual(tried)
}

/** No function is started while an operator holds the run, in this process or the next. */
function expectHeldWhilePaused(rows: readonly JournalRow[]): void {
  let isHeld = false
  for (const row of rows) {
    if (row.type === 'run.paused') isHeld = true
    else if (row.type === 'run.resumed' || row.type === 'run.cancelling') isHeld = false
    else if (isHeld)
      expect(['stage.attempted', 'step.intended', 'call.intended'], `seq ${row.seq}`).not.toContain(row.type)
  }
  const cancelled = rows.findIndex(row => row.type === 'run.cancelling')
  if (cancelled >= 0) {
    const later = rows.slice(cancelled)
    expect(count(later, 'stage.attempted', 'stage.started', 'step.intended', 'call.intended')).toBe(0)
  }
}

/** The numbers of the result are those of the journal. */
export function expectResultAgrees(result: RunResult, rows: readonly JournalRow[]): void {
  const attempted = rows.filter(row => row.type === 'stage.attempted')
  // An execution of the same attempt, by the next process or after a pause, is no further attempt.
  expect(result.attempts).toBe(new Set(attempted.map(row => `${row.stage} ${row.attempt}`)).size)
  expect(result.restarts).toBe(count(rows, 'restart.decided'))
  expect(result.resumes).toBe(count(rows, 'run.recovered', 'run.resumed'))
  expect(result.cost.replayedCalls).toBe(count(rows, 'call.replayed'))
  expect(result.cost.usd).toBe(count(rows, 'call.succeeded'))
  const degraded = count(rows, 'stage.fell_back', 'stage.degraded', 'degraded')
  expect(result.degraded).toHaveLength(degraded)
  for (const [stage, { attempts }] of Object.entries(result.performance.stages)) {
    const own = new Set(attempted.filter(row => row.stage === stage).map(row => row.attempt))
    expect(attempts, stage).toBe(own.size)
  }
}

const stagesIn = (rows: readonly JournalRow[]): string[] => [
  ...new Set(rows.flatMap(row => (row.stage === undefined ? [] : [row.stage]))),
]
