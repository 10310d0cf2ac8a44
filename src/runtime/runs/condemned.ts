/**
 * A run of which the store has too little that can be read: not even its input. Nothing can be started for it, so it is
 * written down as quarantined, with what is wrong, and everything else goes on.
 */
import { type EncodedError, encodeError, SnapshotError } from '../../errors.ts'
import type { RunRow, RunWrite, StoredRun } from '../../store/store.ts'
import { journalSchemaVersion } from '../../telemetry/catalogue.ts'
import type { RunResult } from '../api.ts'

/** What cannot be read of it; undefined when nothing stands in the way. */
export function unreadable({ run }: StoredRun): SnapshotError | undefined {
  for (const [what, text] of [
    ['input', run.input === '' ? 'null' : run.input],
    ['options', run.options],
  ] as const) {
    try {
      JSON.parse(text)
    } catch (cause) {
      return new SnapshotError(
        `the ${what} of run ${run.id} is damaged in the store`,
        { runId: run.id, what },
        { cause },
      )
    }
  }
  return undefined
}

export function condemn({ run, timers }: StoredRun, error: SnapshotError, at: number): RunWrite {
  const encoded = encodeError(error)
  const seq = run.seq + 1
  const data = JSON.stringify({ error: encoded })
  return {
    runId: run.id,
    state: {
      status: 'quarantined',
      snapshot: null,
      seq,
      updatedAt: at,
      endedAt: at,
      counters: run.counters,
      outcome: JSON.stringify(resultOf(run, encoded, at)),
    },
    journal: [{ seq, at, type: 'run.quarantined', schemaVersion: journalSchemaVersion, data }],
    clearTimers: timers.map(({ key }) => key),
  }
}

function resultOf(run: RunRow, error: EncodedError, at: number): RunResult {
  return {
    runId: run.id,
    workflow: run.workflow,
    version: run.version,
    success: false,
    status: 'quarantined',
    error: {
      type: 'store',
      category: 'critical',
      code: error.code ?? 'snapshot_invalid',
      message: error.message,
      transient: false,
      scope: 'local',
      ...(error.cause ? { cause: error.cause } : {}),
      recommendations: ['restore the store from a backup', `look at what is left: holdfast runs events ${run.id}`],
    },
    degraded: [],
    cost: {
      usd: 'unknown',
      inputTokens: 0,
      outputTokens: 0,
      calls: 0,
      unpricedCalls: 0,
      cachedCalls: 0,
      replayedCalls: 0,
      wastedUsd: 0,
      baselineUsd: 0,
      savedUsd: 0,
      savingsPercent: 0,
      warnings: ['what was spent cannot be read'],
    },
    performance: {
      durationMs: at - run.createdAt,
      stages: {},
      score: 0,
      grade: 'F',
      errorRate: 1,
      recoveryRate: 0,
      bottlenecks: [],
    },
    attempts: 0,
    restarts: 0,
    resumes: 0,
  }
}
