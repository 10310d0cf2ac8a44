/**
 * Anthropic's messages. The system prompt stands apart, results of tools are the user's, and neighbours of one role are
 * joined. A refusal or an empty answer inside a success is no answer, and a stream counts only with its `message_stop`.
 */
import { decodable, schemaInWords, withoutDialect } from './answer-schema.ts'
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
import { type MediaPart, mediaOf, partsOf, textOfParts, toolOutputText } from './message-media.ts'
import type { Message, MessagePart, Model, ModelRequest, ToolCall, Usage } from './provider.ts'
import type { ServerSentEvent } from './server-sent-events.ts'

const version = '2023-06-01'
/** Anthropic wants a limit with every request; an answer beyond this one should be asked for. */
const defaultOutputTokens = 16_384

export const anthropicMessages: Dialect = {
  headers: key => ({ 'anthropic-version': version, ...(key === undefined ? {} : { 'x-api-key': key }) }),
  write: (request, model, stream) => ({ path: '/v1/messages', body: bodyOf(request, model, stream) }),
  read: readAnswer,
  readStream: () => new MessageStream(),
}

function bodyOf(request: ModelRequest, model: Model, stream: boolean): Record<string, unknown> {
  const { schema, tools, maxOutputTokens, temperature } = request
  const decoded = model.capabilities?.json === false ? undefined : decodable(schema)
  const system = [
    ...request.messages.filter(({ role }) => role === 'system').map(message => textOfParts(partsOf(message))),
    ...(schema === undefined || decoded !== undefined ? [] : [schemaInWords(schema)]),
  ].join('\n\n')
  return {
    model: model.id,
    max_tokens: maxOutputTokens ?? Math.min(model.maxOutputTokens ?? defaultOutputTokens, defaultOutputTokens),
    messages: joined(request.messages.filter(({ role }) => role !== 'system').map(messageOf)),
    ...(system === '' ? {} : { system }),
    ...(decoded === undefined ? {} : { output_config: { format: { type: 'json_schema', schema: decoded } } }),
    ...toolsField(tools, (name, { description, schema: input }) => ({
      name,
      description,
      input_schema: withoutDialect(input),
    })),
    ...(temperature === undefined ? {} : { temperature }),
    ...(stream ? { stream: true } : {}),
  }
}

interface WrittenMessage {
  readonly role: 'user' | 'assistant'
  readonly content: readonly unknown[]
}

const messageOf = (message: Message): WrittenMessage => ({
  role: message.role === 'assistant' ? 'assistant' : 'user',
  content: partsOf(message).flatMap(blockOf),
})

function joined(messages: readonly WrittenMessage[]): WrittenMessage[] {
  const turns: WrittenMessage[] = []
  for (const message of messages) {
    const last = turns.at(-1)
    if (last?.role !== message.role) turns.push(message)
    else turns.splice(-1, 1, { role: last.role, content: [...last.content, ...message.content] })
  }
  return turns
}

/** A block that says nothing is refused by the service, and reasoning without its signature too: both are left out. */
function blockOf(part: MessagePart): unknown[] {
  switch (part.type) {
    case 'text':
      return part.text === '' ? [] : [{ type: 'text', text: part.text }]
    case 'image':
    case 'file':
      return [mediaBlock(part)]
    case 'tool-call':
      return [{ type: 'tool_use', id: part.toolCallId, name: part.toolName, input: part.input ?? {} }]
    case 'tool-result':
      return [{ type: 'tool_result', tool_use_id: part.toolCallId, content: toolOutputText(part.output) }]
    case 'reasoning':
      return []
  }
}

function mediaBlock(part: MediaPart): unknown {
  const media = mediaOf(part)
  const source =
    media.kind === 'address'
      ? { type: 'url', url: media.url }
      : { type: 'base64', media_type: media.mediaType, data: media.base64 }
  return { type: part.type === 'image' || media.mediaType.startsWith('image/') ? 'image' : 'document', source }
}

const finishReasons: Readonly<Record<string, string>> = {
  end_turn: 'stop',
  stop_sequence: 'stop',
  pause_turn: 'stop',
  max_tokens: 'length',
  tool_use: 'tool-calls',
}

/** Reasons to stop that are no answer, whatever text came before them. */
const failedReasons = new Set(['refusal', 'model_context_window_exceeded'])

function readAnswer(body: unknown): Read {
  const refused = { ok: false, body } as const
  if (!isRecord(body) || body.type === 'error' || body.error || !Array.isArray(body.content)) return refused
  const reason = textAt(body, 'stop_reason')
  if (failedReasons.has(reason)) return refused
  let text = ''
  const toolCalls: ToolCall[] = []
  for (const block of body.content as unknown[]) {
    const type = textAt(block, 'type')
    if (type === 'text') text += textAt(block, 'text')
    if (type === 'tool_use') {
      const name = textAt(block, 'name')
      if (name === '') return refused
      toolCalls.push({ id: textAt(block, 'id'), name, input: (block as { input?: unknown }).input ?? {} })
    }
  }
  if (text === '' && toolCalls.length === 0) return refused
  return answered({
    text,
    toolCalls,
    finishReason: finishReasons[reason] ?? 'other',
    usage: usageOf(body.usage),
    model: textAt(body, 'model'),
  })
}

/** Anthropic counts what went through the cache apart from the input; here it is part of it. */
function usageOf(usage: unknown): Usage | undefined {
  const fresh = countAt(usage, 'input_tokens')
  const outputTokens = countAt(usage, 'output_tokens')
  if (fresh === undefined || outputTokens === undefined) return undefined
  const cacheReadTokens = countAt(usage, 'cache_read_input_tokens') ?? 0
  const cacheWriteTokens = countAt(usage, 'cache_creation_input_tokens') ?? 0
  return {
    inputTokens: fresh + cacheReadTokens + cacheWriteTokens,
    outputTokens,
    ...(cacheReadTokens === 0 ? {} : { cacheReadTokens }),
    ...(cacheWriteTokens === 0 ? {} : { cacheWriteTokens }),
  }
}

interface PartialBlock {
  readonly block: Record<string, unknown>
  text: string
  json: string
}

/** Puts the events of a stream together to the body that the same answer would have had whole. */
class MessageStream implements StreamReader {
  readonly endMark = 'message_stop'
  readonly #blocks = new Map<number, PartialBlock>()
  #usage: Record<string, unknown> = {}
  #model = ''
  #stopReason: unknown = null
  isEmpty = true

  read({ event, data }: ServerSentEvent): EventRead {
    const parsed = eventObject(data)
    if (parsed === undefined) return noObject(data)
    const type = textAt(parsed, 'type') || event
    if (type === 'error' || parsed.error) return brokenOff(parsed)
    if (type === 'message_stop') return { type: 'ended' }
    if (type !== 'ping') this.isEmpty = false
    return { type: 'chunks', chunks: this.#take(type, parsed) }
  }

  #take(type: string, event: Record<string, unknown>) {
    if (type === 'message_start') {
      const message = recordAt(event, 'message')
      this.#model = textAt(message, 'model')
      this.#addUsage(message.usage)
    }
    if (type === 'message_delta') {
      this.#stopReason = recordAt(event, 'delta').stop_reason ?? this.#stopReason
      this.#addUsage(event.usage)
    }
    const index = countAt(event, 'index') ?? 0
    if (type === 'content_block_start') {
      const block = recordAt(event, 'content_block')
      this.#blocks.set(index, { block, text: textAt(block, 'text'), json: '' })
    }
    if (type !== 'content_block_delta') return []
    const delta = recordAt(event, 'delta')
    const partial = this.#blocks.get(index) ?? { block: { type: 'text' }, text: '', json: '' }
    this.#blocks.set(index, partial)
    const text = textAt(delta, 'text')
    partial.text += text
    partial.json += textAt(delta, 'partial_json')
    const thinking = textAt(delta, 'thinking')
    if (thinking !== '') return [{ type: 'reasoning', text: thinking } as const]
    return text === '' ? [] : [{ type: 'text', text } as const]
  }

  /** Later counts are running totals; those that an event leaves out hold on. */
  #addUsage(usage: unknown): void {
    if (!isRecord(usage)) return
    const told = Object.entries(usage).filter(([, value]) => value !== null)
    this.#usage = { ...this.#usage, ...Object.fromEntries(told) }
  }

  finish(): Read {
    if (this.isEmpty) return emptyStream
    const content: unknown[] = []
    for (const { block, text, json } of inOrder(this.#blocks)) {
      if (block.type !== 'tool_use') {
        content.push({ ...block, text })
        continue
      }
      const input = toolInput(json)
      if (input === undefined) return { ok: false, body: { content: [block], partial_json: json } }
      content.push({ ...block, input: input.value })
    }
    return readAnswer({ model: this.#model, stop_reason: this.#stopReason, content, usage: this.#usage })
  }
}
