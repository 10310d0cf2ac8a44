/**
 * `run --detach`: the same command in a process of its own, which outlives this one and the terminal. This one waits
 * until the start is durable, or until that process has failed before it; then it says so with its own exit code.
 */
import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { type RunStatus, StoreError, systemClock } from '../index.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'
import { describeError, type PrintedError, putError } from './print-error.ts'
import { logFile } from './run-log.ts'
import type { Session } from './session.ts'
import { quoted } from './shell.ts'

export interface DetachedStart {
  readonly name: string
  readonly id: string
  /** Parsed; the process is given it as it is. */
  readonly input: unknown
  readonly flags: {
    readonly profile?: string
    readonly mode?: string
    readonly budget?: readonly string[]
    readonly tag?: readonly string[]
    readonly strict?: boolean
    readonly maxRetries?: string
    readonly timeoutMultiplier?: string
    readonly local?: boolean
    readonly chaos?: string
  }
}

export async function startDetached(session: Session, start: DetachedStart): Promise<ExitCode> {
  const log = openLog(session)
  const child = spawn(
    process.execPath,
    [...process.execArgv, process.argv[1] as string, ...argumentsOf(session, start)],
    {
      detached: true,
      stdio: ['pipe', 'pipe', log.file],
    },
  )
  closeSync(log.file)
  let said = ''
  const started = new Promise<RunStatus>(resolve => {
    child.stdout?.setEncoding('utf8').on('data', text => {
      said += text
      const status = announcedStatus(said)
      if (status !== undefined) resolve(status)
    })
  })
  child.stdin?.on('error', () => {})
  child.stdin?.end(JSON.stringify(start.input))
  const exited = new Promise<number>(resolve => child.on('close', code => resolve(code ?? exitCodes.failed)))
  const status = await Promise.race([started, exited])
  if (typeof status === 'number') return reportExit(session, status, said, log.path)
  child.unref()
  child.stdout?.destroy()
  if (session.json) session.terminal.put(JSON.stringify({ id: start.id, status }, null, 2))
  else sayStarted(session, start.id, child.pid, log.path)
  return exitCodes.done
}

function argumentsOf(session: Session, { name, id, flags }: DetachedStart): string[] {
  const args = ['run', name, '--input', '-', '--id', id, '--watch', '--announce', '--json', '--dir', session.directory]
  if (flags.profile !== undefined) args.push('--profile', flags.profile)
  if (flags.mode !== undefined) args.push('--mode', flags.mode)
  for (const budget of flags.budget ?? []) args.push('--budget', budget)
  for (const tag of flags.tag ?? []) args.push('--tag', tag)
  if (flags.maxRetries !== undefined) args.push('--max-retries', flags.maxRetries)
  if (flags.timeoutMultiplier !== undefined) args.push('--timeout-multiplier', flags.timeoutMultiplier)
  if (flags.local) args.push('--local')
  if (flags.chaos !== undefined) args.push('--chaos', flags.chaos)
  if (flags.strict) args.push('--strict')
  if (session.debug) args.push('--debug')
  args.push('--log-level', session.logLevel)
  return args
}

/** The process writes the log itself; what it says beside that, as it dies of something, goes there, too. */
function openLog(session: Session): { file: number; path: string } {
  const path = logFile(session.directory, systemClock.now())
  try {
    mkdirSync(dirname(path), { recursive: true })
    return { file: openSync(path, 'a'), path }
  } catch (error) {
    const code = ['ENOSPC', 'EDQUOT'].includes((error as { code: string }).code) ? 'store_full' : 'store_readonly'
    throw new StoreError(
      code,
      `the log ${path} cannot be written: ${(error as Error).message}`,
      { path },
      { cause: error },
    )
  }
}

/** The session of the process of a detached run: nobody listens, and its log tells what happens. */
export const unheard = (session: Session): Session => ({
  ...session,
  log: { debug() {}, info() {}, warn() {}, error() {} },
  terminal: { ...session.terminal, say() {}, pin() {} },
})

/** What the process of a detached run writes to stdout, on one line, when its start is durable. */
export const announcement = (id: string, status: RunStatus): string => JSON.stringify({ started: { id, status } })

/** The status in an announcement; undefined as long as there is none. */
function announcedStatus(said: string): RunStatus | undefined {
  const end = said.indexOf('\n')
  return end < 0 ? undefined : (parsed(said.slice(0, end)) as { started?: { status: RunStatus } }).started?.status
}

function sayStarted(session: Session, id: string, pid: number | undefined, log: string): void {
  session.terminal.put(id)
  session.terminal.say(`run ${id} goes on in process ${pid}; its log is ${log}`)
  session.terminal.say(`follow it with: ${session.command(`runs tail ${quoted(id)}`)}`)
}

/** The process ended before its start was durable: what it said is said here, with its exit code. */
function reportExit(session: Session, code: number, said: string, log: string): ExitCode {
  const { error } = parsed(said) as { error?: PrintedError }
  const silent = new Error(
    `the process of the run ended with code ${code} before the start was durable; its log is ${log}`,
  )
  putError(error ?? describeError(silent), session.terminal, session)
  return code as ExitCode
}

function parsed(text: string): object {
  try {
    return JSON.parse(text) as object
  } catch {
    return {}
  }
}
