/**
 * What differs between providers that are spoken to over HTTP: how a request is written, how an answer is read, whole or
 * in events, and what marks the end of a stream. A dialect is pure: it neither sends nor waits, and what it cannot take
 * for an answer it says, without judging what kind of failure that is.
 */
import type { Model, ModelAnswer, ModelChunk, ModelRequest } from './provider.ts'
import type { ServerSentEvent } from './server-sent-events.ts'

export interface DialectRequest {
  /** Below the provider's base URL, with a slash. */
  readonly path: string
  readonly body: Readonly<Record<string, unknown>>
}

/** What a body turned out to be: an answer, or evidence that there is none. */
export type Read =
  | { readonly ok: true; readonly answer: ModelAnswer }
  | { readonly ok: false; readonly body: unknown; readonly stream?: string | undefined }

/** What one event of a stream brought. */
export type EventRead =
  | { readonly type: 'chunks'; readonly chunks: readonly ModelChunk[] }
  | { readonly type: 'failed'; readonly body: unknown; readonly stream: string }
  | { readonly type: 'ended' }

/** Reads one stream, event by event. */
export interface StreamReader {
  read(event: ServerSentEvent): EventRead
  /** The whole answer, once the end has been marked, or why there is none. */
  finish(): Read
  /** Whether no event has brought anything yet. */
  readonly isEmpty: boolean
  /** What marks the end, for the message when it did not come: `[DONE]`. */
  readonly endMark: string
}

export interface Dialect {
  headers(key: string | undefined): Readonly<Record<string, string>>
  write(request: ModelRequest, model: Model, stream: boolean): DialectRequest
  read(body: unknown): Read
  readStream(): StreamReader
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value)

/** The field of a record, or an empty record: for walking through answers that nobody vouches for. */
export function recordAt(value: unknown, name: string): Record<string, unknown> {
  const found = isRecord(value) ? value[name] : undefined
  return isRecord(found) ? found : {}
}

export const textAt = (value: unknown, name: string): string => {
  const found = isRecord(value) ? value[name] : undefined
  return typeof found === 'string' ? found : ''
}

export const countAt = (value: unknown, name: string): number | undefined => {
  const found = isRecord(value) ? value[name] : undefined
  return typeof found === 'number' && Number.isFinite(found) && found >= 0 ? found : undefined
}

/** The value that the text is JSON of, in a box, or undefined. */
export function parsedJson(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) as unknown }
  } catch {
    return undefined
  }
}

/** The input of a tool call as models write it: JSON, or nothing at all where the tool takes nothing. */
export const toolInput = (text: string): { readonly value: unknown } | undefined =>
  text.trim() === '' ? { value: {} } : parsedJson(text)
