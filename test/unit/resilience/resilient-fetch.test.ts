import { getEventListeners } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { CancelledError, CircuitOpenError, TimeoutError } from '../../../src/errors.ts'
import { defineProfile } from '../../../src/resilience/define-profile.ts'
import { type FetchEvent, type ResilientFetchOptions, resilientFetch } from '../../../src/resilience/resilient-fetch.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'

interface Seen {
  readonly method: string
  readonly body: string
}
type Answer = number | ((request: IncomingMessage, response: ServerResponse) => void)

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

/** A real server that answers by its script, and with 200 when that is over. */
async function serve(...script: Answer[]) {
  const seen: Seen[] = []
  const server = createServer(async (request, response) => {
    const answer = script.shift() ?? 200
    if (typeof answer === 'function') {
      seen.push({ method: request.method ?? '', body: '' })
      return answer(request, response)
    }
    seen.push({ method: request.method ?? '', body: await text(request) })
    response.writeHead(answer, { 'x-answer': String(seen.length) }).end(`answer ${seen.length}`)
  })
  servers.push(server)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/things`, seen, server }
}

/** Retries that do not make a test wait. */
const quick = defineProfile({ retry: { max: 3 }, timeout: { call: '5s' } })
const make = (options: ResilientFetchOptions = {}) => {
  const events: FetchEvent[] = []
  const fetch = resilientFetch({
    profile: quick,
    random: () => 0.5,
    // Waits of the backoff are over at once; everything else is the real thing.
    clock: {
      now: () => Date.now(),
      setTimeout: (callback, ms) => setTimeout(callback, ms < 1000 ? Math.min(ms, 40) : ms),
      clearTimeout: handle => clearTimeout(handle as NodeJS.Timeout),
    },
    onEvent: event => events.push(event),
    ...options,
  })
  return { fetch, events }
}
const hang: Answer = () => undefined
const reset: Answer = request => request.socket.destroy()
const later =
  (seconds: string): Answer =>
  (_, response) =>
    response.writeHead(429, { 'retry-after': seconds }).end()

describe('resilientFetch', () => {
  test('answers as fetch does, url and all', async () => {
    const { url } = await serve()
    const { fetch, events } = make()
    const response = await fetch(url, { headers: { accept: '*/*' }, signal: new AbortController().signal })
    expect([response.ok, response.url, response.headers.get('x-answer'), await response.text()]).toEqual([
      true,
      url,
      '1',
      'answer 1',
    ])
    expect(events.map(({ type }) => type)).toEqual(['attempt.started', 'attempt.succeeded'])
  })

  test('repeats what may pass: a 503, a reset connection, a 500', async () => {
    const { url, seen } = await serve(503, reset, 500)
    const { fetch } = make()
    expect(await (await fetch(url)).text()).toBe('answer 4')
    expect(seen).toHaveLength(4)
    expect(fetch.metrics()).toMatchObject({ operation: 'http.fetch', calls: 1, attempts: 4, failures: 3, successes: 1 })
  })

  test('gives the last response when the retries are used up, unread', async () => {
    const { url, seen } = await serve(503, 503, 503, 503)
    const response = await make().fetch(url)
    expect([response.status, await response.text(), seen.length]).toEqual([503, 'answer 4', 4])
  })

  test('rejects with the error of fetch where no server is', async () => {
    const { url, server } = await serve()
    await new Promise(resolve => server.close(resolve))
    await expect(make().fetch(url)).rejects.toThrow('fetch failed')
  })

  test('takes an answer that says no for an answer', async () => {
    const { url, seen } = await serve(404)
    expect([(await make().fetch(url)).status, seen.length]).toEqual([404, 1])
  })

  test('waits as long as Retry-After says', async () => {
    const { url, seen } = await serve(later('1'))
    const { fetch, events } = make()
    expect((await fetch(url)).status).toBe(200)
    expect(seen).toHaveLength(2)
    expect(events).toContainEqual(expect.objectContaining({ type: 'retry.decided', retry: true, delayMs: 1000 }))
  })

  test('answers at once where Retry-After lies beyond the deadline', async () => {
    const { url, seen } = await serve(later('60'))
    expect([(await make().fetch(url)).status, seen.length]).toEqual([429, 1])
  })

  test('makes a single request when called with one', async () => {
    const { url } = await serve(503)
    const response = await resilientFetch(url, { method: 'GET' }, { profile: quick, random: () => 0 })
    expect(await response.text()).toBe('answer 2')
  })
})

describe('what may not be sent twice', () => {
  test('a POST is not repeated, unless one says so or it carries an idempotency key', async () => {
    const { url, seen } = await serve(503, 503, 200, 503, 200, 503, 200)
    const { fetch } = make()
    const post = { method: 'POST', body: 'order' }
    expect([(await fetch(url, post)).status, seen.length]).toEqual([503, 1])
    expect([(await fetch(url, post, { idempotent: true })).status, seen.length]).toEqual([200, 3])
    const keyed = { ...post, headers: { 'Idempotency-Key': 'k1' } }
    expect([(await fetch(url, keyed)).status, seen.length]).toEqual([200, 5])
    expect([(await make({ idempotent: true }).fetch(url, post)).status, seen.length]).toEqual([200, 7])
    expect(new Set(seen.map(({ body }) => body))).toEqual(new Set(['order']))
  })

  test('a PUT is repeated with its whole body', async () => {
    const { url, seen } = await serve(503)
    await make().fetch(url, { method: 'put', body: new URLSearchParams({ a: '1' }) })
    expect(seen).toEqual([
      { method: 'PUT', body: 'a=1' },
      { method: 'PUT', body: 'a=1' },
    ])
  })

  test('a body that is a stream is sent once: an empty one would follow', async () => {
    const { url, seen } = await serve(503)
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode('streamed'))
        controller.close()
      },
    })
    const response = await make().fetch(url, { method: 'PUT', body, duplex: 'half' } as RequestInit)
    expect([response.status, seen]).toEqual([503, [{ method: 'PUT', body: 'streamed' }]])
  })

  test('a Request with a body is sent once, one without is repeated', async () => {
    const { url, seen } = await serve(503, 503)
    const { fetch } = make()
    expect((await fetch(new Request(url, { method: 'PUT', body: 'whole' }))).status).toBe(503)
    expect((await fetch(new Request(url))).status).toBe(200)
    expect(seen.map(({ method }) => method)).toEqual(['PUT', 'GET', 'GET'])
  })
})

describe('the circuit of an origin', () => {
  test('opens for that origin alone, and refuses without a request', async () => {
    const dead = await serve(503, 503, 503, 503, 503)
    const alive = await serve()
    const { fetch, events } = make({ circuit: { failureThreshold: 4 } })
    await fetch(dead.url)
    await expect(fetch(dead.url)).rejects.toThrow(CircuitOpenError)
    expect([dead.seen.length, (await fetch(alive.url)).status]).toEqual([4, 200])
    expect(fetch.circuits().map(({ state }) => state)).toEqual(['open', 'closed'])
    expect(events).toContainEqual(expect.objectContaining({ type: 'circuit.changed', to: 'open' }))
  })

  test('is not opened by a limited key, nor by cancellations', async () => {
    const { url } = await serve(later('60'), later('60'), hang, hang)
    const { fetch } = make({ circuit: { failureThreshold: 1 } })
    await fetch(url)
    await fetch(url)
    for (let i = 0; i < 2; i++) {
      const controller = new AbortController()
      const pending = expect(fetch(url, { signal: controller.signal })).rejects.toThrow(CancelledError)
      setTimeout(() => controller.abort(), 5)
      await pending
    }
    expect(fetch.circuits().map(({ state }) => state)).toEqual(['closed'])
  })

  test('of origins that are well is forgotten beyond a thousand of them', async () => {
    const { fetch } = make({ fetch: async () => new Response('ok') })
    for (let i = 0; i < 1100; i++) await fetch(`http://host-${i}.test/`)
    expect(fetch.circuits()).toHaveLength(1000)
    expect(fetch.circuits()[0]?.name).toBe('http://host-100.test')
  })

  test('there is none for what goes to no server', async () => {
    const { fetch } = make()
    expect(await (await fetch('data:text/plain,hello')).text()).toBe('hello')
    await expect(fetch('no url')).rejects.toThrow(TypeError)
    expect(fetch.circuits()).toEqual([])
  })
})

describe('time and signals', () => {
  test('an attempt that gets no answer is given up and repeated', async () => {
    const clock = virtualClock()
    let asked: () => void = () => undefined
    const first = new Promise<void>(resolve => {
      asked = resolve
    })
    const { url, seen } = await serve(() => asked())
    const { fetch, events } = make({ clock })
    const pending = fetch(url, {}, { timeout: 400 })
    await first
    await clock.advance(399)
    expect(events.map(({ type }) => type)).toEqual(['attempt.started'])
    // The backoff of the operation is not more than this; the second attempt has its 400 ms whole.
    await clock.advance(200)
    expect([(await pending).status, seen.length]).toEqual([200, 2])
  })

  test('every attempt without an answer is a TimeoutError', async () => {
    const clock = virtualClock()
    let attempts = 0
    const silent = (_input: unknown, { signal }: RequestInit = {}) =>
      new Promise<Response>((_, reject) => {
        attempts++
        signal?.addEventListener('abort', () => reject(signal.reason))
      })
    const refused = expect(make({ fetch: silent, timeout: 20, clock }).fetch('http://silent.test/')).rejects.toThrow(
      TimeoutError,
    )
    await clock.advance('5s')
    await refused
    expect([attempts, clock.pending]).toEqual([4, 0])
  })

  test('the caller can cancel while the body is being read, and no listener stays', async () => {
    const { url } = await serve((_, response) => response.writeHead(200).write('first part'))
    const { fetch } = make()
    const controller = new AbortController()
    const response = await fetch(url, { signal: controller.signal })
    const reader = (response.body as ReadableStream<Uint8Array>).getReader()
    expect(new TextDecoder().decode((await reader.read()).value)).toBe('first part')
    controller.abort(new Error('enough'))
    await expect(reader.read()).rejects.toThrow('enough')
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
  })

  test('no listener stays after bodies that were read, cancelled or failed', async () => {
    const { url } = await serve(200, 200, 503, 200, (_, response) => {
      response.writeHead(200, { 'content-length': '100' }).write('part')
      setTimeout(() => response.destroy(), 5)
    })
    const { fetch } = make()
    const { signal } = new AbortController()
    await (await fetch(url, { signal })).text()
    await (await fetch(url, { signal })).body?.cancel()
    await (await fetch(url, { signal })).arrayBuffer()
    await expect((await fetch(url, { signal })).text()).rejects.toThrow()
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })

  test('a response that comes after its attempt was given up is let go', async () => {
    let cancelled = 0
    let answerLate: (response: Response) => void = () => undefined
    const late = new Promise<Response>(resolve => {
      answerLate = resolve
    })
    const answers = [() => late, async () => new Response('good')]
    const { fetch } = make({ fetch: () => (answers.shift() as () => Promise<Response>)(), timeout: 20 })
    expect(await (await fetch('http://late.test/')).text()).toBe('good')
    answerLate(new Response(new ReadableStream({ cancel: () => void cancelled++ }), { status: 503 }))
    await vi.waitFor(() => expect(cancelled).toBe(1))
  })
})

describe('options', () => {
  test('are strict, of the function and of a request', async () => {
    expect(() => resilientFetch({ idempotant: true } as never)).toThrow(/did you mean 'idempotent'/)
    expect(() => resilientFetch({ timeout: Number.NaN })).toThrow(/timeout/)
    expect(() => resilientFetch({ profile: 'balancd' })).toThrow(/did you mean 'balanced'/)
    await expect(make().fetch('http://a.test', {}, { timout: 5 } as never)).rejects.toThrow(/did you mean 'timeout'/)
  })
})
