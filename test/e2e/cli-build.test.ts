import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { type CliPlace, createCliPlace } from '../support/cli.ts'
import { projectRoot } from '../support/import-graph.ts'

let place: CliPlace
afterEach(() => place.remove())

describe('holdfast run build', () => {
  it('carries out the plan of the examples', async () => {
    place = createCliPlace({ 'plan.md': readFileSync(join(projectRoot, 'examples/build-plan.md'), 'utf8') })
    const { code, data } = await place.json<{ output: { report: string } }>('run', 'build')
    expect(code).toBe(0)
    expect(data.output.report).toContain('| 4 Count the words | succeeded |')
    expect(data.output.report).toContain('| 5 Praise it | ended with exit code 1 |')
    expect(data.output.report).toContain('Done before: Think of a title.')
    expect(readFileSync(join(place.directory, 'book/book.txt'), 'utf8')).toBe('Of kelp.\nOf storm.\nOf rock.\n')
  })

  it('takes the plan as the path, or named beside it, and prints the report', async () => {
    place = createCliPlace({ 'release.yaml': '- pwd > where\n' })
    for (const args of [
      ['--path', 'release.yaml'],
      ['--input', '{"plan":"release.yaml"}'],
    ]) {
      const { code, stdout } = await place.run('run', 'build', ...args)
      expect(code).toBe(0)
      expect(stdout).toMatch(/^# Build: release\.yaml\n/)
    }
    expect(existsSync(join(place.directory, 'where'))).toBe(true)
  })

  it('refuses a plan that cannot be carried out before anything is started', async () => {
    place = createCliPlace({ 'plan.yaml': '- run: a\n- run: b\n  timout: 1\n' })
    const { code, stderr } = await place.run('run', 'build')
    expect(code).toBe(2)
    expect(stderr).toContain("plan.yaml:3:3: steps.1: unknown option 'timout'; did you mean 'timeout'?")
    expect(existsSync(join(place.directory, '.holdfast'))).toBe(false)
    const missing = await place.run('run', 'build', '--input', '{"plan":"other.md"}')
    expect(missing.code).toBe(3)
    expect(missing.stderr).toContain('other.md does not exist')
  })

  it('shows with --dry-run what it would run', async () => {
    place = createCliPlace({ 'plan.yaml': '- echo 1 > made\n' })
    const { code, stdout } = await place.run('run', 'build', '--dry-run')
    expect(code).toBe(0)
    expect(stdout).toContain('1-echo-1-made  echo 1 > made')
    expect(existsSync(join(place.directory, 'made'))).toBe(false)
  })

  it('ends with 1 at a command that fails, says what it said, and goes on from it when it is retried', async () => {
    place = createCliPlace({
      'plan.yaml': '- echo 1 >> log\n- test -f mended || { echo "mend it first" >&2; exit 9; }\n- echo 3 >> log\n',
    })
    const failed = await place.run('run', 'build', '--id', 'b')
    expect(failed.code).toBe(1)
    expect(failed.stderr).toContain('ended with exit code 9')
    expect(failed.stderr).toContain('mend it first')
    place.write('mended', '')
    expect((await place.run('retry', 'b')).code).toBe(0)
    expect(readFileSync(join(place.directory, 'log'), 'utf8')).toBe('1\n3\n')
  })

  it('goes on without a command that an operator skips', async () => {
    place = createCliPlace({
      'plan.yaml':
        '- { name: one, run: echo 1 >> log }\n- { name: two, run: exit 9 }\n- { name: three, run: echo 3 >> log }\n',
    })
    expect((await place.run('run', 'build', '--id', 'b')).code).toBe(1)
    expect((await place.run('stage', 'skip', 'b', 'commands[2-two]', '--reason', 'done by hand')).code).toBe(0)
    const { code, stdout, stderr } = await place.run('resume', 'b')
    expect(stderr).toContain('completed')
    expect(code).toBe(0)
    expect(stdout).toContain('| 2 two | skipped |')
    expect(readFileSync(join(place.directory, 'log'), 'utf8')).toBe('1\n3\n')
  })
})
