import { describe, expect, test } from 'vitest'
import {
  BudgetExceededError,
  CancelledError,
  CircuitOpenError,
  ProviderError,
  StoreError,
  TimeoutError,
  ValidationError,
} from '../../../src/errors.ts'
import { classifyError } from '../../../src/resilience/classify.ts'

const nowMs = Date.parse('2026-11-23T12:00:00Z')

const wire = (status: number | null, body: unknown = null, headers: Record<string, string> = {}) => ({
  status,
  headers,
  body,
})

const openai = (message: string, code: string | null, type = 'invalid_request_error') => ({
  error: { message, type, param: null, code },
})
const anthropic = (type: string, message: string) => ({ type: 'error', error: { type, message } })
const google = (code: number, status: string, message: string, details?: unknown[]) => ({
  error: { code, message, status, ...(details ? { details } : {}) },
})

describe('answers of providers', () => {
  test.each([
    [
      'request_too_large_for_tier',
      wire(
        429,
        openai(
          'Request too large for gpt-4o in organization org-x on tokens per min (TPM): Limit 10000, Requested 20000. The input or output tokens must be reduced in order to run successfully.',
          'rate_limit_exceeded',
          'tokens',
        ),
      ),
    ],
    [
      'request_too_large_for_tier',
      wire(
        413,
        openai(
          'Request too large for model `llama-3.1-8b-instant` in organization `org_x` service tier `on_demand` on tokens per minute (TPM): Limit 6000, Requested 7000, please reduce your message size and try again.',
          'rate_limit_exceeded',
          'tokens',
        ),
      ),
    ],
    [
      'rate_limit',
      wire(
        429,
        openai(
          'Rate limit reached for gpt-4 on requests per day (RPD): Limit 200, Used 200, Requested 1. Please try again in 7m12s.',
          'rate_limit_exceeded',
          'requests',
        ),
      ),
    ],
    ['quota_exhausted', wire(400, openai('Billing hard limit has been reached', 'billing_hard_limit_reached'))],
    [
      'overloaded',
      wire(429, openai('The engine is currently overloaded, please try again later', null, 'server_error')),
    ],
    ['overloaded', wire(503, openai('The server is overloaded or not ready yet.', null, 'server_error'))],
    [
      'server_error',
      wire(
        500,
        openai('The server had an error while processing your request. Sorry about that!', null, 'server_error'),
      ),
    ],
    [
      'context_length',
      wire(400, openai("This model's maximum context length is 8192 tokens.", 'context_length_exceeded')),
    ],
    [
      'content_filter',
      wire(400, openai('Your request was rejected as a result of our safety system.', 'content_policy_violation')),
    ],
    ['model_not_found', wire(403, openai('Project `proj_x` does not have access to model `gpt-5`', 'model_not_found'))],
    [
      'invalid_request',
      wire(
        400,
        openai(
          "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
          'unsupported_parameter',
        ),
      ),
    ],
    [
      'invalid_request',
      wire(
        400,
        openai(
          'max_tokens is too large: 100000. This model supports at most 16384 completion tokens, whereas you provided 100000.',
          'invalid_value',
        ),
      ),
    ],
    ['invalid_request', wire(404, openai('Invalid URL (POST /v1/chat/completion)', null))],
    [
      'rate_limit',
      wire(
        429,
        anthropic(
          'rate_limit_error',
          "This request would exceed your organization's rate limit of 40,000 input tokens per minute",
        ),
      ),
    ],
    [
      'request_too_large_for_tier',
      wire(429, anthropic('rate_limit_error', 'Extra usage is required for long context requests.')),
    ],
    [
      'context_length',
      wire(400, anthropic('invalid_request_error', 'prompt is too long: 208310 tokens > 200000 maximum')),
    ],
    ['content_filter', wire(400, anthropic('invalid_request_error', 'Output blocked by content filtering policy'))],
    [
      'permission',
      wire(403, anthropic('permission_error', 'Your API key does not have permission to use the specified resource.')),
    ],
    ['auth', wire(403, anthropic('permission_error', 'OAuth token has been revoked. Please obtain a new token.'))],
    ['model_not_found', wire(404, anthropic('not_found_error', 'model: claude-9'))],
    ['overloaded', wire(529, anthropic('overloaded_error', 'Overloaded'))],
    ['overloaded', wire(529)],
    ['server_error', wire(500, anthropic('api_error', 'Internal server error'))],
    ['timeout', wire(504, anthropic('timeout_error', 'Request timed out'))],
    ['quota_exhausted', wire(402, anthropic('billing_error', 'payment'))],
    ['overloaded', wire(503, google(503, 'UNAVAILABLE', 'The model is overloaded. Please try again later.'))],
    [
      'auth',
      wire(
        400,
        google(400, 'INVALID_ARGUMENT', 'API key not valid. Please pass a valid API key.', [
          { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'API_KEY_INVALID' },
        ]),
      ),
    ],
    ['auth', wire(400, google(400, 'INVALID_ARGUMENT', 'API key not valid. Please pass a valid API key.'))],
    [
      'region_blocked',
      wire(400, google(400, 'FAILED_PRECONDITION', 'User location is not supported for the API use.')),
    ],
    [
      'region_blocked',
      wire(
        400,
        google(
          400,
          'FAILED_PRECONDITION',
          'Gemini API free tier is not available in your country. Please enable billing on your project in Google AI Studio.',
        ),
      ),
    ],
    [
      'permission',
      wire(
        403,
        google(
          403,
          'PERMISSION_DENIED',
          'Generative Language API has not been used in project 1 before or it is disabled.',
          [{ reason: 'SERVICE_DISABLED' }],
        ),
      ),
    ],
    ['server_error', wire(500, google(500, 'INTERNAL', 'An internal error has occurred. Please retry or report.'))],
    ['timeout', wire(504, google(504, 'DEADLINE_EXCEEDED', 'The request timed out. Please try again.'))],
    [
      'quota_exhausted',
      wire(
        429,
        google(429, 'RESOURCE_EXHAUSTED', 'You exceeded your current quota', [
          { reason: 'QUOTA_EXHAUSTED' },
          { retryDelay: '0.5s' },
        ]),
      ),
    ],
    ['content_filter', wire(200, { promptFeedback: { blockReason: 'PROHIBITED_CONTENT' } })],
    ['content_filter', wire(200, { candidates: [{ finishReason: 'SAFETY' }] })],
    ['invalid_response', wire(200, { candidates: [{ finishReason: 'MALFORMED_FUNCTION_CALL' }] })],
    ['content_filter', wire(200, { choices: [{ finish_reason: 'content_filter', message: { content: '' } }] })],
    ['content_filter', wire(200, { stopReason: 'guardrail_intervened' })],
    ['context_length', wire(200, { stop_reason: 'model_context_window_exceeded' })],
    [
      'auth',
      wire(401, {
        error: { code: '401', message: 'Access denied due to invalid subscription key or wrong API endpoint.' },
      }),
    ],
    [
      'overloaded',
      wire(429, {
        error: {
          code: 'NoCapacity',
          message: 'The system is currently experiencing high demand and cannot process your request.',
        },
      }),
    ],
    [
      'rate_limit',
      wire(429, { name: 'ThrottlingException', message: 'Too many requests, please wait before trying again.' }),
    ],
    [
      'permission',
      wire(403, {
        name: 'AccessDeniedException',
        message: "You don't have access to the model with the specified model ID.",
      }),
    ],
    ['quota_exhausted', wire(400, { name: 'ServiceQuotaExceededException' })],
    ['timeout', wire(408, { name: 'ModelTimeoutException' })],
    ['server_error', wire(424, { name: 'ModelErrorException' })],
    [
      'auth',
      wire(403, {
        __type: 'com.amazon.coral.service#UnrecognizedClientException',
        message: 'The security token included in the request is invalid.',
      }),
    ],
    ['auth', wire(403, { message: 'The security token included in the request is expired' })],
    [
      'invalid_request',
      wire(400, { name: 'ValidationException', message: 'Malformed input request: expected type: String' }),
    ],
    [
      'model_not_found',
      wire(400, { name: 'ValidationException', message: 'The provided model identifier is invalid.' }),
    ],
    ['auth', wire(401, { message: 'Unauthorized', request_id: 'x' })],
    ['invalid_request', wire(422, { detail: [{ type: 'missing', loc: ['body', 'messages'], msg: 'Field required' }] })],
    [
      'context_length',
      wire(400, {
        object: 'error',
        message:
          'Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length',
        type: 'invalid_request_prompt',
        code: '3051',
      }),
    ],
    ['rate_limit', wire(429, { message: 'You are using a Trial key, which is limited to 10 API calls / minute.' })],
    [
      'quota_exhausted',
      wire(429, { message: 'You are using a Trial key, which is limited to 1000 API calls / month.' }),
    ],
    ['auth', wire(401, { message: 'invalid api token' })],
    [
      'model_not_found',
      wire(404, {
        message:
          "model 'command-x' not found, make sure the correct model ID was used and that you have access to the model.",
      }),
    ],
    ['overloaded', wire(503, { error: { code: 503, message: 'Loading model', type: 'unavailable_error' } })],
    [
      'context_length',
      wire(500, { error: { code: 500, message: 'Context size has been exceeded.', type: 'server_error' } }),
    ],
    ['overloaded', wire(503, { error: 'server busy, please try again. maximum pending requests exceeded' })],
    ['invalid_request', wire(400, { error: 'registry.ollama.ai/library/gemma:2b does not support tools' })],
    [
      'model_not_found',
      wire(404, { object: 'error', message: 'The model `x` does not exist.', type: 'NotFoundError', code: 404 }),
    ],
    ['quota_exhausted', wire(402, openai('Insufficient Balance', 'invalid_request_error', 'unknown_error'))],
    [
      'quota_exhausted',
      wire(402, {
        error: { code: 402, message: 'Insufficient credits. Add more using https://openrouter.ai/credits' },
      }),
    ],
    ['no_provider', wire(404, { error: { code: 404, message: 'No endpoints found that support tool use.' } })],
    [
      'no_provider',
      wire(404, { error: { code: 404, message: 'No allowed providers are available for the selected model.' } }),
    ],
    ['server_error', wire(502, { error: { code: 502, message: 'Provider returned error' } })],
    [
      'content_filter',
      wire(403, {
        error: { code: 403, message: 'Input was flagged', metadata: { reasons: ['violence'], flagged_input: 'x' } },
      }),
    ],
    [
      'quota_exhausted',
      wire(429, {
        error: {
          code: 429,
          message:
            'Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests per day',
        },
      }),
    ],
    ['rate_limit', wire(429, { error: { code: 429, message: 'Rate limit exceeded: free-models-per-min. ' } })],
    [
      'rate_limit',
      wire(429, {
        error: {
          code: 429,
          message: 'Provider returned error',
          metadata: { raw: 'x/y is temporarily rate-limited upstream. Please retry shortly.' },
        },
      }),
    ],
    ['model_not_found', wire(400, { error: { code: 400, message: 'foo/bar is not a valid model ID' } })],
    ['rate_limit', wire(200, { error: { code: 429, message: 'upstream' } })],
    ['overloaded', wire(503, { error: 'Model x is currently loading', estimated_time: 20 })],
    [
      'model_not_found',
      wire(400, openai('The model `x` has been decommissioned and is no longer supported.', 'model_decommissioned')),
    ],
    ['conflict', wire(409)],
    ['timeout', wire(524, '<html><title>x | 524: A timeout occurred</title></html>')],
    ['server_error', wire(522)],
    ['invalid_request', wire(405)],
    [
      'region_blocked',
      wire(
        403,
        anthropic(
          'forbidden',
          'You may not use Claude from this region: access is not allowed from unsupported countries, regions, or territories.',
        ),
      ),
    ],
    ['invalid_response', wire(200, '<html><body>welcome</body></html>')],
    ['stream_error', { ...wire(200, { id: 'x' }), stream: 'ended without a terminal marker' }],
    [
      'quota_exhausted',
      wire(
        429,
        google(429, 'RESOURCE_EXHAUSTED', 'Quota exceeded for metric: x/free_tier_requests, limit: 0, model: y', [
          { retryDelay: '5s' },
        ]),
      ),
    ],
    [
      'context_length',
      {
        ...wire(200, { name: 'ValidationException', message: 'Input is too long for requested model.' }),
        stream: 'in-stream exception',
      },
    ],
    ['model_not_found', wire(400, { error: 'No models loaded. Please load a model in the developer page' })],
    ['permission', wire(400, anthropic('invalid_request_error', 'This organization has been disabled.'))],
  ])('%s: %j', (kind, failure) => {
    expect(classifyError(failure).kind).toBe(kind)
  })
})

describe('hints of when to come again', () => {
  const rateLimit = anthropic('rate_limit_error', 'limited')
  test.each([
    [{ 'Retry-After': '7' }, 7000],
    [{ 'retry-after': '0.5' }, 500],
    [{ 'retry-after': 'Mon, 23 Nov 2026 12:00:30 GMT' }, 30_000],
    [{ 'retry-after': 'Mon, 23 Nov 2026 12:00:30 GMT', date: 'Mon, 23 Nov 2026 12:00:20 GMT' }, 10_000],
    [{ 'retry-after': 'Mon, 23 Nov 2026 11:00:00 GMT' }, 0],
    [{ 'retry-after-ms': '1234', 'retry-after': '9' }, 1234],
    [{ 'x-ms-retry-after-ms': '250' }, 250],
    [
      { 'x-ratelimit-remaining-tokens': '0', 'x-ratelimit-reset-tokens': '6m0s', 'x-ratelimit-reset-requests': '1s' },
      360_000,
    ],
    [{ 'x-ratelimit-reset-requests': '174ms' }, 174],
    [{ 'x-ratelimit-reset': String(nowMs / 1000 + 5) }, 5000],
    [{ 'x-ratelimit-reset': String(nowMs + 1500) }, 1500],
    [
      {
        'anthropic-ratelimit-requests-remaining': '0',
        'anthropic-ratelimit-requests-reset': '2026-11-23T12:01:00Z',
        'anthropic-ratelimit-tokens-remaining': '5',
        'anthropic-ratelimit-tokens-reset': '2026-11-23T13:00:00Z',
      },
      60_000,
    ],
    [{ 'retry-after': 'soon' }, undefined],
  ])('%j', (headers, expected) => {
    expect(classifyError(wire(429, rateLimit, headers as Record<string, string>), { nowMs }).retryAfterMs).toBe(
      expected,
    )
  })

  test.each([
    ['Please try again in 6m0s.', 360_000],
    ['Please try again in 20s. Visit', 20_000],
    ['try again in 1h2m3.5s', 3_723_500],
    ['Please retry after 45 seconds.', 45_000],
    ['Please retry in 56.185908122s.', 56_186],
    ['Please wait 2 minutes and 5 seconds', 125_000],
    ['please try again later', undefined],
    ['Retry your request with 3 models', undefined],
  ])('in the sentence %j', (sentence, expected) => {
    expect(classifyError(wire(429, openai(sentence, 'rate_limit_exceeded'))).retryAfterMs).toBe(expected)
  })

  test('the end of an exhausted window outranks a sentence, and a sentence that of one with room', () => {
    const body = openai('Please try again in 20s.', 'rate_limit_exceeded')
    const hint = (remaining: string) =>
      classifyError(wire(429, body, { 'x-ratelimit-remaining-tokens': remaining, 'x-ratelimit-reset-tokens': '6m0s' }))
        .retryAfterMs
    expect([hint('0'), hint('500')]).toEqual([360_000, 20_000])
  })

  test('the detail of a body counts, written as text or as an object', () => {
    for (const retryDelay of ['2.5s', { seconds: 2, nanos: 500_000_000 }]) {
      expect(classifyError(wire(429, google(429, 'X', '', [{ retryDelay }]))).retryAfterMs).toBe(2500)
    }
  })

  test('headers in the form of Headers, of pairs and of a Map are read alike', () => {
    for (const headers of [
      new Headers({ 'Retry-After': '3' }),
      [['Retry-After', '3']],
      new Map([['Retry-After', '3']]),
    ]) {
      expect(classifyError({ status: 429, headers, body: null }).retryAfterMs).toBe(3000)
    }
  })

  test('a failure that no wait can mend has no hint', () => {
    expect(classifyError(wire(402, null, { 'retry-after': '5' }))).not.toHaveProperty('retryAfterMs')
  })

  test('x-should-retry: false makes a transient failure permanent', () => {
    const { kind, transient } = classifyError(wire(429, rateLimit, { 'x-should-retry': 'false' }))
    expect({ kind, transient }).toEqual({ kind: 'rate_limit', transient: false })
  })
})

describe('what is thrown', () => {
  test.each([
    [new TimeoutError('too slow'), { type: 'timeout', kind: 'timeout', transient: true }],
    [new CancelledError('stop'), { type: 'cancelled', kind: 'cancelled', transient: false }],
    [
      new CircuitOpenError('open', { remainingMs: 250 }),
      { type: 'provider', kind: 'circuit_open', transient: true, retryAfterMs: 250 },
    ],
    [new ValidationError('bad'), { type: 'validation', kind: 'unknown', transient: false, scope: 'local' }],
    [new BudgetExceededError('spent'), { type: 'budget', category: 'resource', transient: false, scope: 'local' }],
    [new StoreError('store_full', 'full'), { type: 'store', category: 'resource', transient: false }],
    [
      new ProviderError('x', { kind: 'overloaded', retryAfterMs: 9 }),
      { type: 'provider', kind: 'overloaded', retryAfterMs: 9 },
    ],
    [new ProviderError('x', {}, { cause: wire(429, null) }), { type: 'provider', kind: 'rate_limit' }],
    [new Error('boom'), { type: 'runtime', kind: 'unknown', category: 'critical', transient: false, scope: 'local' }],
    [new Error('rate limit of my own'), { type: 'runtime', kind: 'unknown' }],
    [new TypeError('x is not a function'), { type: 'runtime', kind: 'unknown' }],
    [new SyntaxError('Unexpected token'), { type: 'runtime', kind: 'unknown' }],
    [Object.assign(new Error('no space'), { code: 'ENOSPC' }), { type: 'resource', kind: 'unknown' }],
    [Object.assign(new Error('no file'), { code: 'ENOENT' }), { type: 'runtime', kind: 'unknown' }],
    [
      Object.assign(new TypeError('fetch failed'), {
        cause: new AggregateError([Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })]),
      }),
      { kind: 'connection' },
    ],
    [
      Object.assign(new Error('429 {"error":{"code":"insufficient_quota","message":"x"}}'), { status: 429 }),
      { kind: 'quota_exhausted' },
    ],
    [
      Object.assign(new Error('x'), {
        name: 'AI_APICallError',
        statusCode: 400,
        responseBody: JSON.stringify(anthropic('invalid_request_error', 'prompt is too long: 3 > 2')),
        isRetryable: true,
      }),
      { kind: 'context_length', transient: false },
    ],
    [
      Object.assign(new Error('Too many'), { name: 'ThrottlingException', $metadata: { httpStatusCode: 429 } }),
      { kind: 'rate_limit' },
    ],
    [
      Object.assign(new Error('Request failed'), {
        response: { status: 503, headers: {}, data: openai('overloaded', null) },
      }),
      { kind: 'overloaded' },
    ],
    [undefined, { type: 'runtime', kind: 'unknown' }],
    [null, { type: 'runtime', kind: 'unknown' }],
    ['some text', { type: 'runtime', kind: 'unknown', message: 'some text' }],
    [wire(418), { type: 'provider', kind: 'invalid_request' }],
    [wire(null), { type: 'provider', kind: 'unknown', scope: 'provider' }],
  ])('%s', (thrown, expected) => {
    expect(classifyError(thrown)).toMatchObject(expected)
  })

  test('anything after the caller aborted is a cancellation', () => {
    expect(classifyError(wire(503), { aborted: true })).toMatchObject({ type: 'cancelled', kind: 'cancelled' })
  })

  test('a message shows no key', () => {
    const { message } = classifyError(new Error('refused sk-abcdefghijkl and Bearer abcdefghijklmnop'))
    expect(message).toBe('refused [redacted] and [redacted]')
  })
})

describe('hostile input', () => {
  const cyclic: Record<string, unknown> = { status: 400 }
  cyclic.body = { error: { error: cyclic } }
  const refusing = new Proxy(
    {},
    {
      get: () => {
        throw new Error('no')
      },
      ownKeys: () => {
        throw new Error('no')
      },
      has: () => {
        throw new Error('no')
      },
      getPrototypeOf: () => {
        throw new Error('no')
      },
    },
  )
  test.each([
    ['a cycle', cyclic],
    ['a proxy that refuses everything', refusing],
    ['such a proxy as body and headers', { status: 429, headers: refusing, body: refusing }],
    ['wrong types', { status: '429', headers: 7, body: 8n, stream: {}, network: 'x' }],
    ['symbols and functions', { status: Number.NaN, body: Symbol('x'), headers: () => 1 }],
    ['megabytes of text', wire(400, 'limit '.repeat(2_000_000))],
    ['megabytes of braces', wire(400, '{['.repeat(2_000_000))],
    ['deep nesting', wire(400, JSON.parse(`${'['.repeat(5000)}${']'.repeat(5000)}`))],
    ['many fields', wire(400, Object.fromEntries(Array.from({ length: 50_000 }, (_, i) => [`k${i}`, { a: i }])))],
    ['repeated words', wire(429, { message: 'try again in 1 1 1 1 1 '.repeat(500) })],
  ])('%s does not make it throw or take long', (_, failure) => {
    const started = performance.now()
    expect(classifyError(failure).message.length).toBeLessThanOrEqual(500)
    expect(performance.now() - started).toBeLessThan(1000)
  })
})
