/** Requests as the AI SDK's models take them, and their answers as ours; versions 2 and 3 of the specification. */
import type { AiSdkCallOptions } from './ai-sdk-language-model.ts'
import { countAt, isRecord, type Read, recordAt, textAt, toolInput } from './dialect.ts'
import { mediaOf, partsOf, textOfParts } from './message-media.ts'
import type { CallContext, Message, MessagePart, ModelAnswer, ModelRequest, ToolCall, Usage } from './provider.ts'

export function callOptionsOf(request: ModelRequest, context: CallContext, signal: AbortSignal): AiSdkCallOptions {
  const { schema, tools, maxOutputTokens, temperature } = request
  return {
    prompt: request.messages.flatMap(promptMessages),
    abortSignal: signal,
    headers: { 'idempotency-key': encodeURIComponent(context.idempotencyKey).slice(0, 250) },
    ...(maxOutputTokens === undefined ? {} : { maxOutputTokens }),
    ...(temperature === undefined ? {} : { temperature }),
    ...(schema === undefined ? {} : { responseFormat: { type: 'json', schema } }),
    ...(tools === undefined || Object.keys(tools).length === 0
      ? {}
      : {
          tools: Object.entries(tools).map(([name, tool]) => ({
            type: 'function',
            name,
            description: tool.description,
            inputSchema: tool.schema,
          })),
          toolChoice: { type: 'auto' },
        }),
  }
}

function promptMessages(message: Message): unknown[] {
  const parts = partsOf(message)
  if (message.role === 'system') return [{ role: 'system', content: textOfParts(parts) }]
  if (message.role === 'assistant') return [{ role: 'assistant', content: parts.flatMap(promptPart) }]
  const results = parts.filter(part => part.type === 'tool-result')
  const others = parts.filter(part => part.type !== 'tool-result')
  return [
    ...(results.length === 0 ? [] : [{ role: 'tool', content: results.flatMap(promptPart) }]),
    ...(others.length === 0 ? [] : [{ role: 'user', content: others.flatMap(promptPart) }]),
  ]
}

function promptPart(part: MessagePart): unknown[] {
  switch (part.type) {
    case 'text':
    case 'reasoning':
    case 'tool-call':
      return [part]
    case 'image':
    case 'file': {
      const media = mediaOf(part)
      const data = media.kind === 'address' ? new URL(media.url) : media.base64
      const filename = part.type === 'file' && part.filename !== undefined ? { filename: part.filename } : {}
      return [{ type: 'file', mediaType: media.mediaType, data, ...filename }]
    }
    case 'tool-result': {
      const { output, ...rest } = part
      const written = typeof output === 'string' ? { type: 'text', value: output } : { type: 'json', value: output }
      return [{ ...rest, output: written }]
    }
  }
}

/** Version 3 says `{ unified, raw }`, version 2 the word alone. */
const finishOf = (finish: unknown): string =>
  typeof finish === 'string' ? finish : textAt(finish, 'unified') || 'other'

/** Version 3 counts by kind, version 2 in plain numbers; what is not told is undefined, and then nothing is. */
function usageFrom(usage: unknown): Usage | undefined {
  const input = recordAt(usage, 'inputTokens')
  const output = recordAt(usage, 'outputTokens')
  const inputTokens = countAt(input, 'total') ?? countAt(usage, 'inputTokens')
  const outputTokens = countAt(output, 'total') ?? countAt(usage, 'outputTokens')
  if (inputTokens === undefined || outputTokens === undefined) return undefined
  const cacheReadTokens = countAt(input, 'cacheRead') ?? countAt(usage, 'cachedInputTokens')
  const cacheWriteTokens = countAt(input, 'cacheWrite')
  const reasoningTokens = countAt(output, 'reasoning') ?? countAt(usage, 'reasoningTokens')
  return {
    inputTokens,
    outputTokens,
    ...(cacheReadTokens === undefined ? {} : { cacheReadTokens }),
    ...(cacheWriteTokens === undefined ? {} : { cacheWriteTokens }),
    ...(reasoningTokens === undefined ? {} : { reasoningTokens }),
  }
}

const failedFinishes = new Set(['content-filter', 'error'])

/** The answer that the content makes, or the evidence that it makes none. */
export function answerFrom(content: readonly unknown[], finish: unknown, usage: unknown, model: string): Read {
  const finishReason = finishOf(finish)
  const refused = { ok: false, body: { finish_reason: finishReason, raw_finish_reason: finish } } as const
  if (failedFinishes.has(finishReason)) return refused
  let text = ''
  const toolCalls: ToolCall[] = []
  for (const part of content) {
    const type = textAt(part, 'type')
    if (type === 'text') text += textAt(part, 'text')
    if (type !== 'tool-call' || (part as { providerExecuted?: unknown }).providerExecuted === true) continue
    const written = (part as { input?: unknown }).input
    const input = typeof written === 'string' ? toolInput(written) : { value: written ?? {} }
    if (input === undefined) return refused
    toolCalls.push({ id: textAt(part, 'toolCallId'), name: textAt(part, 'toolName'), input: input.value })
  }
  if (text === '' && toolCalls.length === 0) return refused
  const used = usageFrom(usage)
  const answer: ModelAnswer = {
    text,
    ...(toolCalls.length === 0 ? {} : { toolCalls }),
    finishReason,
    ...(used === undefined ? {} : { usage: used }),
    ...(model === '' ? {} : { model }),
  }
  return { ok: true, answer }
}

export const answeredModel = (response: unknown): string => (isRecord(response) ? textAt(response, 'modelId') : '')
