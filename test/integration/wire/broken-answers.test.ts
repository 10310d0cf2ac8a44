/** What breaks on the wire, met by whole runs: the run ends well, and its journal says what was wrong. */
import { describe, expect, it } from 'vitest'
import type { ServerFault } from '../../../src/testing/fake-provider-server-script.ts'
import { servers } from '../../support/model-calls.ts'
import { dialects, generate, hasty, runStage, streamRead, streamUnread, wireRuntime } from '../../support/wire-runs.ts'

const serve = servers()
const text = 'An answer that comes in several pieces, so that it can break between them.'

describe.each(Object.entries(dialects))('a run that asks over the wire of %s', (_, provider) => {
  it.each([
    ['reset', 'connection'],
    ['half-body', 'connection'],
    ['no-end', 'invalid_response'],
    ['garbage', 'invalid_response'],
    // An error in the body of a success.
    ['stream-error', 'overloaded'],
  ] as const)('outlives a whole answer that is broken by %s, as %s', async (fault, kind) => {
    const server = await serve([{ fault }, text])
    const profile = hasty({ retry: { on: ['connection', 'invalid_response', 'overloaded'] } })
    const runtime = await wireRuntime([provider(server.url)])
    const { result, of } = await runStage(runtime, generate(), profile)
    expect(result).toMatchObject({ success: true, output: { text, attempts: 2, cached: false }, cost: { calls: 2 } })
    expect(of('call.attempted')).toMatchObject([{ outcome: 'failed', kind }])
    expect(server.calls).toHaveLength(2)
  })

  it.each([
    ['stall before its first token', { fault: 'stall' }, 'timeout', /gave no first token within/],
    ['stall between two tokens', { fault: 'stall', afterEvents: 4 }, 'timeout', /stalled for/],
    ['reset in the middle', { fault: 'reset', afterEvents: 4 }, 'connection', /./],
    ['half of an event', { fault: 'half-body' }, 'connection', /./],
    ['error in the stream', { fault: 'stream-error' }, 'overloaded', /./],
    ['end without its mark', { fault: 'no-end' }, 'stream_error', /ended without/],
  ] satisfies [string, ServerFault, string, RegExp][])(
    'outlives a stream that breaks by a %s, while nobody has read of it',
    async (_what, fault, kind, message) => {
      const server = await serve([{ text, ...fault }, text])
      const limits = { timeouts: { firstToken: '1s', stall: '1s' } } as const
      const runtime = await wireRuntime([provider(server.url, limits)])
      const on = ['timeout', 'connection', 'overloaded', 'stream_error'] as const
      const { result, of } = await runStage(runtime, streamUnread(), hasty({ retry: { on: [...on] } }))
      expect(result).toMatchObject({ success: true, output: { text } })
      const [first] = of('call.attempted')
      expect(first).toMatchObject({ outcome: 'failed', kind })
      expect(first?.error).toMatch(message)
      expect(server.calls.every(call => call.stream)).toBe(true)
    },
  )

  it('begins anew, in another attempt of its stage, where a stream stalls that was read already', async () => {
    const server = await serve([{ text, fault: 'stall', afterEvents: 5 }, text])
    const limits = { timeouts: { firstToken: '20s', stall: '1s' } } as const
    const runtime = await wireRuntime([provider(server.url, limits)])
    const { result, of } = await runStage(runtime, streamRead(), hasty())
    expect(result).toMatchObject({ success: true, output: { text, whole: text } })
    expect(of('call.failed')[0]).toMatchObject({ kind: 'timeout' })
    expect(of('retry.decided')[0]).toMatchObject({ kind: 'timeout' })
  })

  it('is cancelled in the middle of a call: nothing is retried, and the failure is nobody’s', async () => {
    let asked: () => void = () => {}
    const isAsked = new Promise<void>(resolve => {
      asked = resolve
    })
    const server = await serve(() => {
      asked()
      return { fault: 'stall' }
    })
    const runtime = await wireRuntime([provider(server.url)])
    const seen: unknown[] = []
    const ran = runStage(runtime, async context => {
      try {
        await generate()(context)
      } catch (error) {
        seen.push((error as { code?: string }).code)
        throw error
      }
    })
    await isAsked
    const [{ id = '' } = {}] = (await runtime.list()).items
    await (await runtime.get(id)).cancel('not needed any more')
    const { result } = await ran
    expect(result).toMatchObject({ success: false, status: 'cancelled', error: { type: 'cancelled' } })
    expect(seen).toEqual(['cancelled'])
    expect(server.calls).toHaveLength(1)
    expect(await runtime.circuits.list()).toMatchObject([{ state: 'closed', failures: 0 }])
  })
})
