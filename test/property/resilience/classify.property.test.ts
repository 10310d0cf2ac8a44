import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { classifyError } from '../../../src/resilience/classify.ts'
import { kindTable } from '../../../src/resilience/kinds.ts'

interface Case {
  readonly id: string
  readonly provider: string
  readonly status: number | null
  readonly headers: Record<string, string>
  readonly body: unknown
}

const file = new URL('../../conformance/provider-errors.json', import.meta.url)
const cases = JSON.parse(readFileSync(file, 'utf8')) as Case[]

const caseOf = fc.constantFrom(...cases)
const withBody = fc.constantFrom(...cases.filter(({ body }) => body !== null && typeof body === 'object'))
const seen = (failure: unknown, provider: string) => {
  const { kind, transient, retryAfterMs } = classifyError(failure, { provider })
  return { kind, transient, retryAfterMs }
}

/** Fields as services add them: ids, versions, counts; nothing that speaks of failure. */
const harmlessFields = fc.dictionary(
  fc.constantFrom('request_id', 'trace', 'documentation_url', 'api_version', 'object_id', 'param2', 'region_id'),
  fc.oneof(fc.uuid(), fc.integer(), fc.boolean(), fc.constant(null)),
  { maxKeys: 5 },
)

describe('a failure keeps its kind', () => {
  test('whatever the case of its header names', () => {
    fc.assert(
      fc.property(caseOf, fc.func(fc.boolean()), (known, upper) => {
        const recased = (name: string) => [...name].map((c, i) => (upper(name, i) ? c.toUpperCase() : c)).join('')
        const headers = Object.fromEntries(Object.entries(known.headers).map(([name, value]) => [recased(name), value]))
        expect(seen({ ...known, headers }, known.provider)).toEqual(seen(known, known.provider))
      }),
    )
  })

  test('whether its body is an object, its text, or the data of an event stream', () => {
    fc.assert(
      fc.property(withBody, fc.constantFrom(0, 2), fc.boolean(), (known, indent, event) => {
        const text = JSON.stringify(known.body, null, event ? 0 : indent)
        const body = event ? `event: error\ndata: ${text}\n\n` : text
        expect(seen({ ...known, body }, known.provider)).toEqual(seen(known, known.provider))
      }),
    )
  })

  test('with fields added to the body and its error', () => {
    fc.assert(
      fc.property(withBody, harmlessFields, harmlessFields, (known, outer, inner) => {
        const original = known.body as { error?: unknown }
        const error =
          typeof original.error === 'object' && original.error !== null
            ? { error: { ...inner, ...original.error } }
            : {}
        const body = { ...outer, ...original, ...error }
        expect(seen({ ...known, body }, known.provider)).toEqual(seen(known, known.provider))
      }),
    )
  })

  test('nested as a router nests it', () => {
    fc.assert(
      fc.property(withBody, fc.integer({ min: 1, max: 4 }), fc.boolean(), (known, depth, quoted) => {
        let body: unknown = known.body
        for (let i = 0; i < depth; i++) body = { data: quoted ? JSON.stringify(body) : body }
        expect(seen({ ...known, body }, known.provider)).toEqual(seen(known, known.provider))
      }),
    )
  })

  test('as the usual client libraries throw it', () => {
    const answered = cases.filter(({ status, body }) => status !== null && status >= 400 && body !== null)
    fc.assert(
      fc.property(fc.constantFrom(...answered), fc.constantFrom(...clientForms), (known, form) => {
        expect(seen(form(known), known.provider)).toEqual(seen(known, known.provider))
      }),
    )
  })
})

const asText = (body: unknown): string => (typeof body === 'string' ? body : JSON.stringify(body))
const clientForms: readonly ((known: Case) => Error)[] = [
  ({ status, headers, body }) => Object.assign(new Error(`${status} ${asText(body)}`), { status, headers }),
  ({ status, headers, body }) => Object.assign(new Error('x'), { status, headers: new Headers(headers), error: body }),
  ({ status, headers, body }) =>
    Object.assign(new Error('x'), { statusCode: status, responseHeaders: headers, responseBody: asText(body) }),
  ({ status, headers, body }) => Object.assign(new Error('x'), { response: { status, headers, data: body } }),
]

describe('classifyError', () => {
  test('never throws, and always gives a whole answer', () => {
    fc.assert(
      fc.property(
        fc.anything({ withBigInt: true, withMap: true, withNullPrototype: true, withObjectString: true }),
        anything => {
          for (const failure of [anything, { status: anything, headers: anything, body: anything, stream: anything }]) {
            const { kind, type, category, transient, scope, action, message } = classifyError(failure)
            expect(kindTable[kind]).toBeDefined()
            expect([type, category, scope, action, message].every(text => typeof text === 'string')).toBe(true)
            expect(typeof transient).toBe('boolean')
          }
        },
      ),
      { numRuns: 500 },
    )
  })
})
