/**
 * What becomes of a step or a model call that was under way when its process died. Nobody knows whether it happened:
 * the profile says that it is made again, that the stage fails, or that an operator is asked. Who is asked finds out and
 * answers by the signal `holdfast.outcome`; until then the stage waits, in the store like any other that waits, and the
 * answer is recorded, so it holds for this one uncertainty and no later one.
 */
import { z } from 'zod'
import { StageError, ValidationError } from '../../errors.ts'
import type { JsonText, LedgerRow } from '../../store/store.ts'
import type { Attempt, LiveRun } from '../run/live.ts'

/** The signal by which an operator says what came of a step or a call. */
export const outcomeSignal = 'holdfast.outcome'

const answerSchema = z.discriminatedUnion('outcome', [
  z.strictObject({ stage: z.string(), key: z.string(), outcome: z.literal('retry') }),
  z.strictObject({ stage: z.string(), key: z.string(), outcome: z.literal('failed'), message: z.string().optional() }),
  z.strictObject({ stage: z.string(), key: z.string(), outcome: z.literal('succeeded'), value: z.unknown() }),
])

export type OutcomeAnswer = z.output<typeof answerSchema>

/** How often it has been unknown; kept in the entry's data while it is. */
interface Doubt {
  readonly doubts?: number
}

/** What an entry that did not succeed keeps of the earlier time: how often it was unknown. */
export function doubtsOf(row: LedgerRow | undefined): Doubt {
  const { doubts } = row ? (JSON.parse(row.data) as Doubt) : {}
  return doubts === undefined ? {} : { doubts }
}

/** The name under which the answer for this entry waits in the inbox. */
const answerName = (stage: string, key: string): string => `${outcomeSignal}:${stage}:${key}`

export const isOutcomeAnswer = (name: string): boolean => name.startsWith(`${outcomeSignal}:`)

/** The name under which the answer is kept. @throws ValidationError when it is no answer to what is asked */
export function outcomeAnswerName(run: LiveRun, payload: JsonText): string {
  const answer = answerSchema.safeParse(JSON.parse(payload))
  if (!answer.success) {
    throw new ValidationError(
      `signal '${outcomeSignal}' takes { stage, key, outcome: 'retry' | 'failed' | 'succeeded', value?, message? }: ${answer.error.issues[0]?.message ?? ''}`,
      { signal: outcomeSignal },
    )
  }
  const { stage, key } = answer.data
  const row = run.ledger(stage, key)
  if (row?.state !== 'unknown') {
    throw new ValidationError(
      `nobody asks what came of '${key}' of stage '${stage}': ${row ? `it is ${row.state}` : 'there is no such step or call'}`,
      { signal: outcomeSignal, stage, key },
    )
  }
  return answerName(stage, key)
}

/**
 * Undefined: make it (again). Otherwise what came of it, as an operator says.
 * @throws StageError where the profile or the operator says that it failed
 */
export async function settleUnknown(
  attempt: Attempt,
  row: LedgerRow,
  what: string,
): Promise<OutcomeAnswer | undefined> {
  const { stage } = attempt
  const { run } = stage
  const { key, kind } = row
  const policy = stage.profile.unknownOutcome
  const isNew = row.state === 'intended'
  const data = JSON.parse(row.data) as Doubt
  const doubts = (data.doubts ?? 0) + (isNew ? 1 : 0)
  if (isNew) {
    run.dispatch(() => {
      if (kind === 'call') run.memory.counters.unknownCalls++
      run.journal(kind === 'call' ? 'call.unknown' : 'step.unknown', { key, policy }, stage.where(attempt))
      if (policy !== 'retry') run.putLedger({ ...row, state: 'unknown', data: JSON.stringify({ ...data, doubts }) })
    })
  }
  if (policy === 'retry') return undefined
  if (policy === 'fail') {
    throw new StageError(
      `${what} was under way when its process died, and profile '${stage.profile.name}' says 'fail' for an unknown outcome; find out whether it happened before the run is tried again`,
      { stage: stage.name, key, kind: 'unknown_outcome' },
    )
  }
  const answer = await askOperator(attempt, key, `outcome:${key}:${doubts}`)
  if (answer.outcome === 'retry') return undefined
  if (answer.outcome === 'succeeded') return answer
  throw new StageError(answer.message ?? `${what} failed, as an operator found out`, {
    stage: stage.name,
    key,
    kind: 'unknown_outcome',
  })
}

/** Waits for the answer as a stage waits for a signal; one that is recorded is given again. */
async function askOperator(attempt: Attempt, about: string, key: string): Promise<OutcomeAnswer> {
  const { stage } = attempt
  const { run } = stage
  const known = run.ledger(stage.name, key)
  if (known?.state === 'succeeded') return (JSON.parse(known.data) as { value: OutcomeAnswer }).value
  const name = answerName(stage.name, about)
  let answer: Promise<unknown> | undefined
  run.dispatch(() => {
    if (!known) {
      run.putLedger({ stage: stage.name, key, kind: 'signal', state: 'intended', data: JSON.stringify({ name }) })
      run.journal('wait.begun', { key, name: outcomeSignal, about }, stage.where(attempt))
    }
    answer = attempt.awaitAnswer(key, { stage: stage.name, kind: 'signal', name: outcomeSignal, about })
    run.waits.expect(stage, key, name)
    run.waits.deliver()
  })
  return (await answer) as OutcomeAnswer
}
