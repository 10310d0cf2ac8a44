/** A fixture project in a directory of its own, with this repository's dependencies; removed when the test ends. */
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cp, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { onTestFinished } from 'vitest'

const repository = resolve(import.meta.dirname, '../../..')

export async function emptyProject(): Promise<string> {
  const directory = await realpath(await mkdtemp(join(tmpdir(), 'checkup-test-')))
  onTestFinished(() => rm(directory, { recursive: true, force: true, maxRetries: 3 }))
  return directory
}

export async function projectFrom(fixture: 'node-tests' | 'vitest-project'): Promise<string> {
  const directory = await emptyProject()
  await cp(join(repository, 'test/fixtures/checkup', fixture), directory, { recursive: true })
  if (fixture === 'vitest-project') await symlink(join(repository, 'node_modules'), join(directory, 'node_modules'))
  return directory
}

export async function projectOf(files: Readonly<Record<string, string>>): Promise<string> {
  const directory = await emptyProject()
  await writeFiles(directory, files)
  return directory
}

export async function writeFiles(directory: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(directory, name)), { recursive: true })
    await writeFile(join(directory, name), content)
  }
}

/** Whether a process runs; one that has ended and that nobody has asked about yet does not. */
export function isAlive(pid: number): boolean {
  const state = process.platform === 'linux' ? stateInProc(pid) : stateByPs(pid)
  return state !== '' && state !== 'Z'
}

function stateInProc(pid: number): string {
  try {
    return /\) (\S) [^)]*$/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1] ?? ''
  } catch {
    return ''
  }
}

function stateByPs(pid: number): string {
  return spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' })
    .stdout.trim()
    .slice(0, 1)
}

export function git(directory: string, ...args: string[]): void {
  execFileSync('git', ['-c', 'init.defaultBranch=main', ...args], { cwd: directory, stdio: 'pipe' })
}

/** @param at when; default now */
export function commitAll(directory: string, message: string, at = new Date().toISOString()): void {
  git(directory, 'add', '--all')
  const env = { ...process.env, GIT_COMMITTER_DATE: at, GIT_AUTHOR_DATE: at }
  const identity = ['-c', 'user.name=Test', '-c', 'user.email=test@example.com', '-c', 'commit.gpgsign=false']
  execFileSync('git', [...identity, 'commit', '--quiet', '-m', message], { cwd: directory, stdio: 'pipe', env })
}

export const neverAborted = new AbortController().signal
