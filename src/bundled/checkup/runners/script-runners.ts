/** The runners of JavaScript and TypeScript tests. Each is the project's own, run by this Node; nothing is installed. */
import { relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { readJsonReport } from './json-report.ts'
import { type Runner, readExitCode, type TestReport } from './runner.ts'
import { readTap } from './tap-report.ts'

const node = process.execPath

export const vitest: Runner = {
  command: ({ program }, { file, report }) => ({
    command: node,
    args: [program, 'run', file, '--reporter=json', `--outputFile=${report}`, '--coverage.enabled=false'],
  }),
  read: readJsonReport,
}

export const jest: Runner = {
  command: ({ program }, { file, report }) => ({
    command: node,
    args: [
      program,
      '--runTestsByPath',
      file,
      '--json',
      '--outputFile',
      report,
      '--ci',
      '--coverage=false',
      '--watchAll=false',
    ],
  }),
  read: readJsonReport,
}

export const mocha: Runner = {
  command: ({ program, loader }, { file, report }) => ({
    command: node,
    args: [
      ...loaderArguments(loader),
      program,
      file,
      '--reporter',
      'json',
      '--reporter-option',
      `output=${report}`,
      '--exit',
    ],
  }),
  read(end, report): TestReport {
    const parsed = report === undefined ? undefined : (JSON.parse(report) as MochaReport)
    if (!parsed) return readExitCode(end)
    const failures = (parsed.failures ?? []).map(({ fullTitle, err }) => ({
      name: fullTitle ?? '',
      text: [err?.message, err?.stack].filter(Boolean).join('\n'),
    }))
    if (failures.length > 0) return { outcome: 'failed', failures }
    if (end.exitCode !== 0) return readExitCode(end)
    if (!parsed.stats?.passes) return { outcome: 'empty', failures, reason: 'all of its tests are skipped' }
    return { outcome: 'passed', failures }
  },
}

interface MochaReport {
  readonly stats?: { readonly passes?: number }
  readonly failures?: readonly { readonly fullTitle?: string; readonly err?: { message?: string; stack?: string } }[]
}

export const nodeTest: Runner = {
  command: ({ loader }, { file, report }) => ({
    command: node,
    args: [...loaderArguments(loader), '--test', '--test-reporter=tap', `--test-reporter-destination=${report}`, file],
  }),
  read: readTap,
}

export const ava: Runner = {
  command: ({ program, cwd }, { file }) => ({ command: node, args: [program, '--tap', relative(cwd, file)] }),
  read: end => readTap(end, undefined),
}

export const tap: Runner = {
  command: ({ program, cwd }, { file }) => ({
    command: node,
    args: [program, '--reporter=tap', '--disable-coverage', '--allow-empty-coverage', relative(cwd, file)],
  }),
  read: end => readTap(end, undefined),
}

function loaderArguments(loader: string | undefined): string[] {
  return loader === undefined ? [] : ['--import', pathToFileURL(loader).href]
}
