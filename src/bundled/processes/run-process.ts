/**
 * Runs a command as a child process in a process group of its own and always ends it: when its time is up, when the
 * caller aborts, and when it has ended itself but left something behind, the whole group is killed; when it is stopped,
 * so is what it started outside of the group. Where the platform
 * has groups, a guard in the group waits for this process's death and kills the group then, so that not even `kill -9`
 * of Holdfast leaves a hung test behind. Output is kept bounded: the end of it. It resolves for every end of the
 * command and rejects only when aborted.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import { type Clock, systemClock } from '../../time/clock.ts'
import { descendantsOf } from './process-tree.ts'

export interface ProcessSpec {
  readonly command: string
  readonly args: readonly string[]
  readonly cwd: string
  /** All of it: nothing is inherited. */
  readonly env: Readonly<Record<string, string>>
  readonly timeoutMs: number
  readonly signal: AbortSignal
  /** Called once at half the time. */
  readonly onSlow?: (() => void) | undefined
  /** Kept of stdout and of stderr, each; @default 64 KiB */
  readonly outputLimit?: number | undefined
  /** From SIGTERM to SIGKILL; @default 1000 */
  readonly graceMs?: number | undefined
  /** @default the machine's clock */
  readonly clock?: Clock | undefined
}

export interface ProcessEnd {
  /** `not-started`: the command does not exist or may not be run. */
  readonly end: 'exited' | 'signalled' | 'timeout' | 'not-started'
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
  /** The first bytes were dropped from stdout or stderr. */
  readonly truncated: boolean
  readonly durationMs: number
  readonly error?: string | undefined
}

/** How long the output may still be read after the command has ended. */
const drainMs = 500

// The first process reads a pipe whose other end only Holdfast holds; its end means that Holdfast is gone.
const guardScript = '{ read -r _ <&3; kill -9 0; } >/dev/null 2>&1 & exec "$@" 3<&-'

/** What was asked for, of a command line that may be that of the guard: for who stands in for processes. */
export function unguarded(command: string, args: readonly string[]): { command: string; args: readonly string[] } {
  const [, script, , asked] = args
  return script === guardScript && asked !== undefined ? { command: asked, args: args.slice(4) } : { command, args }
}

// What a shell says of a command that it cannot become.
const shellRefusal = /^.*\bsh: .*exec: .*(?:not found|denied|cannot execute|format error).*$/im

export function runProcess(spec: ProcessSpec): Promise<ProcessEnd> {
  const { signal } = spec
  const clock = spec.clock ?? systemClock
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason)
      return
    }
    const startedAt = clock.now()
    const child = spawnInGroup(spec)
    const stdout = tail(child.stdout, spec.outputLimit ?? 65_536)
    const stderr = tail(child.stderr, spec.outputLimit ?? 65_536)
    const timers: unknown[] = []
    const strays: number[] = []
    let stopping: 'timeout' | 'aborted' | undefined

    const stop = (reason: 'timeout' | 'aborted'): void => {
      stopping ??= reason
      // Looked for before anything is killed: afterwards nobody knows whose children they were.
      strays.push(...(child.pid === undefined ? [] : descendantsOf(child.pid)))
      signalGroup(child, 'SIGTERM')
      timers.push(clock.setTimeout(() => signalGroup(child, 'SIGKILL'), spec.graceMs ?? 1000))
    }
    const onAbort = (): void => stop('aborted')
    const stopWatching = (): void => {
      for (const timer of timers.splice(0)) clock.clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
    }
    const finish = (end: ProcessEnd['end'], exitCode: number | null, error?: string): void => {
      stopWatching()
      child.stdout?.destroy()
      child.stderr?.destroy()
      if (stopping === 'aborted') {
        reject(signal.reason)
        return
      }
      resolve({
        end: stopping ?? end,
        exitCode,
        stdout: stdout.text(),
        stderr: stderr.text(),
        truncated: stdout.truncated() || stderr.truncated(),
        durationMs: Math.max(0, clock.now() - startedAt),
        error,
      })
    }

    signal.addEventListener('abort', onAbort, { once: true })
    timers.push(clock.setTimeout(() => stop('timeout'), spec.timeoutMs))
    if (spec.onSlow) timers.push(clock.setTimeout(spec.onSlow, spec.timeoutMs / 2))

    child.once('error', error => finish('not-started', null, error.message))
    child.once('exit', (code, killedBy) => {
      stopWatching()
      signalGroup(child, 'SIGKILL')
      for (const stray of strays) killStray(stray)
      const ended = (): void => {
        const refusal = code === 126 || code === 127 ? shellRefusal.exec(stderr.text())?.[0] : undefined
        if (refusal) finish('not-started', null, refusal)
        else finish(killedBy ? 'signalled' : 'exited', code)
      }
      child.once('close', ended)
      timers.push(clock.setTimeout(ended, drainMs))
    })
  })
}

function spawnInGroup(spec: ProcessSpec): ChildProcess {
  const { command, args, cwd, env } = spec
  if (process.platform === 'win32') {
    return spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], windowsHide: true })
  }
  const child = spawn('/bin/sh', ['-c', guardScript, 'sh', command, ...args], {
    cwd,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
  child.stdio[3]?.on('error', () => {}) // The guard's end of the pipe breaks when the group is killed.
  return child
}

/** Everything in the group; where there are no groups, the process alone. A group that is gone is no error. */
function signalGroup(child: ChildProcess, name: 'SIGTERM' | 'SIGKILL'): void {
  if (child.pid === undefined) return
  try {
    if (process.platform === 'win32') child.kill(name)
    else process.kill(-child.pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') child.kill(name)
  }
}

function killStray(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It went with its group.
  }
}

/** Keeps the last `limit` characters of a stream. */
function tail(stream: Readable | null, limit: number): { text(): string; truncated(): boolean } {
  let kept = ''
  let truncated = false
  stream?.setEncoding('utf8')
  stream?.on('data', (chunk: string) => {
    kept += chunk
    if (kept.length > limit * 2) {
      kept = kept.slice(-limit)
      truncated = true
    }
  })
  stream?.on('error', () => {})
  return { text: () => kept.slice(-limit), truncated: () => truncated || kept.length > limit }
}
