import { readFileSync } from 'node:fs'
import Anthropic from '@anthropic-ai/sdk'
import fc from 'fast-check'
import OpenAI from 'openai'
import { describe, expect, it } from 'vitest'
import { classifyError } from '../../../src/resilience/classify.ts'
import { propertyRuns } from '../../support/supervised-worker.ts'

interface Case {
  readonly id: string
  readonly provider: string
  readonly status: number | null
  readonly headers: Record<string, string>
  readonly body: unknown
  readonly stream?: string
  readonly network?: unknown
  readonly expectedKind?: string
}

const read = (file: string): Case[] =>
  JSON.parse(readFileSync(new URL(`../../conformance/${file}`, import.meta.url), 'utf8')) as Case[]
/** An answer that is none names no error: put into a field `error` it would. */
const namesAnError = ({ status, expectedKind }: Case): boolean =>
  status === null || status >= 400 || expectedKind !== 'invalid_response'
const cases = ['provider-errors.json', 'more-provider-errors.json', 'described-failures.json']
  .flatMap(read)
  .filter(namesAnError)
const nowMs = Date.parse('2026-11-23T12:00:00Z')

const seen = (failure: unknown, provider: string) => {
  const { kind, transient, retryAfterMs } = classifyError(failure, { provider, nowMs })
  return { kind, transient, retryAfterMs }
}

type Form = (known: Case) => unknown

const textOf = (body: unknown): string => (typeof body === 'string' ? body : JSON.stringify(body))
const wire = ({ status, headers, body, stream, network }: Case) => ({
  status,
  headers,
  body,
  ...(stream === undefined ? {} : { stream }),
  ...(network === undefined ? {} : { network }),
})
const withBody =
  (change: (body: unknown) => unknown): Form =>
  known => ({ ...wire(known), body: known.body === null ? null : change(known.body) })
const withObject = (change: (body: object) => unknown): Form =>
  withBody(body => (typeof body === 'object' ? change(body as object) : body))
const withHeaders =
  (change: (headers: Record<string, string>) => unknown): Form =>
  known => ({ ...wire(known), headers: change(known.headers) })

const reversed = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(reversed)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, inner]) => [name, reversed(inner)]),
  )
}

const bodies: Readonly<Record<string, Form>> = {
  'as bytes': withBody(body => Buffer.from(textOf(body))),
  'as an array of bytes': withBody(body => new TextEncoder().encode(textOf(body))),
  'as an array buffer': withBody(body => new TextEncoder().encode(textOf(body)).buffer),
  'as what JSON makes of a buffer': withBody(body => JSON.parse(JSON.stringify(Buffer.from(textOf(body))))),
  'in an array': withBody(body => [body]),
  'in an array, as text': withBody(body => textOf([body])),
  'as text': withObject(body => JSON.stringify(body)),
  'as indented text': withObject(body => `\n\n  ${JSON.stringify(body, null, 4)}\n`),
  'as text after a mark of the byte order': withObject(body => `\uFEFF${JSON.stringify(body)}`),
  'as text that was quoted once more': withObject(body => JSON.stringify(JSON.stringify(body))),
  'in an error': withObject(error => ({ error })),
  'in two errors': withObject(error => ({ error: { error } })),
  'in a list of errors': withObject(error => ({ errors: [error] })),
  'in a detail': withObject(detail => ({ detail })),
  'in a response': withObject(body => ({ response: { body } })),
  'in a message': known => withBody(body => ({ error: { message: textOf(body), code: known.status } }))(known),
  'in a message, after some words': withObject(body => ({ error: { message: `Upstream: ${JSON.stringify(body)}` } })),
  'as a router passes it on': known =>
    withBody(body => ({
      error: { message: 'Provider returned error', code: known.status, metadata: { raw: textOf(body) } },
    }))(known),
  'with its fields in another order': withBody(reversed),
  'with other fields beside it': withObject(body =>
    Array.isArray(body)
      ? body
      : { ...body, request_id: 'req_1', usage: { input_tokens: 3 }, docs: 'https://x.test/errors' },
  ),
}

const frames: Readonly<Record<string, Form>> = {
  'with headers as a Map': withHeaders(headers => new Map(Object.entries(headers))),
  'with headers as Headers': withHeaders(headers => new Headers(headers)),
  'with headers as pairs': withHeaders(headers => Object.entries(headers)),
  'with lists of headers, in upper case': withHeaders(headers =>
    Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toUpperCase(), [value]])),
  ),
  'with its status as text': known => ({ ...wire(known), status: known.status === null ? null : String(known.status) }),
  frozen: known => Object.freeze(wire(known)),
  'without a prototype': known => Object.assign(Object.create(null), wire(known)),
  'as fields of an error': known => Object.assign(new Error('boom'), wire(known)),
  'as the cause of an error': known => new Error('the stage failed', { cause: wire(known) }),
}

const apiCallError = ({ status, headers, body }: Case) =>
  Object.assign(new Error('x'), {
    name: 'AI_APICallError',
    url: 'https://x.test',
    requestBodyValues: { messages: [{ role: 'user', content: 'rate limit exceeded, timed out' }] },
    statusCode: status,
    responseHeaders: headers,
    responseBody: body === null ? '' : textOf(body),
    isRetryable: true,
  })

/** The errors of client libraries, which only an answer with a status makes. */
const clients: Readonly<Record<string, Form>> = {
  'the client of OpenAI': ({ status, headers, body }) =>
    OpenAI.APIError.generate(
      status as number,
      body === null || typeof body === 'string' ? undefined : (body as object),
      body === null ? undefined : textOf(body),
      new Headers(headers),
    ),
  'the AI SDK': apiCallError,
  'the AI SDK, after its retries': known =>
    Object.assign(new Error('Failed after 3 attempts. Last error: x'), {
      name: 'AI_RetryError',
      reason: 'maxRetriesExceeded',
      errors: [apiCallError(known), apiCallError(known)],
      lastError: apiCallError(known),
    }),
  axios: ({ status, headers, body }) =>
    Object.assign(new Error(`Request failed with status code ${status}`), {
      name: 'AxiosError',
      code: (status as number) >= 500 ? 'ERR_BAD_RESPONSE' : 'ERR_BAD_REQUEST',
      config: { data: '{"messages":[{"content":"context length exceeded"}]}' },
      response: { status, headers, data: body ?? '' },
    }),
  got: ({ status, headers, body }) =>
    Object.assign(new Error(`Response code ${status}`), {
      name: 'HTTPError',
      code: 'ERR_NON_2XX_3XX_RESPONSE',
      response: { statusCode: status, headers, body: body === null ? '' : textOf(body) },
    }),
  'the client of Google': ({ status, headers, body }) =>
    Object.assign(new Error(body === null ? '' : textOf(body)), { name: 'ApiError', status, headers }),
  'somebody, as its cause': known => new Error('outer', { cause: new Error('inner', { cause: apiCallError(known) }) }),
  'somebody, as its original': known => Object.assign(new Error('x'), { originalError: apiCallError(known) }),
  'Promise.any': known => new AggregateError([apiCallError(known)], 'all failed'),
}

const answered = cases.filter(({ status }) => status !== null && status >= 400)

describe('a failure keeps its kind, its hint and whether it passes', () => {
  it.each(Object.entries({ ...bodies, ...frames }))('%s', (_, form) => {
    for (const known of cases) expect({ id: known.id, ...seen(form(known), known.provider) }).toEqual(expected(known))
  })

  it.each(Object.entries(clients))('as %s throws it', (client, form) => {
    // OpenAI's client keeps of a body only what is within its `error`.
    const kept = client === 'the client of OpenAI' ? answered.filter(({ id }) => id !== 'mo-12') : answered
    for (const known of kept) expect({ id: known.id, ...seen(form(known), known.provider) }).toEqual(expected(known))
  })

  it('as the client of Anthropic throws it, where it is an answer of Anthropic', () => {
    for (const { id, provider, status, headers, body } of answered.filter(known => known.provider === 'anthropic')) {
      const parsed = body === null || typeof body === 'string' ? undefined : (body as object)
      const error = Anthropic.APIError.generate(status as number, parsed, textOf(body ?? ''), new Headers(headers))
      expect({ id, ...seen(error, provider) }).toEqual(expected({ id, provider, status, headers, body }))
    }
  })

  it('in any of these forms within any other', () => {
    const one = fc.constantFrom(...Object.entries(bodies))
    fc.assert(
      fc.property(
        fc.constantFrom(...cases),
        one,
        fc.constantFrom(...Object.entries(frames)),
        (known, [, body], [, frame]) => {
          const changed = frame({ ...known, ...(body(known) as Case) })
          expect({ id: known.id, ...seen(changed, known.provider) }).toEqual(expected(known))
        },
      ),
      { numRuns: propertyRuns * 3 },
    )
  })
})

function expected(known: Case) {
  return { id: known.id, ...seen(wire(known), known.provider) }
}
