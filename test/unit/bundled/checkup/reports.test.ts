import { describe, expect, test } from 'vitest'
import { readJsonReport } from '../../../../src/bundled/checkup/runners/json-report.ts'
import { goTest, pytest } from '../../../../src/bundled/checkup/runners/other-runners.ts'
import { mocha } from '../../../../src/bundled/checkup/runners/script-runners.ts'
import { readTap } from '../../../../src/bundled/checkup/runners/tap-report.ts'
import type { ProcessEnd } from '../../../../src/bundled/processes/run-process.ts'

const ended = (exitCode: number, stdout = '', stderr = ''): ProcessEnd => ({
  end: 'exited',
  exitCode,
  stdout,
  stderr,
  truncated: false,
  durationMs: 1,
})

describe('the JSON report of Jest and Vitest', () => {
  const report = (tests: readonly object[], more: object = {}): string =>
    JSON.stringify({ numPassedTests: 1, testResults: [{ status: 'passed', assertionResults: tests }], ...more })

  test('names the tests that failed', () => {
    const tests = [
      { fullName: 'a b', status: 'passed' },
      { fullName: 'a c', status: 'failed', failureMessages: ['Error: no', 'and more'] },
    ]
    expect(readJsonReport(ended(1), report(tests))).toEqual({
      outcome: 'failed',
      failures: [{ name: 'a c', text: 'Error: no\nand more' }],
    })
  })

  test('knows a failure outside of any test by the exit code', () => {
    expect(readJsonReport(ended(1, '', 'Unhandled'), report([{ status: 'passed' }])).outcome).toBe('failed')
  })

  test('is empty when everything is skipped, or nothing was chosen', () => {
    expect(readJsonReport(ended(0), report([{ status: 'skipped' }], { numPassedTests: 0 })).outcome).toBe('empty')
    expect(readJsonReport(ended(1), report([], { testResults: [] })).outcome).toBe('empty')
    expect(readJsonReport(ended(1, '', 'No tests found, exiting with code 1'), undefined).outcome).toBe('empty')
  })

  test('that is missing or half written is an error of the runner', () => {
    expect(readJsonReport(ended(1, '', 'Error: bad config'), undefined).outcome).toBe('error')
    expect(readJsonReport(ended(1), '{"numTot').outcome).toBe('error')
  })
})

describe('TAP', () => {
  test('gives the failing test, not the suite around it', () => {
    const tap = [
      'TAP version 13',
      '    not ok 1 - adds wrongly',
      '      ---',
      "      location: '/p/a.test.js:7:3'",
      "      error: 'expected 4'",
      '      ...',
      'not ok 1 - sums',
      '  ---',
      "  failureType: 'subtestsFailed'",
      '  ...',
    ].join('\n')
    expect(readTap(ended(1), tap)).toEqual({
      outcome: 'failed',
      failures: [{ name: 'adds wrongly', text: "expected 4\nlocation: '/p/a.test.js:7:3'\nerror: 'expected 4'" }],
    })
  })

  test('tells of a file that failed as a whole by what it printed and how it ended, not by its path', () => {
    const whole = (...printed: readonly string[]): string =>
      [
        ...printed,
        '# Subtest: /p/a.test.js',
        'not ok 1 - /p/a.test.js',
        '  ---',
        "  failureType: 'testCodeFailure'",
        '  exitCode: 7',
        "  error: 'test failed'",
        '  ...',
        '# fail 1',
      ].join('\n')
    expect(readTap(ended(1), whole()).failures).toEqual([{ name: '', text: 'the file ended with exit code 7' }])
    expect(
      readTap(ended(1), whole('# file:///p/a.test.js:3', '# SyntaxError: Unexpected end of input')).failures,
    ).toEqual([
      {
        name: '',
        text: 'file:///p/a.test.js:3\nSyntaxError: Unexpected end of input\nthe file ended with exit code 7',
      },
    ])
  })

  test('does not count what is to be done or skipped', () => {
    expect(readTap(ended(0), 'not ok 1 - later # TODO\nok 2 - now').outcome).toBe('passed')
    expect(readTap(ended(0), 'ok 1 - later # SKIP no time').outcome).toBe('empty')
  })

  test('that says nothing is judged by the exit code', () => {
    expect(readTap(ended(0), '').outcome).toBe('passed')
    expect(readTap(ended(7, 'boom'), '')).toEqual({ outcome: 'failed', failures: [{ name: '', text: 'boom' }] })
  })
})

describe('the reports of other runners', () => {
  test('Mocha', () => {
    const report = { stats: { passes: 1 }, failures: [{ fullTitle: 'a b', err: { message: 'no', stack: 'at x' } }] }
    expect(mocha.read(ended(1), JSON.stringify(report))).toEqual({
      outcome: 'failed',
      failures: [{ name: 'a b', text: 'no\nat x' }],
    })
    expect(mocha.read(ended(0), JSON.stringify({ stats: { passes: 2 }, failures: [] })).outcome).toBe('passed')
  })

  test('pytest', () => {
    const xml =
      '<testsuite><testcase name="test_a" time="0.1"/><testcase classname="t" name="test_b" time="0.1">' +
      '<failure message="assert 1 == 2">t.py:4: AssertionError &lt;x&gt;</failure></testcase></testsuite>'
    expect(pytest.read(ended(1), xml)).toEqual({
      outcome: 'failed',
      failures: [{ name: 'test_b', text: 'assert 1 == 2\nt.py:4: AssertionError <x>' }],
    })
    expect(pytest.read(ended(5), undefined).outcome).toBe('empty')
    expect(pytest.read(ended(4, 'usage error'), undefined).outcome).toBe('error')
    expect(pytest.read(ended(0), '<testsuite><testcase name="test_a"/></testsuite>').outcome).toBe('passed')
  })

  test('go test', () => {
    const output = '--- FAIL: TestAdd (0.00s)\n    add_test.go:8: got 3, want 4\nFAIL\nFAIL\texample/add\t0.002s\n'
    expect(goTest.read(ended(1, output), undefined)).toEqual({
      outcome: 'failed',
      failures: [{ name: 'TestAdd', text: '    add_test.go:8: got 3, want 4\n' }],
    })
    expect(goTest.read(ended(0, 'ok  \texample/add\t0.002s\n'), undefined).outcome).toBe('passed')
    expect(goTest.read(ended(1, '', 'add.go:3:1: syntax error'), undefined).outcome).toBe('failed')
  })
})
