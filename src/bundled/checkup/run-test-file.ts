/**
 * Runs one test file in a process of its own and says what became of it. Whatever happens in that process is a result:
 * it passes, fails, fails and then passes (flaky), hangs and is killed, or cannot be run. Only an abort rejects.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { childEnvironment } from '../../config/child-environment.ts'
import { formatMs } from '../../time/duration.ts'
import { type ProcessEnd, runProcess } from '../processes/run-process.ts'
import { firstLine, placeIn, shortened, tellingLine } from './evidence.ts'
import { type Finding, findingSchema, type TestStatus, testResultSchema } from './findings.ts'
import type { TestFailure, TestReport, TestTask } from './runners/runner.ts'
import { runnerOf } from './runners/runner-of.ts'

export const testOutcomeSchema = z.object({ result: testResultSchema, findings: z.array(findingSchema) })
export type TestOutcome = z.infer<typeof testOutcomeSchema>

export interface TestRunOptions {
  readonly root: string
  readonly timeoutMs: number
  readonly signal: AbortSignal
  readonly onSlow?: ((message: string) => void) | undefined
}

/** More failing tests of one file are counted only. */
const failureLimit = 5

export async function runTestFile(task: TestTask, options: TestRunOptions): Promise<TestOutcome> {
  const first = await runOnce(task, options)
  const failedOnce = first.status === 'failed' || first.status === 'error'
  const second = failedOnce ? await runOnce(task, options) : undefined
  const status: TestStatus = second?.status === 'passed' ? 'flaky' : first.status
  return {
    result: {
      file: task.file,
      status,
      durationMs: Math.round(first.durationMs + (second?.durationMs ?? 0)),
      ...(first.reason !== undefined && status !== 'flaky' && { reason: first.reason }),
    },
    findings: findingsOf(task, status, first, options),
  }
}

interface OneRun {
  readonly status: TestStatus
  readonly durationMs: number
  readonly failures: readonly TestFailure[]
  readonly reason?: string | undefined
}

async function runOnce(task: TestTask, { root, timeoutMs, signal, onSlow }: TestRunOptions): Promise<OneRun> {
  const runner = runnerOf(task.runner)
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-checkup-'))
  try {
    const report = join(directory, 'report')
    const { command, args, env } = runner.command(task, { file: join(root, task.file), report })
    const end = await runProcess({
      command,
      args,
      cwd: task.cwd,
      env: { ...childEnvironment(), ...env },
      timeoutMs,
      signal,
      onSlow:
        onSlow &&
        (() =>
          onSlow(`${task.file} still runs after ${formatMs(timeoutMs / 2)}; at ${formatMs(timeoutMs)} it is killed`)),
    })
    return judge(end, timeoutMs, runner.read.bind(runner), await textOf(report))
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

function judge(
  end: ProcessEnd,
  timeoutMs: number,
  read: (end: ProcessEnd, report: string | undefined) => TestReport,
  report: string | undefined,
): OneRun {
  const { durationMs } = end
  if (end.end === 'timeout') {
    return {
      status: 'timeout',
      durationMs,
      failures: [],
      reason: `it did not end within ${formatMs(timeoutMs)} and was killed`,
    }
  }
  if (end.end === 'not-started') {
    return { status: 'error', durationMs, failures: [], reason: shortened(end.error ?? 'it could not be started') }
  }
  const { outcome, failures, reason } = readSafely(end, report, read)
  return { status: outcome === 'empty' ? 'skipped' : outcome, durationMs, failures, reason }
}

/** A runner killed in the middle leaves half a report. */
function readSafely(
  end: ProcessEnd,
  report: string | undefined,
  read: (end: ProcessEnd, report: string | undefined) => TestReport,
): TestReport {
  try {
    return read(end, report)
  } catch {
    return {
      outcome: 'error',
      failures: [{ name: '', text: end.stderr }],
      reason: "the runner's report cannot be read",
    }
  }
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch {
    return undefined
  }
}

function findingsOf(task: TestTask, status: TestStatus, run: OneRun, { root }: TestRunOptions): Finding[] {
  const at = (message: string, rule: string, severity: Finding['severity'], text = ''): Finding => ({
    ...placeIn(text, { root, cwd: task.cwd, about: task.file }),
    rule,
    severity,
    message: shortened(message),
  })
  if (status === 'timeout') return [at(`The test file hung: ${run.reason}.`, 'test-hung', 'error')]
  if (status === 'error') {
    const evidence = run.failures.map(({ text }) => tellingLine(text)).find(line => line !== '')
    return [at(`The test file could not be run: ${evidence ?? run.reason}`, 'test-error', 'error')]
  }
  if (status !== 'failed' && status !== 'flaky') return []
  const flaky = status === 'flaky'
  const shown = run.failures.slice(0, failureLimit).map(({ name, text }) => {
    const what =
      [name, name === '' ? tellingLine(text) : firstLine(text)].filter(Boolean).join(': ') || 'it ended with a failure'
    const message = flaky ? `Failed and then passed, unchanged: ${what}` : what
    return at(message, flaky ? 'test-flaky' : 'test-failed', flaky ? 'warning' : 'error', text)
  })
  const more = run.failures.length - shown.length
  if (more <= 0) return shown
  return [
    ...shown,
    at(`${more} more tests of this file failed.`, flaky ? 'test-flaky' : 'test-failed', flaky ? 'warning' : 'error'),
  ]
}
