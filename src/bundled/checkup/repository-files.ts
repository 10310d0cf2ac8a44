/**
 * The files of a repository that are worth a look: what git tracks or would track where there is git, else a walk.
 * Dependencies, build output and fixtures are left out either way. Paths are relative with `/`, in a fixed order.
 */
import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { compareText } from './findings.ts'
import { askGit } from './git.ts'
import { matchesPattern } from './glob.ts'

export interface FileChoice {
  readonly include?: readonly string[] | undefined
  readonly exclude?: readonly string[] | undefined
}

export interface RepositoryFiles {
  readonly files: readonly string[]
  /** There were more files than are looked at. */
  readonly truncated: boolean
}

/** More files than this are not looked at. */
const fileLimit = 100_000

const leftOut = new Set([
  'node_modules',
  'bower_components',
  'dist',
  'coverage',
  'vendor',
  '__pycache__',
  'site-packages',
  '__fixtures__',
  '__snapshots__',
])

/** Output by convention; but where git tracks them, they are somebody's source. */
const outputUnlessTracked = new Set(['build', 'out', 'target', 'venv'])

/** Hidden directories in which a secret would be published. */
const lookedInto = new Set(['.github', '.circleci', '.gitlab', '.husky', '.storybook', '.vscode', '.config', '.ci'])

export async function listFiles(root: string, choice: FileChoice, signal: AbortSignal): Promise<RepositoryFiles> {
  const git = await askGit(root, ['ls-files', '-co', '--exclude-standard', '--deduplicate', '-z', '--', '.'], signal)
  const tracked = git.ok ? git.output.split('\0').filter(Boolean) : []
  // A directory that git ignores as a whole has no files for git; it was named on purpose, so it is walked.
  const all = tracked.length > 0 ? tracked : await walk(root, signal)
  const files = all.filter(file => isWorthALook(file) && isChosen(file, choice)).sort(compareText)
  return {
    files: files.slice(0, fileLimit),
    truncated: files.length > fileLimit || all.length >= fileLimit * 2,
  }
}

/** Whether no directory on the way is one of dependencies, output, fixtures or hidden matters. */
export function isWorthALook(file: string): boolean {
  const directories = file.split('/').slice(0, -1)
  return !directories.some(
    (name, depth) =>
      leftOut.has(name) ||
      (name.startsWith('.') && !lookedInto.has(name)) ||
      (/^(?:fixtures?|testdata|test-data)$/i.test(name) && depth > 0),
  )
}

/** A pattern is a glob, a directory or a part of a path: `src`, `src/**`, `*.test.ts`. */
function isChosen(file: string, { include, exclude }: FileChoice): boolean {
  const matches = (pattern: string): boolean => matchesPattern(file, pattern)
  return (!include || include.length === 0 || include.some(matches)) && !exclude?.some(matches)
}

async function walk(root: string, signal: AbortSignal): Promise<string[]> {
  const files: string[] = []
  const pending = ['']
  while (pending.length > 0 && files.length < fileLimit * 2) {
    signal.throwIfAborted()
    const directory = pending.pop() as string
    for (const entry of await entriesOf(join(root, directory))) {
      const file = directory === '' ? entry.name : `${directory}/${entry.name}`
      if (entry.isFile()) files.push(file)
      else if (entry.isDirectory() && !outputUnlessTracked.has(entry.name) && isWorthALook(`${file}/x`))
        pending.push(file)
    }
  }
  return files
}

async function entriesOf(directory: string): Promise<import('node:fs').Dirent[]> {
  try {
    return await readdir(directory, { withFileTypes: true })
  } catch {
    return [] // Unreadable or just removed: not a reason to stop.
  }
}

/** The size in bytes, or undefined for what is no regular file (a link, a submodule, one just removed). */
export async function sizeOf(path: string): Promise<number | undefined> {
  try {
    const stats = await lstat(path)
    return stats.isFile() ? stats.size : undefined
  } catch {
    return undefined
  }
}
