/**
 * Reads TAP, the line protocol of node:test, AVA and tap. Failures of subtests count, not those of what holds them; where
 * the process of the file failed as a whole, which node:test calls a failed test, what it had printed tells why.
 */
import type { ProcessEnd } from '../../processes/run-process.ts'
import { readExitCode, type TestFailure, type TestReport } from './runner.ts'

export function readTap(end: ProcessEnd, report: string | undefined): TestReport {
  const lines = (report ?? end.stdout).split(/\r?\n/)
  const failures: TestFailure[] = []
  let passed = 0
  let skipped = 0
  for (const [index, line] of lines.entries()) {
    const match = /^\s*(not )?ok\b(?: \d+)?(?: - )?(.*)$/.exec(line)
    if (!match) continue
    const [, failed, title = ''] = match
    if (/\s# (?:skip|todo)\b/i.test(title)) skipped++
    else if (failed === undefined) passed++
    else {
      const text = blockAfter(lines, index)
      if (/subtestsFailed|\b\d+ subtests? failed/.test(text)) continue
      const exitCode = /^exitCode: (\d+)$/m.exec(text)?.[1]
      failures.push(
        exitCode === undefined
          ? { name: title.trim(), text }
          : { name: '', text: wholeFile(lines.slice(0, index), exitCode) },
      )
    }
  }
  if (failures.length > 0) return { outcome: 'failed', failures }
  if (end.exitCode !== 0) return readExitCode(end)
  if (passed === 0 && skipped > 0) return { outcome: 'empty', failures, reason: 'all of its tests are skipped' }
  return { outcome: 'passed', failures }
}

/** What the file printed, which node:test hands on as comments, and how it ended. */
function wholeFile(before: readonly string[], exitCode: string): string {
  const printed = before.filter(line => /^# (?!Subtest: )/.test(line)).map(line => line.slice(2))
  return [...printed, `the file ended with exit code ${exitCode}`].join('\n')
}

/** The YAML block that follows a line, without its frame; the message of the error comes first. */
function blockAfter(lines: readonly string[], index: number): string {
  if (lines[index + 1]?.trim() !== '---') return ''
  const end = lines.findIndex((line, at) => at > index && line.trim() === '...')
  const block = lines.slice(index + 2, end === -1 ? index + 40 : end).map(line => line.trim())
  return [...messageIn(block), ...block].join('\n')
}

/** `error: 'text'`, or `error: |-` with the text in the lines below. */
function messageIn(block: readonly string[]): string[] {
  const at = block.findIndex(line => /^(?:error|message):/.test(line))
  if (at === -1) return []
  const inline = (block[at] as string).replace(/^\w+:\s*/, '')
  if (!/^[|>]-?$/.test(inline)) return [inline.replace(/^(['"])(.*)\1$/, '$2')]
  const below = block.slice(at + 1)
  const next = below.findIndex(line =>
    /^(?:code|name|expected|actual|operator|stack|failureType|location|at):/.test(line),
  )
  return below.slice(0, next === -1 ? undefined : next)
}
