/**
 * How a run is held and let go on: what runs is stopped, and its actors leave memory until it is resumed. Nothing of them
 * can happen meanwhile; what comes for them follows when they are back.
 */
import type { AnyActorRef } from 'xstate'
import { CancelledError, HoldfastError } from '../../errors.ts'
import type { ScheduledEvents } from '../actors/scheduled-events.ts'
import { restoreActors } from './ladder.ts'
import { type EndingRun, finish } from './run-end.ts'

/** A run, as what holds it and brings it back sees it. */
export interface HeldRun extends EndingRun {
  /** Only a machine of the user's own schedules events by itself. */
  readonly scheduled: ScheduledEvents | undefined
  /** Takes the snapshot of the actors as they are. */
  keepSnapshot(root: AnyActorRef): void
  /** Takes the actors out of memory; what was last kept of them stays. */
  dropActors(): void
}

export function pause(run: HeldRun, reason: string | null): void {
  if (run.status === 'paused') return
  if (run.status === 'cancelling') {
    throw new HoldfastError('run_not_open', `run ${run.id} is being cancelled, so it cannot be paused`, {
      runId: run.id,
      status: run.status,
    })
  }
  run.dispatch(() => {
    run.journal('run.paused', { reason })
    if (run.root) run.send({ type: 'PAUSE', reason })
    else run.status = 'paused'
  })
  park(run)
}

export function resume(run: HeldRun): void {
  if (run.status !== 'paused') return
  run.dispatch(() => {
    run.memory.counters.resumes++
    run.journal('run.resumed')
    if (run.snapshotText === null) {
      run.status = 'pending'
      return run.services.readmit(run)
    }
    unpark(run)
    run.send({ type: 'RESUME' })
  })
}

/** Takes the actors of a paused run out of memory. */
function park(run: HeldRun): void {
  if (run.status !== 'paused' || !run.root) return
  run.keepSnapshot(run.root)
  run.dropActors()
}

/** Starts the actors of a paused run again, still paused. */
export function unpark(run: HeldRun): void {
  if (run.snapshotText === null) return
  if (!restoreActors(run, 'paused')) return finish(run, 'quarantined')
  run.scheduled?.restore()
  run.timers.rearm()
}

/** Stops every function that is running; their machines stay where they are. */
export function suspendStages(run: HeldRun): void {
  for (const stage of run.stages.values())
    stage.abandon(new CancelledError(`run ${run.id} was paused`, { runId: run.id, stage: stage.name }))
}

/** Lets every stage go on where it was, and what came meanwhile follow. */
export function resumeStages(run: HeldRun): void {
  for (const stage of [...run.stages.values()]) stage.ref.send({ type: 'RECOVERED' })
  run.send({ type: 'RECOVERED' })
  run.status = 'running'
  run.waits.deliver()
}
