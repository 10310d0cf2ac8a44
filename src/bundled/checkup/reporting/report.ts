/**
 * The report of a checkup as Markdown that reads well on a terminal. Its length is bounded whatever was found: every
 * part shows its most important entries and says how many more there are, and no entry is longer than a few lines.
 */
import { formatMs } from '../../../time/duration.ts'
import { shortened } from '../evidence.ts'
import { type Finding, orderFindings, severities, type TestResult } from '../findings.ts'
import { countByStatus, type Examination } from '../results.ts'
import { factsOf, testSentence } from './facts.ts'
import { counted } from './phrases.ts'

export interface ReportParts {
  readonly examination: Examination
  readonly review: { readonly text: string; readonly findings: readonly Finding[] }
  readonly summary: string
}

/** No report is longer. */
export const reportLimit = 40_000

const listLimit = 20
const tableLimit = 10
const paragraphLimit = 2000
const cellLimit = 120

export function makeReport({ examination, review, summary }: ReportParts): string {
  const findings = orderFindings([...examination.findings, ...review.findings])
  const sections = [
    [`# Checkup of ${shortened(examination.root, 200)}`, '', verdict(examination, findings)],
    testSection(examination),
    findingSections(findings),
    riskSection(examination),
    ['## Review', '', paragraph(review.text)],
    ['## Summary', '', paragraph(summary)],
    notesSection(examination),
  ]
  const report = `${sections
    .filter(section => section.length > 0)
    .map(section => section.join('\n'))
    .join('\n\n')}\n`
  return report.length <= reportLimit ? report : `${report.slice(0, reportLimit - 2)}…\n`
}

function verdict(examination: Examination, findings: readonly Finding[]): string {
  const [errors = 0, warnings = 0] = severities.map(
    severity => findings.filter(each => each.severity === severity).length,
  )
  const state =
    errors > 0
      ? `This repository needs attention: ${[counted(errors, 'error'), ...(warnings > 0 ? [counted(warnings, 'warning')] : [])].join(' and ')}.`
      : warnings > 0
        ? `This repository is in fair order, with ${counted(warnings, 'warning')}.`
        : 'Nothing wrong was found in this repository.'
  return [state, ...factsOf(examination).slice(0, 4)].map(sentence => shortened(sentence, 400)).join(' ')
}

function testSection({ tests, testsNotChosen, ...rest }: Examination): string[] {
  const ran = tests.filter(({ status }) => status !== 'skipped')
  const skipped = tests.filter(({ status }) => status === 'skipped')
  const shown = ran.slice(0, listLimit)
  return [
    '## Tests',
    '',
    testSentence({ tests, testsNotChosen, ...rest }),
    ...(shown.length > 0 ? ['', ...table(['status', 'test file', 'duration'], shown.map(toTestRow))] : []),
    ...andMore(ran.length - shown.length, restOf(ran.slice(listLimit))),
    ...skippedLines(skipped),
  ]
}

const toTestRow = ({ status, file, durationMs }: TestResult): string[] => [status, file, formatMs(durationMs)]

function restOf(tests: readonly TestResult[]): string {
  const counts = Object.entries(countByStatus(tests)).filter(([, count]) => count > 0)
  return counts.map(([status, count]) => `${count} ${status}`).join(', ')
}

/** Test files that were not run, by reason. */
function skippedLines(skipped: readonly TestResult[]): string[] {
  if (skipped.length === 0) return []
  const byReason = new Map<string, string[]>()
  for (const { file, reason = 'skipped' } of skipped) byReason.set(reason, [...(byReason.get(reason) ?? []), file])
  const reasons = [...byReason].slice(0, tableLimit).map(([reason, files]) => {
    const more = files.length > 1 ? ` and ${files.length - 1} more` : ''
    return `- not run: ${shortened(files[0] as string, cellLimit)}${more}: ${shortened(reason, 200)}`
  })
  return ['', ...reasons, ...andMore(byReason.size - reasons.length)]
}

const titles = { error: 'Errors', warning: 'Warnings', info: 'Notices' } as const

function findingSections(findings: readonly Finding[]): string[] {
  if (findings.length === 0) return ['## Findings', '', 'None.']
  const parts = severities.flatMap(severity => {
    const those = findings.filter(finding => finding.severity === severity)
    if (those.length === 0) return []
    const shown = those.slice(0, listLimit)
    const lines = shown.map(
      ({ file, line, rule, message }) =>
        `- ${shortened(file, 160)}:${line} [${shortened(rule, 40)}] ${shortened(message, 240)}`,
    )
    return ['', `### ${titles[severity]} (${those.length})`, '', ...lines, ...andMore(those.length - shown.length)]
  })
  return ['## Findings', ...parts]
}

function riskSection({ risk }: Examination): string[] {
  // Files without any risk fill the list of a young repository, and say nothing.
  const shown = (risk?.files ?? []).filter(({ score }) => score > 0).slice(0, tableLimit)
  if (shown.length === 0) return []
  const rows = shown.map(({ score, file, fixes, churn, lines }) => [score, file, fixes, churn, lines].map(String))
  return ['## Bug risk by history', '', ...table(['risk', 'file', 'fixes', 'lines changed', 'lines'], rows)]
}

function notesSection({ notes }: Examination): string[] {
  if (notes.length === 0) return []
  const shown = notes.slice(0, tableLimit).map(note => `- ${shortened(note)}`)
  return ['## Not done, or done with less', '', ...shown, ...andMore(notes.length - shown.length)]
}

function andMore(count: number, of = ''): string[] {
  return count > 0 ? ['', `and ${count} more${of === '' ? '' : ` (${of})`}`] : []
}

const paragraph = (text: string): string =>
  text
    .split(/\n{2,}/)
    .map(part => part.trim())
    .filter(Boolean)
    .join('\n\n')
    .slice(0, paragraphLimit) || 'There is none.'

/** A table whose columns line up as text too. */
function table(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const cells = [header, ...rows].map(row => row.map(cell => shortened(cell, cellLimit).replace(/\|/g, '\\|')))
  const widths = header.map((_, column) => Math.max(3, ...cells.map(row => row[column]?.length ?? 0)))
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] as number)).join(' | ')} |`
  const [head = [], ...body] = cells
  return [line(head), line(widths.map(width => '-'.repeat(width))), ...body.map(line)]
}
