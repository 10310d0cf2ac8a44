/** How a run ended and what became of its stages, from its journal: the same of a real run and of its replay. */
import type { EncodedError } from '../../errors.ts'
import { isEnded, type RunStatus } from '../../store/store.ts'
import type { RunOutcome } from './recording.ts'

/** A journal row with its data parsed. */
export interface JournalEntry {
  readonly at: number
  readonly type: string
  readonly stage?: string | undefined
  readonly attempt?: number | undefined
  readonly incarnation?: number | undefined
  readonly data: Readonly<Record<string, unknown>>
}

const standings: Readonly<Record<string, string>> = {
  'stage.started': 'begun',
  'stage.succeeded': 'done',
  'stage.fell_back': 'fell back',
  'stage.degraded': 'lost',
  'stage.skipped': 'skipped',
  'stage.failed': 'failed',
  'stage.stopped': 'stopped',
}

/** The rows up to the first end of the run: what operators made of it later is another story. */
export function untilEnd(journal: readonly JournalEntry[]): readonly JournalEntry[] {
  const end = journal.findIndex(({ type }) => endOf(type) !== undefined)
  return end < 0 ? journal : journal.slice(0, end + 1)
}

function endOf(type: string): RunStatus | undefined {
  const status = type.slice('run.'.length) as RunStatus
  return type.startsWith('run.') && isEnded(status) ? status : undefined
}

/** @param now how the run stands, where it has not ended; `output` where it has completed */
export function outcomeOf(
  journal: readonly JournalEntry[],
  now: { readonly status: RunStatus; readonly output: unknown },
): RunOutcome {
  const told = untilEnd(journal)
  const stages: Record<string, { status: string; failures: number }> = {}
  for (const { type, stage } of told) {
    if (stage === undefined) continue
    const known = stages[stage] ?? { status: 'begun', failures: 0 }
    const failures = known.failures + (type === 'attempt.failed' ? 1 : 0)
    stages[stage] = { status: standings[type] ?? known.status, failures }
  }
  const last = told.at(-1)
  const status = (last && endOf(last.type)) ?? now.status
  const { error, stage } = (last?.data ?? {}) as { error?: EncodedError; stage?: string }
  return {
    status,
    ...(status === 'completed' ? { output: now.output } : {}),
    ...(error && isEnded(status)
      ? {
          error: {
            ...(error.code === undefined ? {} : { code: error.code }),
            name: error.name,
            message: error.message,
            ...(stage === undefined ? {} : { stage }),
          },
        }
      : {}),
    stages,
  }
}
