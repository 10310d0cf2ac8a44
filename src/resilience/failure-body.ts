/**
 * The body of a failed answer, walked once: codes, reasons, texts and hints at any depth, in JSON that is quoted within
 * strings too, as routers and client libraries nest it. The walk is bounded in nodes, depth and length.
 */
import { decodedBytes, httpStatus, isObject, longestText, plainHeaders, readField, textOf } from './hostile-fields.ts'

const longestJson = 1_000_000
const mostNodes = 400
const deepestNode = 10

interface Found {
  readonly value: string
  /** Smaller is more telling. */
  readonly rank: number
}

const codeFields = new Set(['code', 'error_code', 'errorcode', 'errortype', '__type', 'error_type'])
const typeFields = new Set(['type', 'status', 'name'])
const reasonFields = new Set(['reason', 'quotaid', 'blockreason'])
const finishFields = new Set(['finish_reason', 'finishreason', 'stop_reason', 'stopreason'])
const textFields = new Set([
  'message',
  'errormessage',
  'error_msg',
  'status_msg',
  'error',
  'detail',
  'details',
  'title',
  'raw',
  'msg',
])
/** Some services answer with a success and tell the failure in a field of their own, which says `success` else. */
const successWords = /^(?:ok|success)?$/i
const hintFields = new Set([
  'retrydelay',
  'retry_delay',
  'retry-after',
  'retry_after_seconds',
  'retryafterseconds',
  'retry_after',
  'retry_after_ms',
  'retryafter',
  'retryafterms',
  'estimated_time',
])
/** Classes that client libraries choose by the status: they say no more than it does, and a detail may. */
const statusNames = new Set([
  'APIError',
  'BadRequestError',
  'AuthenticationError',
  'PermissionDeniedError',
  'NotFoundError',
  'ConflictError',
  'UnprocessableEntityError',
  'RateLimitError',
  'InternalServerError',
])
/** What a model wrote, or was to read: it may hold JSON that speaks of errors, and is no sign of one. */
const contentFields = new Set(['content', 'text', 'arguments', 'input', 'output', 'prompt', 'parts', 'messages'])
const quotedJson = /[{[]/

/** Walks a body of any nesting, strings that hold JSON included, and keeps what is telling. */
export class BodyWalk {
  readonly codes: Found[] = []
  readonly reasons: Found[] = []
  readonly finishes: Found[] = []
  readonly texts: Found[] = []
  readonly hints: Record<string, unknown> = {}
  readonly headers: Record<string, string> = {}
  readonly statuses: number[] = []
  namesError = false
  html = false
  #left = mostNodes
  readonly #seen = new Set<object>()

  sorted(found: readonly Found[]): string[] {
    return [...found].sort((a, b) => a.rank - b.rank).map(({ value }) => value)
  }

  visitMessage(message: unknown): void {
    if (typeof message === 'string' && message !== '') this.#visitString(message, 0)
  }

  /** The name of an error of a client library is the code where the service has none in its body. */
  collectNames(error: unknown): void {
    const name = textOf(readField(error, 'name'))
    if (name !== '' && !statusNames.has(name)) this.codes.push({ value: name, rank: 900 })
    const code = textOf(readField(error, 'code'))
    if (code !== '') this.codes.push({ value: code, rank: 90 })
    const type = textOf(readField(error, 'type'))
    if (type !== '') this.codes.push({ value: type, rank: 190 })
  }

  /** A code that stands outside of the body. */
  addCode(code: string): void {
    this.codes.push({ value: code, rank: 50 })
  }

  visit(given: unknown, depth: number): void {
    if (this.#left-- <= 0 || depth > deepestNode) return
    const node = isObject(given) ? decodedBytes(given) : given
    if (typeof node === 'string') this.#visitString(node, depth)
    if (!isObject(node) || this.#seen.has(node)) return
    this.#seen.add(node)
    if (Array.isArray(node)) {
      for (let i = 0; i < Math.min(node.length, 50); i++) this.visit(readField(node, String(i)), depth + 1)
      return
    }
    let names: string[] = []
    try {
      names = Object.keys(node).slice(0, 100)
    } catch {
      // A proxy that refuses to be listed shows nothing.
    }
    for (const name of names) this.#visitField(name, readField(node, name), depth)
  }

  #visitField(name: string, value: unknown, depth: number): void {
    const field = name.toLowerCase()
    if (value === undefined || value === null || value === '') return
    if (field === 'error' || field === 'errors' || field === 'error_msg') this.namesError = true
    if (field === 'status_msg' && typeof value === 'string' && !successWords.test(value)) this.namesError = true
    if (hintFields.has(field)) this.hints[field] = value
    // An event of a stream of AWS carries its exception under the exception's name.
    if (/[a-z]Exception$/.test(name) && isObject(value)) {
      this.namesError = true
      this.#addCode(name, 10 * (deepestNode - depth))
    }
    if (field === 'headers') Object.assign(this.headers, plainHeaders(value))
    // What a model says instead of an answer: the words do not matter, that they stand there does.
    if (field === 'refusal' && typeof value === 'string') this.finishes.push({ value: 'refusal', rank: 0 })
    if (contentFields.has(field)) return
    const rank = 10 * (deepestNode - depth)
    if (typeof value === 'number') {
      const status = codeFields.has(field) || field === 'status' ? httpStatus(value) : undefined
      if (status !== undefined) this.statuses.push(status)
      return
    }
    if (typeof value !== 'string') {
      this.visit(value, depth + 1)
      return
    }
    if (codeFields.has(field)) this.#addCode(value, rank)
    else if (typeFields.has(field)) this.#addCode(value, rank + 100)
    else if (reasonFields.has(field)) this.reasons.push({ value: value.slice(0, 200), rank })
    else if (finishFields.has(field)) this.finishes.push({ value: value.slice(0, 200), rank })
    if (textFields.has(field)) this.#visitString(value, depth)
    else if (value.length < longestJson && /^\s*[{[]/.test(value)) this.#visitEmbedded(value, depth)
  }

  #addCode(value: string, rank: number): void {
    const status = httpStatus(value)
    if (status !== undefined) this.statuses.push(status)
    else this.codes.push({ value: value.slice(0, 200), rank })
  }

  #visitString(text: string, depth: number): void {
    const head = text.slice(0, longestText)
    if (/^\s*(<!doctype|<html|<\?xml)/i.test(head)) {
      this.html = true
      // Only its title speaks of the failure; the rest is a page.
      const title = /<title>([^<]{0,300})/i.exec(head)?.[1]
      if (title) this.texts.push({ value: title, rank: 500 })
      return
    }
    if (this.#visitEmbedded(text, depth)) return
    if (/"error"\s*:/.test(head)) this.namesError = true
    // A single word with underscores in the place of a sentence is a code: `{"error":"invalid_api_key"}`.
    if (/^[a-z]+(_[a-z]+)+$/i.test(head)) this.#addCode(head, 10 * (deepestNode - depth))
    this.texts.push({ value: head, rank: 10 * (deepestNode - depth) })
  }

  /** Whether the text held JSON, in whole, after a prefix, or as the data of server-sent events. */
  #visitEmbedded(text: string, depth: number): boolean {
    if (text.length > longestJson || !quotedJson.test(text.slice(0, longestText))) return false
    const events = [...text.slice(0, 64_000).matchAll(/^data:\s*([{[].*)$/gm)].map(match => match[1] as string)
    // A text that was quoted once more.
    if (/^\s*"/.test(text)) return this.#visitQuoted(text, depth)
    if (events.length > 0) return events.slice(-20).filter(piece => this.#visitJson(piece, depth)).length > 0
    const end = Math.max(text.lastIndexOf('}'), text.lastIndexOf(']')) + 1
    // What stands in brackets before it, `[GoogleGenerativeAI Error]: …`, is none.
    const starts = new Set([quotedJson, /\[\s*\{/, /\{/].map(start => text.search(start)))
    return [...starts].some(start => start >= 0 && this.#visitJson(text.slice(start, end), depth))
  }

  /** Whether it is JSON at all; what is none is read as a sentence. */
  #visitJson(piece: string, depth: number): boolean {
    try {
      const parsed: unknown = JSON.parse(piece)
      // A range in a sentence, `[1, 30720]`, is no answer.
      const isAnswer = isObject(parsed) && !(Array.isArray(parsed) && parsed.every(item => typeof item === 'number'))
      if (isAnswer) this.visit(parsed, depth + 1)
      return isAnswer
    } catch {
      return false
    }
  }

  #visitQuoted(text: string, depth: number): boolean {
    try {
      const parsed: unknown = JSON.parse(text)
      if (typeof parsed !== 'string' || depth >= deepestNode) return false
      this.#visitString(parsed, depth + 1)
      return true
    } catch {
      return false
    }
  }
}
