import { describe, expect, it } from 'vitest'
import { secretValues } from '../../../src/config/secret-values.ts'
import { createRedactor } from '../../../src/runtime/operations/redact.ts'

const redact = (value: unknown, secrets: readonly string[] = []): unknown => createRedactor(secrets).redact(value)

describe('what is taken out of a bundle', () => {
  it.each([
    'password',
    'API_KEY',
    'apiKey',
    'x-api-key',
    'sessionToken',
    'clientSecret',
    'Authorization',
    'set-cookie',
    'privateKey',
    'OPENAI_API_KEY',
  ])('the value under %s', key => {
    expect(redact({ [key]: 'value' })).toEqual({ [key]: '[redacted]' })
  })

  it.each([
    ['inputTokens', 7],
    ['key', 'step:x:1'],
    ['keys', ['a']],
    ['idempotencyKey', 'r/a/x'],
    ['tokens', 12],
    ['stage', 'collect'],
    ['apiKey', ''],
    ['password', null],
  ])('not what is under %s', (key, value) => {
    expect(redact({ [key]: value })).toEqual({ [key]: value })
  })

  it.each([
    `s${'k'}-ant-api03-abcdefghijklmnop1234567890`,
    `gh${'p'}_abcdefghijklmnop1234567890abcdefghij`,
    `AKI${'A'}ABCDEFGHIJKLMNOP`,
    `ey${'J'}hbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl`,
    `-----BEGIN RSA ${'PRIVATE'} KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----`,
  ])('a text of the form of %s', secret => {
    expect(redact(`before ${secret} after`)).toBe('before [redacted] after')
  })

  it('what stands behind Bearer, in the address of a database, and behind password=', () => {
    expect(redact('Authorization: Bearer abc.def-ghi_jkl')).toBe('Authorization: Bearer [redacted]')
    expect(redact('postgres://me:s3cret@host/db')).toBe('postgres://me:[redacted]@host/db')
    expect(redact('{"password":"s3cret"}')).toBe('{"password":"[redacted]"}')
  })

  it('values that are known, also inside others and in keys, the longest first', () => {
    expect(redact({ 'my-value': ['the value-of-all'] }, ['value', 'value-of-all'])).toEqual({
      'my-[redacted]': ['the [redacted]'],
    })
  })

  it('values of the environment whose names say so, unless they are short', () => {
    const environment = {
      MY_API_KEY: ' abcdefgh ',
      TOKEN: 'abc',
      DB_PASSWORD: 'longenough',
      PATH: '/usr/bin',
      EMPTY_KEY: '',
    }
    expect(secretValues(environment)).toEqual(['abcdefgh', 'longenough'])
  })

  it('counted', () => {
    const redactor = createRedactor()
    redactor.redactText('{"token":"a","b":{"secret":"x"}}')
    expect(redactor.redactText('')).toBe('')
    expect(redactor.count).toBe(2)
  })
})
