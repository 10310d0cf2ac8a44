/**
 * An operator's decision about a stage of a run that is in memory. What runs is stopped and its end recorded in the
 * same commit; of a stage that has not begun the end is recorded ahead, and it is passed over when its turn comes.
 */
import { CancelledError, HoldfastError, OptionsError } from '../../errors.ts'
import type { ActorRun } from '../run/live-run.ts'
import type { OperatorNote } from './operations-api.ts'
import { type Override, refuseOverride, refuseUnknown } from './overrides.ts'
import { supersededEntries } from './superseded-entries.ts'

/** @throws OptionsError where the stage cannot be overridden any more */
export function overrideLive(run: ActorRun, how: 'skip' | 'complete', override: Override, note: OperatorNote): void {
  const { stage, row, as, result } = override
  refuseCancelling(run)
  refuseOverride(run.definition, run.memory, stage)
  const live = run.liveStage(stage)
  if (!live && run.memory.maps.has(stage)) {
    throw new OptionsError(
      `map '${stage}' is under way; skip or complete its items one by one, as in ${JSON.stringify(`${stage}[key]`)}`,
      { runId: run.id, stage },
    )
  }
  run.dispatch(() => {
    run.journal('stage.overridden', { how, ...note }, { stage })
    if (live) live.override(as, result)
    else run.journalText(row.type, row.data, { stage })
  })
}

/** @throws OptionsError where the stage is not at work: the run has gone on from it, or has not come to it */
export function redoLive(run: ActorRun, stage: string, note: OperatorNote): void {
  refuseCancelling(run)
  refuseUnknown(run.definition, run.memory, stage)
  const live = run.liveStage(stage)
  if (!live) {
    const ended = run.memory.stages.get(stage)?.outcome
    throw new OptionsError(
      ended
        ? `stage '${stage}' has ended and run ${run.id} has gone on from it; fork the run from it, or cancel and fork`
        : `stage '${stage}' of run ${run.id} has not begun${run.status === 'paused' ? ', or the run is paused: resume it first' : ''}, so there is nothing to do again`,
      { runId: run.id, stage },
    )
  }
  run.dispatch(() => {
    run.journal('stage.overridden', { how: 'redo', ...note }, { stage })
    live.abandon(new CancelledError(`stage '${stage}' is done again`, { runId: run.id, stage }))
    const entries = supersededEntries(run.memory, { again: [stage], all: [stage], children: new Map() })
    for (const row of entries) {
      run.putLedger(row)
      run.timers.clear(`sleep:${stage}:${row.key}`)
      run.timers.clear(`wait:${stage}:${row.key}`)
    }
    if (entries.length > 0) run.journal('ledger.superseded', { keys: entries.map(({ key }) => key) }, { stage })
    run.timers.clear(`delay:${stage}`)
    live.passDelay()
    live.ref.send({ type: 'RECOVERED' })
  })
}

/** @throws HoldfastError `run_not_open` */
function refuseCancelling({ id, status }: ActorRun): void {
  if (status !== 'cancelling') return
  throw new HoldfastError('run_not_open', `run ${id} is being cancelled, so nothing is decided about its stages`, {
    runId: id,
    status,
  })
}
