import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { checkup } from '../../../../src/bundled/checkup/checkup.ts'
import { ValidationError } from '../../../../src/errors.ts'
import { createRuntime } from '../../../../src/runtime/create-runtime.ts'
import { commitAll, git, isAlive, projectFrom, projectOf } from '../project.ts'

type Runtime = Awaited<ReturnType<typeof createRuntime>>
const open: Runtime[] = []

async function runtimeForTest(): Promise<Runtime> {
  const runtime = await createRuntime({ store: ':memory:', workflows: [checkup], logger: false })
  open.push(runtime)
  return runtime
}

afterEach(async () => {
  for (const runtime of open.splice(0)) await runtime.close({ grace: 0 })
})

describe('the checkup', () => {
  test('examines a repository in which tests fail, hang and are flaky, and is completed', async () => {
    const root = await projectFrom('node-tests')
    git(root, 'init', '--quiet')
    commitAll(root, 'Fix the sum')
    const runtime = await runtimeForTest()
    const run = await runtime.start(checkup, { path: root, timeout: '15s' })
    const result = await run.result()
    if (!result.success) throw new Error(JSON.stringify(result))
    const { findings, tests, review, summary, report } = result.output
    expect(tests.map(({ file, status }) => `${status} ${file}`)).toEqual([
      'failed test/failing.test.js',
      'timeout test/hanging.test.js',
      'flaky test/flaky.test.js',
      'skipped test/browser.spec.js',
      'skipped test/skipped.test.js',
      'passed test/passing.test.js',
    ])
    expect(findings.map(({ rule, file }) => `${rule} ${file}`)).toEqual([
      'type-check src/add.js',
      'type-check src/add.js',
      'test-failed test/failing.test.js',
      'test-hung test/hanging.test.js',
      'test-flaky test/flaky.test.js',
      'bug-risk check.mjs',
      'bug-risk src/add.js',
    ])
    expect(review).toMatch(/^not configured: /)
    expect(summary).toMatch(
      /^Of 4 test files, 1 failed, 1 hung and was killed, 1 is flaky and 1 passed; 2 were skipped\./,
    )
    expect(report).toContain('| timeout | test/hanging.test.js')
    const grandchild = Number(await readFile(join(root, 'test/grandchild-pid'), 'utf8'))
    await vi.waitFor(() => expect(isAlive(grandchild)).toBe(false))
  }, 120_000)

  test('says that there is no history where there is no git, and goes on', async () => {
    const root = await projectOf({ 'src/a.js': 'eval(input)\n' })
    const runtime = await runtimeForTest()
    const result = await (await runtime.start(checkup, { path: root })).result()
    if (!result.success) throw new Error(JSON.stringify(result))
    expect(result.degraded).toContainEqual(
      expect.objectContaining({ stage: 'risk', reason: 'no git history: this is not a git repository' }),
    )
    expect(result.output).toMatchObject({
      tests: [],
      findings: [{ file: 'src/a.js', line: 1, rule: 'dangerous-eval' }],
    })
    expect(result.output.report).toContain('- no git history: this is not a git repository')
  })

  test('leaves no process behind when it is cancelled', async () => {
    const root = await projectFrom('node-tests')
    const runtime = await runtimeForTest()
    const run = await runtime.start(checkup, { path: root, include: ['test/hanging.test.js'] })
    const pidFile = join(root, 'test/grandchild-pid')
    const grandchild = await vi.waitFor(async () => Number(await readFile(pidFile, 'utf8')), { timeout: 15_000 })
    expect(isAlive(grandchild)).toBe(true)
    await run.cancel('enough')
    expect((await run.result()).status).toBe('cancelled')
    await vi.waitFor(() => expect(isAlive(grandchild)).toBe(false), { timeout: 5000 })
  }, 30_000)

  test.each([
    [{ path: '' }],
    [{ path: '.', timeout: 'soon' }],
    [{ path: '.', timeout: '2h' }],
    [{ path: '.', maxTests: -1 }],
    [{ path: '.', since: '--output=x' }],
    [{ path: '.', paths: [] }],
  ])('starts nothing with the input %j', async input => {
    const runtime = await runtimeForTest()
    await expect(runtime.start(checkup, input as { path: string })).rejects.toBeInstanceOf(ValidationError)
  })

  test('fails with a sentence where there is no such directory', async () => {
    const runtime = await runtimeForTest()
    const result = await (await runtime.start(checkup, { path: '/there/is/no/such/directory' })).result()
    expect(result).toMatchObject({ success: false, status: 'failed' })
    expect(JSON.stringify(result)).toContain('does not exist; give the directory of a repository')
  })
})
