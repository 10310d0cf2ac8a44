/**
 * Any language model object of the AI SDK as a provider. Its `doGenerate` and `doStream` are called directly: the retries
 * of the SDK are not wanted here, and its opinion on what can be retried is not asked. What it throws is passed on as it
 * is, for the taxonomy reads its errors.
 */
import { z } from 'zod'
import { OptionsError } from '../errors.ts'
import { parseOptions } from '../options.ts'
import { type Clock, systemClock } from '../time/clock.ts'
import { type Duration, toMs } from '../time/duration.ts'
import type { AiSdkLanguageModel } from './ai-sdk-language-model.ts'
import { answeredModel, answerFrom, callOptionsOf } from './ai-sdk-messages.ts'
import { isRecord, type Read, textAt } from './dialect.ts'
import { httpFields } from './http-options.ts'
import { createLimiter, type ProviderLimits } from './limits.ts'
import { offeredModels } from './offered-models.ts'
import type { CallContext, Model, ModelAnswer, ModelChunk, ModelRequest, Provider } from './provider.ts'
import { modelFieldsSchema, modelPriceSchema } from './registry.ts'
import { watchStream } from './stream-watch.ts'
import { wireFailure } from './wire-failure.ts'

export interface AiSdkOptions extends Partial<Omit<Model, 'id'>> {
  /** What circuits, prices and reports know it by. @default the first word of the model's `provider`: `openai` of `openai.chat` */
  readonly id?: string | undefined
  /** @default none */
  readonly limits?: ProviderLimits | undefined
  /** How long a stream may take to its first piece, and between two of them. @default 30s and 30s */
  readonly timeouts?: { readonly firstToken?: Duration | undefined; readonly stall?: Duration | undefined } | undefined
  /** @default the system clock */
  readonly clock?: Clock | undefined
}

const schema = z.strictObject({
  ...modelFieldsSchema,
  id: httpFields.id.optional(),
  price: modelPriceSchema.optional(),
  limits: httpFields.limits,
  timeouts: httpFields.timeouts,
  clock: httpFields.clock,
})

/**
 * A provider of one model.
 * @param model a `LanguageModelV3` or `LanguageModelV2` object
 * @throws OptionsError for what is no such object: a name, or a model of another version
 */
export function aiSdk(model: AiSdkLanguageModel, options: AiSdkOptions = {}): Provider {
  checkModel(model)
  const given = parseOptions(schema, options, 'aiSdk')
  const { id = model.provider.split('.')[0] || 'ai-sdk', limits = {}, timeouts, clock = systemClock, ...facts } = given
  const limiter = createLimiter(limits, clock)
  const firstTokenMs = toMs(timeouts?.firstToken ?? '30s', 'aiSdk: timeouts.firstToken')
  const stallMs = toMs(timeouts?.stall ?? '30s', 'aiSdk: timeouts.stall')
  const accepted = (read: Read): ModelAnswer => {
    if (read.ok) return read.answer
    const evidence = { provider: id, model: model.modelId, phase: 'body', status: 200 } as const
    throw wireFailure({ ...evidence, body: read.body, stream: read.stream }, [])
  }
  return {
    id,
    models: offeredModels([{ ...facts, id: model.modelId }], id, 'aiSdk'),
    async generate(request, context) {
      const permit = await limiter.acquire(request.maxOutputTokens ?? 0, context.signal)
      let used: number | undefined
      try {
        const result = await model.doGenerate(callOptionsOf(request, context, context.signal))
        const { content, finishReason, usage, response } = result
        const answer = accepted(answerFrom(content, finishReason, usage, answeredModel(response)))
        used = answer.usage && answer.usage.inputTokens + answer.usage.outputTokens
        return answer
      } finally {
        permit.release(used)
      }
    },
    async *stream(request, context) {
      const permit = await limiter.acquire(request.maxOutputTokens ?? 0, context.signal)
      const connection = new AbortController()
      const watch = { firstTokenMs, stallMs, clock, signal: context.signal, what: `'${id}' (${model.modelId})` }
      const parts = watchStream(() => openParts(model, request, context, connection.signal), isContent, {
        ...watch,
        stop: () => connection.abort(),
      })
      try {
        yield* chunksOf(parts, accepted)
      } finally {
        await parts.return(undefined)
        permit.release()
      }
    },
  }
}

function checkModel(model: AiSdkLanguageModel): void {
  const version =
    isRecord(model) || typeof model === 'function' ? (model as AiSdkLanguageModel).specificationVersion : ''
  if ((version === 'v2' || version === 'v3') && typeof model.doGenerate === 'function') return
  const what = typeof model === 'string' ? `the name '${model}'` : `version '${version ?? 'unknown'}'`
  throw new OptionsError(
    `aiSdk: give a language model object of specification v2 or v3, such as openai('…'), not ${what}`,
  )
}

const isContent = (part: unknown): boolean => /^(?:text|reasoning|tool)/.test(textAt(part, 'type'))

async function openParts(
  model: AiSdkLanguageModel,
  request: ModelRequest,
  context: CallContext,
  signal: AbortSignal,
): Promise<AsyncGenerator<unknown, undefined>> {
  const { stream } = await model.doStream(callOptionsOf(request, context, signal))
  return readParts(stream)
}

async function* readParts(stream: ReadableStream<unknown>): AsyncGenerator<unknown, undefined> {
  const reader = stream.getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return undefined
      yield value
    }
  } finally {
    reader.cancel().catch(() => {})
  }
}

async function* chunksOf(
  parts: AsyncGenerator<unknown, undefined>,
  accepted: (read: Read) => ModelAnswer,
): AsyncGenerator<ModelChunk> {
  const content: unknown[] = []
  let model = ''
  for await (const part of parts) {
    const type = textAt(part, 'type')
    const delta = textAt(part, 'delta')
    if (type === 'error') throw errorPart((part as { readonly error: unknown }).error, accepted)
    if (type === 'response-metadata') model = answeredModel(part)
    if (type === 'tool-call') content.push(part)
    if (type === 'text-delta') {
      content.push({ type: 'text', text: delta })
      yield { type: 'text', text: delta }
    }
    if (type === 'reasoning-delta') yield { type: 'reasoning', text: delta }
    if (type === 'finish') {
      const { finishReason, usage } = part as { finishReason: unknown; usage: unknown }
      if (gaveNoReason(finishReason)) accepted({ ok: false, body: undefined, stream: 'ended without a reason to stop' })
      const answer = accepted(answerFrom(content, finishReason, usage, model))
      for (const call of answer.toolCalls ?? []) yield { type: 'tool-call', ...call }
      yield { type: 'end', answer }
      return
    }
  }
  accepted({ ok: false, body: undefined, stream: 'ended without its finish' })
}

/** Models make a finish of their own where a stream broke off cleanly; it is known by its want of a reason. */
const gaveNoReason = (finish: unknown): boolean =>
  finish === 'unknown' || (isRecord(finish) && finish.unified === 'other' && finish.raw === undefined)

/** Some models give an error of the stream as its bare message or body. */
function errorPart(error: unknown, accepted: (read: Read) => ModelAnswer): unknown {
  if (error instanceof Error) return error
  return accepted({ ok: false, body: { error }, stream: 'sent an error in the middle of its stream' })
}
