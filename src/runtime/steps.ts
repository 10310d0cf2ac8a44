/**
 * A step: a piece of work with a side effect, recorded in the ledger. It is written down as intended before it runs and
 * with its value afterwards; one that succeeded is never run again. One that was under way when its process died is
 * unknown, and the profile says what happens to it.
 */

import { z } from 'zod'
import { encodeError, StageError, TimeoutError, ValidationError } from '../errors.ts'
import { parseOptions } from '../options.ts'
import { backoffDelayMs } from '../time/backoff.ts'
import { type Duration, formatMs, toMs } from '../time/duration.ts'
import { encodeJson } from '../workflow/results.ts'
import type { StepContext, StepOptions } from '../workflow/stage-context.ts'
import type { Attempt } from './live.ts'
import { checkName } from './names.ts'

const duration = z.custom<Duration>(value => typeof value === 'number' || typeof value === 'string', {
  error: 'must be a duration',
})

const optionsSchema = z.strictObject({
  key: z.string().min(1).optional(),
  timeout: duration.optional(),
  retry: z.strictObject({ max: z.int().min(0), backoff: duration.optional() }).optional(),
})

export async function runStep<T>(
  attempt: Attempt,
  name: string,
  given: StepOptions,
  fn: (context: StepContext) => T | Promise<T>,
): Promise<T> {
  attempt.ensureCurrent()
  const { stage } = attempt
  const { run } = stage
  const where = `step '${name}' of stage '${stage.name}'`
  const options = parseOptions(optionsSchema, given, where)
  if (typeof name !== 'string' || name === '' || typeof fn !== 'function') {
    throw new ValidationError(`${where}: a step takes a name, options and a function`, { stage: stage.name })
  }
  checkName(`${name}${options.key ?? ''}`, where)
  const key = options.key === undefined ? attempt.nextKey(`step:${name}`) : `step:${name}:(${options.key})`
  const known = run.ledger(stage.name, key)
  if (known?.state === 'succeeded') return (JSON.parse(known.data) as { value?: T }).value as T
  if (known?.state === 'intended') admitUnknown(attempt, key, where)
  const backoff =
    options.retry?.backoff === undefined ? stage.profile.retry.backoff : fixed(toMs(options.retry.backoff))
  const timeoutMs = options.timeout === undefined ? undefined : toMs(options.timeout, 'step timeout')
  return attempt.working(async () => {
    for (let failures = 0; ; failures++) {
      try {
        return await tryStep(attempt, key, where, timeoutMs, fn)
      } catch (error) {
        attempt.ensureCurrent()
        if (failures >= (options.retry?.max ?? 0) || error instanceof ValidationError) throw error
        await pause(attempt, backoffDelayMs(backoff, failures, run.services.random()))
      }
    }
  })
}

async function tryStep<T>(
  attempt: Attempt,
  key: string,
  where: string,
  timeoutMs: number | undefined,
  fn: (context: StepContext) => T | Promise<T>,
): Promise<T> {
  const { stage } = attempt
  const { run } = stage
  const record = (state: 'intended' | 'succeeded' | 'failed', data: string): void =>
    run.putLedger({ stage: stage.name, key, kind: 'step', state, data })
  run.dispatch(() => {
    record('intended', '{}')
    run.journal('step.intended', { key }, stage.where(attempt))
  })
  await attempt.durable()
  let text: string | undefined
  try {
    text = encodeJson(await bounded(attempt, timeoutMs, where, fn, `${run.id}/${stage.name}/${key}`), where)
  } catch (error) {
    attempt.ensureCurrent()
    run.dispatch(() => {
      record('failed', JSON.stringify({ error: encodeError(error) }))
      run.journal('step.failed', { key, error: encodeError(error) }, stage.where(attempt))
    })
    await attempt.durable()
    throw error
  }
  attempt.ensureCurrent()
  run.dispatch(() => {
    record('succeeded', text === undefined ? '{}' : `{"value":${text}}`)
    run.journal('step.succeeded', { key }, stage.where(attempt))
  })
  await attempt.durable()
  return (text === undefined ? undefined : JSON.parse(text)) as T
}

/** Runs `fn` with a signal of its own, for at most its timeout. */
async function bounded<T>(
  attempt: Attempt,
  timeoutMs: number | undefined,
  where: string,
  fn: (context: StepContext) => T | Promise<T>,
  idempotencyKey: string,
): Promise<T> {
  if (timeoutMs === undefined)
    return attempt.guard(Promise.resolve().then(() => fn({ signal: attempt.signal, idempotencyKey })))
  const { clock } = attempt.stage.run.services
  const own = new AbortController()
  const stop = (): void => own.abort(attempt.signal.reason)
  attempt.signal.addEventListener('abort', stop, { once: true })
  let timer: unknown
  const late = new Promise<never>((_, reject) => {
    timer = clock.setTimeout(() => {
      const error = new TimeoutError(`${where} took longer than ${formatMs(timeoutMs)}`, { timeoutMs })
      own.abort(error)
      reject(error)
    }, timeoutMs)
  })
  try {
    return await attempt.guard(
      Promise.race([late, Promise.resolve().then(() => fn({ signal: own.signal, idempotencyKey }))]),
    )
  } finally {
    clock.clearTimeout(timer)
    attempt.signal.removeEventListener('abort', stop)
  }
}

/** The step was begun by a process that died: whether it happened is unknown. */
function admitUnknown(attempt: Attempt, key: string, where: string): void {
  const { stage } = attempt
  const { run } = stage
  const policy = stage.profile.unknownOutcome
  run.dispatch(() => run.journal('step.unknown', { key, policy }, stage.where(attempt)))
  if (policy === 'retry') return
  throw new StageError(
    `${where} was under way when its process died, and profile '${stage.profile.name}' says '${policy}' for an unknown outcome; find out whether it happened before the run goes on`,
    { stage: stage.name, key, kind: 'unknown_outcome' },
  )
}

function pause(attempt: Attempt, delayMs: number): Promise<void> {
  const { clock } = attempt.stage.run.services
  let timer: unknown
  const wait = new Promise<void>(resolve => {
    timer = clock.setTimeout(resolve, delayMs)
  })
  return attempt.guard(wait).finally(() => clock.clearTimeout(timer))
}

const fixed = (base: number) => ({ kind: 'fixed', base, max: base, jitter: 0 }) as const
