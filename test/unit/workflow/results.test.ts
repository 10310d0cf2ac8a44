import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { ValidationError } from '../../../src/errors.ts'
import {
  decodeResult,
  encodeJson,
  encodeResult,
  lazyResults,
  maxResultBytes,
  type ResultText,
  unwrapResult,
  wrapResult,
} from '../../../src/workflow/results.ts'

const where = "result of stage 'collect'"

function refusal(value: unknown): ValidationError {
  try {
    encodeJson(value, where)
  } catch (error) {
    expect(error).toBeInstanceOf(ValidationError)
    return error as ValidationError
  }
  throw new Error('nothing was refused')
}

describe('a result', () => {
  it('is kept as JSON writes it', () => {
    class Finding {
      line = 3
      #secret = 1
      describe(): number {
        return this.#secret
      }
    }
    const value = { at: new Date(0), no: Number.NaN, gone: undefined, list: [undefined], finding: new Finding() }
    expect(encodeJson(value, where)).toBe(
      '{"at":"1970-01-01T00:00:00.000Z","no":null,"list":[null],"finding":{"line":3}}',
    )
  })

  it('of undefined has no text', () => {
    expect(encodeJson(undefined, where)).toBeUndefined()
    expect(encodeJson({ toJSON: () => undefined }, where)).toBeUndefined()
  })

  it('may hold the same object twice', () => {
    const part = { a: 1 }
    expect(encodeJson([part, part, { part }], where)).toBe('[{"a":1},{"a":1},{"part":{"a":1}}]')
  })

  it('may be nested deeper than a cycle is suspected', () => {
    let value: unknown = 'bottom'
    for (let depth = 0; depth < 500; depth++) value = [value]
    expect(encodeJson(value, where)).toContain('bottom')
  })

  it('is whatever JSON gives back', () => {
    fc.assert(
      fc.property(fc.jsonValue(), value => {
        expect(encodeJson(value, where)).toBe(JSON.stringify(value))
      }),
    )
  })

  it.each([
    ['a Map', { items: [1, 2, 3, { when: new Map() }] }, '.items[3].when'],
    ['a Set', { found: new Set([1]) }, '.found'],
    ['a bigint', { size: 10n }, '.size'],
    ['a function', { 'a-b': () => 1 }, '["a-b"]'],
    ['a symbol', [Symbol('s')], '[0]'],
    ['a Promise that was not awaited', { text: Promise.resolve('x') }, '.text'],
    ['a Map', { toJSON: () => ({ inner: new Map() }) }, '.inner'],
  ])('with %s is refused with the path to it', (what, value, path) => {
    const error = refusal(value)
    expect(error.message).toContain(`${where} at ${path}: ${what} cannot be kept as JSON; return plain data`)
    expect(error.details.path).toBe(path)
  })

  it('that is itself a function is refused', () => {
    expect(refusal(() => 1).message).toContain(`${where}: a function cannot be kept as JSON`)
  })

  it('with a cycle is refused with the path to where it closes', () => {
    const root: { children: object[] } = { children: [{}] }
    root.children[0] = { parent: root }
    expect(refusal(root).message).toContain('at .children[0].parent: a cycle')
  })

  it('that is nested beyond what JSON can write is refused', () => {
    let value: unknown = 1
    for (let depth = 0; depth < 50_000; depth++) value = { value }
    expect(refusal(value).message).toContain('nested too deeply')
  })

  it('whose getter throws is refused with the cause', () => {
    const cause = new Error('no')
    const value = {
      get broken(): never {
        throw cause
      },
    }
    expect(refusal(value).cause).toBe(cause)
  })

  it('of 50 MB is refused with its size and what to do', () => {
    expect(refusal('x'.repeat(50 * 1024 * 1024)).message).toBe(
      `${where} is 50.0 MB as JSON, more than 16 MB: keep large data in a file and return its path`,
    )
  })

  it('is measured in bytes, up to the limit itself', () => {
    const quotes = 2
    expect(encodeJson('x'.repeat(maxResultBytes - quotes), where)).toHaveLength(maxResultBytes)
    refusal('x'.repeat(maxResultBytes - quotes + 1))
    refusal('€'.repeat(maxResultBytes / 3))
  })
})

describe('a result in the data of its row', () => {
  it('is the same text as by itself, for any value that can be kept', () => {
    fc.assert(
      fc.property(fc.anything({ withDate: true, maxDepth: 4 }), value => {
        let text: string | undefined
        try {
          text = encodeJson(value, where)
        } catch (error) {
          expect(() => encodeResult(value, where)).toThrow((error as Error).message)
          return
        }
        expect(encodeResult(value, where)).toBe(wrapResult(text))
        expect(unwrapResult(encodeResult(value, where))).toBe(text)
      }),
    )
  })

  it('asks an object for its own form as if it stood alone', () => {
    const value = { toJSON: (key: string) => `at '${key}'` }
    expect(encodeResult(value, where)).toBe(wrapResult(encodeJson(value, where)))
  })

  it('is measured without what is around it', () => {
    const largest = 'x'.repeat(maxResultBytes - 2)
    expect(unwrapResult(encodeResult(largest, where))).toHaveLength(maxResultBytes)
    expect(() => encodeResult(`${largest}x`, where)).toThrow('more than 16 MB')
  })

  it('that throws when it is read is refused with the cause', () => {
    const cause = new Error('no')
    const value = {
      get broken(): never {
        throw cause
      },
    }
    expect(() => encodeResult(value, where)).toThrow(expect.objectContaining({ cause }))
  })
})

describe('results', () => {
  const texts = new Map<string, ResultText>([
    ['a', '{"list":[1]}'],
    ['none', undefined],
    ['map', ['1', undefined, 'null']],
  ])

  it('are a plain object with an own key for each name', () => {
    const results = lazyResults(texts, ['a', 'none', 'map'])
    expect(Object.keys(results)).toEqual(['a', 'none', 'map'])
    expect({ ...results }).toEqual({ a: { list: [1] }, none: undefined, map: [1, undefined, null] })
    expect(Object.getPrototypeOf(results)).toBe(Object.prototype)
    expect('b' in results).toBe(false)
  })

  it('are parsed once a reader', () => {
    const results = lazyResults(texts, ['a'])
    expect(results.a).toBe(results.a)
    expect(JSON.stringify(results)).toBe('{"a":{"list":[1]}}')
  })

  it('that are long are parsed only when they are read', () => {
    const parse = vi.spyOn(JSON, 'parse')
    const long = JSON.stringify('x'.repeat(1000))
    const results = lazyResults(new Map([['long', long]]), ['long'])
    expect(parse).not.toHaveBeenCalled()
    expect(results.long).toHaveLength(1000)
    expect(results.long).toBe(results.long)
    expect(parse).toHaveBeenCalledOnce()
    parse.mockRestore()
  })

  it('are never shared between readers', () => {
    const first = lazyResults(texts, ['a']).a as { list: number[] }
    first.list.push(2)
    expect(lazyResults(texts, ['a']).a).toEqual({ list: [1] })
  })

  it('of a map keep undefined where an item has none', () => {
    expect(decodeResult(['1', undefined])).toEqual([1, undefined])
  })
})
