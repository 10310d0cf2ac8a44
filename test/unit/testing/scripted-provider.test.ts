import { describe, expect, test } from 'vitest'
import { OptionsError } from '../../../src/errors.ts'
import type { ModelRequest } from '../../../src/providers/provider.ts'
import { scriptedProvider } from '../../../src/testing/scripted-provider.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'

const request: ModelRequest = { task: 'research', messages: [{ role: 'user', content: 'hello' }] }
const context = () => ({ signal: new AbortController().signal, idempotencyKey: 'key', attempt: 1 })

describe('a scripted provider', () => {
  test('answers in order and keeps what it was asked', async () => {
    const provider = scriptedProvider(['one', { object: { a: 1 }, cost: 0.5 }, { toolCalls: [{ name: 'look' }] }])
    expect(await provider.generate(request, context())).toEqual({ text: 'one', finishReason: 'stop' })
    expect(await provider.generate(request, context())).toEqual({
      text: '{"a":1}',
      object: { a: 1 },
      cost: 0.5,
      finishReason: 'stop',
    })
    expect(await provider.generate(request, context())).toEqual({
      text: '',
      finishReason: 'tool-calls',
      toolCalls: [{ id: 'call-3-1', name: 'look', input: {} }],
    })
    expect(provider.calls.map(call => call.request)).toEqual([request, request, request])
  })

  test('throws failures as they are', async () => {
    const [wire, error] = [{ status: 503, headers: {} }, new Error('boom')]
    const provider = scriptedProvider([wire, error, () => wire])
    for (const failure of [wire, error, wire]) {
      await expect(provider.generate(request, context())).rejects.toBe(failure)
    }
  })

  test('asks a function with the request and its context', async () => {
    const provider = scriptedProvider([async ({ task }, { attempt }) => `${task} ${attempt}`], { loop: true })
    expect(await provider.generate(request, context())).toMatchObject({ text: 'research 1' })
    expect(await provider.generate(request, { ...context(), attempt: 2 })).toMatchObject({ text: 'research 2' })
  })

  test('says which call the script has no answer for', async () => {
    const provider = scriptedProvider(['one'])
    await provider.generate(request, context())
    await expect(provider.generate(request, context())).rejects.toMatchObject({
      name: 'ProviderError',
      message: "the script of 'scripted' has no answer for call 2: it has 1",
    })
  })

  test('takes its time on the clock, and stops when it is aborted', async () => {
    const clock = virtualClock()
    const provider = scriptedProvider([{ text: 'late', delay: '5s' }], { clock, loop: true })
    const answer = provider.generate(request, context())
    await clock.advance('5s')
    expect(await answer).toMatchObject({ text: 'late' })
    const controller = new AbortController()
    const stopped = provider.generate(request, { ...context(), signal: controller.signal })
    const ended = expect(stopped).rejects.toThrow('enough')
    await clock.advance('1s')
    controller.abort(new Error('enough'))
    await ended
    expect(clock.pending).toBe(0)
  })

  test('serves one tier where it is told to', () => {
    expect(scriptedProvider([], { id: 'a', tier: 'premium' }).models).toEqual([{ id: 'a', tier: 'premium' }])
    expect(scriptedProvider([]).models).toEqual([])
  })

  test('refuses an option that it does not know, and a value that is none', () => {
    const refusal = (options: object) => {
      expect(() => scriptedProvider([], options)).toThrow(OptionsError)
      return expect(() => scriptedProvider([], options))
    }
    refusal({ loopp: true }).toThrow("scriptedProvider options: unknown option 'loopp'; did you mean 'loop'?")
    refusal({ tier: 'cheep' }).toThrow('tier')
    refusal({ clock: {} }).toThrow('clock: must be a clock')
    expect(scriptedProvider([], { id: undefined, tier: undefined, models: undefined })).toMatchObject({
      id: 'scripted',
      models: [],
    })
  })
})

describe('a scripted provider that is streamed', () => {
  test('gives the same answer word by word, and the whole of it at the end', async () => {
    const provider = scriptedProvider([{ text: 'one two three', toolCalls: [{ name: 'look' }] }, { status: 503 }])
    const chunks = []
    for await (const chunk of provider.stream?.(request, context()) ?? []) chunks.push(chunk)
    expect(chunks.map(chunk => (chunk.type === 'text' ? chunk.text : chunk.type))).toEqual([
      'one',
      ' two',
      ' three',
      'tool-call',
      'end',
    ])
    await expect(provider.stream?.(request, context())[Symbol.asyncIterator]().next()).rejects.toEqual({ status: 503 })
  })
})
