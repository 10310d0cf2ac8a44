/**
 * The functions of Node that reach outside: for a stage they are those of the simulation where it has files or programs, and
 * are refused otherwise, with what to give instead.
 */
import { ChildProcess } from 'node:child_process'
import { promisify } from 'node:util'
import { ValidationError } from '../../errors.ts'
import { builtin, type Replace } from './builtin.ts'
import { type Callable, currentPlace, noted, type Place } from './place.ts'

/** Modules of Node that reach outside, with what of them does so; undefined: every function. */
const outsideModules: Readonly<Record<string, readonly string[] | undefined>> = {
  fs: undefined,
  'fs/promises': undefined,
  child_process: undefined,
  net: ['connect', 'createConnection', 'createServer'],
  tls: ['connect'],
  dgram: ['createSocket'],
  dns: ['lookup', 'resolve', 'resolve4', 'resolve6'],
  http: ['request', 'get', 'createServer'],
  https: ['request', 'get', 'createServer'],
}

/** Each of them is replaced by one that looks who asks. */
export function closeOutside(replace: Replace): void {
  replace(globalThis, 'fetch', given => (...rest: unknown[]) => {
    if (currentPlace()?.stage === undefined) return given(...rest)
    const place = noted('fetch', false) as Place
    return Promise.reject(refusal(place.stage as string, 'fetch'))
  })
  for (const [name, functions] of Object.entries(outsideModules)) {
    const module = builtin(name)
    const names = functions ?? Object.keys(module).filter(key => /^[a-z]/.test(key) && !/^_/.test(key))
    for (const one of names) replace(module, one, given => servedOrRefused(name, one, given))
  }
  // Beneath all that starts a process, also where a function was taken from its module before.
  replace(ChildProcess.prototype, 'spawn', given => {
    return function (this: ChildProcess, options: unknown): unknown {
      const place = currentPlace()
      if (place?.stage === undefined) return Reflect.apply(given, this, [options])
      if (place.world?.spawn(place, this, options as object)) return 0
      noted('child_process.spawn', false)
      throw refusal(place.stage, 'child_process.spawn')
    }
  })
  replace(process, 'kill', given => (pid: unknown, signal: unknown) => {
    const place = currentPlace()
    const sent = place?.world?.kill(pid as number, signal as string | undefined)
    if (sent !== undefined) return sent
    if (place?.stage === undefined) return given.call(process, pid, signal)
    noted('process.kill', false)
    throw refusal(place.stage, 'process.kill')
  })
}

function servedOrRefused(module: string, name: string, given: Callable): Callable {
  const what = `${module}.${name}`
  const made = function (this: unknown, ...rest: unknown[]): unknown {
    const place = currentPlace()
    if (place?.stage === undefined || isLoadingModule(module)) return Reflect.apply(given, this, rest)
    const served = place.world?.serve(place, module, name, given)
    if (typeof served === 'function') return Reflect.apply(served, this, rest)
    noted(what, false)
    throw refusal(place.stage, what, served)
  }
  const { custom } = promisify
  const promised = (given as unknown as Record<symbol, unknown>)[custom] as Callable | undefined
  if (!promised) return made
  const promise = (...rest: unknown[]): unknown =>
    currentPlace()?.stage === undefined ? promised(...rest) : promiseOf(made, rest)
  return Object.assign(made, { [custom]: promise })
}

/** As \`util.promisify\` gives it for functions that start a program. */
function promiseOf(start: Callable, given: readonly unknown[]): unknown {
  let child: unknown
  const promise = new Promise((resolve, reject) => {
    child = start(...given, (error: Error | null, stdout: unknown, stderr: unknown) => {
      if (error) reject(Object.assign(error, { stdout, stderr }))
      else resolve({ stdout, stderr })
    })
  })
  return Object.assign(promise, { child })
}

/** A module that is loaded while a stage runs is read by Node, and not by the stage. */
const isLoadingModule = (module: string): boolean =>
  module === 'fs' && /node:internal\/modules\//.test(new Error('where').stack ?? '')

const refusal = (stage: string, what: string, why = ''): ValidationError =>
  new ValidationError(
    `stage '${stage}' reaches out of the simulation by itself: ${what}${why}; ${mendOf(what)}give it a stand-in, as in stages: { '${stage}': () => … }, or make the effect a model call`,
    { stage, what },
  )

/** What a simulation can have of the outside. */
function mendOf(what: string): string {
  if (/^fs/.test(what)) return "give the simulation files, as in files: { 'a.txt': '…' }, or "
  return /^(?:child_process|process)/.test(what)
    ? 'give the simulation programs, as in programs: { git: () => … }, or '
    : ''
}
