import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { describe, expect, it } from 'vitest'
import { aiSdk } from '../../../src/providers/ai-sdk.ts'
import type { AiSdkLanguageModel } from '../../../src/providers/ai-sdk-language-model.ts'
import type { Message, ModelRequest } from '../../../src/providers/provider.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'
import { contextOf, failureOf, hello, readStream, servers, streamedText } from '../../support/model-calls.ts'

const serve = servers()
const modelAt = (url: string) =>
  createOpenAICompatible({ name: 'fake', baseURL: `${url}/v1`, apiKey: 'k', includeUsage: true })('llama-3')

const tools = { weather: { description: 'The weather.', schema: { type: 'object', properties: {} } } }
const toolCalls = [{ id: 'c1', name: 'weather', input: { city: 'Łódź' } }]

describe('a model of the AI SDK as a provider', () => {
  it('has the id of its maker, and its own name', async () => {
    const { url } = await serve([])
    const provider = aiSdk(modelAt(url), { tier: 'cheap', price: { inputUsdPerMTok: 0, outputUsdPerMTok: 0 } })
    expect(provider).toMatchObject({ id: 'fake', models: [{ id: 'llama-3', tier: 'cheap' }] })
  })

  it('answers whole and streamed, with usage', async () => {
    const usage = { inputTokens: 100, outputTokens: 7, cacheReadTokens: 20 }
    const { url } = await serve([{ text: 'Some words that come in pieces.', usage }])
    const provider = aiSdk(modelAt(url))
    const whole = await provider.generate(hello, contextOf())
    const streamed = await readStream(provider)
    expect(whole).toMatchObject({
      text: 'Some words that come in pieces.',
      finishReason: 'stop',
      usage,
      model: 'llama-3',
    })
    expect(streamed.answer).toEqual(whole)
    expect(streamedText(streamed)).toBe(whole.text)
  })

  it('calls tools, whole and streamed', async () => {
    const { url } = await serve([{ toolCalls }])
    const provider = aiSdk(modelAt(url))
    const request: ModelRequest = { ...hello, tools }
    expect(await provider.generate(request, contextOf())).toMatchObject({ toolCalls, finishReason: 'tool-calls' })
    expect((await readStream(provider, request)).answer).toMatchObject({ toolCalls })
  })

  it('sends a whole conversation', async () => {
    const server = await serve(['Nice.'])
    const messages: Message[] = [
      { role: 'system', content: 'Be brief.' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'Look:' },
          { type: 'image', image: 'iVBORw0KGgo=' },
        ],
      },
      {
        role: 'assistant',
        content: [{ type: 'tool-call', toolCallId: 'c1', toolName: 'weather', input: { city: 'Łódź' } }],
      },
      { role: 'tool', content: [{ type: 'tool-result', toolCallId: 'c1', toolName: 'weather', output: { c: 4 } }] },
    ]
    await aiSdk(modelAt(server.url)).generate({ ...hello, messages, maxOutputTokens: 50, temperature: 0 }, contextOf())
    expect(server.calls[0]?.body).toMatchObject({
      max_tokens: 50,
      temperature: 0,
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: [{ type: 'text' }, { image_url: { url: 'data:image/png;base64,iVBORw0KGgo=' } }] },
        { role: 'assistant', tool_calls: [{ function: { name: 'weather', arguments: '{"city":"Łódź"}' } }] },
        { role: 'tool', tool_call_id: 'c1', content: '{"c":4}' },
      ],
    })
  })

  it.each([
    [{ status: 429, headers: { 'retry-after': '7' } }, 'rate_limit', 7000],
    [{ status: 401 }, 'auth', undefined],
    [{ fault: 'reset' }, 'connection', undefined],
    [{ fault: 'no-end' }, 'invalid_response', undefined],
    [{ text: '' }, 'invalid_response', undefined],
    [{ text: 'half', finishReason: 'content-filter' }, 'content_filter', undefined],
  ] as const)('fails at %j as what it is', async (entry, kind, retryAfterMs) => {
    const server = await serve([entry])
    const failed = await failureOf(aiSdk(modelAt(server.url)).generate(hello, contextOf()))
    expect(failed.kind).toBe(kind)
    expect(failed.retryAfterMs).toBe(retryAfterMs)
    expect(server.calls).toHaveLength(1)
  })

  it.each([
    [{ fault: 'stream-error', text: 'some words that come' }, 'overloaded'],
    [{ fault: 'half-body', text: 'some words' }, 'connection'],
    [{ fault: 'reset', afterEvents: 3, text: 'some words' }, 'connection'],
    [{ fault: 'no-end', afterEvents: 2, text: 'some words' }, 'stream_error'],
    [{ text: 'half', finishReason: 'content-filter' }, 'content_filter'],
  ] as const)('fails in a stream at %j as what it is', async (entry, kind) => {
    const { url } = await serve([entry])
    expect(await failureOf(readStream(aiSdk(modelAt(url))))).toMatchObject({ kind })
  })

  it('times out where a stream stalls, and is cancelled by its caller', async () => {
    const clock = virtualClock()
    const server = await serve(() => ({ fault: 'stall', afterEvents: 0 }))
    const provider = aiSdk(modelAt(server.url), { clock, timeouts: { firstToken: '5s' } })
    const late = failureOf(readStream(provider))
    await expect.poll(() => server.calls.length).toBe(1)
    await clock.advance('5s')
    expect(await late).toMatchObject({ kind: 'timeout' })
    const controller = new AbortController()
    const cancelled = readStream(provider, hello, contextOf({ signal: controller.signal }))
    cancelled.catch(() => {})
    await expect.poll(() => server.calls.length).toBe(2)
    controller.abort(new Error('enough'))
    await expect(cancelled).rejects.toThrow('enough')
  })

  it('takes models of version 2 as well', async () => {
    const usage = { inputTokens: 5, outputTokens: 2, totalTokens: 7, cachedInputTokens: 1 }
    const parts = [
      { type: 'stream-start', warnings: [] },
      { type: 'text-delta', id: '1', delta: 'Hi' },
      { type: 'finish', finishReason: 'stop', usage },
    ]
    const model: AiSdkLanguageModel = {
      specificationVersion: 'v2',
      provider: 'openai.chat',
      modelId: 'gpt-4o',
      doGenerate: async () => ({ content: [{ type: 'text', text: 'Hi' }], finishReason: 'stop', usage }),
      doStream: async () => ({ stream: ReadableStream.from(parts) }),
    }
    const provider = aiSdk(model)
    const whole = await provider.generate(hello, contextOf())
    expect(provider.id).toBe('openai')
    expect(whole).toEqual({
      text: 'Hi',
      finishReason: 'stop',
      usage: { inputTokens: 5, outputTokens: 2, cacheReadTokens: 1 },
    })
    expect((await readStream(provider)).answer).toEqual(whole)
    parts.pop()
    expect(await failureOf(readStream(provider))).toMatchObject({ kind: 'stream_error' })
  })

  it.each(['gpt-4o', { specificationVersion: 'v1', doGenerate() {} }, undefined])('refuses %j', model => {
    expect(() => aiSdk(model as never)).toThrow(/give a language model object of specification v2 or v3/)
  })
})
