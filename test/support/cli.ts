/**
 * The built command line as real processes in an empty directory of a test: run to the end, or watched while it runs.
 * Whatever a test leaves running is killed with its directory.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { projectRoot } from './import-graph.ts'

export interface Ended {
  /** The exit code; null for a process that a signal ended. */
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Started {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
  /** Resolves when stderr has had the text. */
  said(text: string): Promise<void>
}

export interface CliPlace {
  readonly directory: string
  write(name: string, text: string): void
  /** Starts `holdfast …` here. */
  start(...args: readonly string[]): Started
  /** Runs `holdfast …` here to its end, with a text on its stdin. */
  feed(stdin: string, ...args: readonly string[]): Promise<Ended>
  /** Runs `holdfast …` here to its end. */
  run(...args: readonly string[]): Promise<Ended>
  /** What `holdfast … --json` prints. */
  json<T = Record<string, unknown>>(...args: readonly string[]): Promise<{ code: number | null; data: T }>
  remove(): void
}

const main = join(projectRoot, 'dist/src/cli/main.js')

/**
 * @param files what is in the directory at first, by name
 * @param variables added to the environment of its processes
 */
export function createCliPlace(
  files: Readonly<Record<string, string>> = {},
  variables: Readonly<Record<string, string>> = {},
): CliPlace {
  const directory = mkdtempSync(join(tmpdir(), 'hf-'))
  const children = new Set<ChildProcess>()
  const write = (name: string, text: string): void => writeFileSync(join(directory, name), text)
  for (const [name, text] of Object.entries(files)) write(name, text)

  const begin = (stdin: string, args: readonly string[]): Started => {
    const child = spawn(process.execPath, [main, ...args], {
      cwd: directory,
      env: { ...environment(), ...variables },
      stdio: 'pipe',
    })
    children.add(child)
    child.stdin.end(stdin)
    const heard = { stdout: '', stderr: '' }
    child.stdout.setEncoding('utf8').on('data', text => {
      heard.stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', text => {
      heard.stderr += text
    })
    const ended = new Promise<Ended>(resolve => {
      child.on('close', code => {
        children.delete(child)
        resolve({ code, ...heard })
      })
    })
    const said = async (text: string): Promise<void> => {
      while (!heard.stderr.includes(text)) {
        const more = new Promise(resolve => child.stderr.once('data', resolve))
        if (await Promise.race([more.then(() => false), ended.then(() => true)])) {
          if (!heard.stderr.includes(text)) throw new Error(`it ended without saying '${text}': ${heard.stderr}`)
        }
      }
    }
    return { child, ended, said }
  }

  const run = (...args: readonly string[]): Promise<Ended> => begin('', args).ended
  return {
    directory,
    write,
    start: (...args) => begin('', args),
    feed: (stdin, ...args) => begin(stdin, args).ended,
    run,
    async json<T>(...args: readonly string[]) {
      const { code, stdout } = await run(...args, '--json')
      return { code, data: JSON.parse(stdout) as T }
    },
    remove() {
      for (const child of children) child.kill('SIGKILL')
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** That of this process, without what it says to Holdfast. */
const environment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(?:HOLDFAST_|npm_|(?:OPENAI|ANTHROPIC)_API_KEY$|NO_COLOR$|FORCE_COLOR$)/.test(name),
    ),
  )
