import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CliPlace, createCliPlace } from '../support/cli.ts'
import { reporting } from '../support/cli-workflows.ts'

const importing = "import { defineWorkflow } from 'holdfast'\n"
const defining = "defineWorkflow({ name: 'w', version: '1' })"

let place: CliPlace

beforeAll(() => {
  place = createCliPlace({
    'good.ts': reporting,
    'empty.ts': '',
    'named.ts': `${importing}export const review = ${defining}.stage('a', () => 1)\nexport const limit = 3\n`,
    'number.mjs': 'export default 5\n',
    'throws.ts': "const x: number = 1\n\nthrow new TypeError('broken at import')\nexport default x\n",
    'syntax.ts': `${importing}export default defineWorkflow({ name: 'w' ).stage('a', () => 1)\n`,
    'syntax.mjs': `${importing}export default defineWorkflow({ name: 'w' ).stage('a', () => 1)\n`,
    'package.ts': "import it from 'no-such-package'\nexport default it\n",
    'cycle.ts': `${importing}export default ${defining}\n  .stage('a', { needs: ['b'] } as never, () => 1)\n  .stage('b', () => 2)\n`,
    'broken.json': '{"path":',
    'option.mjs': `${importing}export default defineWorkflow({ name: 'w', version: '1', taks: 'x' })\n`,
  })
  mkdirSync(join(place.directory, 'corrupt'))
  writeFileSync(join(place.directory, 'corrupt', 'holdfast.db'), 'no database at all '.repeat(500))
})

afterAll(() => place.remove())

/** What is said is one paragraph and a hint, and never a stack. */
async function refused(...args: string[]): Promise<{ code: number | null; message: string }> {
  const { code, stdout, stderr } = await place.run(...args)
  expect(stdout).toBe('')
  const [message = '', hint = '', ...more] = stderr.trimEnd().split('\n')
  expect(message).toMatch(/^error: /)
  expect(hint).toMatch(/^hint: /)
  expect(more).toEqual([])
  return { code, message }
}

describe('a workflow that cannot be run', () => {
  it.each([
    ['missing.ts', 3, /missing\.ts does not exist/],
    ['.', 3, /no bundled workflow|is a directory/],
    ['./corrupt', 3, /is a directory/],
    ['chekup', 3, /did you mean 'checkup'\?/],
    ['good', 3, /did you mean the file \.\/good\.ts\?/],
    ['empty.ts', 2, /has no default export; besides it exports nothing/],
    ['named.ts', 2, /exports limit, review.*`export default review`/],
    ['number.mjs', 2, /a default export that is no workflow \(number\)/],
    ['throws.ts', 2, /TypeError: broken at import \(at throws\.ts:3:7\)/],
    ['syntax.ts', 2, /syntax error: .* \(at syntax\.ts:2:\d+\)/],
    ['syntax.mjs', 2, /SyntaxError: .* \(at syntax\.mjs:2\)/],
    ['package.ts', 2, /Cannot find package 'no-such-package'/],
    ['cycle.ts', 2, /stage 'a' of workflow 'w' needs 'b'.* \(at cycle\.ts:\d+:\d+\)/],
    ['option.mjs', 2, /unknown option 'taks'; did you mean 'task'\?/],
  ])('%s: exit %i', async (workflow, expected, said) => {
    const { code, message } = await refused('run', workflow)
    expect(message).toMatch(said)
    expect(code).toBe(expected)
  })

  it('touches no store', async () => {
    await place.run('run', 'cycle.ts')
    expect(readdirSync(place.directory)).not.toContain('.holdfast')
  })
})

describe('what was asked wrongly', () => {
  it.each([
    [['run', 'good.ts', '--input', '{bad'], 2, /--input: this is no JSON/],
    [['run', 'good.ts', '--input', '@broken.json'], 2, /--input: this is no JSON/],
    [['run', 'good.ts', '--input', '@absent.json'], 3, /absent\.json cannot be read/],
    [['run', 'good.ts', '--input', '[1]', '--path', '.'], 2, /--path: .* must be a JSON object/],
    [['run', 'good.ts', '--input', '{"path":"x","deep":{"count":"y"}}'], 2, /deep\.count: /],
    [['run', 'good.ts', '--path', '.', '--profile', 'criticl'], 2, /did you mean 'critical'\?/],
    [['run', 'good.ts', '--path', '.', '--budget', 'usdd=1'], 2, /did you mean 'usd'\?/],
    [['run', 'good.ts', '--path', '.', '--budget', 'usd=much'], 2, /--budget: 'usd=much'/],
    [['run', 'good.ts', '--input', '{"pahth":"x"}'], 2, /path: is missing; it must be a string/],
    [['run', 'checkup', '--input', '{"pahth":"x"}'], 2, /unknown option 'pahth'; did you mean 'path'\?/],
    [['run', 'checkup', '--path', 'absent'], 3, /the path .*absent does not exist/],
    [['run', 'good.ts', '--dir', ''], 2, /--dir: is empty/],
    [['run', 'good.ts', '--budgt', 'usd=1'], 2, /unknown option '--budgt' \(Did you mean --budget\?\)/],
    [['run', 'good.ts', '--watch', '--detach'], 2, /cannot be used with/],
    [['run', 'good.ts', '--log-level', 'loud'], 2, /loud/],
    [['run'], 2, /missing required argument 'workflow'/],
    [['rnu', 'good.ts'], 2, /unknown command 'rnu' \(Did you mean run\?\)/],
    [['runs', 'list', '--status', 'done'], 2, /there is no status 'done'/],
    [['runs', 'list', '--since', 'once'], 2, /neither a date .* nor a duration/],
    [['runs', 'list', '--limit', '0'], 2, /whole number above 0/],
    [['runs', 'show', 'nobody'], 3, /there is no run "nobody"/],
    [['runs', 'events', 'nobody'], 3, /there is no run "nobody"/],
    [['runs', 'tail'], 3, /there is no run/],
    [['cancel', 'nobody'], 3, /there is no run "nobody"/],
    [['signal', 'nobody', 'go', '{x'], 2, /the payload: this is no JSON/],
  ])('%j: exit %i', async (args, expected, said) => {
    const { code, message } = await refused(...args)
    expect(message).toMatch(said)
    expect(code).toBe(expected)
  })

  it('is told as a document with --json', async () => {
    const { code, data } = await place.json('run', 'good.ts', '--budgt', 'usd=1')
    expect(data).toEqual({
      error: {
        code: 'invalid_options',
        type: 'config',
        message: expect.stringContaining("unknown option '--budgt'"),
        hint: expect.stringContaining('--help'),
      },
    })
    expect(code).toBe(2)
  })

  it('shows where it was thrown with --debug', async () => {
    const { stderr } = await place.run('run', 'throws.ts', '--debug')
    expect(stderr).toMatch(/^\s+at .*throws\.ts:3:7/m)
  })

  it('has nothing against --help and --version, and exits 2 without a command', async () => {
    expect(await place.run('--version')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) })
    expect(await place.run('run', '--help')).toMatchObject({ code: 0, stdout: expect.stringContaining('--detach') })
    expect(await place.run()).toMatchObject({ code: 2, stdout: '' })
  })

  it.each(['retry', 'fork', 'doctor', 'health', 'init', 'inspect', 'metrics'])(
    'has no command %s yet',
    async command => {
      expect((await refused(command)).code).toBe(2)
    },
  )
})

describe('a store that cannot be used', () => {
  it('is corrupt: exit 1, and the file is as it was', async () => {
    const { code, message } = await refused('run', 'good.ts', '--path', '.', '--dir', 'corrupt')
    expect(message).toMatch(/damaged or is no Holdfast store/)
    expect(code).toBe(1)
    expect(readdirSync(join(place.directory, 'corrupt'))).toEqual(['holdfast.db'])
  })

  it('has no directory that can be written: exit 1', async () => {
    const { code, message } = await refused('run', 'good.ts', '--path', '.', '--dir', 'good.ts/inside')
    expect(message).toMatch(/this user may write/)
    expect(code).toBe(1)
  })

  it('does not exist: what reads finds nothing, creates nothing, and exits 0', async () => {
    expect(await place.json('runs', 'list', '--dir', 'absent')).toEqual({ code: 0, data: { items: [] } })
    expect((await place.json('tree', '--dir', 'absent')).code).toBe(0)
    expect((await place.json('recover', '--dir', 'absent')).data).toEqual({
      recovered: [],
      skipped: [],
      results: [],
      unfinished: [],
    })
    expect(readdirSync(place.directory)).not.toContain('absent')
  })
})
