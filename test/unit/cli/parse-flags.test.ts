import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseBudget, parseInput, parseSince, parseStatuses } from '../../../src/cli/parse-flags.ts'

describe('the input', () => {
  it('is an empty object where none is given', async () => {
    expect(await parseInput({})).toEqual({})
  })

  it('has the path merged into it, as an absolute one', async () => {
    expect(await parseInput({ input: '{"n":1,"path":"a"}', path: 'b' })).toEqual({ n: 1, path: resolve('b') })
  })

  it('may be any JSON without --path', async () => {
    expect(await parseInput({ input: '[1,null]' })).toEqual([1, null])
  })

  it('is refused with what is wrong with it when it is no JSON', async () => {
    await expect(parseInput({ input: '{"a":}' })).rejects.toThrow(/--input: this is no JSON: \{"a":\} — /)
  })
})

describe('a budget', () => {
  it('is given at once or bit by bit', () => {
    expect(parseBudget(['usd=1,calls=10', 'wallTime=2m'])).toEqual({ usd: 1, calls: 10, wallTime: '2m' })
    expect(parseBudget(undefined)).toBe(undefined)
  })

  it.each(['usd', 'usd=', '=1', 'usd=one', 'usd=1=2', 'usd=1,'])('is refused as %s', text => {
    expect(() => parseBudget([text])).toThrow(/--budget/)
  })
})

describe('a point in time', () => {
  it('is a date, or how long ago', () => {
    expect(parseSince('2026-05-01T00:00:00Z', 0)).toBe(Date.UTC(2026, 4, 1))
    expect(parseSince('2h', 10_000_000)).toBe(10_000_000 - 7_200_000)
  })

  it.each(['once', '', '2 fortnights'])('is refused as %j', text => {
    expect(() => parseSince(text, 0)).toThrow()
  })
})

describe('statuses', () => {
  it('are given at once or one by one', () => {
    expect(parseStatuses(['failed,waiting', 'paused'])).toEqual(['failed', 'waiting', 'paused'])
  })

  it('are refused by name', () => {
    expect(() => parseStatuses(['done'])).toThrow(/there is no status 'done'; there are pending, /)
  })
})
