/**
 * A WebSocket that comes back: when the connection is lost it is made again, with the backoff of `socket.connect` and
 * through a circuit, and what is sent meanwhile waits in a bounded queue. It delivers each message at most once: what
 * was on its way when a connection broke is lost. A peer that takes connections only to drop them is backed off from,
 * for failures are forgotten only once a connection has lasted.
 */
import { z } from 'zod'
import { CancelledError, CircuitOpenError, OptionsError, ProviderError } from '../errors.ts'
import { parseOptions } from '../options.ts'
import { backoffDelayMs } from '../time/backoff.ts'
import { type Clock, systemClock, type TimerHandle } from '../time/clock.ts'
import { type Duration, toMs } from '../time/duration.ts'
import { type Random, systemRandom } from '../time/random.ts'
import { addAbortListener, removeAbortListener } from './abort-listeners.ts'
import type { Circuit, CircuitPermit } from './circuit.ts'
import { type CircuitOptions, type CircuitPreset, resolveCircuit } from './circuit-options.ts'
import { createResolvedCircuit } from './create-circuit.ts'
import { operationPresets } from './operations.ts'

export interface ResilientWebSocketOptions {
  readonly protocols?: string | readonly string[] | undefined
  /** Makes the connections. @default globalThis.WebSocket, which Node has from version 22 on */
  readonly WebSocket?: WebSocketConstructor | undefined
  /** Connections tried after one has failed before it gives up, or 'forever'. @default 5, of `socket.connect` */
  readonly retries?: number | 'forever' | undefined
  /** @default '10s' */
  readonly connectTimeout?: Duration | undefined
  /** A connection that lasted so long makes the failures before it forgotten. @default '5s' */
  readonly steadyTime?: Duration | undefined
  /** Messages that may wait for a connection. @default 1000 */
  readonly queue?: number | undefined
  /** One of your own, options, or a preset. While it refuses, the next try waits. @default 'default' */
  readonly circuit?: Circuit | CircuitOptions | CircuitPreset | undefined
  /** Closes it when it aborts. */
  readonly signal?: AbortSignal | undefined
  /** @default the system clock */
  readonly clock?: Clock | undefined
  /** @default Math.random */
  readonly random?: Random | undefined
}

type Sendable = string | ArrayBuffer | ArrayBufferView | Blob

/** What is needed of a WebSocket, by the standard. */
export interface WebSocketLike {
  binaryType: string
  /** 1: what is sent now goes out. @default 1 from `open` to `close` */
  readonly readyState?: number | undefined
  send(data: never): void
  close(code?: number, reason?: string): void
  addEventListener(type: string, listener: (event: never) => void): void
}

export type WebSocketConstructor = new (url: string, protocols?: string | string[]) => WebSocketLike

export interface WebSocketEvents {
  /** A connection is there; `attempt` counts the tries since the last one that lasted, from 1. */
  readonly open: { readonly attempt: number }
  /** Text, or an ArrayBuffer. */
  readonly message: { readonly data: string | ArrayBuffer }
  /** A connection was lost, or could not be made. */
  readonly lost: { readonly code: number; readonly reason: string }
  /** It waits before the next try; `refused`: for its circuit. */
  readonly waiting: { readonly delayMs: number; readonly refused: boolean }
  /** It is over. */
  readonly close: WebSocketEnd
}

export interface WebSocketEnd {
  /** `refused`: the peer closed it with a code after which coming back is no use, or an operator isolated its circuit. */
  readonly why: 'closed' | 'cancelled' | 'exhausted' | 'refused'
  readonly error?: Error | undefined
}

export interface ResilientWebSocket {
  readonly url: string
  readonly state: 'connecting' | 'open' | 'waiting' | 'closed'
  /** Messages that wait for a connection. */
  readonly queued: number
  readonly circuit: Circuit
  /** How it ended; never rejects. */
  readonly closed: Promise<WebSocketEnd>
  /** `refused`: the queue is full, or it is closed; the message is dropped. */
  send(data: Sendable): 'sent' | 'queued' | 'refused'
  /** What a listener throws is dropped. Returns what takes it off. */
  on<TType extends keyof WebSocketEvents>(type: TType, listener: (event: WebSocketEvents[TType]) => void): () => void
  /** Ends it for good; what waits in the queue is dropped. */
  close(code?: number, reason?: string): void
}

const duration = z.custom<Duration>(value => typeof value === 'number' || typeof value === 'string').optional()
const optionsShape = z.strictObject({
  protocols: z.union([z.string(), z.array(z.string())]).optional(),
  WebSocket: z
    .custom<WebSocketConstructor>(value => typeof value === 'function', { error: 'must be a class' })
    .optional(),
  retries: z.union([z.int().min(0), z.literal('forever')]).optional(),
  connectTimeout: duration,
  steadyTime: duration,
  queue: z.int().min(0).max(1_000_000).optional(),
  circuit: z.custom<NonNullable<ResilientWebSocketOptions['circuit']>>(() => true).optional(),
  signal: z.custom<AbortSignal>(value => value instanceof AbortSignal, { error: 'must be an AbortSignal' }).optional(),
  clock: z.custom<Clock>(value => typeof value === 'object' && value !== null).optional(),
  random: z.custom<Random>(value => typeof value === 'function').optional(),
})

/**
 * Begins to connect at once.
 * @throws OptionsError for an unknown option, an address that is none, and where there is no WebSocket
 */
export function resilientWebSocket(url: string | URL, options: ResilientWebSocketOptions = {}): ResilientWebSocket {
  const given = parseOptions(optionsShape, options, 'resilientWebSocket options')
  const address = String(url)
  if (!URL.canParse(address) || !/^wss?:$/.test(new URL(address).protocol)) {
    throw new OptionsError(`resilientWebSocket: ${JSON.stringify(address)} is no address that begins with ws: or wss:`)
  }
  const Socket = given.WebSocket ?? (globalThis as { WebSocket?: WebSocketConstructor }).WebSocket
  if (Socket === undefined) {
    throw new OptionsError(
      'resilientWebSocket: this Node has no global WebSocket (22 and later have one): give a class as the option WebSocket',
      { option: 'WebSocket' },
    )
  }
  const socket = new ReconnectingSocket(address, Socket, given)
  socket.connect()
  return socket
}

/** RFC 6455, section 7.4.1: the peer will not take what this side sends, however often it comes. */
const finalCodes: ReadonlySet<number> = new Set([1002, 1003, 1007, 1008, 1009, 1010])
/** The connection is open in both directions. */
const sendingState = 1
/** No close frame came. */
const abnormalCode = 1006

type Given = z.output<typeof optionsShape>
type Listener = (event: never) => void

class ReconnectingSocket implements ResilientWebSocket {
  readonly url: string
  readonly circuit: Circuit
  readonly closed: Promise<WebSocketEnd>
  state: ResilientWebSocket['state'] = 'waiting'
  readonly #Socket: WebSocketConstructor
  readonly #given: Given
  readonly #clock: Clock
  readonly #random: Random
  readonly #connectMs: number
  readonly #steadyMs: number
  readonly #queue: Sendable[] = []
  readonly #listeners = new Map<string, Set<Listener>>()
  #resolveClosed: (end: WebSocketEnd) => void = () => undefined
  #socket: WebSocketLike | undefined
  #permit: CircuitPermit | undefined
  #timer: TimerHandle
  /** Connections that failed or did not last, since one did. */
  #failures = 0

  constructor(url: string, Socket: WebSocketConstructor, given: Given) {
    this.url = url
    this.#Socket = Socket
    this.#given = given
    this.#clock = given.clock ?? systemClock
    this.#random = given.random ?? systemRandom
    this.#connectMs = toMs(given.connectTimeout ?? '10s', 'connectTimeout')
    this.#steadyMs = toMs(given.steadyTime ?? '5s', 'steadyTime')
    this.circuit = circuitOf(given.circuit ?? 'default', url, this.#clock)
    this.closed = new Promise(resolve => {
      this.#resolveClosed = resolve
    })
  }

  get queued(): number {
    return this.#queue.length
  }

  send(data: Sendable): 'sent' | 'queued' | 'refused' {
    // One that the peer is closing drops what it is given, without a word.
    const { readyState = sendingState } = this.#socket ?? {}
    if (this.state === 'open' && readyState === sendingState) {
      this.#socket?.send(data as never)
      return 'sent'
    }
    if (this.state === 'closed' || this.#queue.length >= (this.#given.queue ?? 1000)) return 'refused'
    this.#queue.push(data)
    return 'queued'
  }

  on<TType extends keyof WebSocketEvents>(type: TType, listener: (event: WebSocketEvents[TType]) => void): () => void {
    const listeners = this.#listeners.get(type) ?? new Set<Listener>()
    this.#listeners.set(type, listeners.add(listener))
    return () => void listeners.delete(listener)
  }

  close(code?: number, reason?: string): void {
    const socket = this.#socket
    // Checked by the socket itself before anything is given up: it throws for a code that may not be sent.
    socket?.close(code, reason)
    this.#finish({ why: 'closed' })
  }

  connect(): void {
    const { signal } = this.#given
    if (signal?.aborted) this.#cancel()
    else {
      if (signal) addAbortListener(signal, this.#cancelled)
      this.#try()
    }
  }

  #try(): void {
    const permit = this.circuit.acquire()
    if (permit === undefined) return this.#waitForCircuit()
    this.state = 'connecting'
    this.#permit = permit
    const socket = this.#newSocket()
    if (socket === undefined) return
    this.#socket = socket
    this.#listen(socket, permit)
    this.#setTimer(this.#connectMs, () => this.#dropped(socket, permit, 'no connection in time'))
  }

  #newSocket(): WebSocketLike | undefined {
    try {
      const socket = new this.#Socket(this.url, this.#given.protocols as string | string[] | undefined)
      socket.binaryType = 'arraybuffer'
      return socket
    } catch (error) {
      // Of its arguments: the next try would end the same.
      this.#finish({ why: 'refused', error: error instanceof Error ? error : new Error(String(error)) })
      return undefined
    }
  }

  /** A socket that was given up may still speak: only the present one is heard. */
  #listen(socket: WebSocketLike, permit: CircuitPermit): void {
    let opened = false
    socket.addEventListener('open', () => {
      if (this.#socket !== socket) return
      opened = true
      permit.success()
      this.#opened(socket)
    })
    socket.addEventListener('message', ({ data }: WebSocketEvents['message']) => {
      if (this.#socket === socket) this.#tell('message', { data })
    })
    // A close follows; without a listener some sockets throw.
    socket.addEventListener('error', () => undefined)
    socket.addEventListener('close', ({ code, reason }: WebSocketEvents['lost']) => {
      if (this.#socket !== socket) return
      if (!opened) permit.failure()
      this.#lost(code, reason)
    })
  }

  #opened(socket: WebSocketLike): void {
    this.state = 'open'
    this.#setTimer(this.#steadyMs, () => {
      this.#failures = 0
    })
    this.#tell('open', { attempt: this.#failures + 1 })
    while (this.#socket === socket && this.#queue.length > 0) socket.send(this.#queue.shift() as never)
  }

  #dropped(socket: WebSocketLike, permit: CircuitPermit, reason: string): void {
    this.#socket = undefined
    permit.failure()
    socket.close()
    this.#lost(abnormalCode, reason)
  }

  #lost(code: number, reason: string): void {
    this.#socket = undefined
    this.#clearTimer()
    this.#failures++
    this.state = 'waiting'
    this.#tell('lost', { code, reason })
    // A listener may have closed it.
    if (!this.#isWaiting()) return
    const retries = this.#given.retries ?? operationPresets['socket.connect'].max
    const said = reason === '' ? '' : `, ${reason}`
    const error = new ProviderError(`the connection to ${new URL(this.url).host} was lost (${code}${said})`, {
      kind: 'connection',
      code,
    })
    if (finalCodes.has(code)) return this.#finish({ why: 'refused', error })
    if (retries !== 'forever' && this.#failures > retries) return this.#finish({ why: 'exhausted', error })
    const { backoff } = operationPresets['socket.connect']
    this.#waitFor(backoffDelayMs(backoff, this.#failures - 1, this.#random()), false)
  }

  #waitForCircuit(): void {
    this.state = 'waiting'
    const remainingMs = this.circuit.remainingMs()
    if (remainingMs === undefined) {
      const error = new CircuitOpenError(this.circuit.refusal().message, { circuit: this.circuit.name })
      return this.#finish({ why: 'refused', error })
    }
    // Another call may have taken the probe's place just now.
    this.#waitFor(Math.max(1, remainingMs), true)
  }

  #waitFor(delayMs: number, refused: boolean): void {
    this.#setTimer(delayMs, () => this.#try())
    this.#tell('waiting', { delayMs, refused })
  }

  #isWaiting(): boolean {
    return this.state === 'waiting'
  }

  readonly #cancelled = { handleEvent: () => this.#cancel() }

  #cancel(): void {
    this.#socket?.close()
    const cause = { cause: this.#given.signal?.reason }
    this.#finish({ why: 'cancelled', error: new CancelledError('the caller cancelled the connection', {}, cause) })
  }

  #finish(end: WebSocketEnd): void {
    if (this.state === 'closed') return
    this.state = 'closed'
    this.#socket = undefined
    // Where it has not been settled, its end says nothing of the peer.
    this.#permit?.release()
    this.#queue.length = 0
    this.#clearTimer()
    if (this.#given.signal) removeAbortListener(this.#given.signal, this.#cancelled)
    this.#resolveClosed(end)
    this.#tell('close', end)
  }

  #setTimer(ms: number, fire: () => void): void {
    this.#clearTimer()
    this.#timer = this.#clock.setTimeout(fire, ms)
  }

  #clearTimer(): void {
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #tell<TType extends keyof WebSocketEvents>(type: TType, event: WebSocketEvents[TType]): void {
    for (const listener of this.#listeners.get(type) ?? []) {
      try {
        listener(event as never)
      } catch {
        // A listener's fault must not break the connection.
      }
    }
  }
}

function circuitOf(given: Circuit | CircuitOptions | CircuitPreset, url: string, clock: Clock): Circuit {
  if (typeof given === 'object' && 'acquire' in given) return given
  return createResolvedCircuit(new URL(url).origin, resolveCircuit(given), { clock })
}
