import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { runTestFile, type TestOutcome } from '../../../../src/bundled/checkup/run-test-file.ts'
import { survey } from '../../../../src/bundled/checkup/survey/survey.ts'
import { isAlive, neverAborted, projectFrom } from '../project.ts'

async function outcomeOf(root: string, file: string, timeoutMs = 30_000, onSlow = vi.fn()): Promise<TestOutcome> {
  const { tests } = await survey({ path: root, signal: neverAborted })
  const task = tests.find(each => each.file === file)
  if (!task) throw new Error(`the survey did not find ${file}`)
  return runTestFile(task, { root, timeoutMs, signal: neverAborted, onSlow })
}

describe('a test file under node:test', () => {
  test('passes', async () => {
    const outcome = await outcomeOf(await projectFrom('node-tests'), 'test/passing.test.js')
    expect(outcome).toMatchObject({ result: { file: 'test/passing.test.js', status: 'passed' }, findings: [] })
    expect(outcome.result.durationMs).toBeGreaterThan(0)
  })

  test('fails, with one finding for the failing test, at its line', async () => {
    const { result, findings } = await outcomeOf(await projectFrom('node-tests'), 'test/failing.test.js')
    expect(result.status).toBe('failed')
    expect(findings).toMatchObject([{ file: 'test/failing.test.js', rule: 'test-failed', severity: 'error' }])
    expect(findings[0]?.message).toContain('adds wrongly')
    expect([7, 8]).toContain(findings[0]?.line)
  })

  test('that fails and then passes is flaky', async () => {
    const { result, findings } = await outcomeOf(await projectFrom('node-tests'), 'test/flaky.test.js')
    expect(result.status).toBe('flaky')
    expect(findings).toMatchObject([{ file: 'test/flaky.test.js', rule: 'test-flaky', severity: 'warning' }])
    expect(findings[0]?.message).toContain('this is the first run')
  })

  test('that hangs is warned about, killed with what it started, and is a result', async () => {
    const root = await projectFrom('node-tests')
    const onSlow = vi.fn()
    const { result, findings } = await outcomeOf(root, 'test/hanging.test.js', 12_000, onSlow)
    expect(result).toMatchObject({ status: 'timeout', reason: 'it did not end within 12s and was killed' })
    expect(findings).toMatchObject([{ file: 'test/hanging.test.js', line: 1, rule: 'test-hung', severity: 'error' }])
    expect(onSlow).toHaveBeenCalledExactlyOnceWith('test/hanging.test.js still runs after 6s; at 12s it is killed')
    const grandchild = Number(await readFile(join(root, 'test/grandchild-pid'), 'utf8'))
    await vi.waitFor(() => expect(isAlive(grandchild)).toBe(false))
  })

  test('of which all is skipped is skipped', async () => {
    const { result } = await outcomeOf(await projectFrom('node-tests'), 'test/skipped.test.js')
    expect(result).toMatchObject({ status: 'skipped', reason: 'all of its tests are skipped' })
  })

  test('in TypeScript runs where tsx is installed', async () => {
    const { result } = await outcomeOf(await projectFrom('vitest-project'), 'test/native.test.ts')
    expect(result.status).toBe('passed')
  })
})

describe('a test file under Vitest', () => {
  test('passes', async () => {
    const outcome = await outcomeOf(await projectFrom('vitest-project'), 'test/good.test.ts')
    expect(outcome).toMatchObject({ result: { status: 'passed' }, findings: [] })
  })

  test('fails at the line of the expectation', async () => {
    const { result, findings } = await outcomeOf(await projectFrom('vitest-project'), 'test/bad.test.ts')
    expect(result.status).toBe('failed')
    expect(findings).toEqual([
      {
        file: 'test/bad.test.ts',
        line: 5,
        rule: 'test-failed',
        severity: 'error',
        message: 'is as it should be: AssertionError: expected 2 to be 3 // Object.is equality',
      },
    ])
  })

  test('that cannot be loaded has failed', async () => {
    const { result, findings } = await outcomeOf(await projectFrom('vitest-project'), 'test/broken.test.ts')
    expect(result.status).toBe('failed')
    expect(findings[0]?.message).toContain('there-is-no-such-file')
  })
})

describe('a runner', () => {
  test('that cannot be started is a result', async () => {
    const root = await projectFrom('node-tests')
    const task = { file: 'test/passing.test.js', runner: 'pytest' as const, cwd: root, program: 'no-such-python' }
    const { result, findings } = await runTestFile(task, { root, timeoutMs: 5000, signal: neverAborted })
    expect(result.status).toBe('error')
    expect(findings).toMatchObject([{ rule: 'test-error', file: 'test/passing.test.js' }])
  })
})
