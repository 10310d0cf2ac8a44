/**
 * A provider that is spoken to over HTTP in one of the dialects: whole answers and streams, under client-side limits,
 * with the caller's signal on every wait and read. It tries once; what fails is thrown as it came over the wire.
 */
import { createHash } from 'node:crypto'
import { OptionsError } from '../errors.ts'
import type { Clock } from '../time/clock.ts'
import type { ApiKeys } from './api-keys.ts'
import { type Dialect, parsedJson, type Read, type StreamReader } from './dialect.ts'
import { createLimiter, type LimitPermit, type ProviderLimits } from './limits.ts'
import type { CallContext, Model, ModelAnswer, ModelChunk, ModelRequest, Provider } from './provider.ts'
import { type ServerSentEvent, serverSentEvents } from './server-sent-events.ts'
import { type StreamLimits, watchStream } from './stream-watch.ts'
import { wireFailure } from './wire-failure.ts'

/** As `fetch`: what is given instead of it must honour `init.signal`. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>

export interface HttpProviderOptions {
  readonly id: string
  readonly dialect: Dialect
  /** Without a slash at its end. */
  readonly baseURL: string
  readonly models: readonly Model[]
  readonly keys: ApiKeys
  readonly headers: Readonly<Record<string, string>>
  readonly limits: ProviderLimits
  readonly streamLimits: StreamLimits
  readonly clock: Clock
  readonly fetch: Fetch
}

export function httpProvider(options: HttpProviderOptions): Provider {
  const limiter = createLimiter(options.limits, options.clock)
  const call = (request: ModelRequest, context: CallContext) => new HttpCall(options, request, context)
  const admitted = (request: ModelRequest, context: CallContext): Promise<LimitPermit> =>
    limiter.acquire(estimatedTokens(request), context.signal)
  return {
    id: options.id,
    models: options.models,
    keyCount: options.keys.count,
    local: isLoopback(options.baseURL),
    async generate(request, context) {
      const permit = await admitted(request, context)
      let answer: ModelAnswer | undefined
      try {
        answer = await call(request, context).generate()
        return answer
      } finally {
        permit.release(tokensOf(answer))
      }
    },
    async *stream(request, context) {
      const permit = await admitted(request, context)
      let answer: ModelAnswer | undefined
      try {
        for await (const chunk of call(request, context).stream()) {
          if (chunk.type === 'end') answer = chunk.answer
          yield chunk
        }
      } finally {
        permit.release(tokensOf(answer))
      }
    },
  }
}

/** Whether an address is of this machine, whatever port. */
function isLoopback(baseURL: string): boolean {
  const { hostname } = new URL(baseURL)
  return hostname === 'localhost' || hostname.endsWith('.localhost') || /^127\.|^\[::1\]$/.test(hostname)
}

const charactersPerToken = 4

/** What is counted against a limit before the provider has told. */
function estimatedTokens({ messages, maxOutputTokens }: ModelRequest): number {
  return Math.ceil(JSON.stringify(messages).length / charactersPerToken) + (maxOutputTokens ?? 0)
}

const tokensOf = (answer: ModelAnswer | undefined): number | undefined =>
  answer?.usage && answer.usage.inputTokens + answer.usage.outputTokens

/** One call: what it was asked with is what its failures are told with. */
class HttpCall {
  readonly #options: HttpProviderOptions
  readonly #request: ModelRequest
  readonly #context: CallContext
  readonly #model: Model
  readonly #keyIndex: number
  readonly #connection = new AbortController()
  #answered: { readonly status: number; readonly headers: Readonly<Record<string, string>> } | undefined

  constructor(options: HttpProviderOptions, request: ModelRequest, context: CallContext) {
    this.#options = options
    this.#request = request
    this.#context = context
    this.#model = modelFor(request, options)
    this.#keyIndex = (context.keyIndex ?? 0) % Math.max(1, options.keys.count)
  }

  async generate(): Promise<ModelAnswer> {
    const { dialect } = this.#options
    const response = await this.#send(false, this.#context.signal)
    const body = await this.#readBody(response)
    return this.#accepted(dialect.read(body))
  }

  async *stream(): AsyncGenerator<ModelChunk> {
    const { dialect, clock, streamLimits, id } = this.#options
    const reader = dialect.readStream()
    const { signal } = this.#context
    const events = watchStream(
      async () => serverSentEvents(this.#bytes(await this.#open())),
      event => event.event !== 'ping',
      { ...streamLimits, clock, signal, what: `'${id}' (${this.#model.id})`, stop: () => this.#connection.abort() },
    )
    try {
      yield* this.#chunks(events, reader)
    } finally {
      // Also where the reader has had enough: the connection is closed.
      await events.return('')
    }
    const answer = this.#accepted(reader.finish())
    for (const call of answer.toolCalls ?? []) yield { type: 'tool-call', ...call }
    yield { type: 'end', answer }
  }

  /** The pieces up to the mark of the end. */
  async *#chunks(events: AsyncGenerator<ServerSentEvent, string>, reader: StreamReader): AsyncGenerator<ModelChunk> {
    for (;;) {
      const next = await events.next()
      if (next.done) {
        const text = next.value.replace(/^data:\s*/, '')
        const body = text === '' ? undefined : (parsedJson(text)?.value ?? text)
        const silent = body === undefined && reader.isEmpty
        throw this.#failure({ body, stream: silent ? 'ended an empty stream' : `ended without ${reader.endMark}` })
      }
      const read = reader.read(next.value)
      if (read.type === 'ended') return
      if (read.type === 'failed') throw this.#failure({ body: read.body, stream: read.stream })
      yield* read.chunks
    }
  }

  async #open(): Promise<Response> {
    const response = await this.#send(true, this.#connection.signal)
    const type = response.headers.get('content-type') ?? ''
    if (!/json|html/i.test(type)) return response
    // Some servers answer whole where a stream was asked for, most of all with an error.
    const body = await this.#readBody(response)
    throw this.#failure({ body, stream: 'gave no event stream' })
  }

  async #send(stream: boolean, signal: AbortSignal): Promise<Response> {
    const { dialect, baseURL, keys, fetch, headers } = this.#options
    const { path, body } = dialect.write(this.#request, this.#model, stream)
    let response: Response
    try {
      response = await fetch(`${baseURL}${path}`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: stream ? 'text/event-stream' : 'application/json',
          'idempotency-key': headerSafe(this.#context.idempotencyKey),
          ...dialect.headers(keys.at(this.#keyIndex)),
          ...headers,
        },
        body: JSON.stringify(body),
        signal,
        // A key must not follow to another host.
        redirect: 'manual',
      })
    } catch (thrown) {
      throw this.#thrown(thrown, 'request')
    }
    this.#answered = { status: response.status, headers: shownHeaders(response.headers) }
    if (response.ok) return response
    throw this.#failure({ body: await this.#readBody(response) })
  }

  async #readBody(response: Response): Promise<unknown> {
    let text: string
    try {
      text = await response.text()
    } catch (thrown) {
      throw this.#thrown(thrown, 'body')
    }
    if (text === '') return undefined
    return parsedJson(text)?.value ?? text
  }

  async *#bytes(response: Response): AsyncGenerator<Uint8Array> {
    const reader = response.body?.getReader()
    if (reader === undefined) return
    try {
      for (;;) {
        const { done, value } = await reader.read()
        if (done) return
        yield value
      }
    } catch (thrown) {
      throw this.#thrown(thrown, 'stream')
    } finally {
      reader.cancel().catch(() => {})
    }
  }

  #accepted(read: Read): ModelAnswer {
    if (read.ok) return read.answer
    throw this.#failure({ body: read.body, stream: read.stream })
  }

  /** What the network library threw; after the caller's abort it is the caller's reason. */
  #thrown(thrown: unknown, phase: 'request' | 'body' | 'stream'): unknown {
    const { signal } = this.#context
    if (signal.aborted) return signal.reason
    const { id, keys } = this.#options
    const evidence = { provider: id, model: this.#model.id, phase, keyIndex: this.#keyIndex, thrown }
    return wireFailure({ ...evidence, status: null, ...this.#answered }, keys.secrets())
  }

  #failure(seen: { readonly body?: unknown; readonly stream?: string | undefined }): Error {
    const { id, keys } = this.#options
    const { status, headers } = this.#answered ?? { status: null, headers: {} }
    const phase = seen.stream === undefined ? 'body' : 'stream'
    const evidence = { provider: id, model: this.#model.id, phase, keyIndex: this.#keyIndex, status, headers } as const
    return wireFailure({ ...evidence, ...seen }, keys.secrets())
  }
}

/** The model that was asked for, which need not be on the list; else the first of the tier, else the first. */
function modelFor({ model, tier }: ModelRequest, { models, id }: HttpProviderOptions): Model {
  const found =
    model === undefined
      ? (models.find(other => other.tier === tier) ?? models[0])
      : (models.find(other => other.id === model) ?? { id: model, tier: tier ?? 'capable' })
  if (found === undefined) throw new OptionsError(`provider '${id}' has no model`)
  return found
}

/** Cookies are nobody's business. */
const shownHeaders = (headers: Headers): Record<string, string> =>
  Object.fromEntries([...headers].filter(([name]) => name !== 'set-cookie'))

/** Run ids and stage names may have any letter and any length, a header may not. */
const headerSafe = (key: string): string =>
  /^[\x21-\x7e]{1,200}$/.test(key) ? key : createHash('sha256').update(key).digest('hex')
