/**
 * What is to be known of a request before it may be repeated, and the link between its caller's signal and the body of
 * its response: reading can be cancelled as long as there is something to read, and nothing is left behind after.
 */

import { addAbortListener, removeAbortListener } from './abort-listeners.ts'

export interface RequestFacts {
  readonly method: string
  /** Absent where it goes to no server, or nowhere: `data:` and what is no URL. */
  readonly origin: string | undefined
  /** By its method, or because it carries a key that lets the server know it again. */
  readonly idempotent: boolean
  /** Its body is a stream, so it can be sent once only. */
  readonly readOnce: boolean
  readonly signal: AbortSignal | undefined
}

/** RFC 9110, section 9.2.2. */
const idempotentMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])

export function requestFacts(input: string | URL | Request, init: RequestInit = {}): RequestFacts {
  const request = input instanceof Request ? input : undefined
  const method = (init.method ?? request?.method ?? 'GET').toUpperCase()
  const headers = new Headers(init.headers ?? request?.headers)
  return {
    method,
    origin: originOf(request?.url ?? String(input)),
    idempotent: idempotentMethods.has(method) || headers.has('idempotency-key'),
    readOnce: init.body == null ? request?.body != null : isStream(init.body),
    signal: init.signal ?? request?.signal,
  }
}

function originOf(url: string): string | undefined {
  if (!URL.canParse(url)) return undefined
  const { protocol, origin } = new URL(url)
  return protocol === 'http:' || protocol === 'https:' ? origin : undefined
}

const isStream = (body: unknown): boolean =>
  typeof body === 'object' && body !== null && (Symbol.asyncIterator in body || 'getReader' in body || 'pipe' in body)

/** The response, whose body is cancelled when the signal aborts before it has been read. */
export function linkBody(response: Response, signal: AbortSignal | undefined, controller: AbortController): Response {
  const { body } = response
  if (signal === undefined || body === null) return response
  const cancelled = { handleEvent: () => controller.abort(signal.reason) }
  const unlink = (): void => removeAbortListener(signal, cancelled)
  addAbortListener(signal, cancelled)
  const linked = new Response(watched(body, unlink), response)
  for (const name of ['url', 'redirected', 'type'] as const) {
    Object.defineProperty(linked, name, { value: response[name] })
  }
  return linked
}

/** The same bytes; `ended` is called once they are over, in whatever way. Nothing is read before it is asked for. */
function watched(body: ReadableStream<Uint8Array>, ended: () => void): ReadableStream<Uint8Array> {
  const reader = body.getReader()
  return new ReadableStream(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read()
          if (!done) return controller.enqueue(value)
          ended()
          controller.close()
        } catch (error) {
          ended()
          controller.error(error)
        }
      },
      cancel(reason) {
        ended()
        return reader.cancel(reason)
      },
    },
    { highWaterMark: 0 },
  )
}
