/**
 * Where the next bug is likely: in files that were fixed often and lately, change much and are large. Each fixing
 * commit weighs 1 / (1 + e^(12 - 12t)), where t runs from 0 at the oldest commit to 1 at the newest (the weight of
 * Google's bug prediction, so that old fixes fade); churn and size count by their logarithm, so that one huge file
 * does not drown the rest. Pure: the newest commit is the present, no clock is read.
 */
import type { Commit } from './git-log.ts'

export interface FileRisk {
  readonly file: string
  /** Of the riskiest file 100. */
  readonly score: number
  /** Commits that fixed something in it. */
  readonly fixes: number
  /** Lines added and removed in the time looked at. */
  readonly churn: number
  readonly lines: number
}

export interface RiskOptions {
  readonly commits: readonly Commit[]
  /** The lines of each file that is there today; files that are not in it are gone. */
  readonly linesOf: ReadonlyMap<string, number>
}

/** The riskiest first; only files with a fixing commit. */
export function bugRisk({ commits, linesOf }: RiskOptions): FileRisk[] {
  const tallies = tally(commits)
  const raw = [...tallies].flatMap(([file, { weight, fixes, churn }]) => {
    const lines = linesOf.get(file)
    if (lines === undefined || lines === 0 || fixes === 0) return []
    return [{ file, fixes, churn, lines, raw: weight * Math.log1p(churn) * Math.log1p(lines) }]
  })
  const highest = Math.max(...raw.map(entry => entry.raw), Number.MIN_VALUE)
  return raw
    .map(({ raw: value, ...entry }) => ({ ...entry, score: Math.round((100 * value) / highest) }))
    .sort((a, b) => b.score - a.score || b.fixes - a.fixes || (a.file < b.file ? -1 : 1))
}

interface Tally {
  weight: number
  fixes: number
  churn: number
}

function tally(commits: readonly Commit[]): Map<string, Tally> {
  const times = commits.map(({ at }) => at)
  const newest = times.reduce((a, b) => Math.max(a, b), 0)
  const oldest = times.reduce((a, b) => Math.min(a, b), newest)
  const nameToday = new Map<string, string>()
  const tallies = new Map<string, Tally>()
  // Newest first, so a rename is met before the changes under the old name.
  for (const { at, subject, changes } of commits) {
    const weight = isFix(subject) ? fixWeight(newest === oldest ? 1 : (at - oldest) / (newest - oldest)) : 0
    for (const { file, renamedFrom, lines } of changes) {
      const today = nameToday.get(file) ?? file
      if (renamedFrom !== undefined && !nameToday.has(renamedFrom)) nameToday.set(renamedFrom, today)
      const entry = tallies.get(today) ?? { weight: 0, fixes: 0, churn: 0 }
      tallies.set(today, entry)
      entry.churn += lines
      entry.weight += weight
      if (weight > 0) entry.fixes++
    }
  }
  return tallies
}

const fixWeight = (t: number): number => 1 / (1 + Math.exp(12 - 12 * t))

/** Whether the first line of a message says that something broken was mended; not typing errors, style or tooling. */
export function isFix(subject: string): boolean {
  if (
    /\b(?:typos?|spelling|wording|lint(?:er|ing)?|format(?:ting)?|prettier|whitespace|docs?|readme|changelog|comments?|ci|merge)\b/i.test(
      subject,
    )
  ) {
    return false
  }
  return /\b(?:fix(?:e[sd]|ing)?|bug(?:s|fix(?:es)?)?|hot-?fix|regressions?|revert(?:s|ed)?|crash(?:es|ed)?|defects?)\b/i.test(
    subject,
  )
}
