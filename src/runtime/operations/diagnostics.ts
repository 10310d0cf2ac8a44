/** How a run stands: where it is, what it waits for, what has gone wrong in it, and what one might do about it. */
import { type EncodedError, RunNotFoundError } from '../../errors.ts'
import { isEnded, type RunStatus, type Store } from '../../store/store.ts'
import type { RunPerformance, RunResult, StagePerformance, WaitSummary } from '../api.ts'
import { waitingFor } from '../listing.ts'
import { readBaselines } from '../run/baselines.ts'
import type { KeptOptions } from '../run/kept-options.ts'
import { recall, rememberedTypes } from '../run/recall.ts'
import { performanceOf } from '../run/run-result.ts'

export interface HealthFindingSummary {
  readonly at: number
  readonly stage?: string | undefined
  readonly name: string
  readonly healthy: boolean
  readonly critical: boolean
  readonly message: string
}

export interface Diagnostics {
  readonly runId: string
  readonly status: RunStatus
  /** The one that began last among those that have not ended; null where there is none. */
  readonly currentStage: { readonly stage: string; readonly durationMs: number; readonly attempt: number } | null
  readonly waitingFor?: readonly WaitSummary[] | undefined
  /** Failed attempts of all stages. */
  readonly errorCount: number
  /** Retries, restarts, remedies, and processes that took the run up. */
  readonly recoveryAttempts: number
  /** What the monitors found before stages, newest last. */
  readonly recentHealthChecks: readonly HealthFindingSummary[]
  readonly stageHistory: Readonly<
    Record<string, { readonly status: string; readonly durationMs: number; readonly baselineMs?: number | undefined }>
  >
  readonly performance: RunPerformance
  readonly recommendations: readonly string[]
}

const recoveries = ['retry.decided', 'restart.decided', 'remedy.decided', 'run.recovered', 'run.reopened']
const checks = ['preflight.passed', 'preflight.failed']
const shownChecks = 20

/** @throws RunNotFoundError */
export async function diagnosticsOf(store: Store, runId: string, now: number): Promise<Diagnostics> {
  const [stored] = await store.load([runId], [...rememberedTypes, ...recoveries, ...checks])
  if (!stored) throw new RunNotFoundError(runId)
  const { run, journal } = stored
  const memory = recall(stored)
  const until = run.endedAt ?? now
  const result = run.outcome === null ? undefined : (JSON.parse(run.outcome) as RunResult)
  const open = [...memory.stages].filter(([, { endedAt }]) => endedAt === null)
  const [stage, record] = open.sort(([, a], [, b]) => a.startedAt - b.startedAt).at(-1) ?? []
  const waits = run.status === 'waiting' ? await waitingFor(store, runId, run.seq) : undefined
  const usual = await readBaselines(store, run)
  const performance = result?.performance ?? performanceOf(memory, until - run.createdAt, until, usual)
  const { imported } = JSON.parse(run.options) as KeptOptions
  const lastFailure = journal.findLast(({ type }) => type === 'attempt.failed')
  return {
    runId,
    status: run.status,
    currentStage:
      stage === undefined || record === undefined || isEnded(run.status)
        ? null
        : { stage, durationMs: now - record.startedAt, attempt: Math.max(1, record.attempts) },
    ...(waits === undefined ? {} : { waitingFor: waits }),
    errorCount: journal.filter(({ type }) => type === 'attempt.failed').length,
    recoveryAttempts: journal.filter(({ type }) => recoveries.includes(type)).length,
    recentHealthChecks: journal
      .filter(({ type }) => checks.includes(type))
      .flatMap(findingsOf)
      .slice(-shownChecks),
    stageHistory: Object.fromEntries(
      [...memory.stages].map(([name, known]) => [
        name,
        {
          status: known.outcome ?? (isEnded(run.status) ? 'stopped' : 'running'),
          durationMs: (known.endedAt ?? until) - known.startedAt,
          ...baselineOf(performance.stages[name]),
        },
      ]),
    ),
    performance,
    recommendations: imported
      ? [`it came from a bundle, and never goes on: holdfast fork ${runId} --from <stage>`]
      : recommend(runId, run.status, result, waits, lastFailure && messageIn(lastFailure.data)),
  }
}

const baselineOf = ({ baselineMs }: Partial<StagePerformance> = {}) => (baselineMs === undefined ? {} : { baselineMs })

function findingsOf(row: { readonly at: number; readonly stage?: string | undefined; readonly data: string }) {
  const { monitors = [] } = JSON.parse(row.data) as { monitors?: Omit<HealthFindingSummary, 'at' | 'stage'>[] }
  return monitors.map(
    ({ name, healthy, critical, message }): HealthFindingSummary => ({
      at: row.at,
      ...(row.stage === undefined ? {} : { stage: row.stage }),
      name,
      healthy,
      critical,
      message,
    }),
  )
}

const messageIn = (data: string): string | undefined => (JSON.parse(data) as { error?: EncodedError }).error?.message

function recommend(
  runId: string,
  status: RunStatus,
  result: RunResult | undefined,
  waits: readonly WaitSummary[] | undefined,
  lastFailure: string | undefined,
): string[] {
  const told = result && !result.success ? [...result.error.recommendations] : []
  if (status === 'failed') return [...told, `when the cause is mended: holdfast retry ${runId}`]
  if (status === 'quarantined')
    return [...told, `look at the evidence: holdfast quarantine show ${runId}; then release or discard it`]
  if (status === 'budget_exceeded')
    return [...told, `go on with more: holdfast resume ${runId} --budget <currency>=<n>`]
  if (status === 'paused') return [`let it go on: holdfast resume ${runId}`]
  const signals = (waits ?? []).filter(({ kind }) => kind === 'signal').map(({ name }) => name)
  return [
    ...told,
    ...signals.map(name => `it waits for signal '${name}': holdfast signal ${runId} ${name} '<JSON>'`),
    ...((waits ?? []).some(({ kind }) => kind === 'definition')
      ? ['put the definition that it was begun with back, or fork it onto the new one: holdfast fork']
      : []),
    ...(lastFailure === undefined || isEnded(status) ? [] : [`its last failure was: ${lastFailure}`]),
  ]
}
