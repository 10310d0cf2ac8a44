import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CliPlace, createCliPlace } from '../support/cli.ts'
import { gated } from '../support/cli-workflows.ts'

const reaching = `
import { defineWorkflow } from 'holdfast'

export default defineWorkflow({ name: 'reaching', version: '1' })
  .stage('ask', async () => (await fetch('http://127.0.0.1:1')).status)
`

const reading = `
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { defineWorkflow } from 'holdfast'

const run = promisify(execFile)

export default defineWorkflow({ name: 'reading', version: '1' }).stage('read', async () => {
  const { stdout } = await run('git', ['branch'])
  return [stdout, await readFile('/lake/a.txt', 'utf8')]
})
`

const world = `
export default {
  files: { '/lake/a.txt': 'one' },
  programs: { git: 'main' },
  invariants: { 'reads one': ({ status, result }) => status !== 'completed' || result.output.join() === 'main,one' },
}
`

let place: CliPlace

beforeAll(() => {
  place = createCliPlace({
    'gated.ts': gated,
    'reaching.ts': reaching,
    'reading.ts': reading,
    'world.ts': world,
    'broken-world.ts': world.replace('files', 'fils'),
  })
})

afterAll(() => place.remove())

describe('holdfast simulate', () => {
  it('tells its progress on stderr and what came of it on stdout', async () => {
    const { code, stdout, stderr } = await place.run('simulate', 'gated.ts', '--seeds', '4')
    expect(code, stdout + stderr).toBe(0)
    expect(stdout).toContain("'gated': 4 seeds")
    expect(stdout).toMatch(/runs +\d+ completed/)
    expect(stderr).toContain('4 of 4 seeds')
  })

  it('exits with 1 and the line that does it again, which does', async () => {
    const { code, stdout } = await place.run('simulate', 'reaching.ts', '--faults', 'crashes')
    expect(code).toBe(1)
    expect(stdout).toContain("stage 'ask' reaches out by itself: fetch")
    const [, args] = /^again: holdfast (.*)$/m.exec(stdout) ?? []
    expect(args).toMatch(/^simulate reaching\.ts --replay \d+ --faults crashes$/)
    const again = await place.run(...(args as string).split(' '))
    expect(again.code).toBe(1)
  })

  it('gives the same as one document', async () => {
    const { code, data } = await place.json('simulate', 'reaching.ts', '--replay', '3')
    expect(code).toBe(1)
    expect(data).toMatchObject({ ok: false, seed: 3, replay: 'holdfast simulate reaching.ts --replay 3' })
  })

  it.each(['checkup', 'code-review', 'summarize', 'develop', 'build'])('%s needs nothing more', async name => {
    const { code, stdout, stderr } = await place.run('simulate', name, '--seeds', '5')
    expect(code, stdout + stderr).toBe(0)
    expect(stdout).toContain(`'${name}': 5 seeds`)
  })

  it('gives the stages of a workflow the files and programs of a world, and holds its invariants', async () => {
    const { code, stdout, stderr } = await place.run(
      'simulate',
      'reading.ts',
      '--world',
      'world.ts',
      '--faults',
      'none',
    )
    expect(code, stdout + stderr).toBe(0)
    const without = await place.run('simulate', 'reading.ts', '--seeds', '1')
    expect(without.code).toBe(1)
    expect(without.stdout).toContain('child_process.spawn')
  })

  it.each([
    [['--world', 'nothing.ts'], 3, 'nothing.ts does not exist'],
    [['--world', 'broken-world.ts'], 2, "'fils', which is no part of a world"],
    [['--faults', 'nope'], 2, 'no fault profile'],
    [['--seeds', '0'], 2, '--seeds'],
    [['--replay', 'x'], 2, '--replay'],
    [['--stand-in', 'ask'], 2, 'no `output` schema'],
  ])('refuses %j', async (flags, expected, message) => {
    const { code, stderr } = await place.run('simulate', 'reaching.ts', ...flags)
    expect(code).toBe(expected)
    expect(stderr).toContain(message)
  })
})
