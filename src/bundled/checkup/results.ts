/** What the stages of a checkup found, put together; the review, the summary and the report are made from it. */
import { type Finding, orderFindings, orderTests, type TestResult, type TestStatus, testStatuses } from './findings.ts'
import type { Risk } from './history/risk.ts'
import type { TestOutcome } from './run-test-file.ts'
import type { Scan } from './scan/scan.ts'
import type { Survey } from './survey/survey.ts'
import type { TypeCheck } from './type-check.ts'

/** By the names of the stages. An optional one that was lost is undefined. */
export interface StageResults {
  readonly preflight: Survey
  readonly tests: readonly TestOutcome[]
  readonly types?: TypeCheck | undefined
  readonly secrets?: Scan | undefined
  readonly risk?: Risk | undefined
}

export interface Examination {
  readonly root: string
  readonly files: number
  readonly tests: readonly TestResult[]
  /** Test files that could have been run and were not asked for. */
  readonly testsNotChosen: number
  readonly types: TypeCheck | undefined
  readonly scan: Scan | undefined
  readonly risk: Risk | undefined
  readonly findings: readonly Finding[]
  /** What was not done, or less well than it could be. */
  readonly notes: readonly string[]
}

export function examinationOf({ preflight, tests, types, secrets, risk }: StageResults): Examination {
  const lost = [
    ...(types ? [] : ['the type check was lost']),
    ...(secrets ? [] : ['the scan for secrets and dangerous calls was lost']),
    ...(risk ? [] : ['the bug risk was lost']),
  ]
  return {
    root: preflight.root,
    files: preflight.files,
    tests: orderTests([...tests.map(({ result }) => result), ...preflight.notRun]),
    testsNotChosen: preflight.runnable - preflight.tests.length,
    types,
    scan: secrets,
    risk,
    findings: orderFindings([
      ...tests.flatMap(({ findings }) => findings),
      ...(types?.findings ?? []),
      ...(secrets?.findings ?? []),
      ...(risk?.findings ?? []),
    ]),
    notes: [
      ...preflight.notes,
      ...(risk?.notes ?? []),
      ...(secrets && secrets.omitted > 0 ? [`the scan found ${secrets.omitted} more than are listed`] : []),
      ...lost,
    ],
  }
}

export function countByStatus(tests: readonly TestResult[]): Record<TestStatus, number> {
  const counts = Object.fromEntries(testStatuses.map(status => [status, 0])) as Record<TestStatus, number>
  for (const { status } of tests) counts[status]++
  return counts
}
