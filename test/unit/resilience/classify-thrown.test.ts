import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { describe, expect, it } from 'vitest'
import { classifyError } from '../../../src/resilience/classify.ts'

const thrown = (name: string, message: string, more: object = {}, cause?: unknown): Error =>
  Object.assign(new Error(message, cause === undefined ? undefined : { cause }), { name, ...more })
const seen = (failure: unknown): string => {
  const { kind, retryAfterMs } = classifyError(failure)
  return retryAfterMs === undefined ? kind : `${kind} ${retryAfterMs}`
}
type Row = readonly [expected: string, what: string, failure: unknown]
const check = (rows: readonly Row[]): void =>
  it.each(rows)('%s: %s', (kind, _, failure) => expect(seen(failure)).toBe(kind))
const codes = (list: string): string[] => list.split(/\s+/)

describe('errors of the network', () => {
  const below = (code: string) => thrown('Error', `x ${code}`, { code })
  const fetched = (code: string) => thrown('TypeError', 'fetch failed', {}, below(code))
  const both = (kind: string, list: string): Row[] =>
    codes(list).flatMap((code): Row[] => [
      [kind, code, below(code)],
      [kind, `fetch failed for ${code}`, fetched(code)],
    ])
  check([
    ...both(
      'connection',
      `ECONNREFUSED ECONNRESET EPIPE ETIMEDOUT ENOTFOUND EAI_AGAIN EHOSTUNREACH ENETUNREACH ECONNABORTED ENETDOWN
      EADDRNOTAVAIL UND_ERR_SOCKET UND_ERR_CONNECT_TIMEOUT ERR_HTTP2_STREAM_ERROR ERR_HTTP2_GOAWAY_SESSION
      ConnectionRefused ConnectionClosed FailedToOpenSocket`,
    ),
    ...both('timeout', 'UND_ERR_HEADERS_TIMEOUT UND_ERR_BODY_TIMEOUT ESOCKETTIMEDOUT'),
    ...both(
      'tls',
      `CERT_HAS_EXPIRED ERR_TLS_CERT_ALTNAME_INVALID SELF_SIGNED_CERT_IN_CHAIN DEPTH_ZERO_SELF_SIGNED_CERT
      UNABLE_TO_VERIFY_LEAF_SIGNATURE UNABLE_TO_GET_ISSUER_CERT_LOCALLY ERR_SSL_WRONG_VERSION_NUMBER EPROTO
      ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION HOSTNAME_MISMATCH CERT_REVOKED`,
    ),
    ['connection', 'every address refused', new AggregateError([below('ECONNREFUSED'), below('ECONNREFUSED')])],
    ['connection', 'a socket that hung up', new Error('socket hang up')],
    [
      'connection',
      'a socket that was closed in the handshake',
      new Error('Client network socket disconnected before secure TLS connection was established'),
    ],
    [
      'connection',
      'the words of another runtime',
      new TypeError('error sending request for url (https://x): dns error'),
    ],
    ['cancelled', 'an aborted fetch', new DOMException('This operation was aborted', 'AbortError')],
    ['timeout', 'AbortSignal.timeout', new DOMException('The operation was aborted due to timeout', 'TimeoutError')],
    ['invalid_request', 'an address that is none', fetched('ERR_INVALID_URL')],
  ])

  const said = (message: string) => ({ status: null, headers: {}, body: null, network: { name: 'Error', message } })
  check([
    ['connection', 'a refusal whose code stands in its message alone', new Error('connect ECONNREFUSED 127.0.0.1:1')],
    ['connection', 'a name that was not found, quoted', new Error('Error: getaddrinfo EAI_AGAIN api.example.com')],
    ['connection', 'a server of names that failed', fetched('ESERVFAIL')],
    ['connection', 'a browser without a network', said('net::ERR_INTERNET_DISCONNECTED')],
    ['connection', "another browser's words", new TypeError('NetworkError when attempting to fetch resource.')],
    ['tls', 'a certificate in a message alone', said('self-signed certificate in certificate chain')],
    ['tls', 'the words of another client', said('SSL certificate problem: unable to get local issuer certificate')],
    ['invalid_request', 'a scheme that is none', new TypeError('fetch failed', { cause: new Error('unknown scheme') })],
    ['invalid_request', 'a port that fetch blocks', new TypeError('fetch failed', { cause: new Error('bad port') })],
    ['unknown', 'a defect that speaks of no call', new Error('the reader said ECONNREFUSED is a word')],
  ])

  const answered = Object.assign(new Error('x'), { status: 429, headers: { 'retry-after': '3' } })
  check([
    ['rate_limit', 'a status in words', new Error('HTTP 429: Too Many Requests')],
    ['overloaded', 'a status with its phrase', new Error('503 Service Unavailable')],
    ['overloaded', 'what people throw after a fetch', new Error('HTTP error! status: 503')],
    ['server_error', 'what people throw after a fetch, shorter', new Error('Request failed with status 502')],
    ['rate_limit', 'a client of Python in a log', new Error('Error code: 429 - [{"error": {"code": 429}}]')],
    ['overloaded', 'a refused upgrade', new Error('Unexpected server response: 503')],
    ['server_error', 'in a wrapper', new Error('no luck', { cause: new Error('HTTP 500') })],
    ['rate_limit 3000', 'less telling than the answer within', new Error('HTTP 429', { cause: answered })],
    ['unknown', 'a page that is not there, which is no model', new Error('HTTP 404 for /page')],
    ['unknown', 'a number that is no status', new Error('500 rows were expected')],
    ['unknown', 'a number of something', new Error('invoice 503 not found')],
    ['overloaded', 'the body of a failure, as it was parsed', { error: { type: 'overloaded_error', message: 'x' } }],
  ])

  it('finds what happened under a dozen wrappers', () => {
    const wrapped = (root: Error) =>
      Array.from({ length: 12 }).reduce<Error>((cause, _, index) => new Error(`layer ${index}`, { cause }), root)
    expect(seen(wrapped(below('ECONNRESET')))).toBe('connection')
    expect(seen(wrapped(Object.assign(new Error('x'), { status: 503 })))).toBe('overloaded')
  })

  it('tells a proxy that refuses the connection from an abort, though they share a code', () => {
    const refused = (status: number) =>
      thrown('RequestAbortedError', `Proxy response (${status}) !== 200 when HTTP Tunneling`, {
        code: 'UND_ERR_ABORTED',
      })
    expect(seen(thrown('TypeError', 'fetch failed', {}, refused(407)))).toBe('auth')
    expect(seen(thrown('TypeError', 'fetch failed', {}, refused(502)))).toBe('connection')
    expect(seen(thrown('RequestAbortedError', 'Request aborted', { code: 'UND_ERR_ABORTED' }))).toBe('cancelled')
  })
})

describe('errors of fetchers', () => {
  const axios = (code: string, message: string, response?: object) =>
    thrown('AxiosError', message, { code, ...(response === undefined ? {} : { response }) })
  check([
    ['connection', 'node-fetch, closed', thrown('FetchError', 'request to https://x failed, reason: socket hang up')],
    ['timeout', 'node-fetch, before the head', thrown('FetchError', 'network timeout at: https://x')],
    ['timeout', 'node-fetch, in the body', thrown('FetchError', 'Response timeout while trying to fetch https://x')],
    [
      'invalid_response',
      'node-fetch, no JSON',
      thrown('FetchError', 'invalid json response body at https://x reason: Unexpected token <'),
    ],
    ['timeout', 'axios', axios('ECONNABORTED', 'timeout of 1000ms exceeded')],
    ['connection', 'axios without a network', axios('ERR_NETWORK', 'Network Error')],
    ['cancelled', 'axios, cancelled', thrown('CanceledError', 'canceled', { code: 'ERR_CANCELED' })],
    [
      'rate_limit 3000',
      'axios with an answer',
      axios('ERR_BAD_REQUEST', 'Request failed with status code 429', {
        status: 429,
        headers: { 'retry-after': '3' },
        data: { error: { code: 'rate_limit_exceeded' } },
      }),
    ],
    ['server_error', 'axios, whose answer was lost', axios('ERR_BAD_RESPONSE', 'Request failed with status code 500')],
    ['timeout', 'got', thrown('TimeoutError', "Timeout awaiting 'request' for 1000ms", { code: 'ETIMEDOUT' })],
    [
      'connection',
      'got, connecting',
      thrown('TimeoutError', "Timeout awaiting 'connect' for 1ms", { code: 'ETIMEDOUT' }),
    ],
    [
      'overloaded 2000',
      'ky',
      thrown('HTTPError', 'Request failed', {
        response: { status: 503, headers: new Headers({ 'retry-after': '2' }) },
      }),
    ],
  ])
})

describe('errors of the clients of services', () => {
  const openai = (status: number, error: object, headers: Record<string, string> = {}) =>
    OpenAI.APIError.generate(status, { error }, undefined, new Headers(headers))
  const overloaded = { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }
  const refusedBelow = thrown('TypeError', 'fetch failed', {}, thrown('Error', 'x', { code: 'ECONNREFUSED' }))
  const google = (status: number | undefined, message: string) =>
    thrown('GoogleGenerativeAIError', message, status === undefined ? {} : { status })
  check([
    ['rate_limit 20000', 'openai', openai(429, { code: 'rate_limit_exceeded' }, { 'retry-after': '20' })],
    ['quota_exhausted', 'openai, an empty purse', openai(429, { code: 'insufficient_quota' })],
    ['connection', 'openai, no connection', new OpenAI.APIConnectionError({ message: 'x', cause: refusedBelow })],
    ['timeout', 'openai, out of time', new OpenAI.APIConnectionTimeoutError({})],
    ['cancelled', 'openai, aborted', new OpenAI.APIUserAbortError()],
    ['timeout', 'anthropic, out of time', new Anthropic.APIConnectionTimeoutError({})],
    ['cancelled', 'anthropic, aborted', new Anthropic.APIUserAbortError()],
    [
      'overloaded',
      'anthropic, an error event of a stream, which has no status',
      new Anthropic.APIError(undefined, overloaded, JSON.stringify(overloaded), undefined),
    ],
    [
      'stream_error',
      'anthropic, a stream without its end',
      new Anthropic.AnthropicError('stream ended without producing a Message with role=assistant'),
    ],
    ['rate_limit', 'aws', thrown('ThrottlingException', 'Too many', { $metadata: { httpStatusCode: 429 } })],
    ['auth', 'aws, no key', thrown('CredentialsProviderError', 'Could not load credentials from any providers')],
    [
      'connection',
      'aws, a lost socket',
      thrown('TimeoutError', 'socket hang up', { code: 'ECONNRESET', $metadata: {} }),
    ],
    ['overloaded', 'google', google(503, 'got: {"error":{"status":"UNAVAILABLE","message":"overloaded"}}')],
    [
      'rate_limit 41000',
      'google, all in words',
      google(
        undefined,
        '[GoogleGenerativeAI Error]: [429 Too Many Requests] You exceeded your current quota [{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"41s"}]',
      ),
    ],
    ['timeout', 'cohere', thrown('CohereTimeoutError', 'Timeout exceeded when calling POST /v2/chat.')],
    ['timeout', 'mistral', thrown('RequestTimeoutError', 'Request timed out: TimeoutError')],
    ['connection', 'mistral, no connection', thrown('ConnectionError', 'Unable to make request: TypeError')],
    [
      'model_not_found',
      'ollama',
      thrown('ResponseError', "model 'x' not found", { status_code: 404, error: "model 'x' not found" }),
    ],
  ])
})

describe('errors of the AI SDK', () => {
  const call = (statusCode: number | undefined, responseBody = '', responseHeaders: object = {}) =>
    thrown('AI_APICallError', 'x', { statusCode, responseBody, responseHeaders, isRetryable: true, url: 'https://x' })
  const named = (kind: string, list: string): Row[] =>
    codes(list).map((name): Row => [kind, name, thrown(`AI_${name}`, 'It failed.')])
  check([
    ['rate_limit 250', 'a call', call(429, '{"error":{"code":"rate_limit_exceeded"}}', { 'retry-after-ms': '250' })],
    ['auth', 'a call whose own opinion is another', call(401, '{"error":{"code":"invalid_api_key"}}')],
    ['connection', 'a call without an answer', thrown('AI_APICallError', 'x', {}, thrown('E', 'x', { code: 'EPIPE' }))],
    [
      'overloaded',
      'retries that all failed: the last decides',
      thrown('AI_RetryError', 'Failed after 3 attempts.', { errors: [call(500), call(529)], lastError: call(529) }),
    ],
    ['auth', 'retries without a last error', thrown('AI_RetryError', 'Failed.', { errors: [call(500), call(401)] })],
    ...named(
      'invalid_response',
      `NoObjectGeneratedError NoContentGeneratedError NoOutputGeneratedError NoSuchToolError InvalidToolInputError
      TypeValidationError JSONParseError EmptyResponseBodyError InvalidResponseDataError`,
    ),
    ...named(
      'invalid_request',
      'InvalidArgumentError InvalidPromptError InvalidDataContentError MessageConversionError UnsupportedFunctionalityError',
    ),
    ...named('model_not_found', 'NoSuchModelError'),
    ...named('no_provider', 'NoSuchProviderError'),
    ...named('auth', 'LoadAPIKeyError LoadSettingError'),
  ])
})

describe('errors of gRPC', () => {
  const grpc = (code: number, details: string) => thrown('Error', `${code} ${details}`, { code, details, metadata: {} })
  check([
    ['cancelled_upstream', '1', grpc(1, 'Cancelled on client')],
    ['invalid_request', '3', grpc(3, 'bad')],
    ['timeout', '4', grpc(4, 'Deadline exceeded')],
    ['model_not_found', '5', grpc(5, 'models/x')],
    ['permission', '7', grpc(7, 'no')],
    ['rate_limit', '8', grpc(8, 'Quota exceeded')],
    ['conflict', '10', grpc(10, 'x')],
    ['invalid_request', '12', grpc(12, 'x')],
    ['server_error', '13', grpc(13, 'oops')],
    ['overloaded', '14', grpc(14, 'No connection established')],
    ['auth', '16', grpc(16, 'bad token')],
  ])
})

describe('what is no failure of a call', () => {
  it.each([
    ['a mistake in code', new TypeError("Cannot read properties of undefined (reading 'x')")],
    ['a range', new RangeError('Invalid array length')],
    ['an error with a number of its own', thrown('Error', 'x', { code: 14 })],
    ['an error with details of its own', thrown('Error', 'x', { code: 14, details: 'x' })],
    ['an error that keeps another', thrown('Error', 'x', { error: { message: 'y' } })],
    ['a text', 'connect ECONNREFUSED'],
    ['nothing', undefined],
  ])('%s is of the runtime, and unknown', (_, failure) => {
    expect(classifyError(failure)).toMatchObject({ type: 'runtime', kind: 'unknown', transient: false, scope: 'local' })
  })
})
