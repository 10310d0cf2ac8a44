/**
 * Both ends of RFC 6455 over real sockets, as small as tests need them: a server that a test scripts, and a client with
 * the interface of the standard, for versions of Node that have none. Unfragmented text, binary and close frames.
 */
import { createHash, randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, request } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

const opcodes = { text: 1, binary: 2, close: 8 }
const acceptOf = (key: string): string =>
  createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')

function frame(opcode: number, payload: Buffer, masked: boolean): Buffer {
  const length = payload.length
  const head = length < 126 ? Buffer.alloc(2) : Buffer.alloc(4)
  head[0] = 0x80 | opcode
  head[1] = (masked ? 0x80 : 0) | Math.min(length, 126)
  if (length >= 126) head.writeUInt16BE(length, 2)
  if (!masked) return Buffer.concat([head, payload])
  const mask = randomBytes(4)
  return Buffer.concat([head, mask, payload.map((byte, index) => byte ^ (mask[index % 4] as number))])
}

function closeFrame(code: number, reason: string, masked: boolean): Buffer {
  const payload = Buffer.alloc(2 + Buffer.byteLength(reason))
  payload.writeUInt16BE(code)
  payload.write(reason, 2)
  return frame(opcodes.close, payload, masked)
}

/** Calls back with each whole frame that has come in. */
function readFrames(socket: Socket, onFrame: (opcode: number, payload: Buffer) => void): void {
  let held = Buffer.alloc(0)
  socket.on('data', chunk => {
    held = Buffer.concat([held, chunk])
    for (;;) {
      if (held.length < 2) return
      const short = (held[1] as number) & 0x7f
      const masked = ((held[1] as number) & 0x80) !== 0
      const lengthEnd = short === 126 ? 4 : 2
      if (held.length < lengthEnd + (masked ? 4 : 0)) return
      const length = short === 126 ? held.readUInt16BE(2) : short
      const start = lengthEnd + (masked ? 4 : 0)
      if (held.length < start + length) return
      const mask = held.subarray(lengthEnd, start)
      const payload = Buffer.from(held.subarray(start, start + length))
      if (masked) for (const [index, byte] of payload.entries()) payload[index] = byte ^ (mask[index % 4] as number)
      const opcode = (held[0] as number) & 0x0f
      held = held.subarray(start + length)
      onFrame(opcode, payload)
    }
  })
}

export interface PeerConnection {
  readonly received: string[]
  send(text: string): void
  close(code: number, reason?: string): void
  /** Without a word. */
  drop(): void
}

export interface WebSocketServer {
  readonly url: string
  readonly connections: PeerConnection[]
  /** Handshakes that were asked for, refused ones too. */
  readonly handshakes: number
  close(): Promise<void>
}

/** What becomes of a handshake: taken, refused with a status, or never answered. */
type Reception = 'accept' | 'refuse' | 'ignore'

/** @param receive what becomes of the n-th handshake, from 1, and what to do with the connection */
export async function webSocketServer(
  receive: (handshake: number) => Reception = () => 'accept',
  onConnection: (connection: PeerConnection, handshake: number) => void = () => undefined,
): Promise<WebSocketServer> {
  const sockets = new Set<Socket>()
  const connections: PeerConnection[] = []
  let handshakes = 0
  const server = createServer()
  server.on('connection', socket => {
    sockets.add(socket)
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
  })
  server.on('upgrade', (asked: IncomingMessage, socket: Socket) => {
    const handshake = ++handshakes
    const reception = receive(handshake)
    if (reception === 'ignore') return
    if (reception === 'refuse') return void socket.end('HTTP/1.1 503 Unavailable\r\nConnection: close\r\n\r\n')
    const accept = acceptOf(asked.headers['sec-websocket-key'] ?? '')
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    )
    const connection: PeerConnection = {
      received: [],
      send: text => void socket.write(frame(opcodes.text, Buffer.from(text), false)),
      close: (code, reason = '') => void socket.end(closeFrame(code, reason, false)),
      drop: () => void socket.destroy(),
    }
    readFrames(socket, (opcode, payload) => {
      if (opcode === opcodes.close) socket.end(frame(opcodes.close, payload, false))
      else connection.received.push(payload.toString())
    })
    connections.push(connection)
    onConnection(connection, handshake)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    connections,
    get handshakes() {
      return handshakes
    },
    close: () => {
      for (const socket of sockets) socket.destroy()
      return new Promise(resolve => server.close(() => resolve()))
    },
  }
}

/** A client with the interface of the standard. */
export class PeerWebSocket extends EventTarget {
  binaryType = 'blob'
  /** CONNECTING, OPEN, CLOSING, CLOSED. */
  readyState: 0 | 1 | 2 | 3 = 0
  #socket: Socket | undefined
  #ended = false
  #closing = { code: 1006, reason: '' }
  readonly #request

  constructor(url: string) {
    super()
    const key = randomBytes(16).toString('base64')
    this.#request = request(url.replace(/^ws/, 'http'), {
      headers: { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-key': key, 'sec-websocket-version': '13' },
    })
    this.#request.on('error', () => this.#end())
    this.#request.on('response', response => {
      response.resume()
      this.#end()
    })
    this.#request.on('upgrade', (response, socket: Socket, head: Buffer) => {
      socket.on('error', () => undefined).on('close', () => this.#end())
      if (response.headers['sec-websocket-accept'] !== acceptOf(key)) return void socket.destroy()
      this.#socket = socket
      this.readyState = 1
      // Frames that came together with the answer to the handshake.
      socket.unshift(head)
      readFrames(socket, (opcode, payload) => this.#heard(opcode, payload))
      this.dispatchEvent(new Event('open'))
    })
    this.#request.end()
  }

  send(data: string): void {
    this.#socket?.write(frame(opcodes.text, Buffer.from(data), true))
  }

  close(code = 1000, reason = ''): void {
    if (code !== 1000 && (code < 3000 || code > 4999)) throw new DOMException('invalid code', 'InvalidAccessError')
    this.readyState = 2
    if (this.#socket) this.#socket.end(closeFrame(code, reason, true))
    else this.#request.destroy()
  }

  #heard(opcode: number, payload: Buffer): void {
    if (opcode === opcodes.close) {
      this.readyState = 2
      this.#closing = { code: payload.readUInt16BE(0), reason: payload.subarray(2).toString() }
      this.#socket?.end()
      return
    }
    const data = opcode === opcodes.text ? payload.toString() : new Uint8Array(payload).buffer
    this.dispatchEvent(Object.assign(new Event('message'), { data }))
  }

  #end(): void {
    if (this.#ended) return
    this.#ended = true
    this.readyState = 3
    if (this.#socket === undefined) this.dispatchEvent(new Event('error'))
    this.dispatchEvent(Object.assign(new Event('close'), this.#closing))
  }
}
