import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { encodeError } from '../../../src/errors.ts'
import { anthropic } from '../../../src/providers/anthropic.ts'
import type { HttpOptions } from '../../../src/providers/http-options.ts'
import { openaiCompatible } from '../../../src/providers/openai-compatible.ts'
import type { Message, ModelRequest, Provider } from '../../../src/providers/provider.ts'
import type { FakeProviderServer } from '../../../src/testing/fake-provider-server.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'
import { contextOf, failureOf, hello, readStream, servers, streamedText } from '../../support/model-calls.ts'

const serve = servers()
const key = 'sk-secret-0123456789'

type Make = (server: FakeProviderServer, options?: HttpOptions) => Provider
const dialects: readonly (readonly [name: string, make: Make])[] = [
  [
    'openai',
    ({ url }, options) =>
      openaiCompatible({ id: 'openai', baseURL: `${url}/v1`, models: ['gpt-4o'], apiKey: key, ...options }),
  ],
  ['anthropic', ({ url }, options) => anthropic({ baseURL: url, apiKey: key, ...options })],
]

const schema = z.toJSONSchema(z.object({ score: z.number() }))
const toolCalls = [{ id: 'c1', name: 'weather', input: { city: 'Łódź' } }]

describe.each(dialects)('a provider over HTTP that speaks like %s', (name, make) => {
  it('answers with text, usage and the model', async () => {
    const usage = { inputTokens: 100, outputTokens: 7, cacheReadTokens: 20 }
    const server = await serve([{ text: 'Hello.', usage }])
    const answer = await make(server).generate(hello, contextOf())
    expect(answer).toMatchObject({ text: 'Hello.', finishReason: 'stop', usage })
    expect(answer.model).toBe(name === 'openai' ? 'gpt-4o' : 'claude-haiku-4-5')
    expect(server.calls[0]?.headers['idempotency-key']).toBe('run/stage/call')
  })

  it('streams the same answer in pieces, the whole of it at the end', async () => {
    const usage = { inputTokens: 100, outputTokens: 7, cacheReadTokens: 20 }
    const text = 'A text that is long enough for several pieces: äöü 🎉.'
    const server = await serve([{ text, usage }])
    const streamed = await readStream(make(server))
    expect(streamedText(streamed)).toBe(text)
    expect(streamed.chunks.length).toBeGreaterThan(3)
    expect(streamed.answer).toEqual(await make(server).generate(hello, contextOf()))
  })

  it('calls tools, whole and streamed', async () => {
    const tools = { weather: { description: 'The weather.', schema: z.toJSONSchema(z.object({ city: z.string() })) } }
    const server = await serve([{ toolCalls }])
    const request: ModelRequest = { ...hello, tools }
    const whole = await make(server).generate(request, contextOf())
    const streamed = await readStream(make(server), request)
    expect(whole).toMatchObject({ text: '', toolCalls, finishReason: 'tool-calls' })
    expect(streamed.answer).toEqual(whole)
    expect(streamed.chunks.at(-2)).toEqual({ type: 'tool-call', ...toolCalls[0] })
    expect(JSON.stringify(server.calls[0]?.body.tools)).toContain('The weather.')
  })

  it('asks for the schema', async () => {
    const server = await serve([{ object: { score: 3 } }])
    const answer = await make(server).generate({ ...hello, schema }, contextOf())
    expect(JSON.parse(answer.text)).toEqual({ score: 3 })
    const body = server.calls[0]?.body as Record<string, { format?: unknown } | undefined> | undefined
    expect(body?.response_format ?? body?.output_config?.format).toMatchObject({ type: 'json_schema' })
  })

  it('asks for a schema that nobody can decode by in the way that still works', async () => {
    const server = await serve([{ object: { a: 1 } }])
    const open = z.toJSONSchema(z.record(z.string(), z.number()))
    await make(server).generate({ ...hello, schema: open }, contextOf())
    const { output_config, system, response_format } = server.calls[0]?.body ?? {}
    if (name === 'openai') expect(response_format).toMatchObject({ json_schema: { strict: false } })
    else expect([output_config, String(system)]).toEqual([undefined, expect.stringContaining('additionalProperties')])
  })

  it('leaves no listener on the signal of its caller', async () => {
    const server = await serve([{ status: 500 }, 'ok'])
    const provider = make(server, { limits: { concurrency: 1 } })
    const { signal } = new AbortController()
    for (let i = 0; i < 20; i++) await readStream(provider, hello, contextOf({ signal })).catch(() => {})
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })

  it('sends a whole conversation with pictures and results of tools', async () => {
    const server = await serve(['Nice.'])
    const messages: Message[] = [
      { role: 'system', content: 'Be brief.' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'Look:' },
          { type: 'image', image: 'iVBORw0KGgo=' },
          { type: 'image', image: 'https://example.com/a.png' },
          { type: 'file', data: 'JVBERi0=', mediaType: 'application/pdf', filename: 'a.pdf' },
        ],
      },
      {
        role: 'assistant',
        content: [
          { type: 'reasoning', text: 'hm' },
          { type: 'tool-call', toolCallId: 'c1', toolName: 'weather', input: { city: 'Łódź' } },
        ],
      },
      { role: 'tool', content: [{ type: 'tool-result', toolCallId: 'c1', toolName: 'weather', output: { c: 4 } }] },
    ]
    await make(server).generate({ ...hello, messages, maxOutputTokens: 50, temperature: 0 }, contextOf())
    expect(server.calls[0]?.body).toMatchSnapshot()
  })

  it('asks for the model that it is told to, and else for the one of the tier', async () => {
    const server = await serve(['ok'])
    const provider = make(server, { models: { cheap: 'small', premium: 'large' } } as HttpOptions)
    await provider.generate({ ...hello, tier: 'premium' }, contextOf())
    await provider.generate({ ...hello, model: 'small' }, contextOf())
    await provider.generate({ ...hello, model: 'unlisted' }, contextOf())
    expect(server.calls.map(({ body }) => body.model)).toEqual(['large', 'small', 'unlisted'])
  })

  it.each([
    ['a rate limit', { status: 429, headers: { 'retry-after': '7' } }, 'rate_limit', 7000],
    ['a bad key', { status: 401 }, 'auth', undefined],
    ['a page of a proxy', { status: 502, body: '<html><title>Bad Gateway</title></html>' }, 'server_error', undefined],
    ['an overload', { status: 529, body: '' }, 'overloaded', undefined],
    ['an empty success', { status: 200, body: '' }, 'invalid_response', undefined],
    [
      'a page in a success',
      { status: 200, body: '<!doctype html><title>Login</title>' },
      'invalid_response',
      undefined,
    ],
    ['an answer of nothing', { text: '' }, 'invalid_response', undefined],
    ['a filtered answer', { text: 'half of', finishReason: 'content-filter' }, 'content_filter', undefined],
    ['half a JSON', { fault: 'no-end' }, 'invalid_response', undefined],
    ['an error in a success', { fault: 'stream-error' }, 'overloaded', undefined],
    ['a reset', { fault: 'reset' }, 'connection', undefined],
    ['half a body', { fault: 'half-body' }, 'connection', undefined],
    ['what is no HTTP', { fault: 'garbage' }, 'invalid_response', undefined],
  ] as const)('fails at %s as what it is', async (_, entry, kind, retryAfterMs) => {
    const server = await serve([entry])
    const failed = await failureOf(make(server).generate(hello, contextOf()), name)
    expect(failed).toMatchObject({ kind, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) })
  })

  it.each([
    ['a rate limit', { status: 429, headers: { 'retry-after-ms': '70' } }, 'rate_limit'],
    ['a filtered answer', { text: 'half of', finishReason: 'content-filter' }, 'content_filter'],
    ['an error in the middle', { fault: 'stream-error', text: 'some words that come' }, 'overloaded'],
    ['an end without its mark', { fault: 'no-end', text: 'some words that come' }, 'stream_error'],
    ['a reset in the middle', { fault: 'reset', afterEvents: 3, text: 'some words that come' }, 'connection'],
    ['half an event', { fault: 'half-body', text: 'some words that come' }, 'connection'],
    ['a stream of nothing', { status: 200, body: '' }, 'stream_error'],
    ['an answer of nothing', { text: '' }, 'invalid_response'],
    ['a reset before', { fault: 'reset' }, 'connection'],
  ] as const)('fails in a stream at %s as what it is', async (_, entry, kind) => {
    const server = await serve([entry])
    expect(await failureOf(readStream(make(server)), name)).toMatchObject({ kind })
  })

  it('gives what came before a stream broke', async () => {
    const server = await serve([{ fault: 'reset', afterEvents: 5, text: 'some words that come before it' }])
    const texts: string[] = []
    const read = async () => {
      for await (const chunk of make(server).stream?.(hello, contextOf()) ?? [])
        if (chunk.type === 'text') texts.push(chunk.text)
    }
    await expect(read()).rejects.toThrow(/broke off/)
    expect(texts.join('')).toMatch(/^some words/)
  })

  it('times out where the first token does not come, and closes the connection', async () => {
    const clock = virtualClock()
    let closed = false
    const server = await serve(() => ({ fault: 'stall', afterEvents: name === 'openai' ? 0 : 2 }))
    const provider = make(server, {
      clock,
      fetch: async (url, init) => {
        init.signal?.addEventListener('abort', () => {
          closed = true
        })
        return fetch(url, init)
      },
    })
    const failed = failureOf(readStream(provider))
    await expect.poll(() => server.calls.length).toBe(1)
    await clock.advance('31s')
    expect(await failed).toMatchObject({
      kind: 'timeout',
      message: expect.stringMatching(/first token within 30s|stalled for 30s/),
    })
    expect(closed).toBe(true)
    expect(clock.pending).toBe(0)
  })

  it('times out where a stream stalls in the middle', async () => {
    const clock = virtualClock()
    const server = await serve([{ fault: 'stall', afterEvents: 5, text: 'some words that come before it' }])
    const provider = make(server, { clock, timeouts: { firstToken: '1m', stall: '2s' } })
    let seen = 0
    const read = async () => {
      for await (const _ of provider.stream?.(hello, contextOf()) ?? []) seen++
    }
    const failed = failureOf(read())
    await expect.poll(() => seen).toBeGreaterThan(1)
    await clock.advance('2s')
    expect(await failed).toMatchObject({ kind: 'timeout', message: expect.stringMatching(/stalled for 2s/) })
  })

  it('is cancelled by its caller, waiting or streaming, with the caller’s own reason', async () => {
    const server = await serve(() => ({ fault: 'stall' }))
    for (const ask of [
      make(server).generate,
      (request: ModelRequest, context: ReturnType<typeof contextOf>) => readStream(make(server), request, context),
    ]) {
      const before = server.calls.length
      const controller = new AbortController()
      const call = ask(hello, contextOf({ signal: controller.signal }))
      call.catch(() => {})
      await expect.poll(() => server.calls.length).toBe(before + 1)
      controller.abort(new Error('enough'))
      await expect(call).rejects.toThrow('enough')
    }
  })

  it('closes the connection where the reader has had enough', async () => {
    const clock = virtualClock()
    const server = await serve([{ fault: 'stall', afterEvents: 6, text: 'some words that come before it' }])
    let closed = false
    const provider = make(server, {
      clock,
      fetch: (url, init) => {
        init.signal?.addEventListener('abort', () => {
          closed = true
        })
        return fetch(url, init)
      },
    })
    for await (const chunk of provider.stream?.(hello, contextOf()) ?? []) if (chunk.type === 'text') break
    expect(closed).toBe(true)
    expect(clock.pending).toBe(0)
  })

  it('never shows a key, though the service and the network repeat it', async () => {
    const echo = { status: 401, headers: { 'x-echo': key }, body: { error: { message: `wrong key: ${key}` } } }
    const server = await serve([echo, { status: 400, body: `plain ${key}` }])
    const network = make(server, {
      fetch: () => Promise.reject(new TypeError('x', { cause: new Error(`header Bearer ${key} is invalid`) })),
    })
    for (const provider of [make(server), make(server), network]) {
      const { error } = await failureOf(provider.generate(hello, contextOf()))
      const shown = JSON.stringify(encodeError(error)) + String(error.stack) + JSON.stringify(error)
      expect(shown).not.toContain(key)
      expect(shown).toContain('[redacted]')
    }
  })

  it('sends the key that it is told to, or the key of the moment', async () => {
    const server = await serve(['ok'])
    const sent = () => {
      const { headers } = server.calls.at(-1) as (typeof server.calls)[number]
      return headers.authorization ?? headers['x-api-key']
    }
    const several = make(server, { apiKey: ['key-one', 'key-two'] })
    expect(several.keyCount).toBe(2)
    for (const [keyIndex, expected] of [
      [0, 'one'],
      [1, 'two'],
      [2, 'one'],
      [undefined, 'one'],
    ] as const) {
      await several.generate(hello, contextOf({ keyIndex }))
      expect(sent()).toContain(`key-${expected}`)
    }
    let fresh = 0
    const made = make(server, { apiKey: () => `fresh-${++fresh}` })
    await made.generate(hello, contextOf())
    await made.generate(hello, contextOf())
    expect(sent()).toContain('fresh-2')
  })

  it('keeps a key from a host that it is redirected to', async () => {
    const target = await serve(['stolen'])
    const server = await serve([{ status: 307, headers: { location: `${target.url}/v1/chat/completions` }, body: '' }])
    await expect(make(server).generate(hello, contextOf())).rejects.toThrow(/no usable answer \(status 307\)/)
    expect(target.calls).toEqual([])
  })

  it('holds its limit of calls under way', async () => {
    let underWay = 0
    let most = 0
    const server = await serve(async () => {
      most = Math.max(most, ++underWay)
      await new Promise(resolve => setImmediate(resolve))
      underWay--
      return 'ok'
    })
    const provider = make(server, { limits: { concurrency: 2 } })
    await Promise.all(Array.from({ length: 8 }, () => provider.generate(hello, contextOf())))
    expect(most).toBeLessThanOrEqual(2)
    expect(server.calls).toHaveLength(8)
  })
})

describe('openaiCompatible', () => {
  it('asks strictly only where the schema is closed and whole', async () => {
    const server = await serve([{ object: {} }])
    const provider = openaiCompatible({ id: 'x', baseURL: server.url, models: ['m'] })
    const strict = z.object({ a: z.string(), b: z.array(z.object({ c: z.number() })) })
    const loose = z.object({ a: z.string(), b: z.array(z.object({ c: z.number().optional() })) })
    for (const form of [strict, loose]) await provider.generate({ ...hello, schema: z.toJSONSchema(form) }, contextOf())
    const asked = server.calls.map(
      ({ body }) => (body.response_format as { json_schema: { strict: boolean } }).json_schema,
    )
    expect(asked.map(({ strict }) => strict)).toEqual([true, false])
  })

  it('puts the schema into words for a model that knows none', async () => {
    const server = await serve([{ object: { score: 1 } }])
    const models = [{ id: 'm', capabilities: { json: false } }]
    const provider = openaiCompatible({ id: 'x', baseURL: server.url, models })
    await provider.generate({ ...hello, schema }, contextOf())
    expect(server.calls[0]?.body.response_format).toEqual({ type: 'json_object' })
    expect(JSON.stringify(server.calls[0]?.body.messages)).toContain('score')
  })

  it('takes a refusal for a filtered answer', async () => {
    const message = { role: 'assistant', content: 'Well:', refusal: 'I cannot help with that.' }
    const server = await serve([{ status: 200, body: { choices: [{ finish_reason: 'stop', message }] } }])
    const provider = openaiCompatible({ id: 'x', baseURL: server.url, models: ['m'] })
    expect(await failureOf(provider.generate(hello, contextOf()))).toMatchObject({ kind: 'content_filter' })
  })

  it('believes the cost that a router tells, and no other server', async () => {
    const server = await serve([{ text: 'ok', cost: 0.25 }])
    const ask = async (id: string) =>
      (await openaiCompatible({ id, baseURL: server.url, models: ['m'] }).generate(hello, contextOf())).cost
    expect([await ask('openrouter'), await ask('other')]).toEqual([0.25, undefined])
  })

  it('sends no key where it has none', async () => {
    const server = await serve(['ok'])
    await openaiCompatible({ id: 'x', baseURL: server.url, models: ['m'], apiKey: '' }).generate(hello, contextOf())
    expect(server.calls[0]?.headers.authorization).toBeUndefined()
  })

  it.each([
    [{ baseURL: 'ftp://x' }, /baseURL must be an address/],
    [{ baseURL: 'http://user:secret@host/v1' }, /baseURL must not carry a user or a password/],
    [{ models: [] }, /models/],
    [{ models: ['a', 'a'] }, /models has 'a' twice/],
    [{ modles: ['a'] }, /unknown option 'modles'; did you mean 'models'/],
    [{ apiKey: [] }, /apiKey is an empty list/],
    [{ apiKey: 'a\nb' }, /apiKey must be a text without spaces/],
    [{ limits: { concurency: 1 } }, /did you mean 'concurrency'/],
  ])('refuses %j', (wrong, message) => {
    expect(() => openaiCompatible({ id: 'x', baseURL: 'http://h/v1', models: ['m'], ...wrong } as never)).toThrow(
      message,
    )
    try {
      openaiCompatible({ id: 'x', baseURL: 'http://h/v1', models: ['m'], ...wrong } as never)
    } catch (error) {
      expect(String(error)).not.toContain('secret')
    }
  })
})
