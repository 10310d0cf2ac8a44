import { resolve } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Guard } from '../../../src/cli/guard.ts'
import { createSession, type GlobalFlags } from '../../../src/cli/session.ts'
import type { Terminal } from '../../../src/cli/terminal.ts'

afterEach(() => vi.unstubAllEnvs())

function sessionOf(flags: GlobalFlags, environment: Readonly<Record<string, string>> = {}) {
  for (const [name, value] of Object.entries({
    HOLDFAST_DIR: '',
    HOLDFAST_LOG_LEVEL: '',
    npm_execpath: '',
    ...environment,
  })) {
    vi.stubEnv(name, value)
  }
  return createSession(flags, {} as Terminal, {} as Guard)
}

describe('where the state is', () => {
  it('is ./.holdfast, and an empty variable counts as absent', () => {
    expect(sessionOf({})).toMatchObject({ directory: resolve('.holdfast'), store: resolve('.holdfast/holdfast.db') })
  })

  it('is what HOLDFAST_DIR says, unless --dir says otherwise', () => {
    expect(sessionOf({}, { HOLDFAST_DIR: '/state' }).store).toBe('/state/holdfast.db')
    expect(sessionOf({ dir: '/flag' }, { HOLDFAST_DIR: '/state' }).store).toBe('/flag/holdfast.db')
  })

  it('is named in the commands to type next when a flag named it', () => {
    expect(sessionOf({}).command('resume r1')).toBe('holdfast resume r1')
    expect(sessionOf({ dir: 'a b' }).command('resume r1')).toBe("holdfast resume r1 --dir 'a b'")
  })
})

describe('a command to type next', () => {
  it('begins with npx where npm has started this one: npx itself, or npm start', () => {
    expect(sessionOf({}, { npm_execpath: '/usr/lib/npm-cli.js' }).command('resume r1')).toBe('npx holdfast resume r1')
  })
})

describe('an empty --dir', () => {
  it('is refused and is not the directory one is in', () => {
    expect(() => sessionOf({ dir: '' })).toThrow(/--dir: is empty/)
  })
})

describe('the log level', () => {
  it('is warn; debug with --debug; the variable over that, and the flag over all', () => {
    expect(sessionOf({}).logLevel).toBe('warn')
    expect(sessionOf({ debug: true }).logLevel).toBe('debug')
    expect(sessionOf({ debug: true }, { HOLDFAST_LOG_LEVEL: 'info' }).logLevel).toBe('info')
    expect(sessionOf({ logLevel: 'error' }, { HOLDFAST_LOG_LEVEL: 'info' }).logLevel).toBe('error')
  })

  it('is refused when there is none of that name', () => {
    expect(() => sessionOf({}, { HOLDFAST_LOG_LEVEL: 'loud' })).toThrow(/there is no log level 'loud'/)
  })
})
