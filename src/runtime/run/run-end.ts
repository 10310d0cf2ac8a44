/** The end of a run: how it is brought about and written down, and who waits for it. */
import { CancelledError } from '../../errors.ts'
import type { JsonText, RunStatus } from '../../store/store.ts'
import type { JournalEventType } from '../../telemetry/catalogue.ts'
import { decodeResult } from '../../workflow/results.ts'
import type { RunResult } from '../api.ts'
import { outputKey } from './conclusion.ts'
import type { RestorableRun } from './ladder.ts'
import type { LiveRun } from './live.ts'
import { buildRunResult, resultText } from './run-result.ts'
import type { DurableTimers } from './run-timers.ts'

/** Who waits for the end of a run. */
export interface EndWaiter {
  readonly resolve: (result: RunResult) => void
  readonly reject: (error: unknown) => void
}

export class RunEnd {
  at: number | null = null
  result: RunResult | undefined
  #isDurable = false
  /** Made when somebody waits. */
  #waiters: EndWaiter[] | undefined

  /** The result, as soon as it is durable. */
  next(): Promise<RunResult> {
    if (this.result && this.#isDurable) return Promise.resolve(this.result)
    return new Promise((resolve, reject) => {
      this.#waiters ??= []
      this.#waiters.push({ resolve, reject })
    })
  }

  /** It is durable: tells those who wait. */
  tell(result: RunResult): void {
    this.#isDurable = true
    for (const { resolve } of this.takeWaiters()) resolve(result)
  }

  /** Those who wait, who are somebody else's affair from here on. */
  takeWaiters(): EndWaiter[] {
    const waiters = this.#waiters ?? []
    this.#waiters = undefined
    return waiters
  }
}

/** A run, as what brings it to its end sees it. */
export interface EndingRun extends RestorableRun {
  status: RunStatus
  readonly timers: DurableTimers
  readonly end: RunEnd
}

/** Ends the run within a dispatch: stops what is left of it, and says with what result it has ended. */
export function finish(run: EndingRun, status: RunStatus): void {
  run.status = status
  const endedAt = run.services.clock.now()
  run.end.at = endedAt
  for (const stage of run.stages.values())
    stage.abandon(new CancelledError(`run ${run.id} has ended`, { runId: run.id }))
  run.stages.clear()
  run.timers.clearAll()
  if (keepsSnapshot(run)) run.timers.keepScheduled()
  const failure = status === 'completed' ? undefined : run.failure
  run.journal(
    `run.${status}` as JournalEventType,
    failure ? { error: failure.error, ...(failure.stage ? { stage: failure.stage } : {}) } : {},
    {},
  )
  const { baselines } = run.services
  const result = buildRunResult(
    run,
    status,
    decodeResult(run.memory.results.get(outputKey)),
    endedAt,
    baselines.of(run.spec),
  )
  run.end.result = result
  if (status === 'completed') baselines.note(result)
  run.services.closeChildren(run)
}

/** How the run has ended, as it is kept. */
export function outcomeText({ end, memory }: Pick<EndingRun, 'end' | 'memory'>): JsonText | null {
  return end.result === undefined ? null : resultText(end.result, memory.results.get(outputKey))
}

/** Whether a run that has ended so keeps what it may be reopened from; of a quarantined one, that is evidence too. */
export function keepsSnapshot({ status, definition }: Pick<LiveRun, 'status' | 'definition'>): boolean {
  if (status === 'quarantined') return true
  return definition.origin === 'machine' && (status === 'failed' || status === 'budget_exceeded')
}
