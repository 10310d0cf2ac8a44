/**
 * What ends a run before its flow has ended: an operator who cancels it, its deadline, its budget, a snapshot that cannot
 * be restored or kept. Each says first why, so that the run ends with that reason, and then tells the run's machine.
 */
import { BudgetExceededError, CancelledError, encodeError, SnapshotError, TimeoutError } from '../../errors.ts'
import { isEnded } from '../../store/store.ts'
import { type HeldRun, unpark } from './holding.ts'
import type { LiveRun } from './live.ts'
import { finish } from './run-end.ts'

export function cancel(run: HeldRun, reason: string | null): void {
  if (run.status === 'cancelling') return
  run.dispatch(() => {
    if (run.status === 'paused') unpark(run)
    run.journal('run.cancelling', { reason })
    run.fail({
      status: 'cancelled',
      error: encodeError(new CancelledError(reason ?? 'cancelled', { runId: run.id })),
    })
    if (run.root) run.send({ type: 'CANCEL', reason })
    else finish(run, 'cancelled')
  })
}

/** Within a dispatch, as the next. */
export function passDeadline(run: HeldRun): void {
  run.journal('run.deadline_passed')
  const error = new TimeoutError(`run ${run.id} passed its deadline`, { runId: run.id, scope: 'local' })
  run.fail({ status: 'failed', error: encodeError(error) })
  if (run.root) run.send({ type: 'FAIL' })
  else finish(run, 'failed')
}

export function exceedWallTime(run: HeldRun): void {
  const error = new BudgetExceededError(`run ${run.id} has used the time of its budget`, { currency: 'wallTime' })
  run.fail({ status: 'budget_exceeded', error: encodeError(error) })
  if (run.root) run.send({ type: 'EXHAUST_BUDGET' })
  else finish(run, 'budget_exceeded')
}

/** The actors could not be started: the snapshot is not what the definition expects. */
export function quarantineBroken(run: HeldRun, error: unknown): void {
  if (run.detached || isEnded(run.status)) return
  run.dispatch(() => {
    run.fail({
      status: 'quarantined',
      error: encodeError(
        new SnapshotError(`run ${run.id} could not be restored from its snapshot`, { runId: run.id }, { cause: error }),
      ),
    })
    finish(run, 'quarantined')
  })
}

/** What the actors have become cannot be kept, so the run cannot go on: it alone ends. */
export function endUnkeepable(run: HeldRun, error: unknown): void {
  run.dispatch(() => {
    run.fail({ status: 'failed', error: encodeError(error) })
    run.send({ type: 'FAIL' })
  })
}

/** Why a stage that was stopped by its machine had to stop. */
export function stopReason({ id, failure }: Pick<LiveRun, 'id' | 'failure'>, stage: string): CancelledError {
  const why =
    failure?.status === 'cancelled'
      ? 'the run was cancelled'
      : failure
        ? 'another stage failed'
        : 'its machine has gone on'
  return new CancelledError(`stage '${stage}' was stopped: ${why}`, { runId: id, stage })
}
