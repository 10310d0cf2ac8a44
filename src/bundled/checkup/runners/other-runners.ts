/** The runners of other languages, where their tools are installed: pytest for a file, `go test` for a package. */
import { dirname, relative } from 'node:path'
import type { ProcessEnd } from '../../processes/run-process.ts'
import { type Runner, readExitCode, type TestReport } from './runner.ts'

export const pytest: Runner = {
  command: ({ program }, { file, report }) => ({
    command: program,
    args: ['-m', 'pytest', file, '-q', '--tb=short', '--color=no', '-p', 'no:cacheprovider', `--junitxml=${report}`],
    env: { PYTHONDONTWRITEBYTECODE: '1' },
  }),
  read(end, report): TestReport {
    if (end.exitCode === 5) return { outcome: 'empty', failures: [], reason: 'pytest found no test in it' }
    const failures = failuresOfJunit(report ?? '')
    if (failures.length > 0) return { outcome: 'failed', failures }
    if (end.exitCode !== null && end.exitCode > 1) {
      return {
        outcome: 'error',
        failures: [{ name: '', text: end.stdout + end.stderr }],
        reason: 'pytest could not run it',
      }
    }
    return readExitCode(end)
  },
}

function failuresOfJunit(xml: string): { name: string; text: string }[] {
  const cases = xml.matchAll(/<testcase\b([^>]*?)(?:\/>|>((?:(?!<\/testcase>)[\s\S])*)<\/testcase>)/g)
  return [...cases].flatMap(([, attributes = '', body = '']) => {
    const failure = /<(?:failure|error)\b(?:[^>]*?\bmessage="([^"]*)")?[^>]*>([\s\S]*?)<\/(?:failure|error)>/.exec(body)
    if (!failure) return []
    const name = /\bname="([^"]*)"/.exec(attributes)?.[1] ?? ''
    return [{ name: unescaped(name), text: unescaped(`${failure[1] ?? ''}\n${failure[2] ?? ''}`) }]
  })
}

const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&', '#10': '\n' }

function unescaped(xml: string): string {
  return xml.replace(/&(lt|gt|quot|apos|amp|#10);/g, (_, name: string) => entities[name] as string)
}

export const goTest: Runner = {
  command: ({ program, cwd }, { file }) => ({
    command: program,
    args: ['test', '-count=1', `./${relative(cwd, dirname(file))}`],
    env: { GOPROXY: 'off', GOTOOLCHAIN: 'local' },
  }),
  read(end: ProcessEnd): TestReport {
    if (end.exitCode === 0) {
      return /\[no test files\]|\[no tests to run\]/.test(end.stdout)
        ? { outcome: 'empty', failures: [], reason: 'the package has no tests' }
        : { outcome: 'passed', failures: [] }
    }
    const failures = [...end.stdout.matchAll(/^\s*--- FAIL: (\S+).*\n((?:\s{4,}.*\n?)*)/gm)].map(
      ([, name = '', text = '']) => ({ name, text }),
    )
    return failures.length > 0 ? { outcome: 'failed', failures } : readExitCode(end)
  },
}
