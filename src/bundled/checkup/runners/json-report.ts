/** Reads the JSON report that Jest invented and Vitest writes as well. */
import type { ProcessEnd } from '../../processes/run-process.ts'
import { readExitCode, type TestFailure, type TestReport } from './runner.ts'

interface JsonReport {
  readonly numTotalTests?: number
  readonly numPassedTests?: number
  readonly numFailedTests?: number
  readonly testResults?: readonly {
    readonly status?: string
    readonly message?: string
    readonly assertionResults?: readonly {
      readonly fullName?: string
      readonly title?: string
      readonly status?: string
      readonly failureMessages?: readonly string[] | null
    }[]
  }[]
}

export function readJsonReport(end: ProcessEnd, report: string | undefined): TestReport {
  const parsed = parse(report)
  if (parsed === undefined) return withoutReport(end)
  const files = parsed.testResults ?? []
  const failures = files.flatMap(file => {
    const ofTests: TestFailure[] = (file.assertionResults ?? [])
      .filter(test => test.status === 'failed')
      .map(test => ({ name: test.fullName ?? test.title ?? '', text: (test.failureMessages ?? []).join('\n') }))
    // A file that could not be loaded has failed without a single test.
    return file.status === 'failed' && ofTests.length === 0 ? [{ name: '', text: file.message ?? '' }] : ofTests
  })
  if (failures.length > 0) return { outcome: 'failed', failures }
  if (files.length === 0) return leftOut
  if (end.exitCode !== 0) return readExitCode(end) // An error outside of any test.
  if ((parsed.numPassedTests ?? 0) === 0) return { outcome: 'empty', failures, reason: 'all of its tests are skipped' }
  return { outcome: 'passed', failures }
}

const leftOut: TestReport = {
  outcome: 'empty',
  failures: [],
  reason: "the runner's configuration leaves this file out",
}

function withoutReport(end: ProcessEnd): TestReport {
  if (/no test files? found|no tests found/i.test(end.stdout + end.stderr)) {
    return leftOut
  }
  if (end.end === 'signalled') return readExitCode(end)
  const text = `${end.stderr}\n${end.stdout}`.trim()
  return { outcome: 'error', failures: [{ name: '', text }], reason: 'the runner ended without a report' }
}

function parse(report: string | undefined): JsonReport | undefined {
  if (report === undefined) return undefined
  try {
    const value: unknown = JSON.parse(report)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}
