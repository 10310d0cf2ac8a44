/**
 * Model calls of stages. Each is an entry of the ledger, found by what was asked: a recorded answer is given again and
 * never paid for twice, a call of which nobody knows the end is settled first, and only else a model is asked.
 */
import { OptionsError } from '../../errors.ts'
import type { ModelRequest, Tier } from '../../providers/provider.ts'
import type { PieceSink } from '../../resilience/model-answer.ts'
import type { GenerateOptions, GenerateResult } from '../../workflow/stage-context.ts'
import { checkName } from '../names.ts'
import type { Attempt } from '../run/live.ts'
import { ledgerIdentity } from '../run/run-memory.ts'
import { settleUnknown } from '../stage/unknown-outcome.ts'
import { type RecordedAnswer, resultOf } from './call-answer.ts'
import { type CallOptions, hashOf, parseCallOptions, requestOf } from './call-request.ts'
import type { ModelCallParts } from './model-asking.ts'
import { RecordedCall } from './recorded-call.ts'

export type Generate = (
  attempt: Attempt,
  options: GenerateOptions,
  sink?: PieceSink,
) => Promise<GenerateResult<unknown>>

export function createModelCalls(parts: ModelCallParts): Generate {
  return async (attempt, given, sink) => {
    attempt.ensureCurrent()
    const { stage } = attempt
    const { run } = stage
    const what = sink ? 'stream' : 'generate'
    const where = `model.${what} in stage '${stage.name}'`
    const options = parseCallOptions(given, where)
    const request = requestOf(options, stage.definition.task ?? run.definition.task ?? 'general', stage.name, where)
    const prefix = sink ? 'stream' : 'call'
    const like =
      options.key === undefined
        ? `${prefix}:${hashOf(request)}`
        : `${prefix}:(${checkName(options.key, `the key of a model call of stage '${stage.name}'`)})`
    return attempt.alone(like, where, () =>
      recordedCall(attempt, options.key === undefined ? attempt.nextKey(like) : like, request, options, parts, sink),
    )
  }
}

/** What is recorded under the key, or else what a model answers now. */
async function recordedCall(
  attempt: Attempt,
  key: string,
  request: ModelRequest,
  options: CallOptions,
  parts: ModelCallParts,
  sink: PieceSink | undefined,
): Promise<GenerateResult<unknown>> {
  const { stage } = attempt
  const { run } = stage
  attempt.asked.add(key)
  const known = run.ledger(stage.name, key)
  if (known?.state === 'succeeded') {
    run.dispatch(() => {
      run.memory.counters.replayedCalls++
      run.journal('call.replayed', { key }, stage.where(attempt))
    })
    const result = resultOf(JSON.parse(known.data) as RecordedAnswer, options, stage.name)
    if (result.text !== '') sink?.piece(result.text)
    return result
  }
  // One of this very execution is no answer of an earlier one.
  if (run.memory.callsUnderWay.has(ledgerIdentity(stage.name, key))) throw underWay(stage.name, key)
  const told =
    known?.state === 'intended' || known?.state === 'unknown'
      ? await settleUnknown(attempt, known, `a model call of stage '${stage.name}'`)
      : undefined
  const { tier } = run.memory.amended
  const asked = tier === undefined ? request : { ...request, tier: tier as Tier }
  const call = new RecordedCall(attempt, key, asked, options, parts, sink)
  return told ? call.keepTold(told) : attempt.working(() => call.make())
}

const underWay = (stage: string, key: string): OptionsError =>
  new OptionsError(`a model call of stage '${stage}' with the key ${key} is under way already`, { stage, key })
