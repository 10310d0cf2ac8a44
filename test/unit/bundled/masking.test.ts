import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { maskSecrets } from '../../../src/bundled/masking.ts'

const letters = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789']
const random = (length: number): fc.Arbitrary<string> =>
  fc.array(fc.constantFrom(...letters), { minLength: length, maxLength: length }).map(parts => parts.join(''))

const secret = fc.oneof(
  fc.tuple(fc.constantFrom('ghp_', 'gho_', 'ghs_', 'npm_', 'glpat-', 'hf_'), random(36)).map(parts => parts.join('')),
  random(40).map(body => `sk-proj-${body}`),
  random(40).map(body => `sk_live_${body}`),
  random(35).map(body => `AIza${body}`),
  random(16).map(body => `AKIA${body.toUpperCase()}`),
  fc.tuple(random(20), random(30), random(43)).map(parts => `eyJ${parts.join('.')}`),
  random(24).map(body => `xoxb-${body}`),
)

const words = fc.array(fc.constantFrom('the', 'test', 'failed', 'at', 'line', '12:', 'Error:', '"', "'", '\n', '=>'))

describe('masking', () => {
  test('never shows a secret, whatever stands around it', () => {
    fc.assert(
      fc.property(words, secret, words, (before, value, after) => {
        expect(maskSecrets([...before, value, ...after].join(' '))).not.toContain(value)
      }),
    )
  })

  test('never shows what is assigned to a name that says secret', () => {
    const name = fc.constantFrom('password', 'DB_PASSWORD', 'apiKey', 'api_key', 'client_secret', 'AUTH_TOKEN')
    const assign = fc.constantFrom('=', ': ', ' = ', '="', "='", '": "')
    fc.assert(
      fc.property(name, assign, random(20), (left, operator, value) => {
        const quote = /["']$/.exec(operator)?.[0] ?? ''
        expect(maskSecrets(`${left}${operator}${value}${quote}`)).not.toContain(value)
      }),
    )
  })

  test('takes credentials out of an address and leaves the address', () => {
    expect(maskSecrets('connect postgres://me:s3cr3t@db.internal/x failed')).toBe(
      'connect postgres://[masked]@db.internal/x failed',
    )
  })

  test('takes a private key out, even one that is cut off', () => {
    const begin = ['-----BEGIN', 'RSA PRIVATE KEY-----'].join(' ')
    expect(maskSecrets(`key: ${begin}\nMIIEow\nIBAAKC`)).toBe('key: [masked]')
  })

  test('leaves ordinary text alone', () => {
    const text = 'AssertionError: expected 3 to be 4 at src/token.ts:12:5 (https://example.com/a:b)'
    expect(maskSecrets(text)).toBe(text)
  })
})
