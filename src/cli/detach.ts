/**
 * `run --detach`: the same command in a process of its own, which outlives this one and the terminal. This one waits
 * until the start is durable, or until that process has failed before it; then it says so with its own exit code.
 */
import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { createClient, StoreError, systemClock } from '../index.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'
import type { Session } from './session.ts'

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
  }
}

const lookEveryMs = 50

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
  child.stdout?.setEncoding('utf8').on('data', text => {
    said += text
  })
  child.stdin?.on('error', () => {})
  child.stdin?.end(JSON.stringify(start.input))
  const exited = new Promise<number>(resolve => child.on('close', code => resolve(code ?? exitCodes.failed)))
  const status = await Promise.race([durableStart(session, start.id), exited])
  if (typeof status === 'number') return reportExit(session, status, said, log.path)
  child.unref()
  child.stdout?.destroy()
  if (session.json) session.terminal.put(JSON.stringify({ id: start.id, status }, null, 2))
  else sayStarted(session, start.id, child.pid, log.path)
  return exitCodes.done
}

function argumentsOf(session: Session, { name, id, flags }: DetachedStart): string[] {
  const args = ['run', name, '--input', '-', '--id', id, '--watch', '--json', '--dir', session.directory]
  if (flags.profile !== undefined) args.push('--profile', flags.profile)
  if (flags.mode !== undefined) args.push('--mode', flags.mode)
  for (const budget of flags.budget ?? []) args.push('--budget', budget)
  for (const tag of flags.tag ?? []) args.push('--tag', tag)
  if (flags.strict) args.push('--strict')
  if (session.debug) args.push('--debug')
  return args
}

/** The progress of detached runs is kept in `logs/workflow-YYYYMMDD.log`. */
function openLog(session: Session): { file: number; path: string } {
  const directory = join(session.directory, 'logs')
  const day = new Date(systemClock.now()).toISOString().slice(0, 10).replaceAll('-', '')
  const path = join(directory, `workflow-${day}.log`)
  try {
    mkdirSync(directory, { recursive: true })
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

async function durableStart({ store }: Session, id: string): Promise<string> {
  const client = createClient({ store })
  try {
    for (;;) {
      const found = (await client.list({ text: id })).items.find(run => run.id === id)
      if (found) return found.status
      await new Promise<void>(resolve => systemClock.setTimeout(resolve, lookEveryMs))
    }
  } finally {
    await client.close()
  }
}

function sayStarted(session: Session, id: string, pid: number | undefined, log: string): void {
  session.terminal.put(id)
  session.terminal.say(`run ${id} goes on in process ${pid}; its log is ${log}`)
  session.terminal.say(`follow it with: ${session.command(`runs tail ${id}`)}`)
}

/** The process ended before its start was durable, or so soon that nobody saw it begin. */
function reportExit(session: Session, code: number, said: string, log: string): ExitCode {
  const { error } = parsed(said) as { error?: { message: string; hint: string } }
  if (session.json) session.terminal.put(said.trimEnd())
  else if (error)
    session.terminal.say(`${session.terminal.paint('red', 'error:')} ${error.message}\nhint: ${error.hint}`)
  else session.terminal.say(`the process of the run ended with code ${code}; its log is ${log}`)
  return code as ExitCode
}

function parsed(text: string): object {
  try {
    return JSON.parse(text) as object
  } catch {
    return {}
  }
}
