/** The bug risk of a repository: its history joined with its files of today, the riskiest as findings. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { type Finding, findingSchema } from '../findings.ts'
import { sizeOf } from '../repository-files.ts'
import { looksLikeTest } from '../test-files.ts'
import { bugRisk, type FileRisk } from './bug-risk.ts'
import { commitLimit, readHistory } from './git-log.ts'

const fileRiskSchema = z.object({
  file: z.string(),
  score: z.number(),
  fixes: z.number(),
  churn: z.number(),
  lines: z.number(),
})

export const riskSchema = z.object({
  commits: z.number(),
  files: z.array(fileRiskSchema),
  findings: z.array(findingSchema),
  /** Why there is nothing, or why it is less than it could be. */
  notes: z.array(z.string()),
})
export type Risk = z.infer<typeof riskSchema>

export interface RiskOptions {
  readonly root: string
  readonly files: readonly string[]
  readonly since?: string | undefined
  readonly signal: AbortSignal
}

const shownFiles = 10
const byteLimit = 1024 * 1024
const isSource =
  /\.(?:[cm]?[jt]sx?|vue|svelte|py|rb|go|rs|java|kt|kts|scala|cs|fs|swift|m|mm|c|cc|cpp|cxx|h|hpp|php|ex|exs|erl|clj|hs|ml|lua|r|jl|dart|sh|bash|pl|sql)$/i

export async function assessRisk({ root, files, since, signal }: RiskOptions): Promise<Risk> {
  const history = await readHistory(root, since, signal)
  if (!history.ok) return { commits: 0, files: [], findings: [], notes: [`no git history: ${history.reason}`] }
  const { commits, shallow, truncated } = history
  const touched = new Set(commits.flatMap(({ changes }) => changes.map(({ file }) => file)))
  const sources = files.filter(file => touched.has(file) && isSource.test(file) && !looksLikeTest(file))
  const risky = bugRisk({ commits, linesOf: await countLines(root, sources, signal) }).slice(0, shownFiles)
  return {
    commits: commits.length,
    files: risky,
    findings: risky.filter(({ score }) => score >= 5).map(toFinding),
    notes: [
      ...(commits.length === 0 ? [`no git history: no commit${since === undefined ? '' : ` since ${since}`}`] : []),
      ...(shallow ? ['the clone is shallow, so the history is cut short'] : []),
      ...(truncated ? [`only the last ${commitLimit} commits were looked at`] : []),
    ],
  }
}

function toFinding({ file, score, fixes, churn, lines }: FileRisk): Finding {
  const times = fixes === 1 ? 'once' : fixes === 2 ? 'twice' : `${fixes} times`
  return {
    file,
    line: 1,
    rule: 'bug-risk',
    severity: score >= 50 && fixes >= 3 ? 'warning' : 'info',
    message: `Risk ${score} of 100: fixed ${times}, ${churn} lines changed, ${lines} lines long. Review and test it first.`,
  }
}

async function countLines(root: string, files: readonly string[], signal: AbortSignal): Promise<Map<string, number>> {
  const lines = new Map<string, number>()
  for (const file of files) {
    signal.throwIfAborted()
    const size = await sizeOf(join(root, file))
    if (size === undefined || size > byteLimit) continue
    try {
      lines.set(file, (await readFile(join(root, file), 'utf8')).split('\n').length)
    } catch {
      // Unreadable or just removed: then it has no risk to speak of.
    }
  }
  return lines
}
