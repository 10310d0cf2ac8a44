import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type ServerSentEvent, serverSentEvents } from '../../../src/providers/server-sent-events.ts'
import { propertyRuns } from '../../support/supervised-worker.ts'

async function* chunked(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  let from = 0
  for (const cut of [...cuts].sort((a, b) => a - b)) {
    yield bytes.subarray(from, cut)
    from = cut
  }
  yield bytes.subarray(from)
}

async function eventsOf(
  text: string,
  cuts: readonly number[] = [],
): Promise<{ events: ServerSentEvent[]; rest: string }> {
  const bytes = new TextEncoder().encode(text)
  const read = serverSentEvents(
    chunked(
      bytes,
      cuts.map(cut => cut % (bytes.length + 1)),
    ),
  )
  const events: ServerSentEvent[] = []
  for (;;) {
    const next = await read.next()
    if (next.done) return { events, rest: next.value }
    events.push(next.value)
  }
}

describe('server-sent events', () => {
  it('are read by the rules of the standard', async () => {
    const text = '\uFEFF: a comment\ndata: one\n\nevent: error\ndata:two\ndata:  three\nid: 7\n\ndata\n\nretry: 5\n\n'
    expect((await eventsOf(text)).events).toEqual([
      { event: 'message', data: 'one' },
      { event: 'error', data: 'two\n three' },
      { event: 'message', data: '' },
    ])
  })

  it('tell the rest that the end of the stream cut off', async () => {
    expect(await eventsOf('data: one\n\ndata: {"half')).toEqual({
      events: [{ event: 'message', data: 'one' }],
      rest: 'data: {"half',
    })
    expect((await eventsOf('data: whole, but not ended\n')).rest).toBe('whole, but not ended')
  })

  it('are the same for any line end and wherever the bytes are cut', async () => {
    const data = fc
      .string({ unit: 'grapheme', minLength: 1 })
      .filter(text => !/[\r\n]/.test(text) && text.trim() === text)
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(data, { minLength: 1, maxLength: 3 }), { maxLength: 8 }),
        fc.constantFrom('\n', '\r\n', '\r'),
        fc.array(fc.nat({ max: 500 }), { maxLength: 12 }),
        async (written, end, cuts) => {
          const fieldsOf = (lines: readonly string[]) => lines.map(line => `data: ${line}${end}`).join('')
          const text = written.map(lines => `${fieldsOf(lines)}${end}`).join('')
          // A lone return at the very end may be half of a line end, so the last event waits for what follows it.
          const { events } = await eventsOf(`${text}: end\n`, cuts)
          expect(events.map(event => event.data)).toEqual(written.map(lines => lines.join('\n')))
        },
      ),
      { numRuns: propertyRuns },
    )
  })
})
