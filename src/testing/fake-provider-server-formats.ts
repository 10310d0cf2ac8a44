/**
 * How the fake provider server writes answers and errors: as OpenAI's chat completions and Anthropic's messages have
 * them, whole or as the events of a stream.
 */
import type { Usage } from '../providers/provider.ts'
import type { ServerCall } from './fake-provider-server-script.ts'

/** An answer with nothing left open. */
export interface WholeAnswer {
  readonly text: string
  readonly toolCalls: readonly { readonly id: string; readonly name: string; readonly input: unknown }[]
  readonly usage: Usage
  /** In the AI SDK's words. */
  readonly finishReason: string
  readonly cost?: number | undefined
  /** Makes ids. */
  readonly number: number
}

export interface ServerFormat {
  whole(answer: WholeAnswer, call: ServerCall): unknown
  /** The frames of a stream, the mark of its end as the last. */
  frames(answer: WholeAnswer, call: ServerCall): string[]
  error(status: number, message?: string): unknown
  /** An error in the middle of a stream, as a frame. */
  errorFrame(body: unknown): string
}

const modelOf = ({ body }: ServerCall): string => String(body.model)
const createdAt = 1_767_225_600

/** A text in pieces of a few characters, as models give it. */
const piecesOf = (text: string): string[] => text.match(/.{1,12}/gs) ?? []
const halvesOf = (text: string): string[] => {
  const middle = Math.ceil(text.length / 2)
  return [text.slice(0, middle), text.slice(middle)].filter(half => half !== '')
}

const errorTypes: Readonly<Record<number, readonly [openai: string, code: string | null, anthropic: string]>> = {
  400: ['invalid_request_error', null, 'invalid_request_error'],
  401: ['invalid_request_error', 'invalid_api_key', 'authentication_error'],
  403: ['permission_error', null, 'permission_error'],
  404: ['invalid_request_error', 'model_not_found', 'not_found_error'],
  413: ['invalid_request_error', null, 'request_too_large'],
  429: ['requests', 'rate_limit_exceeded', 'rate_limit_error'],
  529: ['server_error', null, 'overloaded_error'],
}

const openAiReasons: Readonly<Record<string, string>> = {
  'content-filter': 'content_filter',
  'tool-calls': 'tool_calls',
}

const dataFrame = (data: unknown): string => `data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`

function openAiUsage({ usage, cost }: WholeAnswer): Record<string, unknown> {
  const { inputTokens, outputTokens, cacheReadTokens, reasoningTokens } = usage
  return {
    prompt_tokens: inputTokens,
    completion_tokens: outputTokens,
    total_tokens: inputTokens + outputTokens,
    ...(cacheReadTokens === undefined ? {} : { prompt_tokens_details: { cached_tokens: cacheReadTokens } }),
    ...(reasoningTokens === undefined ? {} : { completion_tokens_details: { reasoning_tokens: reasoningTokens } }),
    ...(cost === undefined ? {} : { cost }),
  }
}

export const openAiFormat: ServerFormat = {
  whole(answer, call) {
    const { text, toolCalls, number } = answer
    return {
      id: `chatcmpl-${number}`,
      object: 'chat.completion',
      created: createdAt,
      model: modelOf(call),
      choices: [
        {
          index: 0,
          message: {
            role: 'assistant',
            content: text === '' && toolCalls.length > 0 ? null : text,
            refusal: null,
            ...(toolCalls.length === 0
              ? {}
              : {
                  tool_calls: toolCalls.map(({ id, name, input }) => ({
                    id,
                    type: 'function',
                    function: { name, arguments: JSON.stringify(input) },
                  })),
                }),
          },
          logprobs: null,
          finish_reason: openAiReasons[answer.finishReason] ?? answer.finishReason,
        },
      ],
      usage: openAiUsage(answer),
    }
  },
  frames(answer, call) {
    const base = {
      id: `chatcmpl-${answer.number}`,
      object: 'chat.completion.chunk',
      created: createdAt,
      model: modelOf(call),
    }
    const chunk = (delta: unknown, finish: string | null = null): string =>
      dataFrame({ ...base, choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }] })
    const calls = answer.toolCalls.flatMap(({ id, name, input }, index) => [
      chunk({ tool_calls: [{ index, id, type: 'function', function: { name, arguments: '' } }] }),
      ...halvesOf(JSON.stringify(input)).map(piece =>
        chunk({ tool_calls: [{ index, function: { arguments: piece } }] }),
      ),
    ])
    const options = call.body.stream_options as { include_usage?: unknown } | undefined
    return [
      chunk({ role: 'assistant', content: '' }),
      ...piecesOf(answer.text).map(content => chunk({ content })),
      ...calls,
      chunk({}, openAiReasons[answer.finishReason] ?? answer.finishReason),
      ...(options?.include_usage === true ? [dataFrame({ ...base, choices: [], usage: openAiUsage(answer) })] : []),
      dataFrame('[DONE]'),
    ]
  },
  error(status, message = `the script says ${status}`) {
    const [type, code] = errorTypes[status] ?? ['server_error', null]
    return { error: { message, type, param: null, code } }
  },
  errorFrame: body => dataFrame(body ?? openAiFormat.error(503, 'The server is overloaded')),
}

const anthropicReasons: Readonly<Record<string, string>> = {
  stop: 'end_turn',
  length: 'max_tokens',
  'content-filter': 'refusal',
  'tool-calls': 'tool_use',
}

const eventFrame = (data: { readonly type: string }): string => `event: ${data.type}\n${dataFrame(data)}`

function anthropicUsage({ usage }: WholeAnswer): Record<string, unknown> {
  const { inputTokens, outputTokens, cacheReadTokens = 0, cacheWriteTokens = 0 } = usage
  return {
    input_tokens: Math.max(0, inputTokens - cacheReadTokens - cacheWriteTokens),
    cache_creation_input_tokens: cacheWriteTokens,
    cache_read_input_tokens: cacheReadTokens,
    output_tokens: outputTokens,
  }
}

const anthropicBase = (answer: WholeAnswer, call: ServerCall) => ({
  id: `msg_${answer.number}`,
  type: 'message',
  role: 'assistant',
  model: modelOf(call),
})

export const anthropicFormat: ServerFormat = {
  whole(answer, call) {
    return {
      ...anthropicBase(answer, call),
      content: [
        ...(answer.text === '' ? [] : [{ type: 'text', text: answer.text }]),
        ...answer.toolCalls.map(({ id, name, input }) => ({ type: 'tool_use', id, name, input })),
      ],
      stop_reason: anthropicReasons[answer.finishReason] ?? answer.finishReason,
      stop_sequence: null,
      usage: anthropicUsage(answer),
    }
  },
  frames(answer, call) {
    const usage = anthropicUsage(answer)
    const texts = answer.text === '' ? [] : [piecesOf(answer.text)]
    const block = (index: number, start: unknown, deltas: readonly unknown[]): string[] => [
      eventFrame({ type: 'content_block_start', index, content_block: start } as { type: string }),
      ...deltas.map(delta => eventFrame({ type: 'content_block_delta', index, delta } as { type: string })),
      eventFrame({ type: 'content_block_stop', index } as { type: string }),
    ]
    const started = { ...anthropicBase(answer, call), content: [], stop_reason: null, stop_sequence: null }
    return [
      eventFrame({ type: 'message_start', message: { ...started, usage: { ...usage, output_tokens: 1 } } } as {
        type: string
      }),
      eventFrame({ type: 'ping' }),
      ...texts.flatMap(pieces =>
        block(
          0,
          { type: 'text', text: '' },
          pieces.map(text => ({ type: 'text_delta', text })),
        ),
      ),
      ...answer.toolCalls.flatMap(({ id, name, input }, at) =>
        block(
          texts.length + at,
          { type: 'tool_use', id, name, input: {} },
          halvesOf(JSON.stringify(input)).map(json => ({ type: 'input_json_delta', partial_json: json })),
        ),
      ),
      eventFrame({
        type: 'message_delta',
        delta: { stop_reason: anthropicReasons[answer.finishReason] ?? answer.finishReason, stop_sequence: null },
        usage: { output_tokens: usage.output_tokens },
      } as { type: string }),
      eventFrame({ type: 'message_stop' }),
    ]
  },
  error(status, message = `the script says ${status}`) {
    return { type: 'error', error: { type: errorTypes[status]?.[2] ?? 'api_error', message } }
  },
  errorFrame: body => `event: error\n${dataFrame(body ?? anthropicFormat.error(529, 'Overloaded'))}`,
}
