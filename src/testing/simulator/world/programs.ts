/**
 * The programs of a simulation: what a stage starts as a child process is answered by a function of the user's, and takes
 * simulated time. Under faults programs are killed, hang, take long or cannot be started. A program outlives the process
 * that started it, which is then not told of its end.
 */
import type { ChildProcess } from 'node:child_process'
import { basename } from 'node:path'
import { Duplex, Readable, type Stream, Writable } from 'node:stream'
import { unguarded } from '../../../bundled/processes/run-process.ts'
import type { Random } from '../../../time/random.ts'
import type { HeapTimer } from '../../timer-heap.ts'
import type { FaultRates } from '../fault-profile.ts'
import { type Callable, inPlace, type Place } from '../place.ts'
import type { FileTree } from './file-tree.ts'

/** What a program was started with. */
export interface ProgramCall {
  /** The last part of its path: `git`. */
  readonly command: string
  readonly args: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  readonly runId: string
  readonly stage: string
  readonly random: Random
  /** The simulated files, for a program that reads or changes them; empty where the simulation has none. */
  readonly files: FileTree
}

/** How a program ends. */
export interface ProgramEnd {
  /** @default 0 */
  readonly exitCode?: number | undefined
  readonly stdout?: string | undefined
  readonly stderr?: string | undefined
  /** @default by chance, around a second */
  readonly durationMs?: number | undefined
}

/** A text stands for a program that prints it and ends well; undefined for one that there is not. */
export type Program = (call: ProgramCall) => ProgramEnd | string | undefined

/** By name, or one function for all. */
export type Programs = Program | Readonly<Record<string, Program | ProgramEnd | string>>

/** A program that was asked for, for invariants. */
export interface ProgramRun extends Omit<ProgramCall, 'random' | 'files'> {
  /** True time, in ms since the Unix epoch. */
  readonly startedAt: number
  /** Absent where it did not end. */
  endedAt?: number | undefined
  exitCode?: number | null | undefined
  signal?: string | undefined
  /** Why it could not be started: `ENOENT`, `EAGAIN`. */
  error?: string | undefined
  /** Whether the process that started it was told of its end. */
  isHeard: boolean
}

export interface ProgramsOptions {
  readonly programs: Programs
  readonly files: FileTree
  readonly random: Random
  readonly rates: () => FaultRates
  readonly note: (what: string) => void
}

interface SpawnOptions {
  readonly file: string
  readonly args?: readonly string[]
  readonly cwd?: string | URL
  readonly envPairs?: readonly string[]
  readonly stdio?: string | readonly unknown[]
}

interface Running {
  readonly run: ProgramRun
  readonly end: (exitCode: number | null, signal?: string) => void
}

const hangMs = 6 * 3_600_000
/** Higher than any system gives: a signal to one of them never reaches a real process. */
const firstId = 1_000_000_000

export class SimulatedPrograms {
  readonly started: ProgramRun[] = []
  readonly #options: ProgramsOptions
  readonly #running = new Map<number, Running>()
  #ids = firstId

  constructor(options: ProgramsOptions) {
    this.#options = options
  }

  /** What `ChildProcess.prototype.spawn` does. */
  spawn(place: Place, child: ChildProcess, options: SpawnOptions): void {
    const call = this.#callOf(place, options)
    const end = this.#answer(call)
    dress(child, options)
    const fault = this.#fault(call)
    const run = this.#begun(call, place)
    if (end === undefined || fault === 'cannot be started') {
      const error = end === undefined ? 'ENOENT' : 'EAGAIN'
      Object.assign(run, { endedAt: place.time.now, exitCode: null, error, isHeard: true })
      later(() => refuse(child, error, options.file))
      return
    }
    const id = this.#ids++
    const durationMs = fault === 'hangs' ? hangMs : this.#durationOf(end) * (fault === 'is slow' ? 20 : 1)
    const finish = (exitCode: number | null, signal?: string): void => {
      if (!this.#running.delete(id)) return
      place.time.cancel(timer)
      Object.assign(run, { endedAt: place.time.now, exitCode, signal, isHeard: place.process?.isDead !== true })
      if (run.isHeard) inPlace(place, () => tell(child, { ...end, exitCode, signal }))
    }
    const timer: HeapTimer = place.time.after(durationMs, () =>
      fault === 'is killed' ? finish(null, 'SIGKILL') : finish(end.exitCode ?? 0),
    )
    // A signal takes effect after the one who sends it has gone on.
    const stop = (_: number | null, signal?: string): void => void place.time.after(1, () => finish(null, signal))
    this.#running.set(id, { run, end: stop })
    Object.assign(child, { pid: id, kill: (signal?: string) => this.#kill(child, id, signal) })
    later(() => child.emit('spawn'))
  }

  /** What `spawnSync` gives: no time passes meanwhile. */
  spawnSync(place: Place, options: SpawnOptions & { readonly encoding?: string }): Record<string, unknown> {
    const call = this.#callOf(place, options)
    const end = this.#answer(call)
    if (end === undefined) {
      return {
        pid: 0,
        output: null,
        stdout: null,
        stderr: null,
        status: null,
        signal: null,
        error: missing(options.file),
      }
    }
    const isKilled = this.#fault(call) === 'is killed'
    const [status, signal] = isKilled ? [null, 'SIGKILL'] : [end.exitCode ?? 0, null]
    const run = this.#begun(call, place)
    Object.assign(run, { endedAt: place.time.now, exitCode: status, signal: signal ?? undefined, isHeard: true })
    const [stdout, stderr] = [end.stdout ?? '', end.stderr ?? ''].map(text =>
      options.encoding && options.encoding !== 'buffer' ? text : Buffer.from(text),
    )
    return { pid: this.#ids++, output: [null, stdout, stderr], stdout, stderr, status, signal }
  }

  /** @returns undefined where the id is none of theirs @throws ESRCH where it has ended */
  kill(pid: number, signal: string | number | undefined): boolean | undefined {
    if (Math.abs(pid) < firstId) return undefined
    const running = this.#running.get(Math.abs(pid))
    if (!running) throw Object.assign(new Error('kill ESRCH'), { code: 'ESRCH', errno: -3, syscall: 'kill' })
    if (signal !== 0) running.end(null, String(signal ?? 'SIGTERM'))
    return true
  }

  #kill(child: ChildProcess, id: number, signal?: string): boolean {
    const running = this.#running.get(id)
    if (!running) return false
    running.end(null, signal ?? 'SIGTERM')
    Object.assign(child, { killed: true })
    return true
  }

  #callOf(place: Place, { file, args = [], cwd, envPairs = [] }: SpawnOptions): ProgramCall {
    // What a bundled workflow starts stands behind a guard, which is not what it asks for.
    const asked = unguarded(file, args.slice(1).map(String))
    return {
      command: basename(asked.command),
      args: asked.args,
      cwd: cwd === undefined ? process.cwd() : String(cwd),
      env: Object.fromEntries(
        envPairs.map(pair => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
      ),
      runId: place.runId ?? '',
      stage: place.stage ?? '',
      random: this.#options.random,
      files: this.#options.files,
    }
  }

  #answer(call: ProgramCall): ProgramEnd | undefined {
    const { programs } = this.#options
    const known = typeof programs === 'function' || Object.hasOwn(programs, call.command)
    if (!known) return undefined
    const program = typeof programs === 'function' ? programs : programs[call.command]
    const end = typeof program === 'function' ? program(call) : program
    return typeof end === 'string' ? { stdout: end } : end
  }

  #fault({ command, stage }: ProgramCall): string | undefined {
    const { random, rates, note } = this.#options
    const { crashes, disk } = rates()
    const [isCrash, isDisk, chance] = [random() < crashes * 0.1, random() < disk * 0.2, random()]
    if (!isCrash && !isDisk) return undefined
    const [often, seldom] = isCrash ? ['is killed', 'cannot be started'] : ['is slow', 'hangs']
    const fault = chance < 0.7 ? often : seldom
    note(`the program ${command} of stage '${stage}' ${fault}`)
    return fault
  }

  #begun({ random: _, files: __, ...call }: ProgramCall, place: Place): ProgramRun {
    const run: ProgramRun = { ...call, startedAt: place.time.now, isHeard: false }
    this.started.push(run)
    return run
  }

  #durationOf({ durationMs }: ProgramEnd): number {
    return durationMs ?? Math.floor(200 + this.#options.random() ** 3 * 10_000)
  }
}

const later = (event: () => void): void => void Promise.resolve().then(event)

const missing = (file: string): Error =>
  Object.assign(new Error(`spawn ${file} ENOENT`), { code: 'ENOENT', errno: -2, syscall: `spawn ${file}`, path: file })

/** The streams of a child process, and what else Node would give it. */
function dress(child: ChildProcess, { file, args = [], stdio = 'pipe' }: SpawnOptions): void {
  const wanted = Array.isArray(stdio) ? [...stdio] : [stdio, stdio, stdio]
  while (wanted.length < 3) wanted.push('pipe')
  const streams = wanted.map((one: unknown, number) => {
    if (one !== 'pipe' && one !== 'overlapped' && one !== undefined && one !== null) return null
    if (number === 0) return new Writable({ write: (_chunk, _encoding, done) => done() })
    return number < 3
      ? new Readable({ read() {} })
      : new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() })
  })
  const [stdin, stdout, stderr] = streams
  const nothing = (): void => {}
  Object.assign(child, {
    spawnfile: file,
    spawnargs: args,
    stdin,
    stdout,
    stderr,
    stdio: streams,
    ref: nothing,
    unref: nothing,
  })
}

function refuse(child: ChildProcess, code: string, file: string): void {
  for (const stream of child.stdio ?? []) stream?.destroy()
  child.emit('error', Object.assign(missing(file), code === 'ENOENT' ? {} : { code, message: `spawn ${file} ${code}` }))
  child.emit('close', -1, null)
}

/** The end of a program, as the one who started it hears of it: what it printed, its exit, and the end of its output. */
function tell(
  child: ChildProcess,
  end: Omit<ProgramEnd, 'exitCode'> & { exitCode: number | null; signal?: string | undefined },
): void {
  const { exitCode, signal = null } = end
  const outputs = [child.stdout, child.stderr] as (Readable | null)[]
  for (const [index, stream] of outputs.entries()) {
    const text = index === 0 ? end.stdout : end.stderr
    if (text && !stream?.destroyed) stream?.push(text)
    if (!stream?.destroyed) stream?.push(null)
  }
  Object.assign(child, { exitCode, signalCode: signal })
  child.stdin?.destroy()
  child.emit('exit', exitCode, signal)
  for (const stream of outputs) if (stream && stream.readableFlowing === null) stream.resume()
  void Promise.all(outputs.map(closed)).then(() => child.emit('close', exitCode, signal))
}

const closed = (stream: (Stream & { closed?: boolean }) | null): Promise<void> =>
  new Promise(resolve => {
    if (!stream || stream.closed) resolve()
    else stream.once('close', () => resolve())
  })

/** Lets the time-out of `exec` and its like pass in simulated time: theirs is a timer of Node. */
export function withSimulatedTimeout(place: Place, start: Callable): Callable {
  return function (this: unknown, ...given: unknown[]): unknown {
    const at = given.findIndex(one => one !== null && typeof one === 'object' && !Array.isArray(one))
    const { timeout = 0, killSignal } = (given[at] ?? {}) as { timeout?: number; killSignal?: string }
    if (timeout <= 0) return Reflect.apply(start, this, given)
    const child = Reflect.apply(start, this, given.with(at, { ...(given[at] as object), timeout: 0 })) as ChildProcess
    const timer = place.time.after(timeout, () => inPlace(place, () => child.kill(killSignal as NodeJS.Signals)))
    child.once('exit', () => place.time.cancel(timer))
    return child
  }
}
