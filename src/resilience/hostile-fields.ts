/**
 * Reads fields of values that nobody vouches for. Each function answers for anything that it is given: a getter that
 * throws, a proxy, a wrong type or megabytes are read as far as they can be, and are never an error.
 */

/** No text that is kept is longer. */
export const longestText = 4000
const mostHeaders = 400

/** A property, or undefined where reading it throws. */
export function readField(value: unknown, name: string): unknown {
  if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return undefined
  try {
    return (value as Record<string, unknown>)[name]
  } catch {
    return undefined
  }
}

export const isObject = (value: unknown): value is object => value !== null && typeof value === 'object'
export const textOf = (value: unknown): string => (typeof value === 'string' ? value.slice(0, longestText) : '')
export const httpStatus = (value: unknown): number | undefined => {
  const number = typeof value === 'string' && /^\d{3}$/.test(value) ? Number(value) : value
  return typeof number === 'number' && Number.isInteger(number) && number >= 100 && number <= 599 ? number : undefined
}

const mostBytes = 1_000_000

/** The text of bytes, as a buffer, an array of them or what JSON makes of a buffer; anything else as it is. */
export function decodedBytes(value: unknown): unknown {
  try {
    const bytes = bytesOf(value)
    return bytes === undefined ? value : new TextDecoder().decode(bytes.subarray(0, mostBytes))
  } catch {
    return value
  }
}

function bytesOf(value: unknown): Uint8Array | undefined {
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
  if (value instanceof ArrayBuffer) return new Uint8Array(value)
  const data = readField(value, 'type') === 'Buffer' ? readField(value, 'data') : undefined
  return Array.isArray(data) ? Uint8Array.from(data.slice(0, mostBytes) as number[]) : undefined
}

/** Headers from a record, a list of pairs, a Map or a `Headers`, with names in lower case. */
export function plainHeaders(headers: unknown): Record<string, string> {
  if (!isObject(headers)) return {}
  const plain: Record<string, string> = {}
  try {
    const iterable = Symbol.iterator in headers
    const pairs = iterable ? (headers as Iterable<unknown>) : Object.entries(headers)
    let left = mostHeaders
    for (const pair of pairs) {
      if (left-- <= 0) break
      if (!Array.isArray(pair)) continue
      const value: unknown = Array.isArray(pair[1]) ? pair[1][0] : pair[1]
      if (typeof value !== 'string' && typeof value !== 'number') continue
      plain[String(pair[0]).toLowerCase()] = String(value).slice(0, longestText).trim()
    }
  } catch {
    // What could be read before it threw is kept.
  }
  return plain
}
