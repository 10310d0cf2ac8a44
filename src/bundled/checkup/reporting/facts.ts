/** An examination as plain sentences: what the summary is made from, and the summary itself where no model serves. */
import { countByStatus, type Examination } from '../results.ts'
import { counted, listed } from './phrases.ts'

const sentencesPerRule = 1

/** The sentences, the most important first. */
export function factsOf(examination: Examination): string[] {
  return [
    testSentence(examination),
    typeSentence(examination),
    scanSentence(examination),
    riskSentence(examination),
    ...worstFindings(examination),
  ].filter(sentence => sentence !== '')
}

export function testSentence({ tests, testsNotChosen }: Examination): string {
  if (tests.length === 0)
    return testsNotChosen > 0 ? `${noneOf(testsNotChosen, 'was', 'was not')} asked for.` : 'No test files were found.'
  const counts = countByStatus(tests)
  const run = tests.length - counts.skipped
  const bad = [
    ...(counts.failed > 0 ? [`${counts.failed} failed`] : []),
    ...(counts.timeout > 0 ? [`${counts.timeout} hung and ${counts.timeout === 1 ? 'was' : 'were'} killed`] : []),
    ...(counts.error > 0 ? [`${counts.error} could not be run`] : []),
    ...(counts.flaky > 0 ? [`${counts.flaky} ${counts.flaky === 1 ? 'is' : 'are'} flaky`] : []),
  ]
  const all = tests.length + testsNotChosen
  const share = testsNotChosen > 0 ? ` (a share was asked for: ${tests.length} of ${all})` : ''
  const skipped = counts.skipped > 0 ? `; ${counts.skipped} ${counts.skipped === 1 ? 'was' : 'were'} skipped` : ''
  if (run === 0) return `${noneOf(tests.length, 'could be', 'could not be')} run here${share}.`
  if (bad.length === 0) return `${allOf(run)} that ran passed${skipped}${share}.`
  if (run === 1) return `The test file that ran: ${listed(bad)}${skipped}${share}.`
  const passed = counts.passed > 0 ? `${counts.passed} passed` : 'none passed'
  return `Of ${run} test files, ${listed([...bad, passed])}${skipped}${share}.`
}

const noneOf = (count: number, could: string, couldNot: string): string =>
  count === 1 ? `The one test file ${couldNot}` : `None of the ${count} test files ${could}`
const allOf = (count: number): string => (count === 1 ? 'The one test file' : `All ${count} test files`)

function typeSentence({ types }: Examination): string {
  if (!types) return ''
  if (types.status === 'passed') return `The type check (${types.note}) passed.`
  if (types.status === 'failed')
    return `The type check (${types.note}) failed with ${counted(types.findings.length, 'finding')}.`
  return types.status === 'timeout' ? 'The type check hung and was killed.' : `There was no type check: ${types.note}.`
}

function scanSentence({ scan }: Examination): string {
  if (!scan) return ''
  const secrets = scan.findings.filter(({ rule }) => rule.startsWith('secret-')).length
  const calls = scan.findings.length - secrets
  const found = [
    ...(secrets > 0 ? [counted(secrets, 'secret')] : []),
    ...(calls > 0 ? [counted(calls, 'dangerous call')] : []),
  ]
  return `The scan of ${counted(scan.scanned, 'file')} found ${found.length > 0 ? listed(found) : 'no secret and no dangerous call'}.`
}

function riskSentence({ risk }: Examination): string {
  const [first] = risk?.files ?? []
  if (!risk || risk.commits === 0) return ''
  if (!first) return `In ${counted(risk.commits, 'commit')} no fix of a present file was found.`
  return `By the history of ${counted(risk.commits, 'commit')} the next bug is most likely in ${first.file}.`
}

function worstFindings({ findings }: Examination): string[] {
  const told = new Map<string, number>()
  return findings
    .filter(({ severity, rule }) => {
      const count = (told.get(rule) ?? 0) + 1
      told.set(rule, count)
      return severity !== 'info' && count <= sentencesPerRule
    })
    .map(({ file, line, message }) => `${file}:${line}: ${message.replace(/[.…]*$/, '')}.`)
}
