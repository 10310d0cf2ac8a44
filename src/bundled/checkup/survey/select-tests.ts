/**
 * A share of the tests, when not all are to be run: always the same for the same repository. It goes around the
 * directories, so that every part is represented, and within one takes what changed lately first, then what is small.
 * Tests of whole systems come last.
 */
import { compareText } from '../findings.ts'

export interface TestCandidate {
  readonly file: string
  readonly bytes: number
  /** Its place among the recently changed files, 0 the latest; absent when it did not change lately. */
  readonly recency?: number | undefined
}

export function selectTests<T extends TestCandidate>(candidates: readonly T[], maxTests: number | undefined): T[] {
  if (maxTests === undefined || candidates.length <= maxTests) return byFile(candidates)
  const quick = candidates.filter(({ file }) => !isSlow(file))
  const slow = candidates.filter(({ file }) => isSlow(file))
  return byFile([...aroundDirectories(quick), ...aroundDirectories(slow)].slice(0, maxTests))
}

/** The best of every directory, then the second of every directory, and so on. */
function aroundDirectories<T extends TestCandidate>(candidates: readonly T[]): T[] {
  const groups = new Map<string, T[]>()
  for (const candidate of candidates.toSorted(worthFirst)) {
    const directory = directoryOf(candidate.file)
    groups.set(directory, [...(groups.get(directory) ?? []), candidate])
  }
  const inOrder = [...groups].sort(([a], [b]) => compareText(a, b)).map(([, group]) => group)
  const rounds = Math.max(0, ...inOrder.map(group => group.length))
  return Array.from({ length: rounds }, (_, round) => inOrder.flatMap(group => group.slice(round, round + 1))).flat()
}

const byFile = <T extends TestCandidate>(candidates: readonly T[]): T[] =>
  candidates.toSorted((a, b) => compareText(a.file, b.file))

const directoryOf = (file: string): string => file.slice(0, Math.max(0, file.lastIndexOf('/')))

/** Whole systems and whole compilations, which take long. */
const isSlow = (file: string): boolean =>
  /(?:^|\/)(?:e2e|end-to-end|types|crash|stress|soak|perf\w*|bench\w*)\//.test(file)

function worthFirst(a: TestCandidate, b: TestCandidate): number {
  const never = Number.MAX_SAFE_INTEGER
  return (a.recency ?? never) - (b.recency ?? never) || a.bytes - b.bytes || compareText(a.file, b.file)
}
