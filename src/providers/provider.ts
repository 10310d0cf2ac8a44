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

export interface Usage {
  readonly inputTokens: number
  readonly outputTokens: number
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
  readonly finishReason?: string | undefined
  readonly usage?: Usage | undefined
  /** USD as the provider reports it; absent where it does not: unknown is never 0. */
  readonly cost?: number | undefined
  readonly model?: string | undefined
}

export interface CallContext {
  readonly signal: AbortSignal
  /** The same for every try of one call: for providers that take one. */
  readonly idempotencyKey: string
  /** From 1. */
  readonly attempt: number
}

export interface Model {
  readonly id: string
  readonly tier: Tier
}

export interface Provider {
  readonly id: string
  readonly models: readonly Model[]
  /** Whether it can do this task at all; absent means every task. */
  accepts?(task: string): boolean
  generate(request: ModelRequest, context: CallContext): Promise<ModelAnswer>
}
