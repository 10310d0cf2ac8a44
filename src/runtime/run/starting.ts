/** How a run starts in this process: for the first time, or restored from the store, where it goes on. */
import { CancelledError, encodeError, HoldfastError } from '../../errors.ts'
import type { HeldRun } from './holding.ts'
import { restoreActors } from './ladder.ts'
import { finish } from './run-end.ts'

/** A run whose process has died so often without progress is set aside: it may be what kills it. */
const mostCrashes = 10

/** Writes the run for the first time. The flow starts at once, or when a place is free. */
export function create(run: HeldRun, launch: boolean): void {
  run.dispatch(() => {
    run.memory.counters.epoch = run.services.epoch
    run.pending.create(run.spec)
    run.journal('run.started', {
      workflow: run.spec.workflow,
      version: run.spec.version,
      profile: run.options.profile ?? null,
      ...(run.spec.parent ? { parent: run.spec.parent.runId } : {}),
    })
    const { deadlineAt, wallTimeUntil } = run.options
    if (deadlineAt !== undefined) run.timers.set('run:deadline', deadlineAt, { kind: 'deadline' })
    if (wallTimeUntil !== undefined) run.timers.set('run:wallTime', wallTimeUntil, { kind: 'wallTime' })
    if (launch) run.services.supervise(run)
  })
}

/** After another process, or since it only waited. */
export function revive(run: HeldRun): void {
  run.dispatch(() => {
    const { counters } = run.memory
    countRevival(run)
    if (run.status === 'paused') return run.timers.rearm('run')
    if (!restoreActors(run, run.status)) return finish(run, 'quarantined')
    if (run.status === 'cancelling') rememberCancel(run)
    run.scheduled?.restore()
    run.timers.rearm()
    if (counters.crashes >= mostCrashes) {
      run.fail({
        status: 'quarantined',
        error: encodeError(
          new HoldfastError(
            'stage_failed',
            `the process died ${counters.crashes} times while this run was running, without progress in between`,
          ),
        ),
      })
      return run.send({ type: 'QUARANTINE' })
    }
    // Told to cancel as it was rebuilt, it has begun its compensations just now.
    if (!(run.isRebuilt && run.status === 'cancelling')) run.send({ type: 'RECOVER' })
  })
}

/** Writes down that it is back, and whether the process before had died of it, or with it. */
function countRevival(run: HeldRun): void {
  const { counters } = run.memory
  const { epoch } = run.services
  if (counters.epoch === epoch) run.journal('run.woken')
  else {
    counters.resumes++
    if (!counters.stoppedCleanly && run.status === 'running') counters.crashes++
    run.journal('run.recovered', { epoch, crashes: counters.crashes })
  }
  counters.epoch = epoch
  counters.stoppedCleanly = false
}

/** Why it was cancelled is in the snapshot of its machine. */
function rememberCancel(run: HeldRun): void {
  const snapshot = run.root?.getSnapshot() as { context?: { reason: string | null } } | undefined
  const reason = snapshot?.context?.reason ?? 'cancelled'
  run.fail({ status: 'cancelled', error: encodeError(new CancelledError(reason, { runId: run.id })) })
}
