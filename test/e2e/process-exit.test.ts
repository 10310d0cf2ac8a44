import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { projectRoot } from '../support/import-graph.ts'

const holdfast = join(projectRoot, 'dist/src/cli/main.js')

const workflow = `
  import { appendFileSync, existsSync } from 'node:fs'
  import { defineWorkflow } from 'holdfast'
  export default defineWorkflow({ name: 'leaver', version: '1' })
    .stage('first', () => appendFileSync('first', '.'))
    .stage('leave', ({ incarnation }) => {
      appendFileSync('leave', incarnation + ' ')
      if (!existsSync('stay')) process.exit(7)
      return 'stayed'
    })
`

let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-exit-'))
  writeFileSync(join(directory, 'leaver.ts'), workflow)
})

afterEach(() => rmSync(directory, { recursive: true, force: true }))

const run = (...args: readonly string[]) =>
  spawnSync(process.execPath, [holdfast, ...args], {
    cwd: directory,
    encoding: 'utf8',
    env: { ...process.env, npm_execpath: '' },
  })
const written = (file: string): string => readFileSync(join(directory, file), 'utf8').trim()

describe('a stage that calls process.exit', () => {
  it('ends the process with its code; the run is named and goes on at the next start', () => {
    const left = run('run', './leaver.ts', '--id', 'bye')
    expect(left.status).toBe(7)
    expect(left.stderr).toContain('holdfast resume bye')

    writeFileSync(join(directory, 'stay'), '')
    const resumed = run('resume', 'bye', '--json')
    expect(JSON.parse(resumed.stdout)).toMatchObject({ status: 'completed', output: 'stayed' })
    expect(resumed.status).toBe(0)
    expect(written('first')).toBe('.')
    expect(written('leave')).toBe('1 2')
  })

  it('with 0 ends the command with 1, since the run is not done', () => {
    const content = `import { defineWorkflow } from 'holdfast'
      export default defineWorkflow({ name: 'done', version: '1' }).stage('leave', () => process.exit(0))`
    writeFileSync(join(directory, 'done.ts'), content)
    const left = run('run', './done.ts', '--id', 'undone')
    expect(left.status).toBe(1)
    expect(left.stderr).toContain('holdfast resume undone')
  })

  it('is told of in the first stage, too, before anybody has begun to look on', () => {
    const hasty = `import { defineWorkflow } from 'holdfast'
      export default defineWorkflow({ name: 'hasty', version: '1' }).stage('leave', () => process.exit(7))`
    writeFileSync(join(directory, 'hasty.ts'), hasty)
    for (const args of [['run', './hasty.ts', '--id', 'gone'], ['resume', 'gone'], ['recover']]) {
      const left = run(...args)
      expect(left.status).toBe(7)
      expect(left.stderr).toContain('the process ended while run gone was unfinished; go on with: holdfast resume gone')
    }
  })

  it('is quarantined after ten deaths without progress, so that it does not kill for ever', () => {
    const codes = [run('run', './leaver.ts', '--id', 'bye').status]
    for (let start = 0; start < 10; start++) codes.push(run('recover').status)
    expect(codes).toEqual([7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 1])
    expect(written('leave')).toBe('1 2 3 4 5 6 7 8 9 10')
    const report = JSON.parse(run('runs', 'show', 'bye', '--json').stdout) as { status: string }
    expect(report.status).toBe('quarantined')
  })
})
