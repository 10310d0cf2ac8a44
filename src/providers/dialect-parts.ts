/**
 * What every dialect writes and reads alike: the list of tools, an answer with the fields that are known, the pieces of a
 * stream in their order, and the ways in which a stream fails.
 */
import { type EventRead, isRecord, parsedJson, type Read } from './dialect.ts'
import type { ModelAnswer, ModelRequest } from './provider.ts'

type Tools = NonNullable<ModelRequest['tools']>

/** The tools as `write` makes them; no field where there are none, since an empty list is refused. */
export function toolsField(
  tools: Tools | undefined,
  write: (name: string, tool: Tools[string]) => object,
): { readonly tools?: readonly object[] } {
  const named = Object.entries(tools ?? {})
  return named.length === 0 ? {} : { tools: named.map(([name, tool]) => write(name, tool)) }
}

/** An answer, without the fields that the service left empty. */
export function answered({ text, toolCalls = [], finishReason, usage, cost, model = '' }: ModelAnswer): Read {
  const answer: ModelAnswer = {
    text,
    ...(toolCalls.length === 0 ? {} : { toolCalls }),
    finishReason,
    ...(usage === undefined ? {} : { usage }),
    ...(cost === undefined ? {} : { cost }),
    ...(model === '' ? {} : { model }),
  }
  return { ok: true, answer }
}

/** Pieces that came under their numbers, in the order of these. */
export const inOrder = <T>(pieces: ReadonlyMap<number, T>): T[] =>
  [...pieces].sort(([a], [b]) => a - b).map(([, piece]) => piece)

/** The object that an event of a stream carries; undefined where it carries none. */
export function eventObject(data: string): Record<string, unknown> | undefined {
  const parsed = parsedJson(data)?.value
  return isRecord(parsed) ? parsed : undefined
}

export const noObject = (data: string): EventRead => ({
  type: 'failed',
  body: data,
  stream: 'sent an event that is no JSON object',
})

export const brokenOff = (body: object): EventRead => ({
  type: 'failed',
  body,
  stream: 'sent an error in the middle of its stream',
})

export const emptyStream: Read = { ok: false, body: undefined, stream: 'ended an empty stream' }
