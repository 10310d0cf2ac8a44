import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { afterEach, describe, expect, it } from 'vitest'
import {
  type FakeProviderServer,
  type FakeProviderServerOptions,
  fakeProviderServer,
} from '../../../src/testing/fake-provider-server.ts'
import type { ServerReplyFunction, ServerScriptEntry } from '../../../src/testing/fake-provider-server-script.ts'

const open: FakeProviderServer[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map(server => server.close()))
})

async function serve(
  script: readonly ServerScriptEntry[] | ServerReplyFunction,
  options?: FakeProviderServerOptions,
): Promise<FakeProviderServer> {
  const server = await fakeProviderServer(script, options)
  open.push(server)
  return server
}

const openai = ({ url }: FakeProviderServer) =>
  new OpenAI({ apiKey: 'sk-test', baseURL: `${url}/v1`, maxRetries: 0, timeout: 5000 })
const anthropic = ({ url }: FakeProviderServer) =>
  new Anthropic({ apiKey: 'sk-ant-test', baseURL: url, maxRetries: 0, timeout: 5000 })

const messages = [{ role: 'user' as const, content: 'Say hello.' }]
const chat = { model: 'gpt-4o', messages }
const prompt = { model: 'claude-sonnet-5', max_tokens: 100, messages }
const weather = { toolCalls: [{ name: 'weather', input: { city: 'Łódź', days: 2 } }] }
const chatTools = [{ type: 'function' as const, function: { name: 'weather', parameters: { type: 'object' } } }]
const promptTools = [{ name: 'weather', input_schema: { type: 'object' as const } }]

describe('the client of OpenAI', () => {
  it('gets an answer with its usage', async () => {
    const server = await serve([{ text: 'Hello there.', usage: { inputTokens: 12, outputTokens: 3 } }])
    const answer = await openai(server).chat.completions.create(chat)
    expect(answer.choices[0]).toMatchObject({ finish_reason: 'stop', message: { content: 'Hello there.' } })
    expect(answer.usage).toMatchObject({ prompt_tokens: 12, completion_tokens: 3, total_tokens: 15 })
    expect(server.calls[0]).toMatchObject({ api: 'openai', stream: false, body: { model: 'gpt-4o' } })
    expect(server.calls[0]?.headers.authorization).toBe('Bearer sk-test')
  })

  it('gets a stream, with usage where it asks for it', async () => {
    const server = await serve(['A text that is long enough for several pieces: äöü 🎉.'])
    const stream = await openai(server).chat.completions.create({
      ...chat,
      stream: true,
      stream_options: { include_usage: true },
    })
    let text = ''
    let usage: unknown
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? ''
      usage = chunk.usage ?? usage
    }
    expect(text).toBe('A text that is long enough for several pieces: äöü 🎉.')
    expect(usage).toMatchObject({ prompt_tokens: expect.any(Number) })
  })

  it('gets tool calls, whole and streamed', async () => {
    const server = await serve([weather, weather])
    const client = openai(server)
    const whole = await client.chat.completions.create({ ...chat, tools: chatTools })
    const streamed = await client.chat.completions.stream({ ...chat, tools: chatTools }).finalChatCompletion()
    for (const { choices } of [whole, streamed]) {
      const call = choices[0]?.message.tool_calls?.[0]
      expect(choices[0]?.finish_reason).toBe('tool_calls')
      expect(call).toMatchObject({ type: 'function', function: { name: 'weather' } })
      expect(JSON.parse((call as { function: { arguments: string } }).function.arguments)).toEqual({
        city: 'Łódź',
        days: 2,
      })
    }
  })

  it('gets errors with their status, headers and body', async () => {
    const server = await serve([
      {
        status: 429,
        headers: { 'Retry-After': '7' },
        body: { error: { message: 'slow', code: 'rate_limit_exceeded' } },
      },
      { status: 401 },
    ])
    const client = openai(server)
    await expect(client.chat.completions.create(chat)).rejects.toMatchObject({
      status: 429,
      code: 'rate_limit_exceeded',
      message: '429 slow',
    })
    await expect(client.chat.completions.create(chat)).rejects.toBeInstanceOf(OpenAI.AuthenticationError)
  })

  it('meets an outage of several calls, and its end', async () => {
    const server = await serve([{ status: 503, times: 3 }, 'back'])
    const client = openai(server)
    for (let i = 0; i < 3; i++)
      await expect(client.chat.completions.create(chat)).rejects.toMatchObject({ status: 503 })
    expect((await client.chat.completions.create(chat)).choices[0]?.message.content).toBe('back')
    expect((await client.chat.completions.create(chat)).choices[0]?.message.content).toBe('back')
  })

  it.each(['reset', 'half-body', 'garbage'] as const)('meets a connection that breaks: %s', async fault => {
    const server = await serve([{ fault }])
    await expect(openai(server).chat.completions.create(chat)).rejects.toThrow()
    expect(server.calls).toHaveLength(1)
  })

  it('is kept waiting by a stall until it gives up', async () => {
    const server = await serve([{ fault: 'stall' }])
    const client = openai(server)
    await expect(client.chat.completions.create(chat, { timeout: 100 })).rejects.toBeInstanceOf(
      OpenAI.APIConnectionTimeoutError,
    )
  })

  it('meets an error in the middle of a stream', async () => {
    const server = await serve([{ fault: 'stream-error', text: 'half of this will come' }])
    const stream = await openai(server).chat.completions.create({ ...chat, stream: true })
    const read = async () => {
      for await (const _ of stream) {
        // Read to the error.
      }
    }
    await expect(read()).rejects.toThrow(/overloaded/)
  })

  it('lists the models', async () => {
    const server = await serve([], { models: ['a', 'b'] })
    const listed = await openai(server).models.list()
    expect(listed.data.map(({ id }) => id)).toEqual(['a', 'b'])
  })
})

describe('the client of Anthropic', () => {
  it('gets an answer with its usage', async () => {
    const usage = { inputTokens: 100, outputTokens: 3, cacheReadTokens: 40 }
    const server = await serve([{ text: 'Hello there.', usage }])
    const answer = await anthropic(server).messages.create(prompt)
    expect(answer.content).toMatchObject([{ type: 'text', text: 'Hello there.' }])
    expect(answer.stop_reason).toBe('end_turn')
    expect(answer.usage).toMatchObject({ input_tokens: 60, cache_read_input_tokens: 40, output_tokens: 3 })
    expect(server.calls[0]).toMatchObject({ api: 'anthropic', path: '/v1/messages' })
  })

  it('gets a stream', async () => {
    const server = await serve(['A text that is long enough for several pieces: äöü 🎉.'])
    const stream = anthropic(server).messages.stream(prompt)
    let pieces = 0
    stream.on('text', () => pieces++)
    const message = await stream.finalMessage()
    expect(message.content).toMatchObject([{ text: 'A text that is long enough for several pieces: äöü 🎉.' }])
    expect(pieces).toBeGreaterThan(2)
    expect(message.usage.output_tokens).toBeGreaterThan(1)
  })

  it('gets tool calls, whole and streamed', async () => {
    const server = await serve([{ ...weather, text: 'Let me look.' }])
    const client = anthropic(server)
    const whole = await client.messages.create({ ...prompt, tools: promptTools })
    const streamed = await client.messages.stream({ ...prompt, tools: promptTools }).finalMessage()
    for (const message of [whole, streamed]) {
      expect(message.stop_reason).toBe('tool_use')
      expect(message.content).toMatchObject([
        { type: 'text', text: 'Let me look.' },
        { type: 'tool_use', name: 'weather', input: { city: 'Łódź', days: 2 } },
      ])
    }
  })

  it('gets errors with their type', async () => {
    const server = await serve([{ status: 529 }, { status: 401 }])
    const client = anthropic(server)
    await expect(client.messages.create(prompt)).rejects.toMatchObject({
      status: 529,
      error: { type: 'error', error: { type: 'overloaded_error' } },
    })
    await expect(client.messages.create(prompt)).rejects.toBeInstanceOf(Anthropic.AuthenticationError)
  })

  it.each(['stream-error', 'no-end', 'half-body', 'reset'] as const)('meets a stream that breaks: %s', async fault => {
    const server = await serve([{ fault, text: 'half of this will come', afterEvents: 4 }])
    await expect(anthropic(server).messages.stream(prompt).finalMessage()).rejects.toThrow()
  })
})

describe('the server', () => {
  it('refuses what is no request of either', async () => {
    const { url } = await serve([])
    const ask = async (path: string, body: string) => (await fetch(`${url}${path}`, { method: 'POST', body })).status
    expect(await ask('/v1/chat/completions', '{}')).toBe(400)
    expect(await ask('/v1/messages', 'no json')).toBe(400)
    expect(await ask('/v1/other', '{}')).toBe(404)
  })

  it('does not count what it refuses against the script', async () => {
    const server = await serve(['first'])
    await fetch(`${server.url}/v1/messages`, { method: 'POST', body: '{}' })
    expect(server.calls).toEqual([])
  })

  it('answers by a function of the call and its number', async () => {
    const server = await serve((call, number) => (number === 1 ? { status: 500 } : `${call.api} ${number}`))
    const client = openai(server)
    await expect(client.chat.completions.create(chat)).rejects.toMatchObject({ status: 500 })
    expect((await client.chat.completions.create(chat)).choices[0]?.message.content).toBe('openai 2')
  })

  it('closes while a call is stalled', async () => {
    const server = await fakeProviderServer([{ fault: 'stall' }])
    const call = openai(server).chat.completions.create(chat)
    call.catch(() => {})
    await expect.poll(() => server.calls.length).toBe(1)
    await server.close()
    await expect(call).rejects.toThrow()
  })

  it('refuses a script that is none', async () => {
    await expect(fakeProviderServer({} as never)).rejects.toThrow(/must be an array or a function/)
    await expect(fakeProviderServer([], { model: [] } as never)).rejects.toThrow(/did you mean 'models'/)
  })
})
