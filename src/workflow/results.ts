/**
 * Results as JSON text, which is the form they are kept in, and back. What JSON would lose without a word (a Map, a
 * function, a promise that nobody awaited) is refused with the path to it. Everything else is as JSON has it: a Date
 * is its text, NaN is null, an undefined property is absent.
 */
import { HoldfastError, ValidationError } from '../errors.ts'
import type { JsonText } from '../store/store.ts'

/** A result may be this long as JSON; larger data belongs in a file whose path is the result. */
export const maxResultBytes = 16 * 1024 * 1024

/**
 * The text to keep; undefined for undefined.
 * @param where what the message calls the value: `result of stage 'collect'`
 * @throws ValidationError that names the path to what JSON cannot keep, or the size
 */
export function encodeJson(value: unknown, where: string): JsonText | undefined {
  if (value === undefined) return undefined
  return encode(where, () => {
    if (!isKeepable(value, 0)) refuse(value, '', where, new Set())
    return JSON.stringify(value)
  })
}

const resultPrefix = '{"result":'

/**
 * The text to keep as the only property of an object, `result`, and as such made at once: a result is kept in the data of
 * a journal row. Refuses as `encodeJson` does.
 */
export function encodeResult(value: unknown, where: string): JsonText {
  const toText = (): string =>
    // An object's own way into JSON is told the name of its place, and a result has none.
    isKeepable(value, 0) ? JSON.stringify({ result: value }) : wrapResult(encodeJson(value, where))
  return encode(where, toText, resultPrefix.length + 1) as JsonText
}

/** A result that is text already, as `encodeResult` gives it. */
export const wrapResult = (text: JsonText | undefined): JsonText =>
  text === undefined ? '{}' : `${resultPrefix}${text}}`

/** The text of the result in what `encodeResult` gave: a cut and no parse. */
export const unwrapResult = (data: JsonText): JsonText | undefined =>
  data.startsWith(resultPrefix) ? data.slice(resultPrefix.length, -1) : undefined

function encode(where: string, toText: () => string | undefined, around = 0): JsonText | undefined {
  try {
    const text = toText()
    if (text !== undefined && text.length * 3 > maxResultBytes) checkSize(text, around, where)
    return text
  } catch (error) {
    if (error instanceof HoldfastError) throw error
    const reason = error instanceof RangeError ? 'it is nested too deeply or too long' : String(error)
    throw new ValidationError(`${where} cannot be kept as JSON: ${reason}; return plain data`, {}, { cause: error })
  }
}

/** The JSON of one result; of a map, that of each item in the order of `over`. Undefined stays undefined. */
export type ResultText = JsonText | undefined | readonly (JsonText | undefined)[]

/** A result this long costs less to parse than to be parsed when it is read. */
const eagerLength = 256

/** A plain object with a key for each name. A long result is parsed when it is first read. No two readers share one. */
export function lazyResults(
  texts: ReadonlyMap<string, ResultText>,
  names: Iterable<string>,
): Readonly<Record<string, unknown>> {
  const results: Record<string, unknown> = {}
  for (const name of names) {
    const text = texts.get(name)
    if (text === undefined || (typeof text === 'string' && text.length <= eagerLength)) {
      results[name] = decodeResult(text)
      continue
    }
    Object.defineProperty(results, name, {
      configurable: true,
      enumerable: true,
      get: () => {
        const value = decodeResult(text)
        Object.defineProperty(results, name, { value, configurable: true, enumerable: true, writable: true })
        return value
      },
    })
  }
  return results
}

/** A fresh value of what was kept. */
export function decodeResult(text: ResultText): unknown {
  if (typeof text === 'string') return JSON.parse(text)
  return text?.map(item => (item === undefined ? undefined : JSON.parse(item)))
}

/** Beyond this depth a value may be a cycle, and is looked at again with a memory of the way. */
const suspiciousDepth = 100

/** A quick look that keeps no path. False: there may be something to refuse. */
function isKeepable(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return isKeepablePrimitive(value)
  if (depth > suspiciousDepth) return false
  if (Array.isArray(value)) {
    for (const item of value) if (!isKeepable(item, depth + 1)) return false
    return true
  }
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function' || !isPlain(value)) return false
  for (const key in value) {
    if (!isKeepable((value as Record<string, unknown>)[key], depth + 1)) return false
  }
  return true
}

const isKeepablePrimitive = (value: unknown): boolean =>
  typeof value !== 'function' && typeof value !== 'symbol' && typeof value !== 'bigint'

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** Throws for the first part that cannot be kept; returns when there is none. `way` holds the objects around it. */
function refuse(value: unknown, path: string, where: string, way: Set<object>, key = ''): void {
  if (typeof value !== 'object' || value === null) {
    if (!isKeepablePrimitive(value)) throw unkeepable(`a ${typeof value}`, path, where)
    return
  }
  const kind = refusedKind(value)
  if (kind !== undefined) throw unkeepable(kind, path, where)
  if (way.has(value)) throw unkeepable('a cycle', path, where)
  way.add(value)
  const toJSON = (value as { toJSON?: unknown }).toJSON
  if (typeof toJSON === 'function') {
    refuse(toJSON.call(value, key), path, where, way, key)
  } else if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) refuse(item, `${path}[${index}]`, where, way, String(index))
  } else {
    for (const name of Object.keys(value)) {
      refuse((value as Record<string, unknown>)[name], `${path}${propertyPath(name)}`, where, way, name)
    }
  }
  way.delete(value)
}

/** What JSON would turn into `{}` without a word. */
function refusedKind(value: object): string | undefined {
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') return undefined
  if (value instanceof Map) return 'a Map'
  if (value instanceof Set) return 'a Set'
  if (value instanceof WeakMap) return 'a WeakMap'
  if (value instanceof WeakSet) return 'a WeakSet'
  if (typeof (value as { then?: unknown }).then === 'function') return 'a Promise that was not awaited'
  return undefined
}

const propertyPath = (name: string): string =>
  /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`

function unkeepable(what: string, path: string, where: string): ValidationError {
  const place = path === '' ? '' : ` at ${path}`
  return new ValidationError(
    `${where}${place}: ${what} cannot be kept as JSON; return plain data (objects, arrays, texts, numbers, booleans, null)`,
    { path },
  )
}

/** @param around how much of the text is not the value's */
function checkSize(text: string, around: number, where: string): void {
  const bytes = Buffer.byteLength(text) - around
  if (bytes <= maxResultBytes) return
  const mebibyte = 1024 * 1024
  throw new ValidationError(
    `${where} is ${(bytes / mebibyte).toFixed(1)} MB as JSON, more than ${maxResultBytes / mebibyte} MB: ` +
      'keep large data in a file and return its path',
    { bytes, maxBytes: maxResultBytes },
  )
}
