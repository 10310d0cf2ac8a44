/** Reads what git tells of the history: commits with the lines they changed in each file, newest first. */
import { askGit } from '../git.ts'

interface FileChange {
  readonly file: string
  /** The name before, where the commit renamed it. */
  readonly renamedFrom?: string | undefined
  /** Lines added and removed; 0 for a binary. */
  readonly lines: number
}

export interface Commit {
  /** Seconds since the epoch. */
  readonly at: number
  readonly subject: string
  readonly changes: readonly FileChange[]
}

export type History =
  | { readonly ok: true; readonly commits: readonly Commit[]; readonly shallow: boolean; readonly truncated: boolean }
  | { readonly ok: false; readonly reason: string }

/** Older commits than so many are not looked at. */
export const commitLimit = 5000

/** @param since a date as git understands it, or a commit, tag or branch */
export async function readHistory(root: string, since: string | undefined, signal: AbortSignal): Promise<History> {
  const shallow = await askGit(root, ['rev-parse', '--is-shallow-repository'], signal)
  if (!shallow.ok) return shallow
  const format = '--format=%x1e%ct%x1f%s'
  const range = await rangeOf(root, since, signal)
  const limits = [`-n${commitLimit}`, '--no-merges', '-M', '--numstat', '-z', '--relative', format]
  const log = await askGit(root, ['log', ...limits, ...range, '--', '.'], signal)
  if (!log.ok) return log
  const commits = parseLog(log.output)
  return { ok: true, commits, shallow: shallow.output.trim() === 'true', truncated: commits.length >= commitLimit }
}

async function rangeOf(root: string, since: string | undefined, signal: AbortSignal): Promise<string[]> {
  if (since === undefined) return ['HEAD']
  const ref = await askGit(root, ['rev-parse', '--verify', '--quiet', '--end-of-options', `${since}^{commit}`], signal)
  return ref.ok ? [`${ref.output.trim()}..HEAD`] : [`--since=${since}`, 'HEAD']
}

/** The output of `git log -z --numstat` in the format above. */
export function parseLog(output: string): Commit[] {
  return output
    .split('\x1e')
    .slice(1)
    .map(record => {
      const [header = '', ...fields] = record.split('\0')
      const [at = '0', subject = ''] = header.split('\x1f')
      return { at: Number(at), subject, changes: parseChanges(fields) }
    })
}

function parseChanges(fields: readonly string[]): FileChange[] {
  const changes: FileChange[] = []
  for (let at = 0; at < fields.length; at++) {
    const match = /^\n?(\d+|-)\t(\d+|-)\t([\s\S]*)$/.exec(fields[at] as string)
    if (!match) continue
    const [, added = '', removed = '', file = ''] = match
    const lines = (Number(added) || 0) + (Number(removed) || 0)
    if (file !== '') changes.push({ file, lines })
    else {
      const renamedFrom = fields[at + 1] ?? ''
      changes.push({ file: fields[at + 2] ?? '', renamedFrom, lines })
      at += 2
    }
  }
  return changes
}

/** The files that changed last, the latest first. */
export async function recentlyChanged(root: string, signal: AbortSignal): Promise<string[]> {
  const log = await askGit(
    root,
    ['log', '-n200', '--format=', '--name-only', '-z', '--relative', 'HEAD', '--', '.'],
    signal,
  )
  return log.ok ? [...new Set(log.output.split('\0').map(name => name.trim()))].filter(Boolean) : []
}
