/**
 * What went wrong in a stage, with the time, the chance and the state of the run that its machine decides by. The journal
 * keeps these facts too, so that the same can be decided again from it.
 */
import type { StageMachineContext, StageMachineEvent } from '../../../machines/stage.machine.ts'
import { backoffDelayMs } from '../../time/backoff.ts'
import { restartBudgetLeft } from '../calls/budget.ts'
import type { LiveStage } from '../run/live.ts'
import { progressMark } from '../run/run-memory.ts'
import { describeFailure } from './failure.ts'

export type FailureFacts = Omit<Extract<StageMachineEvent, { type: 'ATTEMPT_FAILED' }>, 'type'>

/** @param inputHash of what the stage was given */
export function factsOfFailure(stage: LiveStage, thrown: unknown, inputHash: string): FailureFacts {
  const { run, profile } = stage
  const { clock, random } = run.services
  const { retries, restarts, waits } = contextOf(stage)
  const at = clock.now()
  return {
    failure: describeFailure(thrown, { causes: profile.causes, inputHash, nowMs: at }),
    at,
    delayMs: backoffDelayMs(profile.retry.backoff, retries + restarts + waits, random()),
    restartBudgetLeft: restartBudgetLeft(stage),
    progress: progressMark(run.memory, stage.name),
  }
}

/** What decides, without the error itself, which stands beside it in the journal. */
export function journalledFacts({ failure, ...rest }: FailureFacts): object {
  const { error: _error, ...known } = failure
  return { ...known, ...rest }
}

/** What the machine of the stage has counted. */
export const contextOf = ({ ref }: Pick<LiveStage, 'ref'>): StageMachineContext =>
  (ref.getSnapshot() as { context: StageMachineContext }).context
