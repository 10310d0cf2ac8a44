// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts are source code

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { secretsIn } from '../../../../src/bundled/checkup/scan/secrets.ts'

// Put together here, so that this file itself holds nothing that looks real.
const githubToken = ['ghp', 'wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx'].join('_')
const slackToken = ['xoxb', '263594206564', '2343594206574', 'FGqddMF8t08v8N7Oq4i57vs1'].join('-')
const awsKey = ['AKIA', 'Z7QK3M5T2R9WX4VB'].join('')
const awsSecret = ['aws_secret_access', 'key = "Rk93mQz7LpXv2TnB8sWdYc4HfGj6UaE1oIiKtSrZ"'].join('_')
const rulesOf = async (source: string, file = 'src/config.ts'): Promise<string[]> =>
  (await secretsIn(file, source)).map(({ rule }) => rule)

describe('secrets', () => {
  test.each([
    ['a GitHub token', `const token = '${githubToken}'`, ['secret-github']],
    ['a Slack token', `slack: ${slackToken}`, ['secret-slack']],
    ['an AWS key', `key = ${awsKey}`, ['secret-aws']],
    ['an AWS secret', awsSecret, ['secret-aws']],
    ['a password in an address', 'postgres://app:9fK2mQx7LpZ@db.corp.io/app', ['secret-database-connection-string']],
  ])('finds %s', async (_, source, rules) => {
    expect(await rulesOf(source)).toEqual(rules)
  })

  test('says the line and never the value', async () => {
    const findings = await secretsIn('src/config.ts', `\n\nconst token = '${githubToken}'\n`)
    expect(findings).toMatchObject([{ file: 'src/config.ts', line: 3, severity: 'error' }])
    expect(JSON.stringify(findings)).not.toContain(githubToken.slice(4, 14))
  })

  test('shows no part of any value that it finds', async () => {
    const letters = fc.constantFrom(...'ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789')
    const body = fc.array(letters, { minLength: 36, maxLength: 36 }).map(parts => parts.join(''))
    await fc.assert(
      fc.asyncProperty(body, async value => {
        const findings = JSON.stringify(await secretsIn('a.ts', `const t = 'ghp_${value}'`))
        for (let at = 0; at + 8 <= value.length; at++) expect(findings).not.toContain(value.slice(at, at + 8))
      }),
      { numRuns: 30 },
    )
  })

  test.each([
    ['the example key of AWS', ['const key = "AKIA', 'IOSFODNN7EXAMPLE"'].join('')],
    ['a placeholder', `const token = '${['ghp', 'x'.repeat(36)].join('_')}'`],
    ['a key whose line says that it is an example', `const token = '${githubToken}' // an example`],
    ['a key under a comment that says so', `# not a real token, only for tests\ntoken = ${githubToken}`],
    ['a password for the own machine', 'postgres://app:9fK2mQx7LpZ@localhost:5432/app'],
    ['the usual password', 'postgres://postgres:postgres@db.corp.io/app'],
    ['a variable in an address', 'postgres://app:${PASSWORD}@db.corp.io/app'],
  ])('does not find %s', async (_, source) => {
    expect(await rulesOf(source)).toEqual([])
  })

  test('obeys the comments that switch secretlint off', async () => {
    const line = `const token = '${githubToken}'`
    expect(await rulesOf(`// secretlint-disable-next-line\n${line}`)).toEqual([])
    expect(await rulesOf(`/* secretlint-disable */\n${line}\n/* secretlint-enable */`)).toEqual([])
    expect(await rulesOf(`/* secretlint-disable */\n/* secretlint-enable */\n${line}`)).toEqual(['secret-github'])
  })

  test('takes a password in an address for made up when it stands in a test, but not a token', async () => {
    const source = `postgres://app:9fK2mQx7LpZ@db.corp.io/app\n${githubToken}`
    expect(await rulesOf(source, 'test/a.test.ts')).toEqual(['secret-github'])
  })

  test('leaves files alone that are examples by name', async () => {
    expect(await rulesOf(`TOKEN=${githubToken}`, '.env.example')).toEqual([])
    expect(await rulesOf(`TOKEN=${githubToken}`, '.env')).toEqual(['secret-github'])
  })
})
