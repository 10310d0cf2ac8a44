/**
 * Asks git about a directory. Nothing here writes, prompts, takes a lock or runs a hook; what git says is an answer or
 * a sentence of why there is none. A directory that git will not vouch for (another owner's) counts as no repository.
 */
import { childEnvironment } from '../../config/child-environment.ts'
import { runProcess } from '../processes/run-process.ts'

export type GitAnswer = { readonly ok: true; readonly output: string } | { readonly ok: false; readonly reason: string }

const gitTimeoutMs = 60_000
const gitOutputLimit = 32 * 1024 * 1024

export async function askGit(directory: string, args: readonly string[], signal: AbortSignal): Promise<GitAnswer> {
  const end = await runProcess({
    command: 'git',
    args: ['-c', 'core.quotepath=off', '-c', 'core.fsmonitor=false', ...args],
    cwd: directory,
    env: { ...childEnvironment(), GIT_TERMINAL_PROMPT: '0', GIT_OPTIONAL_LOCKS: '0', GIT_PAGER: 'cat', LC_ALL: 'C' },
    timeoutMs: gitTimeoutMs,
    outputLimit: gitOutputLimit,
    signal,
  })
  if (end.end === 'not-started') return { ok: false, reason: 'git is not installed' }
  if (end.end === 'timeout') return { ok: false, reason: 'git did not answer within a minute' }
  if (end.exitCode !== 0) return { ok: false, reason: reasonOf(end.stderr) }
  if (end.truncated) return { ok: false, reason: 'git answered with more than 32 MiB' }
  return { ok: true, output: end.stdout }
}

function reasonOf(stderr: string): string {
  if (/not a git repository/i.test(stderr)) return 'this is not a git repository'
  if (/dubious ownership/i.test(stderr)) return 'git does not trust this directory, because another user owns it'
  if (/does not have any commits|unknown revision .*HEAD|bad revision 'HEAD'/i.test(stderr))
    return 'there is no commit yet'
  return `git said: ${stderr.trim().split('\n')[0]?.slice(0, 200) || 'nothing'}`
}
