import { describe, expect, test } from 'vitest'
import { checkupDepth, childEnvironment } from '../../../src/config/child-environment.ts'

describe('the environment of child processes', () => {
  test.each([
    'OPENAI_API_KEY',
    'GITHUB_TOKEN',
    'AWS_SECRET_ACCESS_KEY',
    'DB_PASSWORD',
    'DATABASE_URL',
    'SSH_AUTH_SOCK',
    'MY_APIKEY',
    'SERVICE_CREDENTIALS',
    'npm_config_registry',
    'NODE_OPTIONS',
    'NODE_TEST_CONTEXT',
    'VITEST_WORKER_ID',
    'HOLDFAST_DIR',
  ])('does not have %s', name => {
    expect(childEnvironment({ [name]: 'value' })).not.toHaveProperty(name)
  })

  test('does not have what looks like a secret by its value', () => {
    const proxy = ['http://me:', 'word@proxy:80'].join('')
    expect(childEnvironment({ HTTP_PROXY: proxy, OTHER: `sk-${'a1b2'.repeat(5)}` })).toEqual(childEnvironment({}))
  })

  test('keeps what programs need', () => {
    const needed = { PATH: '/bin', HOME: '/home/me', LANG: 'C.UTF-8', KEYBOARD: 'de', HTTP_PROXY: 'http://proxy:80' }
    expect(childEnvironment(needed)).toMatchObject(needed)
  })

  test('says that nobody is watching, and how deep in checkups it is', () => {
    expect(childEnvironment({})).toEqual({ CI: '1', NO_COLOR: '1', HOLDFAST_CHECKUP_DEPTH: '1' })
    expect(childEnvironment({ HOLDFAST_CHECKUP_DEPTH: '1' })).toMatchObject({ HOLDFAST_CHECKUP_DEPTH: '2' })
    expect(['', 'x', '-1', '2'].map(depth => checkupDepth({ HOLDFAST_CHECKUP_DEPTH: depth }))).toEqual([0, 0, 0, 2])
  })
})
