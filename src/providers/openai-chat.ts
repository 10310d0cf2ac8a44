/**
 * OpenAI's chat completions, as OpenAI and the many servers that speak like it have them. A refusal, a filtered or an
 * empty answer inside a success is no answer, and a stream counts only with its `[DONE]`.
 */
import { decodable, requiresAll, schemaInWords, withoutDialect } from './answer-schema.ts'
import {
  countAt,
  type Dialect,
  type EventRead,
  isRecord,
  type Read,
  recordAt,
  type StreamReader,
  textAt,
  toolInput,
} from './dialect.ts'
import { answered, brokenOff, emptyStream, eventObject, inOrder, noObject, toolsField } from './dialect-parts.ts'
import { dataUrl, type MediaPart, mediaOf, partsOf, textOfParts, toolOutputText } from './message-media.ts'
import type { Message, MessagePart, Model, ModelChunk, ModelRequest, ToolCall, Usage } from './provider.ts'
import type { ServerSentEvent } from './server-sent-events.ts'

export interface OpenAiChatOptions {
  /** OpenAI's newer models refuse `max_tokens`; servers that only speak like it may not know the newer name. */
  readonly outputLimitField: 'max_tokens' | 'max_completion_tokens'
  /** Whether `usage.cost` is what the call cost in USD, as routers tell it. */
  readonly tellsCost: boolean
}

export function openAiChat(options: OpenAiChatOptions): Dialect {
  return {
    headers: key => (key === undefined ? {} : { authorization: `Bearer ${key}` }),
    write: (request, model, stream) => ({ path: '/chat/completions', body: bodyOf(request, model, stream, options) }),
    read: body => readAnswer(body, options),
    readStream: () => new ChatStream(options),
  }
}

function bodyOf(
  request: ModelRequest,
  model: Model,
  stream: boolean,
  { outputLimitField }: OpenAiChatOptions,
): Record<string, unknown> {
  const { schema, tools, maxOutputTokens, temperature } = request
  const knowsSchemas = model.capabilities?.json !== false
  const messages = request.messages.flatMap(messagesOf)
  if (schema !== undefined && !knowsSchemas) messages.unshift({ role: 'system', content: schemaInWords(schema) })
  return {
    model: model.id,
    messages,
    ...(schema === undefined ? {} : { response_format: knowsSchemas ? schemaFormat(schema) : { type: 'json_object' } }),
    ...toolsField(tools, (name, { description, schema: parameters }) => ({
      type: 'function',
      function: { name, description, parameters: withoutDialect(parameters) },
    })),
    ...(maxOutputTokens === undefined ? {} : { [outputLimitField]: maxOutputTokens }),
    ...(temperature === undefined ? {} : { temperature }),
    ...(stream ? { stream: true, stream_options: { include_usage: true } } : {}),
  }
}

/** Strict decoding where the schema can be decoded by and requires every property; a looser one is refused in it. */
function schemaFormat(schema: unknown): unknown {
  const decoded = requiresAll(schema) ? decodable(schema) : undefined
  const strict = decoded !== undefined
  return { type: 'json_schema', json_schema: { name: 'answer', schema: decoded ?? withoutDialect(schema), strict } }
}

function messagesOf(message: Message): Record<string, unknown>[] {
  const parts = partsOf(message)
  if (message.role === 'system') return [{ role: 'system', content: textOfParts(parts) }]
  if (message.role === 'assistant') return [assistantMessage(parts)]
  const results = parts.filter(part => part.type === 'tool-result')
  const others = parts.filter(part => part.type !== 'tool-result')
  return [
    ...results.map(part => ({
      role: 'tool',
      tool_call_id: part.toolCallId,
      content: toolOutputText(part.output),
    })),
    ...(others.length === 0 ? [] : [{ role: 'user', content: userContent(others) }]),
  ]
}

function assistantMessage(parts: readonly MessagePart[]): Record<string, unknown> {
  const calls = parts.filter(part => part.type === 'tool-call')
  const text = textOfParts(parts)
  return {
    role: 'assistant',
    content: text === '' && calls.length > 0 ? null : text,
    ...(calls.length === 0
      ? {}
      : {
          tool_calls: calls.map(({ toolCallId, toolName, input }) => ({
            id: toolCallId,
            type: 'function',
            function: { name: toolName, arguments: JSON.stringify(input ?? {}) },
          })),
        }),
  }
}

function userContent(parts: readonly MessagePart[]): unknown {
  if (parts.every(part => part.type === 'text')) return textOfParts(parts)
  return parts.flatMap((part): unknown[] => {
    if (part.type === 'text') return [{ type: 'text', text: part.text }]
    return part.type === 'image' || part.type === 'file' ? [mediaContent(part)] : []
  })
}

function mediaContent(part: MediaPart): unknown {
  const media = mediaOf(part)
  if (part.type === 'image' || media.mediaType.startsWith('image/')) {
    return { type: 'image_url', image_url: { url: dataUrl(media) } }
  }
  const filename = part.filename ?? 'file'
  return { type: 'file', file: { filename, file_data: dataUrl(media) } }
}

const finishReasons: Readonly<Record<string, string>> = {
  stop: 'stop',
  eos: 'stop',
  length: 'length',
  model_length: 'length',
  content_filter: 'content-filter',
  tool_calls: 'tool-calls',
  function_call: 'tool-calls',
}

const finishReasonOf = (reason: unknown, hasCalls: boolean): string => {
  if (hasCalls) return 'tool-calls'
  return typeof reason === 'string' ? (finishReasons[reason] ?? 'other') : 'other'
}

function usageOf(body: unknown): Usage | undefined {
  const usage = recordAt(body, 'usage')
  const inputTokens = countAt(usage, 'prompt_tokens')
  const outputTokens = countAt(usage, 'completion_tokens')
  if (inputTokens === undefined || outputTokens === undefined) return undefined
  const cacheReadTokens =
    countAt(recordAt(usage, 'prompt_tokens_details'), 'cached_tokens') ?? countAt(usage, 'prompt_cache_hit_tokens')
  const reasoningTokens = countAt(recordAt(usage, 'completion_tokens_details'), 'reasoning_tokens')
  return {
    inputTokens,
    outputTokens,
    ...(cacheReadTokens === undefined ? {} : { cacheReadTokens }),
    ...(reasoningTokens === undefined ? {} : { reasoningTokens }),
  }
}

/** Reasons to stop that are no answer, whatever text came before them. */
const failedReasons = new Set(['content_filter', 'error', 'network_error', 'insufficient_system_resource'])

function readAnswer(body: unknown, { tellsCost }: OpenAiChatOptions): Read {
  const choice = isRecord(body) && Array.isArray(body.choices) ? (body.choices[0] as unknown) : undefined
  const refused = { ok: false, body } as const
  if (!isRecord(body) || body.error || !isRecord(choice) || failedReasons.has(textAt(choice, 'finish_reason'))) {
    return refused
  }
  const message = recordAt(choice, 'message')
  if (textAt(message, 'refusal') !== '') return refused
  const text = contentText(message.content)
  const toolCalls = toolCallsOf(message.tool_calls)
  if (toolCalls === undefined || (text === '' && toolCalls.length === 0)) return refused
  return answered({
    text,
    toolCalls,
    finishReason: finishReasonOf(choice.finish_reason, toolCalls.length > 0),
    usage: usageOf(body),
    cost: tellsCost ? countAt(body.usage, 'cost') : undefined,
    model: textAt(body, 'model'),
  })
}

/** Some servers give the content in parts. */
function contentText(content: unknown): string {
  if (typeof content === 'string') return content
  return Array.isArray(content) ? content.map(part => textAt(part, 'text')).join('') : ''
}

function toolCallsOf(calls: unknown): ToolCall[] | undefined {
  if (!Array.isArray(calls)) return []
  const read: ToolCall[] = []
  for (const [at, call] of calls.entries()) {
    const { name, arguments: written } = recordAt(call, 'function')
    const input = isRecord(written) ? { value: written } : toolInput(typeof written === 'string' ? written : '')
    if (typeof name !== 'string' || name === '' || input === undefined) return undefined
    read.push({ id: textAt(call, 'id') || `call-${at + 1}`, name, input: input.value })
  }
  return read
}

interface PartialCall {
  id: string
  name: string
  text: string
}

/** Puts the pieces of a stream together to the body that the same answer would have had whole. */
class ChatStream implements StreamReader {
  readonly endMark = '[DONE]'
  readonly #options: OpenAiChatOptions
  readonly #calls = new Map<number, PartialCall>()
  #text = ''
  #refusal = ''
  #finishReason: unknown = null
  #usage: unknown
  #model = ''
  isEmpty = true

  constructor(options: OpenAiChatOptions) {
    this.#options = options
  }

  read({ event, data }: ServerSentEvent): EventRead {
    if (data.trim() === '[DONE]') return { type: 'ended' }
    const parsed = eventObject(data)
    if (parsed === undefined) return noObject(data)
    if (event === 'error' || parsed.error) return brokenOff(parsed)
    this.isEmpty = false
    this.#model ||= textAt(parsed, 'model')
    if (isRecord(parsed.usage)) this.#usage = parsed.usage
    const choice = Array.isArray(parsed.choices) ? (parsed.choices[0] as unknown) : undefined
    if (!isRecord(choice)) return { type: 'chunks', chunks: [] }
    if (choice.finish_reason) this.#finishReason = choice.finish_reason
    return { type: 'chunks', chunks: this.#delta(recordAt(choice, 'delta')) }
  }

  #delta(delta: Record<string, unknown>): ModelChunk[] {
    const chunks: ModelChunk[] = []
    const reasoning = textAt(delta, 'reasoning_content') || textAt(delta, 'reasoning')
    if (reasoning !== '') chunks.push({ type: 'reasoning', text: reasoning })
    const text = contentText(delta.content)
    if (text !== '') chunks.push({ type: 'text', text })
    this.#text += text
    this.#refusal += textAt(delta, 'refusal')
    for (const [at, piece] of (Array.isArray(delta.tool_calls) ? delta.tool_calls : []).entries()) {
      const index = countAt(piece, 'index') ?? at
      const call = this.#calls.get(index) ?? { id: '', name: '', text: '' }
      const { name, arguments: written } = recordAt(piece, 'function')
      call.id ||= textAt(piece, 'id')
      if (typeof name === 'string') call.name ||= name
      if (typeof written === 'string') call.text += written
      this.#calls.set(index, call)
    }
    return chunks
  }

  finish(): Read {
    if (this.isEmpty) return emptyStream
    const calls = inOrder(this.#calls)
    const body = {
      model: this.#model,
      choices: [
        {
          finish_reason: this.#finishReason,
          message: {
            content: this.#text,
            ...(this.#refusal === '' ? {} : { refusal: this.#refusal }),
            ...(calls.length === 0
              ? {}
              : { tool_calls: calls.map(({ id, name, text }) => ({ id, function: { name, arguments: text } })) }),
          },
        },
      ],
      ...(this.#usage === undefined ? {} : { usage: this.#usage }),
    }
    return readAnswer(body, this.#options)
  }
}
