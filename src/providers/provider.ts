/**
 * The port to models. A provider takes one request and answers once, or fails; it does not retry, wait or fall back:
 * that is decided above it, where the profile and the deadline are known. A failure is thrown as the provider gave it
 * (status, headers, raw body, or a transport error), so that one taxonomy can classify it.
 */

export type Tier = 'cheap' | 'capable' | 'premium'

/** A part of a message; the names are the AI SDK's. */
export type MessagePart =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'image'; readonly image: string; readonly mediaType?: string | undefined }
  | { readonly type: 'file'; readonly data: string; readonly mediaType: string; readonly filename?: string | undefined }
  | { readonly type: 'reasoning'; readonly text: string }
  | { readonly type: 'tool-call'; readonly toolCallId: string; readonly toolName: string; readonly input: unknown }
  | { readonly type: 'tool-result'; readonly toolCallId: string; readonly toolName: string; readonly output: unknown }

export interface Message {
  readonly role: 'system' | 'user' | 'assistant' | 'tool'
  readonly content: string | readonly MessagePart[]
}

/** Tokens. What was read from or written to the provider's prompt cache is part of `inputTokens`. */
export interface Usage {
  readonly inputTokens: number
  readonly outputTokens: number
  readonly cacheReadTokens?: number | undefined
  readonly cacheWriteTokens?: number | undefined
  /** Part of `outputTokens`. */
  readonly reasoningTokens?: number | undefined
}

export interface ToolCall {
  readonly id: string
  readonly name: string
  readonly input: unknown
}

/** What is asked of a provider: JSON data. Schemas are JSON Schema. */
export interface ModelRequest {
  readonly task: string
  readonly model?: string | undefined
  readonly tier?: Tier | undefined
  readonly messages: readonly Message[]
  readonly schema?: unknown
  readonly tools?: Readonly<Record<string, { readonly description: string; readonly schema: unknown }>> | undefined
  readonly maxOutputTokens?: number | undefined
  readonly temperature?: number | undefined
}

/** What a provider answered. JSON data. */
export interface ModelAnswer {
  readonly text: string
  /** Where the provider answers in data rather than text. */
  readonly object?: unknown
  readonly toolCalls?: readonly ToolCall[] | undefined
  /** In the AI SDK's words: `stop length content-filter tool-calls error other`. */
  readonly finishReason?: string | undefined
  readonly usage?: Usage | undefined
  /** USD as the provider reports it; absent where it does not: unknown is never 0. */
  readonly cost?: number | undefined
  readonly model?: string | undefined
}

/** A piece of a streamed answer. The last one is `end`, with the whole answer; a stream without it has failed. */
export type ModelChunk =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'reasoning'; readonly text: string }
  | ({ readonly type: 'tool-call' } & ToolCall)
  | { readonly type: 'end'; readonly answer: ModelAnswer }

export interface CallContext {
  readonly signal: AbortSignal
  /** The same for every try of one call: for providers that take one. */
  readonly idempotencyKey: string
  /** From 1. */
  readonly attempt: number
  /** Which of the provider's keys, from 0. @default 0 */
  readonly keyIndex?: number | undefined
}

/** What a model can do beside text. What is left out is unknown, and nothing is refused for it. */
export interface Capabilities {
  readonly tools?: boolean | undefined
  /** Answers that keep to a JSON schema. */
  readonly json?: boolean | undefined
  /** Images in messages. */
  readonly vision?: boolean | undefined
  readonly streaming?: boolean | undefined
}

/** USD for 10^6 tokens. 0 is a price. */
export interface TokenPrices {
  readonly inputUsdPerMTok: number
  readonly outputUsdPerMTok: number
  /** @default the input's */
  readonly cacheReadUsdPerMTok?: number | undefined
  /** @default the input's */
  readonly cacheWriteUsdPerMTok?: number | undefined
}

/** What a model costs; where long prompts cost more, all of the call is at the price of the longest step it passes. */
export interface ModelPrice extends TokenPrices {
  readonly longPrompts?: readonly (TokenPrices & { readonly aboveInputTokens: number })[] | undefined
}

/** A model as its provider offers it. What is left out is looked up in the registry. */
export interface Model {
  readonly id: string
  readonly tier: Tier
  /** Tokens of prompt and answer together. */
  readonly contextWindow?: number | undefined
  readonly maxOutputTokens?: number | undefined
  readonly capabilities?: Capabilities | undefined
  readonly price?: ModelPrice | undefined
}

export interface Provider {
  readonly id: string
  readonly models: readonly Model[]
  /** How many keys it has, to be chosen from by `keyIndex`; 0: it is asked without one. Absent: it does not say. */
  readonly keyCount?: number | undefined
  /** Whether its answers carry their `cost`, so that no price needs to be known before. @default false */
  readonly tellsCost?: boolean | undefined
  /** Whether it runs on this machine: what it is asked stays here, and nobody is paid. @default false */
  readonly local?: boolean | undefined
  /** Whether it can do this task at all; absent means every task. */
  accepts?(task: string): boolean
  /** @throws ProviderError with `status headers body stream? network?` in its details, for `classifyError` to judge */
  generate(request: ModelRequest, context: CallContext): Promise<ModelAnswer>
  /** The same in pieces; absent: it answers only whole. */
  stream?(request: ModelRequest, context: CallContext): AsyncIterable<ModelChunk>
}
