/**
 * A real HTTP server on loopback that speaks OpenAI's chat completions and Anthropic's messages, whole and streamed, and
 * follows a script: answers, errors with the status, headers and body that a provider gave, latency, and connections
 * that break. Whatever a client makes of it is what it would make of the real one.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { z } from 'zod'
import { OptionsError } from '../errors.ts'
import { parseOptions } from '../options.ts'
import { type Clock, systemClock } from '../time/clock.ts'
import { toMs } from '../time/duration.ts'
import { anthropicFormat, openAiFormat, type ServerFormat, type WholeAnswer } from './fake-provider-server-formats.ts'
import {
  isFault,
  isScriptedFailure,
  type ServerCall,
  type ServerFault,
  type ServerReply,
  type ServerReplyFunction,
  type ServerScriptEntry,
  scriptProgress,
} from './fake-provider-server-script.ts'
import type { ScriptedAnswer, ScriptedFailure } from './scripted-provider.ts'

export interface FakeProviderServerOptions {
  /** For `delay`. @default the system clock */
  readonly clock?: Clock | undefined
  /** What `GET /v1/models` lists. @default ['fake'] */
  readonly models?: readonly string[] | undefined
}

const optionsSchema = z.strictObject({
  clock: z
    .custom<Clock>(value => typeof (value as Clock | null)?.setTimeout === 'function', { error: 'must be a clock' })
    .optional(),
  models: z.array(z.string().min(1)).optional(),
})

export interface FakeProviderServer {
  /** `http://127.0.0.1:<port>`; clients of OpenAI take it with `/v1` at its end, or without. */
  readonly url: string
  /** What it was asked, in order. */
  readonly calls: readonly ServerCall[]
  /** Destroys every connection. */
  close(): Promise<void>
}

/**
 * Starts the server. After the end of the script its last answer is given again, or `'ok'` where it has none.
 * @param script entries in order, or one function that answers every call
 * @throws OptionsError when the script is neither, or for an option that it does not know
 */
export async function fakeProviderServer(
  script: readonly ServerScriptEntry[] | ServerReplyFunction = [],
  options: FakeProviderServerOptions = {},
): Promise<FakeProviderServer> {
  const entries = typeof script === 'function' ? [script] : script
  if (!Array.isArray(entries)) throw new OptionsError('fakeProviderServer: the script must be an array or a function')
  const { clock = systemClock, models = ['fake'] } = parseOptions(optionsSchema, options, 'fakeProviderServer options')
  const calls: ServerCall[] = []
  const next = scriptProgress(entries)
  const server = createServer((request, response) => {
    const exchange = new Exchange(request, response, clock, models)
    exchange.answer(calls, next).catch(error => exchange.broken(error))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    close: () =>
      new Promise<void>(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

const longestBody = 100_000_000

class Exchange {
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #clock: Clock
  readonly #models: readonly string[]

  constructor(request: IncomingMessage, response: ServerResponse, clock: Clock, models: readonly string[]) {
    this.#request = request
    this.#response = response
    this.#clock = clock
    this.#models = models
    // A client that hangs up in the middle is part of the play.
    request.on('error', () => {})
    response.on('error', () => {})
  }

  async answer(calls: ServerCall[], next: () => ServerScriptEntry): Promise<void> {
    const path = (this.#request.url ?? '').replace(/\?.*$/s, '')
    if (this.#request.method === 'GET' && path.endsWith('/models')) return this.#listModels()
    const api = path.endsWith('/chat/completions') ? 'openai' : path.endsWith('/messages') ? 'anthropic' : undefined
    const format = api === 'anthropic' ? anthropicFormat : openAiFormat
    if (api === undefined || this.#request.method !== 'POST') {
      return this.#json(404, format.error(404, `Invalid URL (${this.#request.method} ${path})`))
    }
    const body = asked(await this.#readBody())
    if (body === undefined) return this.#json(400, format.error(400, 'model and messages are required'))
    const headers = Object.fromEntries(
      Object.entries(this.#request.headers).map(([name, value]) => [name, String(value)] as const),
    )
    const call: ServerCall = { api, path, headers, body, stream: body.stream === true }
    calls.push(call)
    const number = calls.length
    const entry = next()
    const reply = typeof entry === 'function' ? await entry(call, number) : entry
    await this.#delayed(reply)
    if (isFault(reply)) return this.#fault(reply, call, format, number)
    if (isScriptedFailure(reply)) return this.#failure(reply, call, format)
    const answer = wholeAnswer(reply, call, number)
    return call.stream ? this.#stream(format.frames(answer, call)) : this.#json(200, format.whole(answer, call))
  }

  broken(error: unknown): void {
    if (this.#response.headersSent) this.#response.destroy()
    else
      this.#json(500, { error: { message: `the script failed: ${String(error)}`, type: 'server_error', code: null } })
  }

  #listModels(): void {
    const data = this.#models.map(id => ({ id, object: 'model', type: 'model', display_name: id, owned_by: 'fake' }))
    this.#json(200, { object: 'list', data, has_more: false })
  }

  async #readBody(): Promise<string> {
    let text = ''
    this.#request.setEncoding('utf8')
    for await (const chunk of this.#request) {
      text += chunk
      if (text.length > longestBody) throw new RangeError('the request is too long')
    }
    return text
  }

  /** Waits, unless the client hangs up before. */
  async #delayed(reply: ServerReply): Promise<void> {
    if (typeof reply !== 'object' || !('delay' in reply) || reply.delay === undefined) return
    const delayMs = toMs(reply.delay, 'delay')
    await new Promise<void>(resolve => {
      const timer = this.#clock.setTimeout(resolve, delayMs)
      this.#response.once('close', () => {
        this.#clock.clearTimeout(timer)
        resolve()
      })
    })
  }

  #json(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): void {
    const text = body === null || body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body)
    const own = { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text)) }
    this.#response.writeHead(status, { ...own, ...sendable(headers) })
    this.#response.end(text)
  }

  #stream(frames: readonly string[], headers: Readonly<Record<string, string>> = {}): void {
    this.#openStream(200, headers)
    for (const frame of frames) this.#response.write(frame)
    this.#response.end()
  }

  #openStream(status: number, headers: Readonly<Record<string, string>> = {}): void {
    const own = { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' }
    this.#response.writeHead(status, { ...own, ...sendable(headers) })
    this.#response.flushHeaders()
  }

  /** A failure as it came over the wire: what has no status never came, and an error in a success is one in a stream. */
  #failure(failure: ScriptedFailure, call: ServerCall, format: ServerFormat): void {
    if (failure instanceof Error) return this.#reset()
    const { status, network, headers = {} } = failure
    if (network !== undefined || status === null || status === undefined) return this.#reset()
    const body = 'body' in failure ? failure.body : format.error(status)
    const streamed = status < 400 && (call.stream || /event-stream/.test(headers['content-type'] ?? ''))
    if (!streamed) return this.#json(status, body, headers)
    this.#openStream(status, headers)
    if (typeof body === 'string') this.#response.write(body)
    else if (body !== null && body !== undefined) this.#response.write(format.errorFrame(body))
    this.#response.end()
  }

  async #fault(fault: ServerFault, call: ServerCall, format: ServerFormat, number: number): Promise<void> {
    if (fault.fault === 'garbage') {
      this.#response.socket?.end('this is not HTTP\r\n\r\n')
      return
    }
    const answer = wholeAnswer({ text: fault.text ?? 'ok' }, call, number)
    if (call.stream) return this.#faultInStream(fault, format.frames(answer, call), format)
    const text = Buffer.from(JSON.stringify(format.whole(answer, call)))
    const half = text.subarray(0, Math.floor(text.length / 2))
    switch (fault.fault) {
      case 'reset':
        return this.#reset()
      case 'stall':
        return
      case 'stream-error':
        return this.#json(200, fault.body ?? format.error(529, 'Overloaded'))
      case 'no-end':
        return this.#json(200, half.toString())
      case 'half-body':
        this.#response.writeHead(200, { 'content-type': 'application/json', 'content-length': String(text.length) })
        return this.#breakAfter(half)
    }
  }

  async #faultInStream(fault: ServerFault, frames: readonly string[], format: ServerFormat): Promise<void> {
    const { fault: kind, afterEvents } = fault
    const early = kind === 'reset' || kind === 'stall'
    if (kind === 'reset' && afterEvents === undefined) return this.#reset()
    if (kind === 'stall' && afterEvents === undefined) return
    const all = kind === 'no-end' ? frames.length - 1 : Math.ceil(frames.length / 2)
    const count = Math.min(afterEvents ?? (early ? 0 : all), frames.length - 1)
    this.#openStream(200)
    for (const frame of frames.slice(0, count)) this.#response.write(frame)
    if (kind === 'stall') return
    if (kind === 'no-end') return void this.#response.end()
    if (kind === 'stream-error') return void this.#response.end(format.errorFrame(fault.body))
    const cut = kind === 'half-body' ? (frames[count] ?? '').slice(0, 20) : ''
    await this.#breakAfter(Buffer.from(cut))
  }

  /** Destroys the connection once what was written has left. */
  async #breakAfter(bytes: Buffer): Promise<void> {
    await new Promise<void>(resolve => {
      this.#response.write(bytes.length > 0 ? bytes : Buffer.from('\n'), () => resolve())
    })
    this.#reset()
  }

  #reset(): void {
    this.#response.socket?.resetAndDestroy()
  }
}

/** A message of this length is framed by the server itself. */
function sendable(headers: Readonly<Record<string, string>>): Record<string, string> {
  const own = /^(?:content-length|transfer-encoding|content-encoding|connection)$/i
  return Object.fromEntries(
    Object.entries(headers)
      .filter(([name]) => !own.test(name))
      .map(([name, value]) => [name.toLowerCase(), value]),
  )
}

function asked(text: string): Record<string, unknown> | undefined {
  try {
    const body = JSON.parse(text) as Record<string, unknown> | null
    return typeof body?.model === 'string' && Array.isArray(body.messages) ? body : undefined
  } catch {
    return undefined
  }
}

const tokensOf = (text: string): number => Math.max(1, Math.ceil(text.length / 4))

function wholeAnswer(answer: ScriptedAnswer, call: ServerCall, number: number): WholeAnswer {
  const given = typeof answer === 'string' ? { text: answer } : answer
  const text = given.text ?? (given.object === undefined ? '' : JSON.stringify(given.object))
  const toolCalls = (given.toolCalls ?? []).map(({ id, name, input }, at) => ({
    id: id ?? `call-${number}-${at + 1}`,
    name,
    input: input ?? {},
  }))
  return {
    text,
    toolCalls,
    finishReason: given.finishReason ?? (toolCalls.length > 0 ? 'tool-calls' : 'stop'),
    usage: given.usage ?? {
      inputTokens: tokensOf(JSON.stringify(call.body.messages)),
      outputTokens: tokensOf(text + JSON.stringify(toolCalls)),
    },
    cost: given.cost,
    number,
  }
}
