import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { classifyError } from '../../src/resilience/classify.ts'

interface Case {
  readonly id: string
  readonly provider: string
  readonly case?: string
  readonly note?: string
  readonly error?: unknown
  readonly status?: number | null
  readonly expectedKind: string
  readonly transient: boolean
  readonly retryAfterMs?: number
}

const casesOf = (file: string): Case[] => JSON.parse(readFileSync(new URL(file, import.meta.url), 'utf8')) as Case[]

const expectation = (known: Case) => ({
  kind: known.expectedKind,
  transient: known.transient,
  retryAfterMs: known.retryAfterMs,
})

/** The dates of the cases are counted from here. */
const nowMs = Date.parse('2026-11-28T12:00:00Z')

const outcome = (failure: unknown, provider: string) => {
  const { kind, transient, retryAfterMs } = classifyError(failure, { provider, nowMs })
  return { kind, transient, retryAfterMs }
}

describe('failures of providers', () => {
  test.each(casesOf('./provider-errors.json'))('$id: $provider $status is $expectedKind', known => {
    const { expectedKind, transient, retryAfterMs, ...failure } = known
    expect(outcome(failure, known.provider)).toEqual(expectation(known))
  })
})

describe('more failures of providers, each from where its source says', () => {
  test.each(casesOf('./more-provider-errors.json'))('$id: $provider $status is $expectedKind', known => {
    const { expectedKind, transient, retryAfterMs, ...failure } = known
    expect(outcome(failure, known.provider)).toEqual(expectation(known))
  })
})

describe('failures as services are known to word them, not checked against their pages', () => {
  test.each(casesOf('./described-failures.json'))('$id: $provider $status is $expectedKind', known => {
    const { expectedKind, transient, retryAfterMs, ...failure } = known
    expect(outcome(failure, known.provider)).toEqual(expectation(known))
  })
})

describe('what fetch throws', () => {
  test.each(casesOf('./transport-errors.json'))('$id: $case is $expectedKind', known => {
    expect(outcome(known.error, known.provider)).toEqual(expectation(known))
  })

  test.each(casesOf('./transport-errors.json'))('$id as an error object is the same', known => {
    expect(outcome(thrownFrom(known.error as Plain), known.provider)).toEqual(expectation(known))
  })
})

interface Plain {
  readonly name: string
  readonly message: string
  readonly code?: unknown
  readonly cause?: Plain
}

function thrownFrom(plain: Plain): Error {
  const error = new Error(plain.message, plain.cause ? { cause: thrownFrom(plain.cause) } : undefined)
  return Object.assign(error, { name: plain.name, ...(plain.code === undefined ? {} : { code: plain.code }) })
}
