/**
 * When a provider says to come again, in all the forms that providers have for it: headers in seconds, milliseconds or
 * as a date, details of the body, the end of an exhausted window, or a sentence.
 */
import type { FailureEvidence } from './failure-evidence.ts'
import { readField } from './hostile-fields.ts'

const unitMs: Readonly<Record<string, number>> = {
  ms: 1,
  millisecond: 1,
  s: 1000,
  sec: 1000,
  second: 1000,
  m: 60_000,
  min: 60_000,
  minute: 60_000,
  h: 3_600_000,
  hr: 3_600_000,
  hour: 3_600_000,
  d: 86_400_000,
  day: 86_400_000,
}

/** Without `RetryInfo` a limit per minute ends within the minute. */
const perMinuteMs = 60_000

/**
 * Milliseconds until the next try may succeed, or undefined where nothing says.
 * @param nowMs the time that absolute dates are counted from, unless the answer carries its own `date`
 */
export function retryHintMs(evidence: FailureEvidence, nowMs: number): number | undefined {
  const { headers } = evidence
  const sentAt = Date.parse(headers.date ?? '')
  const from = Number.isNaN(sentAt) ? nowMs : sentAt
  return (
    milliseconds(headers['retry-after-ms']) ??
    milliseconds(headers['x-ms-retry-after-ms']) ??
    secondsOrDate(headers['retry-after'], from) ??
    secondsOrDate(headers['x-retry-after'] ?? headers['x-ratelimit-retry-after'], from) ??
    bodyHint(evidence.hints) ??
    draftWindowEnd(headers.ratelimit) ??
    windowEnd(headers, from, true) ??
    sentenceHint(evidence.texts, from) ??
    windowEnd(headers, from, false) ??
    (evidence.reasons.some(reason => /per[-_ ]?minute/i.test(reason)) ? perMinuteMs : undefined)
  )
}

const whole = (ms: number): number | undefined =>
  Number.isFinite(ms) ? Math.min(Math.max(0, Math.round(ms)), Number.MAX_SAFE_INTEGER) : undefined

function milliseconds(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+(\.\d+)?$/.test(text) ? whole(Number(text)) : undefined
}

function secondsOrDate(text: string | undefined, from: number): number | undefined {
  if (text === undefined || text === '') return undefined
  if (/^-?\d+(\.\d+)?$/.test(text)) return whole(Number(text) * 1000)
  return compoundMs(text) ?? dateMs(text, from)
}

/** A date must look like one: `Date.parse` takes `in 5 apples` for a year. */
function dateMs(text: string, from: number): number | undefined {
  // The third form of HTTP names no zone, and means GMT.
  const zoneless = /^[a-z]{3} [a-z]{3} {1,2}\d{1,2} \d{2}:\d{2}:\d{2} \d{4}$/i.test(text)
  const looksIt = /^\d{4}-\d{2}-\d{2}|^[a-z]{3},? \d{1,2} [a-z]{3}|^[a-z]+, \d{2}-[a-z]{3}-\d{2}/i.test(text)
  if (!zoneless && !looksIt) return undefined
  const at = Date.parse(zoneless ? `${text} GMT` : text)
  return Number.isNaN(at) ? undefined : whole(at - from)
}

/** `174ms`, `7.66s`, `6m0s`, `1h2m3s`, `45 seconds`, `2 minutes and 5 seconds`; undefined for anything else. */
function compoundMs(text: string): number | undefined {
  const trimmed = text.trim().slice(0, 100)
  if (!/^(?:\d+(?:\.\d+)?\s?[a-z]+[\s,]*(?:and )?)+$/i.test(trimmed)) return undefined
  let sum = 0
  for (const [, amount, unit] of trimmed.matchAll(/(\d+(?:\.\d+)?)\s?([a-z]+)/gi)) {
    const name = (unit as string).toLowerCase()
    const each = unitMs[name] ?? unitMs[name.replace(/s$/, '')]
    if (each === undefined) return undefined
    sum += Number(amount) * each
  }
  return whole(sum)
}

/** Fields of bodies that tell seconds, or a duration as text. */
const secondsFields = [
  'retrydelay',
  'retry_delay',
  'retry_after',
  'retry-after',
  'retryafter',
  'retry_after_seconds',
  'retryafterseconds',
  'estimated_time',
]

function bodyHint(hints: Readonly<Record<string, unknown>>): number | undefined {
  const inMs = numeric(hints.retry_after_ms) ?? numeric(hints.retryafterms)
  if (inMs !== undefined) return whole(inMs)
  for (const field of secondsFields) {
    const hint = hints[field]
    const seconds = numeric(hint)
    if (seconds !== undefined) return whole(seconds * 1000)
    if (typeof hint === 'string') {
      const ms = compoundMs(hint)
      if (ms !== undefined) return ms
    }
    // A protobuf duration that was not written as text.
    const parts = numeric(readField(hint, 'seconds'))
    if (parts !== undefined) return whole(parts * 1000 + (numeric(readField(hint, 'nanos')) ?? 0) / 1e6)
  }
  return undefined
}

function numeric(value: unknown): number | undefined {
  if (typeof value === 'string' && /^\d+(\.\d+)?$/.test(value.trim())) return Number(value)
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined
}

/** The window of an exhausted limit as the drafts of the IETF write it: `limit=9, remaining=0, reset=50`, `"a";r=0;t=50`. */
function draftWindowEnd(text: string | undefined): number | undefined {
  if (text === undefined || !/\b(?:remaining|r)=0\b/i.test(text)) return undefined
  const seconds = /\b(?:reset|t)=(\d{1,9})\b/i.exec(text)?.[1]
  return seconds === undefined ? undefined : whole(Number(seconds) * 1000)
}

/** The end of the rate-limit windows: of those that are exhausted, or else of all. The latest counts. */
function windowEnd(
  headers: Readonly<Record<string, string>>,
  from: number,
  exhaustedOnly: boolean,
): number | undefined {
  let latest: number | undefined
  for (const [name, value] of Object.entries(headers)) {
    if (!/rate-?limit/.test(name) || !/reset/.test(name)) continue
    const remaining = headers[name.replace(/reset(-after)?/, 'remaining')]
    if (exhaustedOnly ? Number(remaining) !== 0 || remaining === undefined : (Number(remaining) || 0) > 0) continue
    const ms = resetMs(value, from)
    if (ms !== undefined && (latest === undefined || ms > latest)) latest = ms
  }
  return latest
}

/** A reset is a duration, a date, seconds from now, or seconds or milliseconds since the epoch: told by its size. */
function resetMs(value: string, from: number): number | undefined {
  if (!/^\d+(\.\d+)?$/.test(value)) return compoundMs(value) ?? dateMs(value, from)
  const number = Number(value)
  if (number > 1e11) return whole(number - from)
  return number > 1e9 ? whole(number * 1000 - from) : whole(number * 1000)
}

const sentence =
  /(?:try again|retry(?:[- ]?delay:)?|wait|available(?: again)?|resets?)\s(?:[a-z]+\s){0,4}?(?:in|after|for)?:?\s?(?:about |approximately |~\s?)?((?:\d+(?:\.\d+)?\s?(?:milliseconds?|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d)\b[\s,]{0,2}(?:and )?|\d+(?:\.\d+)?[hms](?=\d)){1,5})/i

const sentenceWithDate =
  /(?:try again|retry|wait|available|resets?)\s(?:[a-z]+\s){0,4}?(?:after|at|on|until):?\s(\d{4}-\d{2}-\d{2}[T ][\d:.]{5,16} ?(?:Z|UTC|GMT|[+-]\d{2}:?\d{2}))/i

function sentenceHint(texts: readonly string[], from: number): number | undefined {
  for (const text of texts) {
    const found = sentence.exec(text)?.[1]
    const ms = found === undefined ? undefined : compoundMs(found.replace(/[\s,]*(?:and )?$/, ''))
    if (ms !== undefined) return ms
    const date = sentenceWithDate.exec(text)?.[1]
    if (date !== undefined) return dateMs(date, from)
    const bare = /retry[- ]after:?\s(\d+)(?![\d.-]*\s?[a-z])/i.exec(text)?.[1]
    if (bare !== undefined) return whole(Number(bare) * 1000)
  }
  return undefined
}
