import { getEventListeners, once } from 'node:events'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { CancelledError, OptionsError } from '../../../src/errors.ts'
import { createCircuit } from '../../../src/resilience/create-circuit.ts'
import {
  type ResilientWebSocket,
  type ResilientWebSocketOptions,
  resilientWebSocket,
  type WebSocketConstructor,
  type WebSocketEvents,
} from '../../../src/resilience/resilient-websocket.ts'
import type { Clock } from '../../../src/time/clock.ts'
import { PeerWebSocket, type WebSocketServer, webSocketServer } from '../../support/websocket-peer.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

async function serve(...script: Parameters<typeof webSocketServer>): Promise<WebSocketServer> {
  const server = await webSocketServer(...script)
  closing.push(server.close)
  return server
}

/** Forty times as fast as the real one; it knows its timers. */
function fastClock(): Clock & { pending: number } {
  const timers = new Set<NodeJS.Timeout>()
  const startedAt = Date.now()
  return {
    now: () => startedAt + (Date.now() - startedAt) * 40,
    setTimeout(callback, ms) {
      const timer = setTimeout(() => {
        timers.delete(timer)
        callback()
      }, ms / 40)
      timers.add(timer)
      return timer
    },
    clearTimeout(handle) {
      timers.delete(handle as NodeJS.Timeout)
      clearTimeout(handle as NodeJS.Timeout)
    },
    get pending() {
      return timers.size
    },
  }
}

type Told = { [TType in keyof WebSocketEvents]: [TType, WebSocketEvents[TType]] }[keyof WebSocketEvents]

function connect(url: string, options: ResilientWebSocketOptions = {}) {
  const clock = fastClock()
  const socket = resilientWebSocket(url, {
    WebSocket: PeerWebSocket as unknown as WebSocketConstructor,
    clock,
    random: () => 0.5,
    ...options,
  })
  closing.push(() => socket.close())
  const told: Told[] = []
  for (const type of ['open', 'message', 'lost', 'waiting', 'close'] as const) {
    socket.on(type, event => told.push([type, event] as Told))
  }
  return { socket, clock, told, types: () => told.map(([type]) => type) }
}

const heard = <TType extends keyof WebSocketEvents>(socket: ResilientWebSocket, type: TType) =>
  new Promise<WebSocketEvents[TType]>(resolve => {
    const off = socket.on(type, event => {
      off()
      resolve(event)
    })
  })

describe('a resilient WebSocket', () => {
  test('sends and receives, and what was sent before it was open goes first', async () => {
    const server = await serve(undefined, connection => connection.send('welcome'))
    const { socket } = connect(server.url)
    expect([socket.send('a'), socket.send('b'), socket.queued]).toEqual(['queued', 'queued', 2])
    expect(await heard(socket, 'message')).toEqual({ data: 'welcome' })
    expect([socket.state, socket.queued, socket.send('c')]).toEqual(['open', 0, 'sent'])
    await vi.waitFor(() => expect(server.connections[0]?.received).toEqual(['a', 'b', 'c']))
  })

  test('comes back when the connection breaks, and sends what was said meanwhile', async () => {
    const server = await serve()
    const { socket, types } = connect(server.url)
    await heard(socket, 'open')
    server.connections[0]?.drop()
    expect((await heard(socket, 'lost')).code).toBe(1006)
    expect(socket.send('meanwhile')).toBe('queued')
    expect(await heard(socket, 'open')).toEqual({ attempt: 2 })
    await vi.waitFor(() => expect(server.connections[1]?.received).toEqual(['meanwhile']))
    expect(types()).toEqual(['open', 'lost', 'waiting', 'open'])
  })

  test('keeps for the next connection what it is given while the peer closes this one', async () => {
    const server = await serve()
    const closes: (() => void)[] = []
    /** Between the frame that closes it and its end. */
    class Closing extends PeerWebSocket {
      override dispatchEvent(event: Event): boolean {
        if (event.type !== 'close') return super.dispatchEvent(event)
        closes.push(() => super.dispatchEvent(event))
        return true
      }
    }
    const { socket } = connect(server.url, { WebSocket: Closing as unknown as WebSocketConstructor })
    await heard(socket, 'open')
    server.connections[0]?.close(1001, 'going away')
    await vi.waitFor(() => expect(closes).toHaveLength(1))
    expect([socket.state, socket.send('in between'), socket.queued]).toEqual(['open', 'queued', 1])
    closes[0]?.()
    await heard(socket, 'open')
    await vi.waitFor(() => expect(server.connections[1]?.received).toEqual(['in between']))
  })

  test('waits by the backoff of socket.connect, and gives up after its retries', async () => {
    const server = await serve(() => 'refuse')
    const { socket, told, clock } = connect(server.url, { circuit: { failureThreshold: 100 } })
    const { why, error } = await socket.closed
    expect([why, error?.message, server.handshakes]).toEqual([
      'exhausted',
      expect.stringContaining('was lost (1006)'),
      6,
    ])
    const delays = told.flatMap(([type, event]) => (type === 'waiting' ? [event.delayMs] : []))
    expect(delays).toEqual([200, 400, 800, 1600, 3200])
    expect([socket.state, clock.pending]).toEqual(['closed', 0])
  })

  test('backs off from a peer that takes connections only to drop them', async () => {
    const server = await serve(undefined, connection => connection.drop())
    const { socket, told } = connect(server.url, { retries: 2 })
    expect((await socket.closed).why).toBe('exhausted')
    expect(told.flatMap(([type, event]) => (type === 'waiting' ? [event.delayMs] : []))).toEqual([200, 400])
  })

  test('forgets failures once a connection has lasted', async () => {
    const server = await serve(handshake => (handshake === 1 ? 'refuse' : 'accept'))
    const { socket, clock } = connect(server.url, { steadyTime: '400ms' })
    expect(await heard(socket, 'open')).toEqual({ attempt: 2 })
    await vi.waitFor(() => expect(clock.pending).toBe(0))
    server.connections[0]?.drop()
    expect(await heard(socket, 'open')).toEqual({ attempt: 2 })
  })

  test('gives a handshake that is never answered up', async () => {
    const server = await serve(handshake => (handshake === 1 ? 'ignore' : 'accept'))
    const { socket, told } = connect(server.url, { connectTimeout: '1s' })
    await heard(socket, 'open')
    expect(told[0]).toEqual(['lost', { code: 1006, reason: 'no connection in time' }])
  })

  test('does not come back after a close that says it is no use, and does after others', async () => {
    const server = await serve(undefined, (connection, handshake) =>
      connection.close(handshake === 1 ? 1001 : 1008, handshake === 1 ? 'going away' : 'bad key'),
    )
    const { socket, types } = connect(server.url)
    const { why, error } = await socket.closed
    expect([why, error?.message]).toEqual(['refused', expect.stringContaining('(1008, bad key)')])
    expect(types()).toEqual(['open', 'lost', 'waiting', 'open', 'lost', 'close'])
  })
})

describe('its circuit', () => {
  test('makes it wait, and a probe connects it', async () => {
    const server = await serve(handshake => (handshake <= 2 ? 'refuse' : 'accept'))
    const { socket, told } = connect(server.url, { circuit: { failureThreshold: 2, openTime: '5s' } })
    await heard(socket, 'open')
    const waits = told.flatMap(([type, event]) => (type === 'waiting' ? [event] : []))
    expect(waits.length).toBeGreaterThan(2)
    expect(waits.map(({ refused }) => refused)).toEqual(waits.map((_, place) => place > 1))
    expect(server.handshakes).toBe(3)
  })

  test('may be shared; isolated by an operator it ends the socket', async () => {
    const server = await serve()
    const circuit = createCircuit('peer')
    circuit.isolate()
    const { socket } = connect(server.url, { circuit })
    expect(await socket.closed).toMatchObject({ why: 'refused', error: { code: 'circuit_open' } })
    expect(server.handshakes).toBe(0)
  })

  test('has its probe back when the socket is closed in the middle of it', async () => {
    const server = await serve(() => 'ignore')
    const circuit = createCircuit('peer', { preset: 'strict', failureThreshold: 1, openTime: 1 })
    circuit.acquire()?.failure()
    await vi.waitFor(() => expect(circuit.state).toBe('half-open'))
    const { socket } = connect(server.url, { circuit })
    expect(circuit.isAvailable()).toBe(false)
    socket.close()
    expect([circuit.state, circuit.isAvailable()]).toEqual(['half-open', true])
  })
})

describe('its end', () => {
  test('by close is final in every state, and leaves no timer', async () => {
    const server = await serve(handshake => (handshake === 1 ? 'accept' : 'ignore'))
    for (const moment of ['connecting', 'open', 'waiting']) {
      const { socket, clock, types } = connect(server.url)
      if (moment !== 'connecting') {
        socket.close()
        const other = connect((await serve()).url)
        await heard(other.socket, 'open')
        if (moment === 'waiting') {
          const lost = heard(other.socket, 'lost')
          other.socket.on('waiting', () => other.socket.close())
          await Promise.all([lost, closing.at(-2)?.()])
        } else other.socket.close()
        expect(await other.socket.closed, moment).toEqual({ why: 'closed' })
        expect([other.socket.state, other.clock.pending], moment).toEqual(['closed', 0])
        continue
      }
      socket.close()
      expect(await socket.closed).toEqual({ why: 'closed' })
      expect([socket.state, clock.pending, types(), socket.send('late')]).toEqual(['closed', 0, ['close'], 'refused'])
    }
  })

  test('tells the peer the code, and refuses one that may not be sent', async () => {
    const server = await serve()
    const { socket } = connect(server.url)
    await heard(socket, 'open')
    expect(() => socket.close(1234)).toThrow('invalid code')
    expect(socket.state).toBe('open')
    socket.close(4001, 'done')
    expect(await socket.closed).toEqual({ why: 'closed' })
  })

  test('comes with the signal of the caller, whose listener is taken off', async () => {
    const server = await serve()
    const controller = new AbortController()
    const { socket } = connect(server.url, { signal: controller.signal })
    await heard(socket, 'open')
    controller.abort('enough')
    expect(await socket.closed).toMatchObject({ why: 'cancelled', error: expect.any(CancelledError) })
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
    const late = connect(server.url, { signal: controller.signal })
    expect((await late.socket.closed).why).toBe('cancelled')
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
  })
})

describe('its listeners and its queue', () => {
  test('a listener that throws breaks nothing, and one that closes in the middle is obeyed', async () => {
    const server = await serve(undefined, connection => connection.drop())
    const { socket, types } = connect(server.url)
    socket.on('open', () => {
      throw new Error('listener')
    })
    socket.on('lost', () => socket.close())
    expect(await socket.closed).toEqual({ why: 'closed' })
    expect(types()).toEqual(['open', 'lost', 'close'])
  })

  test('the queue is bounded and is dropped at the end', async () => {
    const server = await serve(() => 'ignore')
    const { socket } = connect(server.url, { queue: 2 })
    expect(['a', 'b', 'c'].map(message => socket.send(message))).toEqual(['queued', 'queued', 'refused'])
    socket.close()
    expect(socket.queued).toBe(0)
  })
})

describe('options', () => {
  const make = (url: string, options: object) => () => resilientWebSocket(url, options)
  test('are strict, and an address must be one', () => {
    const WebSocket = PeerWebSocket
    expect(make('ws://a.test', { WebSocket, retrys: 3 })).toThrow(/did you mean 'retries'/)
    expect(make('ws://a.test', { WebSocket, queue: Number.NaN })).toThrow(OptionsError)
    expect(make('ws://a.test', { WebSocket, connectTimeout: 'soon' })).toThrow(/connectTimeout/)
    expect(make('http://a.test', { WebSocket })).toThrow(/ws: or wss:/)
    expect(make('nothing', { WebSocket })).toThrow(/ws: or wss:/)
  })

  test('without a WebSocket it says what to give', () => {
    vi.stubGlobal('WebSocket', undefined)
    try {
      expect(make('ws://a.test', {})).toThrow(/give a class as the option WebSocket/)
    } finally {
      vi.unstubAllGlobals()
    }
  })

  test('a class that throws ends it with that error', async () => {
    class Broken {
      constructor() {
        throw new SyntaxError('bad protocol')
      }
    }
    const socket = resilientWebSocket('ws://a.test', { WebSocket: Broken as never })
    expect(await socket.closed).toMatchObject({ why: 'refused', error: { message: 'bad protocol' } })
    expect(socket.circuit.metrics().failures).toBe(0)
  })
})

test('the peer of these tests speaks as the standard says', async () => {
  const server = await serve(undefined, connection => connection.send('x'.repeat(300)))
  const plain = new PeerWebSocket(server.url)
  const [message] = (await once(plain, 'message')) as [{ data: string }]
  expect(message.data).toHaveLength(300)
  plain.send('y'.repeat(500))
  await vi.waitFor(() => expect(server.connections[0]?.received[0]).toHaveLength(500))
  plain.close()
})
