import { spawnSync } from 'node:child_process'
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { projectRoot } from '../support/import-graph.ts'
import { type PackedProject, packProject } from '../support/packed-project.ts'

const broken = `
import { defineWorkflow } from 'holdfast'

export default defineWorkflow({ name: 'shop', version: '1', profile: 'critical' })
  .stage('read', ({ step }) => step('price', () => ({ price: 'three', token: 'very-secret-token' })))
  .stage('rest', { restart: 'temporary' }, async ({ sleep, results }) => {
    await sleep('10ms')
    return results.read.price.toFixed(2)
  })
`

let project: PackedProject

/** A program of the project, as its own process there. */
const run = (program: string, args: readonly string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join('node_modules', program), ...args], {
    cwd: project.directory,
    encoding: 'utf8',
    env: { ...process.env, VITEST: undefined, VITEST_WORKER_ID: undefined, NO_COLOR: '1' },
  })
  return { code: status, stdout, stderr }
}

const holdfast = (...args: readonly string[]) => run('holdfast/dist/src/cli/main.js', args)

const vitest = (file: string) => {
  const { code, stdout, stderr } = run('vitest/vitest.mjs', ['run', file])
  return { code, said: stdout + stderr }
}

beforeAll(() => {
  project = packProject()
  const modules = join(project.directory, 'node_modules')
  symlinkSync(join(projectRoot, 'node_modules', 'vitest'), join(modules, 'vitest'))
  writeFileSync(join(project.directory, 'package.json'), '{"type":"module","private":true}')
  writeFileSync(join(project.directory, 'shop.ts'), broken)
})

afterAll(() => project.remove())

describe('explain --as-test', () => {
  it('makes a test of a run that failed: it passes, until the workflow is mended', () => {
    expect(holdfast('run', 'shop.ts', '--id', 'f1').code).toBe(1)
    const { code, stdout, stderr } = holdfast('explain', 'f1', '--as-test')
    expect(code, stderr).toBe(0)
    expect(stdout).toBe('f1.test.ts\n')
    expect(stderr).toContain('npx vitest run f1.test.ts')
    const text = readFileSync(join(project.directory, 'f1.test.ts'), 'utf8')
    expect(text).not.toContain('very-secret-token')
    expect(text).toContain('secrets were taken out')
    expect(text).toContain('from "./shop.ts"')

    const passed = vitest('f1.test.ts')
    expect(passed.code, passed.said).toBe(0)

    writeFileSync(join(project.directory, 'shop.ts'), broken.replace('results.read.price.toFixed(2)', '3'))
    const failed = vitest('f1.test.ts')
    expect(failed.code).toBe(1)
    expect(failed.said).toMatch(/expected 'completed' to be 'failed'/)
    writeFileSync(join(project.directory, 'shop.ts'), broken)
  })

  it('replaces no file without being told, and says what it did as one document', () => {
    const refused = holdfast('explain', 'f1', '--as-test')
    expect(refused.code).toBe(2)
    expect(refused.stderr).toContain('f1.test.ts is there already')
    const { code, stdout } = holdfast('explain', 'f1', '--as-test', '--force', '--json')
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ reproduces: true, differences: [], redacted: expect.any(Number) })
    expect(holdfast('explain', 'f1', '--as-test', '--out', '-').stdout).toContain('replayRun(workflow, recording)')
    expect(holdfast('explain', 'nope', '--as-test').code).toBe(3)
  })

  it('says so where the workflow has changed since, and still writes the test', () => {
    writeFileSync(join(project.directory, 'shop.ts'), broken.replace('results.read.price.toFixed(2)', '3'))
    const { code, stderr } = holdfast('explain', 'f1', '--as-test', '--out', 'later.test.ts')
    writeFileSync(join(project.directory, 'shop.ts'), broken)
    expect(code).toBe(0)
    expect(stderr).toContain('the status was "failed" and is "completed"')
    expect(readFileSync(join(project.directory, 'later.test.ts'), 'utf8')).toContain('the replay differs')
  })
})
