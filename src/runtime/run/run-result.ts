/** Builds the result of a run that has ended from what the run remembers. */

import { decodeError, type EncodedError } from '../../errors.ts'
import { classifyError } from '../../resilience/classify.ts'
import type { JsonText, RunStatus } from '../../store/store.ts'
import type { ResultText } from '../../workflow/results.ts'
import type { RunError, RunPerformance, RunResult, StagePerformance } from '../api.ts'
import { costOf } from '../calls/run-cost.ts'
import type { UsualDuration } from './baselines.ts'
import type { LiveRun } from './live.ts'
import type { RunFailure } from './run-facts.ts'
import type { RunMemory } from './run-memory.ts'

/** What a result is made from. */
export type EndedRun = Pick<LiveRun, 'id' | 'memory' | 'failure'> & {
  readonly definition: Pick<LiveRun['definition'], 'name' | 'version'>
  readonly spec: Pick<LiveRun['spec'], 'createdAt'>
}

/** @param usual how long its stages usually take, where that is known */
export function buildRunResult(
  run: EndedRun,
  status: RunStatus,
  output: unknown,
  endedAt: number,
  usual?: UsualDuration,
): RunResult {
  const common = commonOf(run, endedAt, usual)
  // Assigned rather than spread: V8 takes microseconds to add to a copy, and every run comes here.
  if (status === 'completed') return Object.assign(common, { success: true as const, status, output })
  const failure = run.failure ?? { status: 'failed', error: { name: 'HoldfastError', message: 'the run failed' } }
  return Object.assign(common, {
    success: false as const,
    status: status as 'failed',
    error: errorOf(failure, run.id),
  })
}

/** What a result says however the run has ended. */
const commonOf = ({ id, memory, definition, spec }: EndedRun, endedAt: number, usual?: UsualDuration) => ({
  runId: id,
  workflow: definition.name,
  version: definition.version,
  degraded: [...memory.degraded],
  cost: costOf(memory.counters),
  performance: performanceOf(memory, endedAt - spec.createdAt, endedAt, usual),
  attempts: memory.counters.attempts,
  restarts: memory.counters.restarts,
  resumes: memory.counters.resumes,
})

/**
 * The result as it is kept. @param output the text that its output was read from: it may be long, and is not made twice
 */
export function resultText(result: RunResult, output: ResultText): JsonText {
  if (!result.success || typeof output !== 'string') return JSON.stringify(result)
  const rest = JSON.stringify({ ...result, output: undefined })
  return `${rest.slice(0, -1)},"output":${output}}`
}

function errorOf(failure: RunFailure, runId: string): RunError {
  const error = decodeError(failure.error)
  const classified = classifyError(error)
  return {
    type: classified.type,
    kind: classified.kind,
    category: classified.category,
    code: failure.error.code ?? (failure.stage === undefined ? 'run_failed' : 'stage_failed'),
    message: failure.error.message,
    transient: classified.transient,
    // A time of ours that was up says nothing of a provider.
    scope: typeof failure.error.details?.scope === 'string' ? failure.error.details.scope : classified.scope,
    ...(failure.stage === undefined ? {} : { stage: failure.stage }),
    ...(failure.attempt === undefined ? {} : { attempt: failure.attempt }),
    ...(failure.error.cause ? { cause: failure.error.cause } : {}),
    recommendations: recommend(failure, classified.kind, runId),
  }
}

function recommend(failure: RunFailure, kind: string, runId: string): string[] {
  const look = `look at what happened: holdfast explain ${runId}`
  if (failure.status === 'cancelled') return []
  if (failure.status === 'budget_exceeded') return ['raise the budget of the run, or choose a cheaper tier', look]
  if (kind === 'no_provider')
    return ['give createRuntime a provider that can do this task, or the stage a `fallback`', look]
  if (kind === 'auth' || kind === 'permission') return ['check the API key of the provider', look]
  if (failure.error.details?.recorded === true)
    return ['send the signal in time, give `waitFor` a longer `timeout`, or catch its TimeoutError', look]
  if (kind === 'timeout' && failure.stage === undefined) return ['give the run a later `deadline`', look]
  if (kind === 'timeout') return ["raise the stage's `timeout`, or split its work into steps", look]
  if ((failure.error as EncodedError).name === 'ValidationError') return ['mend the value that the message names', look]
  return [look]
}

/**
 * Score: 1, less half the share of attempts that failed, less the share of stages that were lost. A from 0.9, B from
 * 0.8, C from 0.7, D from 0.6.
 */
export function performanceOf(
  memory: RunMemory,
  durationMs: number,
  endedAt: number,
  usual: UsualDuration = () => undefined,
): RunPerformance {
  const stages: Record<string, StagePerformance> = {}
  let failures = 0
  let attempts = 0
  let troubled = 0
  let recovered = 0
  let lost = 0
  for (const [name, record] of memory.stages) {
    const stageMs = (record.endedAt ?? endedAt) - record.startedAt
    stages[name] = stagePerformance(stageMs, usual(name), record.attempts)
    failures += record.failures
    attempts += record.attempts
    if (record.failures > 0) troubled++
    if (record.failures > 0 && (record.outcome === 'succeeded' || record.outcome === 'fell_back')) recovered++
    if (record.outcome === 'failed' || record.outcome === 'degraded') lost++
  }
  const errorRate = attempts === 0 ? 0 : failures / attempts
  const score = Math.max(0, 1 - errorRate / 2 - (memory.stages.size === 0 ? 0 : lost / memory.stages.size))
  return {
    durationMs,
    stages,
    score,
    grade: score >= 0.9 ? 'A' : score >= 0.8 ? 'B' : score >= 0.7 ? 'C' : score >= 0.6 ? 'D' : 'F',
    errorRate,
    recoveryRate: troubled === 0 ? 1 : recovered / troubled,
    bottlenecks: bottlenecksOf(stages, durationMs),
  }
}

/** Stages that took more than half of the time, the longest first. Branches that run at once may be several. */
function bottlenecksOf(stages: Readonly<Record<string, StagePerformance>>, durationMs: number): string[] {
  const found: (readonly [name: string, durationMs: number])[] = []
  if (durationMs <= 0) return []
  for (const name in stages) {
    const { durationMs: stageMs } = stages[name] as StagePerformance
    if (stageMs / durationMs > 0.5 && !name.includes('[')) found.push([name, stageMs])
  }
  return found.sort(([, a], [, b]) => b - a).map(([name]) => name)
}

/** Below 0.8 of what is usual is fast, above 1.2 slow. A stage that usually takes no time has no ratio to that. */
function stagePerformance(durationMs: number, baselineMs: number | undefined, attempts: number): StagePerformance {
  if (baselineMs === undefined) return { durationMs, status: 'normal', attempts }
  if (baselineMs === 0) return { durationMs, baselineMs, status: 'normal', attempts }
  const ratio = durationMs / baselineMs
  return { durationMs, baselineMs, ratio, status: ratio < 0.8 ? 'fast' : ratio > 1.2 ? 'slow' : 'normal', attempts }
}
