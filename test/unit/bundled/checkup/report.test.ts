import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { severities, testStatuses } from '../../../../src/bundled/checkup/findings.ts'
import { factsOf } from '../../../../src/bundled/checkup/reporting/facts.ts'
import { makeReport, reportLimit } from '../../../../src/bundled/checkup/reporting/report.ts'
import { type Examination, examinationOf } from '../../../../src/bundled/checkup/results.ts'

const nothing: Examination = {
  root: '/project',
  files: 0,
  tests: [],
  testsNotChosen: 0,
  types: undefined,
  scan: undefined,
  risk: undefined,
  findings: [],
  notes: [],
}

const example: Examination = {
  ...nothing,
  tests: [
    { file: 'test/b.test.ts', status: 'failed', durationMs: 1200 },
    { file: 'test/c.test.ts', status: 'timeout', durationMs: 60_000 },
    { file: 'test/a.test.ts', status: 'passed', durationMs: 300 },
    { file: 'test/d.spec.ts', status: 'skipped', durationMs: 0, reason: 'it drives a browser (Playwright)' },
  ],
  testsNotChosen: 4,
  types: { status: 'passed', note: 'npm run typecheck', durationMs: 900, findings: [] },
  scan: { scanned: 12, leftOut: 3, findings: [], omitted: 0 },
  risk: {
    commits: 40,
    files: [{ file: 'src/a.ts', score: 100, fixes: 3, churn: 80, lines: 210 }],
    findings: [],
    notes: [],
  },
  findings: [
    { file: 'test/b.test.ts', line: 8, rule: 'test-failed', severity: 'error', message: 'adds: expected 3' },
    { file: 'src/a.ts', line: 1, rule: 'bug-risk', severity: 'info', message: 'Risk 100 of 100.' },
  ],
  notes: ['git could not be asked: git is not installed'],
}

const reportOf = (examination: Examination): string =>
  makeReport({ examination, review: { text: 'not configured: …', findings: [] }, summary: 'In short.' })

describe('the report', () => {
  test('reads from the verdict to what was not done', () => {
    expect(reportOf(example)).toMatchInlineSnapshot(`
      "# Checkup of /project

      This repository needs attention: 1 error. Of 3 test files, 1 failed, 1 hung and was killed and 1 passed; 1 was skipped (a share was asked for: 4 of 8). The type check (npm run typecheck) passed. The scan of 12 files found no secret and no dangerous call. By the history of 40 commits the next bug is most likely in src/a.ts.

      ## Tests

      Of 3 test files, 1 failed, 1 hung and was killed and 1 passed; 1 was skipped (a share was asked for: 4 of 8).

      | status  | test file      | duration |
      | ------- | -------------- | -------- |
      | failed  | test/b.test.ts | 1.2s     |
      | timeout | test/c.test.ts | 1m 00s   |
      | passed  | test/a.test.ts | 300ms    |

      - not run: test/d.spec.ts: it drives a browser (Playwright)

      ## Findings

      ### Errors (1)

      - test/b.test.ts:8 [test-failed] adds: expected 3

      ### Notices (1)

      - src/a.ts:1 [bug-risk] Risk 100 of 100.

      ## Bug risk by history

      | risk | file     | fixes | lines changed | lines |
      | ---- | -------- | ----- | ------------- | ----- |
      | 100  | src/a.ts | 3     | 80            | 210   |

      ## Review

      not configured: …

      ## Summary

      In short.

      ## Not done, or done with less

      - git could not be asked: git is not installed
      "
    `)
  })

  test('says how many more there are', () => {
    const tests = Array.from({ length: 50 }, (_, n) => ({
      file: `${n}.test.ts`,
      status: 'passed' as const,
      durationMs: 1,
    }))
    expect(reportOf({ ...nothing, tests })).toContain('and 30 more (30 passed)')
  })

  test('is never longer than its bound, whatever was found', () => {
    const text = fc.oneof(
      fc.string({ maxLength: 3000 }),
      fc.constant('|'.repeat(5000)),
      fc.constant('\n\n'.repeat(3000)),
    )
    const finding = fc.record({
      file: text,
      line: fc.nat().map(n => n + 1),
      rule: text,
      severity: fc.constantFrom(...severities),
      message: text,
    })
    const result = fc.record({
      file: text,
      status: fc.constantFrom(...testStatuses),
      durationMs: fc.nat(),
      reason: text,
    })
    const many = { maxLength: 200, size: 'max' as const }
    const examination = fc.record({
      root: text,
      files: fc.nat(),
      tests: fc.array(result, many),
      testsNotChosen: fc.nat(),
      types: fc.constant(undefined),
      scan: fc.constant(undefined),
      risk: fc.constant(undefined),
      findings: fc.array(finding, many),
      notes: fc.array(text, many),
    })
    fc.assert(
      fc.property(examination, text, text, (facts, review, summary) => {
        const report = makeReport({ examination: facts, review: { text: review, findings: [] }, summary })
        expect(report.length).toBeLessThanOrEqual(reportLimit)
        expect(report).toContain('## Summary')
      }),
      { numRuns: 20 },
    )
  })

  test('keeps a table in order when a name has a bar in it', () => {
    expect(reportOf({ ...nothing, tests: [{ file: 'a|b.test.ts', status: 'passed', durationMs: 1 }] })).toContain(
      'a\\|b.test.ts',
    )
  })
})

describe('the facts', () => {
  test('say the most important first and end in full stops', () => {
    expect(factsOf(example)).toEqual([
      'Of 3 test files, 1 failed, 1 hung and was killed and 1 passed; 1 was skipped (a share was asked for: 4 of 8).',
      'The type check (npm run typecheck) passed.',
      'The scan of 12 files found no secret and no dangerous call.',
      'By the history of 40 commits the next bug is most likely in src/a.ts.',
      'test/b.test.ts:8: adds: expected 3.',
    ])
  })

  test('say that there is nothing', () => {
    expect(factsOf(nothing)).toEqual(['No test files were found.'])
  })
})

describe('an examination', () => {
  test('says which stages were lost', () => {
    const preflight = { root: '/p', files: 1, tests: [], runnable: 0, notRun: [], typeCheck: 'none', notes: [] }
    expect(examinationOf({ preflight, tests: [] }).notes).toEqual([
      'the type check was lost',
      'the scan for secrets and dangerous calls was lost',
      'the bug risk was lost',
    ])
  })
})
