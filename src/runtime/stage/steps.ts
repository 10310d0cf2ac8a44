/**
 * A step: a piece of work with a side effect, recorded in the ledger. It is written down as intended before it runs and
 * with its value afterwards; one that succeeded is never run again. One that was under way when its process died is
 * unknown, and the profile says what happens to it.
 */

import { z } from 'zod'
import { encodeError, ValidationError } from '../../errors.ts'
import { parseOptions } from '../../options.ts'
import { type Backoff, backoffDelayMs } from '../../time/backoff.ts'
import { type Duration, toMs } from '../../time/duration.ts'
import { encodeJson } from '../../workflow/results.ts'
import type { StepContext, StepOptions } from '../../workflow/stage-context.ts'
import { checkName } from '../names.ts'
import type { Attempt } from '../run/live.ts'
import { bounded } from './bounded-work.ts'
import { doubtsOf, type OutcomeAnswer, settleUnknown } from './unknown-outcome.ts'

const duration = z.custom<Duration>(value => typeof value === 'number' || typeof value === 'string', {
  error: 'must be a duration',
})

const backoffKind = z.enum(['exponential', 'linear', 'fixed', 'decorrelated'])
const backoffShape = z.strictObject({
  kind: backoffKind.optional(),
  base: duration.optional(),
  max: duration.optional(),
  jitter: z.number().min(0).max(1).optional(),
})

const optionsSchema = z.strictObject({
  key: z.string().min(1).optional(),
  timeout: duration.optional(),
  retry: z
    .strictObject({ max: z.int().min(0), backoff: z.union([backoffKind, backoffShape, duration]).optional() })
    .optional(),
})

export async function runStep<T>(
  attempt: Attempt,
  name: string,
  given: StepOptions,
  fn: (context: StepContext) => T | Promise<T>,
): Promise<T> {
  attempt.ensureCurrent()
  const { stage } = attempt
  const where = `step '${name}' of stage '${stage.name}'`
  const options = parseOptions(optionsSchema, given, where)
  if (typeof name !== 'string' || name === '' || typeof fn !== 'function') {
    throw new ValidationError(`${where}: a step takes a name, options and a function`, { stage: stage.name })
  }
  checkName(`${name}${options.key ?? ''}`, where)
  const like = options.key === undefined ? `step:${name}` : `step:${name}:(${options.key})`
  return attempt.alone(like, where, () =>
    recordedStep(attempt, options.key === undefined ? attempt.nextKey(like) : like, where, options, fn),
  )
}

/** What is recorded under the key, or else what the function gives now. */
async function recordedStep<T>(
  attempt: Attempt,
  key: string,
  where: string,
  options: z.output<typeof optionsSchema>,
  fn: (context: StepContext) => T | Promise<T>,
): Promise<T> {
  const { stage } = attempt
  const { run } = stage
  attempt.asked.add(key)
  const known = run.ledger(stage.name, key)
  if (known?.state === 'succeeded') return (JSON.parse(known.data) as { value?: T }).value as T
  if (known?.state === 'intended' || known?.state === 'unknown') {
    const told = await settleUnknown(attempt, known, where)
    if (told) return recordTold<T>(attempt, key, told)
  }
  const backoff = backoffOf(options.retry?.backoff, stage.profile.retry.backoff)
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
    record('intended', JSON.stringify(doubtsOf(run.ledger(stage.name, key))))
    run.journal('step.intended', { key }, stage.where(attempt))
  })
  await attempt.durable()
  let text: string | undefined
  try {
    text = encodeJson(await runBounded(attempt, timeoutMs, where, fn, `${run.id}/${stage.name}/${key}`), where)
  } catch (error) {
    attempt.ensureCurrent()
    run.dispatch(() => {
      record('failed', JSON.stringify({ error: encodeError(error), ...doubtsOf(run.ledger(stage.name, key)) }))
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
function runBounded<T>(
  attempt: Attempt,
  timeoutMs: number | undefined,
  what: string,
  fn: (context: StepContext) => T | Promise<T>,
  idempotencyKey: string,
): Promise<T> {
  if (timeoutMs === undefined) {
    return attempt.guard((async () => fn({ signal: attempt.signal, idempotencyKey }))())
  }
  const { clock } = attempt.stage.run.services
  return attempt.guard(
    bounded({ clock, limitMs: timeoutMs, what, signal: attempt.signal }, signal => fn({ signal, idempotencyKey })),
  )
}

/** An operator found out that the step had been done, and with what value. */
async function recordTold<T>(attempt: Attempt, key: string, told: OutcomeAnswer): Promise<T> {
  const { stage } = attempt
  const value = 'value' in told ? told.value : undefined
  const data = value === undefined ? '{}' : JSON.stringify({ value })
  stage.run.dispatch(() => {
    stage.run.putLedger({ stage: stage.name, key, kind: 'step', state: 'succeeded', data })
    stage.run.journal('step.succeeded', { key, told: true }, stage.where(attempt))
  })
  await attempt.durable()
  return value as T
}

function pause(attempt: Attempt, delayMs: number): Promise<void> {
  const { clock } = attempt.stage.run.services
  let timer: unknown
  const wait = new Promise<void>(resolve => {
    timer = clock.setTimeout(resolve, delayMs)
  })
  return attempt.guard(wait).finally(() => clock.clearTimeout(timer))
}

/** A kind, some numbers, or the same delay each time; what is not said is the profile's. */
function backoffOf(
  given: z.output<typeof backoffKind> | z.output<typeof backoffShape> | Duration | undefined,
  usual: Backoff,
): Backoff {
  if (given === undefined) return usual
  const kind = backoffKind.safeParse(given)
  if (kind.success) return { ...usual, kind: kind.data }
  if (typeof given === 'object') {
    const base = given.base === undefined ? usual.base : toMs(given.base, 'retry.backoff.base')
    const max = given.max === undefined ? Math.max(usual.max, base) : toMs(given.max, 'retry.backoff.max')
    return { kind: given.kind ?? usual.kind, base, max, jitter: given.jitter ?? usual.jitter }
  }
  const delayMs = toMs(given as Duration, 'retry.backoff')
  return { kind: 'fixed', base: delayMs, max: delayMs, jitter: 0 }
}
