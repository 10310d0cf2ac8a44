/**
 * What a stage's function can ask for that waits or calls a model, and its log. Whatever has an effect or waits goes
 * through the ledger: asked the same again, by the same function in a later execution, it gives what was recorded.
 */
import { z } from 'zod'
import { decodeError, type EncodedError, ValidationError } from '../../errors.ts'
import { parseOptions, suggestion } from '../../options.ts'
import { type Duration, toMs } from '../../time/duration.ts'
import type { GenerateOptions, StageContext, StageModel } from '../../workflow/stage-context.ts'
import { streamOf } from '../calls/model-streams.ts'
import type { Attempt } from '../run/live.ts'
import { handled } from './stage-promises.ts'

export async function sleep(attempt: Attempt, durationMs: number): Promise<void> {
  attempt.ensureCurrent()
  const { stage } = attempt
  const { run } = stage
  const key = attempt.nextKey('sleep')
  const known = run.ledger(stage.name, key)
  if (known?.state === 'succeeded') return attempt.recorded()
  let answer: Promise<unknown> | undefined
  run.dispatch(() => {
    const until = known ? (JSON.parse(known.data) as { until: number }).until : run.services.clock.now() + durationMs
    if (!known) {
      run.putLedger({ stage: stage.name, key, kind: 'sleep', state: 'intended', data: JSON.stringify({ until }) })
      run.journal('sleep.begun', { key, until }, stage.where(attempt))
    }
    run.timers.ensure(`sleep:${stage.name}:${key}`, until, { kind: 'sleep', stage: stage.name, key })
    answer = attempt.awaitAnswer(key, { stage: stage.name, kind: 'sleep', until })
  })
  await answer
}

const waitSchema = z.strictObject({
  timeout: z.custom<Duration>(value => typeof value === 'number' || typeof value === 'string').optional(),
})

export async function waitFor(attempt: Attempt, signal: string, given: object): Promise<unknown> {
  attempt.ensureCurrent()
  const { stage } = attempt
  const { timeout } = parseOptions(waitSchema, given, `waitFor in stage '${stage.name}'`)
  const timeoutMs = timeout === undefined ? undefined : toMs(timeout, 'waitFor: timeout')
  const { run } = stage
  const declared = Object.keys(run.definition.signals)
  if (run.definition.origin === 'built' && !declared.includes(signal)) {
    throw new ValidationError(
      `stage '${stage.name}' waits for signal '${signal}', which workflow '${run.definition.name}' does not declare${suggestion(signal, declared)}; add it to \`signals\``,
      { stage: stage.name, signal },
    )
  }
  const key = attempt.nextKey(`signal:${signal}`)
  const known = run.ledger(stage.name, key)
  if (known && known.state !== 'intended') {
    await attempt.recorded()
    return recordedAnswer(known.data)
  }
  let answer: Promise<unknown> | undefined
  run.dispatch(() => {
    if (!known) {
      const until = timeoutMs === undefined ? undefined : run.services.clock.now() + timeoutMs
      const asked = { name: signal, ...(until === undefined ? {} : { until }) }
      run.putLedger({ stage: stage.name, key, kind: 'signal', state: 'intended', data: JSON.stringify(asked) })
      run.journal('wait.begun', { key, ...asked }, stage.where(attempt))
    }
    const { until } = JSON.parse(run.ledger(stage.name, key)?.data ?? '{}') as { until?: number }
    if (until !== undefined)
      run.timers.ensure(`wait:${stage.name}:${key}`, until, { kind: 'wait', stage: stage.name, key })
    answer = attempt.awaitAnswer(key, { stage: stage.name, kind: 'signal', name: signal, until })
    run.waits.expect(stage, key, signal)
    run.waits.deliver()
  })
  return answer
}

function recordedAnswer(data: string): unknown {
  const recorded = JSON.parse(data) as { value?: unknown; error?: EncodedError }
  if (recorded.error) throw decodeError(recorded.error)
  return recorded.value
}

export function stageModel(attempt: Attempt): StageModel {
  const { generate } = attempt.stage.run.services
  return {
    generate: ((options: GenerateOptions) => handled(generate(attempt, options))) as StageModel['generate'],
    stream: ((options: GenerateOptions) => streamOf(sink => generate(attempt, options, sink))) as StageModel['stream'],
  }
}

export function stageLog(attempt: Attempt): StageContext['log'] {
  const { stage } = attempt
  const { log } = stage.run.services
  const about = { runId: stage.run.id, stage: stage.name, attempt: attempt.number }
  const at =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (message: string, data: object = {}): void =>
      log[level]({ ...about, ...data }, message)
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
