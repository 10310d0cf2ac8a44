/**
 * Model calls of stages. Each is an entry of the ledger, found by what was asked: written down as intended before it is
 * made, as succeeded with its answer, or as failed with what it cost. A recorded answer is given again and never paid
 * for twice; an answer that does not pass `schema` or `check` is recorded as failed, so it is never given again.
 */

import { createHash } from 'node:crypto'
import { z } from 'zod'
import { encodeError, OptionsError, ProviderError } from '../errors.ts'
import { parseOptions } from '../options.ts'
import type { Message, ModelAnswer, ModelRequest, Provider, Tier } from '../providers/provider.ts'
import type { Circuits } from '../resilience/circuits.ts'
import { callModel, type ModelCallEvent, type ModelCallOutcome } from '../resilience/model-call.ts'
import { encodeJson } from '../workflow/results.ts'
import type { GenerateOptions, GenerateResult } from '../workflow/stage-context.ts'
import { ensureCallBudget } from './budget.ts'
import type { Attempt } from './live.ts'
import type { ModelPrices } from './model-prices.ts'
import { checkName } from './names.ts'
import { doubtsOf, type OutcomeAnswer, settleUnknown } from './unknown-outcome.ts'

const optionsSchema = z.strictObject({
  prompt: z.string().optional(),
  messages: z
    .array(z.custom<Message>(value => value !== null && typeof value === 'object' && 'role' in value))
    .optional(),
  system: z.string().optional(),
  schema: z.custom<z.ZodType>(isSchema, { error: 'must be a zod schema' }).optional(),
  tools: z
    .record(
      z.string(),
      z.strictObject({
        description: z.string(),
        input: z.custom<z.ZodType>(isSchema, { error: 'must be a zod schema' }),
      }),
    )
    .optional(),
  check: z
    .custom<NonNullable<GenerateOptions['check']>>(value => typeof value === 'function', {
      error: 'must be a function',
    })
    .optional(),
  key: z.string().min(1).optional(),
  maxOutputTokens: z.int().min(1).optional(),
  temperature: z.number().optional(),
  tier: z.enum(['cheap', 'capable', 'premium']).optional(),
  capabilities: z.array(z.string()).optional(),
})

type Options = z.output<typeof optionsSchema>

/** What the ledger keeps of an answer. */
interface RecordedAnswer {
  readonly answer: ModelAnswer
  readonly provider: string
  readonly model: string
  readonly tier: Tier
  readonly attempts: number
  readonly degraded: boolean
}

export type Generate = (attempt: Attempt, options: GenerateOptions) => Promise<GenerateResult<unknown>>

export function createModelCalls(providers: readonly Provider[], circuits: Circuits, prices: ModelPrices): Generate {
  return async (attempt, given) => {
    attempt.ensureCurrent()
    const { stage } = attempt
    const { run } = stage
    const options = parseOptions(optionsSchema, given, `model.generate in stage '${stage.name}'`)
    const request = requestOf(options, stage.definition.task ?? run.definition.task ?? 'general', stage.name)
    const key =
      options.key === undefined
        ? attempt.nextKey(`call:${hashOf(request)}`)
        : `call:(${checkName(options.key, `the key of a model call of stage '${stage.name}'`)})`
    attempt.asked.add(key)
    const known = run.ledger(stage.name, key)
    if (known?.state === 'succeeded') {
      run.dispatch(() => {
        run.memory.counters.replayedCalls++
        run.journal('call.replayed', { key }, stage.where(attempt))
      })
      return resultOf(JSON.parse(known.data) as RecordedAnswer, options, stage.name)
    }
    if (known?.state === 'intended' || known?.state === 'unknown') {
      const told = await settleUnknown(attempt, known, `a model call of stage '${stage.name}'`)
      if (told) return recordTold(attempt, key, told, options)
    }
    ensureCallBudget(stage)
    const { tier } = run.memory.amended
    const asked = tier === undefined ? request : { ...request, tier: tier as Tier }
    return attempt.working(() => callAndRecord(attempt, key, asked, options, providers, circuits, prices))
  }
}

async function callAndRecord(
  attempt: Attempt,
  key: string,
  request: ModelRequest,
  options: Options,
  providers: readonly Provider[],
  circuits: Circuits,
  prices: ModelPrices,
): Promise<GenerateResult<unknown>> {
  const { stage } = attempt
  const { run } = stage
  run.dispatch(() => {
    run.putLedger({
      stage: stage.name,
      key,
      kind: 'call',
      state: 'intended',
      data: doubtsOf(run.ledger(stage.name, key)),
    })
    run.journal('call.intended', { key, task: request.task }, stage.where(attempt))
  })
  await attempt.durable()
  let outcome: ModelCallOutcome
  try {
    outcome = await attempt.guard(
      callModel(request, {
        providers,
        profile: stage.profile,
        circuits,
        clock: run.services.clock,
        random: run.services.random,
        signal: attempt.workSignal,
        deadlineAt: attempt.deadline,
        idempotencyKey: `${run.id}/${stage.name}/${key}`,
        onEvent: event => note(attempt, key, event),
      }).then(prices.priced),
    )
  } catch (error) {
    attempt.ensureCurrent()
    return recordFailure(attempt, key, error)
  }
  attempt.ensureCurrent()
  const recorded = recordedOf(outcome)
  let result: GenerateResult<unknown>
  try {
    result = resultOf(recorded, options, stage.name)
    checkAnswer(result, options, stage.name)
  } catch (error) {
    return recordFailure(attempt, key, error, recorded.answer)
  }
  run.dispatch(() => {
    book(attempt, recorded.answer, false)
    run.putLedger({
      stage: stage.name,
      key,
      kind: 'call',
      state: 'succeeded',
      data: encodeJson(recorded, `answer to call ${key} of stage '${stage.name}'`) as string,
    })
    const { provider, model, tier, attempts } = recorded
    run.journal(
      'call.succeeded',
      { key, provider, model, tier, attempts, usage: result.usage, cost: result.cost },
      stage.where(attempt),
    )
    if (recorded.degraded)
      run.degrade({ stage: stage.name, component: provider, reason: `'${provider}' answered in place of a better one` })
  })
  await attempt.durable()
  return result
}

/** Writes down that the call failed, with what it cost, and throws why. */
async function recordFailure(attempt: Attempt, key: string, error: unknown, paid?: ModelAnswer): Promise<never> {
  const { stage } = attempt
  const { run } = stage
  const encoded = encodeError(error)
  run.dispatch(() => {
    if (paid) book(attempt, paid, true)
    run.putLedger({
      stage: stage.name,
      key,
      kind: 'call',
      state: 'failed',
      data: JSON.stringify({ error: encoded, ...(paid?.cost === undefined ? {} : { cost: paid.cost }) }),
    })
    run.journal('call.failed', { key, kind: encoded.details?.kind ?? null, error: encoded }, stage.where(attempt))
  })
  await attempt.durable()
  throw error
}

/** Adds what an answer used to the run's counters; of one that is thrown away, as wasted too. */
function book({ stage }: Attempt, answer: ModelAnswer, wasted: boolean): void {
  const { counters } = stage.run.memory
  counters.inputTokens += answer.usage?.inputTokens ?? 0
  counters.outputTokens += answer.usage?.outputTokens ?? 0
  if (answer.cost === undefined) counters.unpricedCalls++
  else {
    counters.usd += answer.cost
    if (wasted) counters.wastedUsd += answer.cost
  }
}

function note(attempt: Attempt, key: string, event: ModelCallEvent): void {
  const { stage } = attempt
  const { run } = stage
  if (attempt.over || run.detached) return
  if (event.type === 'attempt.started') {
    run.dispatch(() => {
      run.memory.counters.calls++
    })
    return
  }
  if (event.type !== 'attempt.failed' && event.type !== 'attempt.refused') return
  const kind = event.type === 'attempt.failed' ? event.failure.kind : 'circuit_open'
  const { provider, model, tier } = event
  run.dispatch(() =>
    run.journal('call.attempted', { key, provider, model, tier, outcome: 'failed', kind }, stage.where(attempt)),
  )
}

function requestOf(options: Options, task: string, stage: string): ModelRequest {
  if ((options.prompt === undefined) === (options.messages === undefined)) {
    throw new OptionsError(`model.generate in stage '${stage}': give either prompt or messages`, { stage })
  }
  const messages: Message[] = [
    ...(options.system === undefined ? [] : [{ role: 'system', content: options.system } as const]),
    ...(options.messages ?? [{ role: 'user', content: options.prompt as string } as const]),
  ]
  const tools =
    options.tools &&
    Object.fromEntries(
      Object.entries(options.tools).map(([name, tool]) => [
        name,
        { description: tool.description, schema: z.toJSONSchema(tool.input) },
      ]),
    )
  return {
    task,
    messages,
    ...(options.tier === undefined ? {} : { tier: options.tier }),
    ...(options.schema === undefined ? {} : { schema: z.toJSONSchema(options.schema) }),
    ...(tools === undefined ? {} : { tools }),
    ...(options.maxOutputTokens === undefined ? {} : { maxOutputTokens: options.maxOutputTokens }),
    ...(options.temperature === undefined ? {} : { temperature: options.temperature }),
  }
}

function recordedOf({ answer, provider, model, tier, attempts, degraded }: ModelCallOutcome): RecordedAnswer {
  return { answer, provider, model, tier, attempts, degraded }
}

function resultOf(recorded: RecordedAnswer, options: Options, stage: string): GenerateResult<unknown> {
  const { answer, provider, model, tier, attempts, degraded } = recorded
  const text = answer.text
  const toolCalls = answer.toolCalls ?? []
  return {
    text,
    object: options.schema ? objectOf(answer, options.schema, stage) : undefined,
    toolCalls,
    message: {
      role: 'assistant',
      content: [
        ...(text === '' ? [] : [{ type: 'text', text } as const]),
        ...toolCalls.map(
          call => ({ type: 'tool-call', toolCallId: call.id, toolName: call.name, input: call.input }) as const,
        ),
      ],
    },
    finishReason: answer.finishReason ?? 'stop',
    usage: answer.usage ?? { inputTokens: 0, outputTokens: 0 },
    cost: answer.cost ?? 'unknown',
    provider,
    model,
    tier,
    cached: false,
    degraded,
    attempts,
  }
}

/** The object of an answer, checked. A model may put its JSON into a fenced block. */
function objectOf(answer: ModelAnswer, schema: z.ZodType, stage: string): unknown {
  let value = answer.object
  if (value === undefined) {
    const text = /```(?:json)?\s*([\s\S]*?)```/.exec(answer.text)?.[1] ?? answer.text
    try {
      value = JSON.parse(text)
    } catch (cause) {
      throw invalid(`the answer to stage '${stage}' is no JSON`, cause)
    }
  }
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  const path = issue?.path.map(String).join('.') ?? ''
  throw invalid(
    `the answer to stage '${stage}' is not of the form that was asked for: ${path ? `${path}: ` : ''}${issue?.message ?? ''}`,
    parsed.error,
  )
}

function checkAnswer(result: GenerateResult<unknown>, options: Options, stage: string): void {
  const verdict = options.check?.(result)
  if (verdict === undefined || verdict === true) return
  throw invalid(
    `the answer to stage '${stage}' did not pass its check${typeof verdict === 'string' ? `: ${verdict}` : ''}`,
  )
}

const invalid = (message: string, cause?: unknown): ProviderError =>
  new ProviderError(
    message,
    { kind: 'invalid_response', transient: true, scope: 'model' },
    cause === undefined ? {} : { cause },
  )

/** An operator found out what the answer was: its text, or its object as JSON. */
async function recordTold(
  attempt: Attempt,
  key: string,
  told: OutcomeAnswer,
  options: Options,
): Promise<GenerateResult<unknown>> {
  const { stage } = attempt
  const value = 'value' in told ? told.value : undefined
  const text = typeof value === 'string' ? value : JSON.stringify(value ?? '')
  const from = { provider: 'operator', model: 'operator', tier: options.tier ?? 'capable' } as const
  const recorded: RecordedAnswer = { answer: { text }, ...from, attempts: 1, degraded: false }
  const result = resultOf(recorded, options, stage.name)
  stage.run.dispatch(() => {
    stage.run.putLedger({ stage: stage.name, key, kind: 'call', state: 'succeeded', data: JSON.stringify(recorded) })
    stage.run.journal('call.succeeded', { key, ...from, told: true, cost: 'unknown' }, stage.where(attempt))
  })
  await attempt.durable()
  return result
}

const hashOf = (request: ModelRequest): string =>
  createHash('sha256').update(JSON.stringify(request)).digest('hex').slice(0, 16)

function isSchema(value: unknown): boolean {
  return (
    value !== null && typeof value === 'object' && typeof (value as { safeParse?: unknown }).safeParse === 'function'
  )
}
