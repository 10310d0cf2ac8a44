/**
 * Makes what a stage's function is given. Whatever has an effect or waits goes through the ledger: asked the same
 * again, by the same function in a later execution, it gives what was recorded.
 */

import { z } from 'zod'
import { decodeError, type EncodedError, ValidationError } from '../../errors.ts'
import { parseOptions, suggestion } from '../../options.ts'
import { type Duration, toMs } from '../../time/duration.ts'
import type {
  GenerateOptions,
  StageContext,
  StageModel,
  StepContext,
  StepOptions,
} from '../../workflow/stage-context.ts'
import { streamOf } from '../calls/model-streams.ts'
import { startChildRun } from '../run/child-runs.ts'
import type { Attempt } from '../run/live.ts'
import { handled } from './stage-promises.ts'
import { runStep } from './steps.ts'

export function createStageContext(attempt: Attempt): StageContext {
  const { stage } = attempt
  const { run, definition } = stage
  let input: { readonly value: unknown } | undefined
  let results: Readonly<Record<string, unknown>> | undefined
  const context: StageContext = {
    get input() {
      input ??= { value: stage.input }
      return input.value
    },
    get results() {
      results ??= run.resultsOf(definition.ancestors)
      return results
    },
    runId: run.id,
    stage: stage.name,
    attempt: attempt.number,
    incarnation: attempt.incarnation,
    get lastFailure() {
      return stage.lastFailure
    },
    idempotencyKey: `${run.id}/${stage.name}`,
    get signal() {
      return attempt.signal
    },
    get deadline() {
      return attempt.deadline
    },
    get log() {
      return stageLog(attempt)
    },
    get metrics() {
      return run.services.metrics.of(stage.name, run.definition.name)
    },
    progress(fraction, note) {
      attempt.ensureCurrent()
      const bounded = Math.min(1, Math.max(0, Number(fraction) || 0))
      run.dispatch(() =>
        run.journal(
          'stage.progressed',
          { fraction: bounded, ...(note === undefined ? {} : { note: String(note) }) },
          stage.where(attempt),
        ),
      )
    },
    get model() {
      return stageModel(attempt)
    },
    step: <T>(name: string, second: StepOptions | StepFunction<T> | undefined, third?: StepFunction<T>): Promise<T> =>
      handled(
        typeof second === 'function'
          ? runStep(attempt, name, {}, second)
          : runStep(attempt, name, second ?? {}, third as StepFunction<T>),
      ),
    sleep: duration => handled(sleep(attempt, toMs(duration, 'sleep'))),
    waitFor: (signal, options) => handled(waitFor(attempt, signal, options ?? {})),
    startChild: (workflow, input, options) => handled(startChildRun(attempt, workflow, input, options ?? {})),
    degrade(reason) {
      attempt.ensureCurrent()
      run.dispatch(() => run.degrade({ stage: stage.name, reason: String(reason) }))
    },
    system: { state: () => run.services.systemState() },
  }
  return stage.item ? Object.assign(context, { item: stage.itemValue(), index: stage.item.index }) : context
}

type StepFunction<T> = (context: StepContext) => T | Promise<T>

async function sleep(attempt: Attempt, durationMs: number): Promise<void> {
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
      run.timers.set(`sleep:${stage.name}:${key}`, until, { kind: 'sleep', stage: stage.name, key })
    }
    answer = attempt.awaitAnswer(key, { stage: stage.name, kind: 'sleep', until })
  })
  await answer
}

const waitSchema = z.strictObject({
  timeout: z.custom<Duration>(value => typeof value === 'number' || typeof value === 'string').optional(),
})

async function waitFor(attempt: Attempt, signal: string, given: object): Promise<unknown> {
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
      if (until !== undefined)
        run.timers.set(`wait:${stage.name}:${key}`, until, { kind: 'wait', stage: stage.name, key })
    }
    const { until } = JSON.parse(run.ledger(stage.name, key)?.data ?? '{}') as { until?: number }
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

function stageModel(attempt: Attempt): StageModel {
  const { generate } = attempt.stage.run.services
  return {
    generate: ((options: GenerateOptions) => handled(generate(attempt, options))) as StageModel['generate'],
    stream: ((options: GenerateOptions) => streamOf(sink => generate(attempt, options, sink))) as StageModel['stream'],
  }
}

function stageLog(attempt: Attempt): StageContext['log'] {
  const { stage } = attempt
  const { log } = stage.run.services
  const about = { runId: stage.run.id, stage: stage.name, attempt: attempt.number }
  const at =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (message: string, data: object = {}): void =>
      log[level]({ ...about, ...data }, message)
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
