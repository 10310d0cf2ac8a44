/**
 * What a checkup finds, as data: findings and the results of test files. The order is fixed (worst first, then by
 * place), so that two checkups of one tree say the same in the same order.
 */
import { z } from 'zod'

export const severities = ['error', 'warning', 'info'] as const
export type Severity = (typeof severities)[number]

export const findingSchema = z.object({
  /** Relative to the examined directory, with `/`. */
  file: z.string(),
  /** From 1. */
  line: z.number().int().min(1),
  rule: z.string(),
  severity: z.enum(severities),
  message: z.string(),
})
export type Finding = z.infer<typeof findingSchema>

export const testStatuses = ['failed', 'timeout', 'error', 'flaky', 'skipped', 'passed'] as const
/** `flaky` failed and then passed; `error` could not be run; `skipped` was not run, or ran no test. */
export type TestStatus = (typeof testStatuses)[number]

export const testResultSchema = z.object({
  file: z.string(),
  status: z.enum(testStatuses),
  durationMs: z.number(),
  /** Why it was skipped or could not be run. */
  reason: z.string().optional(),
})
export type TestResult = z.infer<typeof testResultSchema>

/** Worst first, then by file, line and rule; exact repetitions are left out. */
export function orderFindings(findings: readonly Finding[]): Finding[] {
  const unique = new Map(findings.map(finding => [JSON.stringify(finding), finding]))
  return [...unique.values()].sort(
    (a, b) =>
      severities.indexOf(a.severity) - severities.indexOf(b.severity) ||
      compareText(a.file, b.file) ||
      a.line - b.line ||
      compareText(a.rule, b.rule) ||
      compareText(a.message, b.message),
  )
}

/** What needs a look first, then by file. */
export function orderTests(tests: readonly TestResult[]): TestResult[] {
  return [...tests].sort(
    (a, b) => testStatuses.indexOf(a.status) - testStatuses.indexOf(b.status) || compareText(a.file, b.file),
  )
}

/** By code units: the same order on every machine, whatever its locale. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
