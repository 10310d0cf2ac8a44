/** How the end of a stage is written down: in the journal, and in what the run remembers of why it fails. */
import type { StageFailure, StageOutcome } from '../../../machines/stage.machine.ts'
import { BudgetExceededError, decodeError, type EncodedError, encodeError } from '../../errors.ts'
import type { JsonText } from '../../store/store.ts'
import { unwrapResult, wrapResult } from '../../workflow/results.ts'
import type { LiveStage } from '../run/live.ts'
import { withoutStacks } from './failure.ts'

/**
 * @param resultData as `encodeResult` gives it
 * @returns the error that the stage's actor ends with, if it failed
 */
export function recordEnd(
  stage: LiveStage,
  outcome: StageOutcome,
  failure: StageFailure | null | undefined,
  resultData: JsonText | undefined,
): Error | undefined {
  const { run, name } = stage
  const where = stage.where()
  const error = failure?.error as EncodedError | undefined
  if (outcome === 'succeeded') run.journalText('stage.succeeded', resultData ?? wrapResult(undefined), where)
  else if (outcome === 'fell_back') {
    run.journalText('stage.fell_back', fellBackData(resultData, error), where)
    run.noteDegraded({ stage: name, reason: error?.message ?? 'the stage fell back' })
  } else if (outcome === 'skipped') run.journal('stage.skipped', {}, where)
  else if (outcome === 'degraded') {
    run.journal('stage.degraded', { error }, where)
    run.noteDegraded({ stage: name, reason: error?.message ?? 'the stage was lost' })
  } else {
    run.journal('stage.failed', { error }, where)
    return failRun(stage, outcome, failure)
  }
  return undefined
}

/** The stage is lost, and the run with it, unless a machine of one's own handles that. */
function failRun({ run, name }: LiveStage, outcome: StageOutcome, failure: StageFailure | null | undefined): Error {
  const status = outcome === 'quarantined' ? 'quarantined' : outcome === 'out_of_budget' ? 'budget_exceeded' : 'failed'
  const encoded =
    outcome === 'out_of_budget' && failure?.type !== 'budget'
      ? encodeError(
          new BudgetExceededError(`stage '${name}' would be restarted, and the budget allows no more restarts`, {
            currency: 'restarts',
          }),
        )
      : ((failure?.error as EncodedError | undefined) ?? { name: 'StageError', message: `stage '${name}' failed` })
  const attempt = run.memory.stages.get(name)?.attempts || 1
  if (run.definition.origin === 'built' || status !== 'failed')
    run.fail({ status, error: encoded, stage: name, attempt })
  run.lastFailed = { stage: name, attempt, message: encoded.message }
  return decodeError(encoded)
}

function fellBackData(resultData: JsonText | undefined, error: EncodedError | undefined): JsonText {
  const result = resultData === undefined ? undefined : unwrapResult(resultData)
  const rest = `"error":${JSON.stringify(error ? withoutStacks(error) : null)}`
  return result === undefined ? `{${rest}}` : `{"result":${result},${rest}}`
}
