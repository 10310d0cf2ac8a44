import { describe, expect, it } from 'vitest'
import { ProviderError, TimeoutError } from '../../../src/errors.ts'
import { classifyError } from '../../../src/resilience/classify.ts'
import { isFailureKind } from '../../../src/resilience/kinds.ts'

const fields = [
  'status',
  'headers',
  'body',
  'message',
  'cause',
  'name',
  'code',
  'response',
  'stream',
  'network',
  'errors',
]
const refuse = (): never => {
  throw new Error('no')
}

function cyclic(): unknown {
  const failure: Record<string, unknown> = { status: 429, headers: {}, body: {} }
  for (const name of ['cause', 'error', 'lastError', 'response', 'data']) failure[name] = failure
  ;(failure.body as Record<string, unknown>).self = failure
  return failure
}

function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

const endless: object = new Proxy(
  {},
  {
    get: (_, name) => (typeof name === 'string' ? endless : undefined),
    has: () => true,
    ownKeys: () => ['a', 'b', 'error'],
    getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true, value: 1 }),
  },
)

function nested(depth: number, wrap: (inner: object) => object): object {
  let value: object = new Error('x')
  for (let i = 0; i < depth; i++) value = wrap(value)
  return value
}

function* forever() {
  for (;;) yield ['a', 'b']
}

const values: readonly (readonly [string, unknown])[] = [
  ['a cycle', cyclic()],
  [
    'getters that throw',
    Object.defineProperties({}, Object.fromEntries(fields.map(name => [name, { enumerable: true, get: refuse }]))),
  ],
  [
    'a proxy that refuses everything',
    new Proxy({}, { get: refuse, has: refuse, ownKeys: refuse, getPrototypeOf: refuse }),
  ],
  ['a proxy without an end', endless],
  ['a revoked proxy', revoked()],
  ['100,000 causes', nested(100_000, cause => new Error('y', { cause }))],
  ['a body 100,000 deep', { status: 500, headers: {}, body: nested(100_000, error => ({ error })) }],
  ['headers without an end', { status: 429, headers: { [Symbol.iterator]: forever } }],
  ['an array of 10^9 holes', { status: 400, body: new Array(1e9) }],
  ['a buffer that is none', { status: 400, headers: {}, body: { type: 'Buffer', data: { length: 1e9 } } }],
  ['20 MB of bytes', { status: 400, headers: {}, body: Buffer.alloc(20_000_000, 97) }],
  ['no object', 'Error'],
  ['nothing', undefined],
  ['a symbol', Symbol('x')],
  ['a bigint', 10n],
  ['a function', refuse],
  ['statuses that are none', { status: Number.NaN, statusCode: 1e9, body: 'x' }],
  ['an object without a prototype', Object.assign(Object.create(null), { status: 503 })],
]

/** Texts made to take the time of patterns with a flaw; each about a megabyte. */
const texts = [
  'a',
  'in ',
  'try again in ',
  'retry after ',
  'model ',
  'not available in ',
  '1s',
  '{',
  '[',
  '"',
  '\\',
  'data: {',
  'data: {\n',
  '<html',
  'input 1 tokens ',
  'exceed the maximum ',
  ' ',
  'invalid ',
  'api key ',
  'sk-',
  'stream ended ',
]

const wholeAnswer = (failure: unknown): void => {
  const { kind, message, retryAfterMs } = classifyError(failure)
  expect(isFailureKind(kind)).toBe(true)
  expect(message.length).toBeLessThanOrEqual(500)
  expect(retryAfterMs === undefined || retryAfterMs >= 0).toBe(true)
}

describe('classifyError', () => {
  it.each(values)('answers for %s, in no time', (_, failure) => {
    const startedAt = performance.now()
    wholeAnswer(failure)
    expect(performance.now() - startedAt).toBeLessThan(1000)
  })

  it.each(texts)('answers for a megabyte of %j wherever it stands, in no time', piece => {
    const text = piece.repeat(1_000_000 / piece.length)
    const startedAt = performance.now()
    wholeAnswer({
      status: 400,
      headers: { 'retry-after': text, 'x-ratelimit-reset': text },
      body: { error: { message: text } },
    })
    wholeAnswer({ status: 200, headers: {}, body: text, stream: text })
    wholeAnswer({ status: null, headers: {}, body: JSON.stringify({ error: text }) })
    wholeAnswer(new Error(text))
    expect(performance.now() - startedAt).toBeLessThan(2000)
  })

  it('finds an error of ours within another', () => {
    expect(classifyError(new Error('x', { cause: new TimeoutError('slow') })).kind).toBe('timeout')
    const provider = new ProviderError('p', { kind: 'overloaded' })
    expect(classifyError(new Error('x', { cause: new Error('y', { cause: provider }) })).kind).toBe('overloaded')
  })

  it('takes whatever was thrown after the caller aborted for a cancellation', () => {
    for (const failure of [
      { status: 503 },
      new TypeError('terminated'),
      new TimeoutError('slow'),
      undefined,
      endless,
    ]) {
      expect(classifyError(failure, { aborted: true })).toMatchObject({
        kind: 'cancelled',
        type: 'cancelled',
        transient: false,
      })
    }
  })
})
