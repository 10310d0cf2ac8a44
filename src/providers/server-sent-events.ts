/**
 * Server-sent events from the bytes of a response, by the rules of the HTML standard: any line end, several `data` lines
 * to one event, comments, a byte order mark, characters cut by the edges of chunks. An event that the end of the stream
 * cut off is not one; its rest is told, since a server may break off in the middle of an error.
 */

export interface ServerSentEvent {
  /** `message` where the server names none. */
  readonly event: string
  readonly data: string
}

/** A longer event is no answer of a model. */
const longestEvent = 16_000_000

/** @throws RangeError for an event beyond 16 million characters */
export async function* serverSentEvents(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<ServerSentEvent, string> {
  const lines = new LineSplitter()
  let event = ''
  let data: string[] = []
  let length = 0
  for await (const chunk of bytes) {
    for (const line of lines.push(chunk)) {
      if (line === '') {
        if (data.length > 0) yield { event: event || 'message', data: data.join('\n') }
        event = ''
        data = []
        length = 0
        continue
      }
      const { field, value } = fieldOf(line)
      if (field === 'event') event = value
      if (field !== 'data') continue
      length += value.length
      if (length > longestEvent) throw new RangeError('an event of the stream is longer than 16 million characters')
      data.push(value)
    }
  }
  return [...data, lines.end()].join('\n').trim()
}

function fieldOf(line: string): { field: string; value: string } {
  const colon = line.indexOf(':')
  if (colon === -1) return { field: line, value: '' }
  const value = line.slice(colon + 1)
  return { field: line.slice(0, colon), value: value.startsWith(' ') ? value.slice(1) : value }
}

class LineSplitter {
  readonly #decoder = new TextDecoder()
  #rest = ''

  /** The lines that are whole now. A carriage return at the edge waits: a line feed may belong to it. */
  push(chunk: Uint8Array): string[] {
    const text = this.#rest + this.#decoder.decode(chunk, { stream: true })
    if (text.length > longestEvent) throw new RangeError('a line of the stream is longer than 16 million characters')
    const whole = text.endsWith('\r') ? text.slice(0, -1) : text
    const lines = whole.split(/\r\n|\n|\r/)
    this.#rest = (lines.pop() as string) + (text.endsWith('\r') ? '\r' : '')
    return lines
  }

  end(): string {
    return (this.#rest + this.#decoder.decode()).replace(/\r$/, '')
  }
}
