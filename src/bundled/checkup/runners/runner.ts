/** The port to test runners: how one file is run, and how what came out is read. Every runner runs exactly one file. */
import { z } from 'zod'
import type { ProcessEnd } from '../../processes/run-process.ts'

const runnerNames = ['vitest', 'jest', 'mocha', 'ava', 'tap', 'node', 'pytest', 'go'] as const
export type RunnerName = (typeof runnerNames)[number]

/** One test file (of Go, one package directory) and how it is run. Found by the survey. */
export const testTaskSchema = z.object({
  /** Relative to the examined directory. */
  file: z.string(),
  runner: z.enum(runnerNames),
  /** Absolute: where the runner is started. */
  cwd: z.string(),
  /** Absolute: the runner's own program, or the interpreter it is a module of. */
  program: z.string(),
  /** Absolute: what Node loads first, so that it understands TypeScript. */
  loader: z.string().optional(),
})
export type TestTask = z.infer<typeof testTaskSchema>

interface RunnerCommand {
  readonly command: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>> | undefined
}

export interface TestFailure {
  readonly name: string
  /** Message and stack. */
  readonly text: string
}

export interface TestReport {
  /** `empty`: nothing to run, by the runner's configuration or because all is skipped. */
  readonly outcome: 'passed' | 'failed' | 'empty' | 'error'
  readonly failures: readonly TestFailure[]
  /** Of `empty` and `error`. */
  readonly reason?: string | undefined
}

interface RunnerPaths {
  /** Absolute: the test file. */
  readonly file: string
  /** Absolute: where the runner may write its report. */
  readonly report: string
}

export interface Runner {
  command(task: TestTask, paths: RunnerPaths): RunnerCommand
  /** @param report what the runner wrote to the report file, if anything */
  read(end: ProcessEnd, report: string | undefined): TestReport
}

/** What can be said without a report: by the exit code, with the end of the output as evidence. */
export function readExitCode(end: ProcessEnd): TestReport {
  if (end.end === 'exited' && end.exitCode === 0) return { outcome: 'passed', failures: [] }
  const text = `${end.stdout}\n${end.stderr}`.trim()
  return { outcome: 'failed', failures: [{ name: '', text }] }
}
