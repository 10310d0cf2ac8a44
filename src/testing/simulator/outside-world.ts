/**
 * What lies outside of a simulation, and how code in it is kept from there. The clock, timers and chance of the language
 * are replaced by simulated ones, and it is noted which stage asked for them by itself. The disk and other processes are
 * those of the simulation where it has some. Otherwise, and for the network, a stage that reaches for them is refused, with
 * what to give instead. Only code of a simulation is meant, found by its asynchronous context; everything else in the
 * process goes on as ever.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { ChildProcess } from 'node:child_process'
import { createRequire, syncBuiltinESMExports } from 'node:module'
import { promisify } from 'node:util'
import { ValidationError } from '../../errors.ts'
import type { Random } from '../../time/random.ts'
import type { SimulatedTime, Turns } from './simulated-time.ts'

/** What a stage did by itself, outside of what it was given. */
export interface OutsideUse {
  readonly stage: string
  /** `Date.now`, `Math.random`, `fetch`, `fs.readFile`. */
  readonly what: string
  /** Whether it was given simulated time or chance; otherwise it was refused. */
  readonly replaced: boolean
}

/** Where a piece of code runs: in a simulated process, and there in the function of a stage or not. */
export interface Place {
  readonly time: SimulatedTime
  readonly random: Random
  readonly stage: string | undefined
  readonly runId?: string | undefined
  /** The process of the simulation that the code is part of. */
  readonly process?: SimulatedLife | undefined
  /** What there is of the outside in the simulation. */
  readonly world?: OutsideServer | undefined
  note(use: OutsideUse): void
}

/** A process of a simulation, which can be dead. */
export interface SimulatedLife {
  readonly isDead: boolean
  die(why: string): void
}

/** The files and programs of a simulation, as Node's own functions give them. */
export interface OutsideServer {
  /** What takes the place of a function of Node's; a text says why there is nothing. */
  serve(place: Place, module: string, name: string, given: Callable): Callable | string
  /** Starts a program as the child process; false where there are no programs. */
  spawn(place: Place, child: ChildProcess, options: object): boolean
  /** Sends a signal to a program of its own; undefined where the id is not one of theirs. */
  kill(pid: number, signal: string | number | undefined): boolean | undefined
}

const places = new AsyncLocalStorage<Place>()

/** Runs `work`, and everything that follows from it, in that place. */
export const inPlace = <T>(place: Place, work: () => T): T => places.run(place, work)

export type Callable = (...given: unknown[]) => unknown
type Holder = Record<string, unknown>

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

export interface OutsideWorld extends Turns {
  /** Gives everything back. */
  release(): void
}

/** Stands between the simulations of this process and the world until it is released. */
export function closeOutsideWorld(): OutsideWorld {
  const undo: (() => void)[] = []
  const replace = (holder: object, name: string, make: (given: Callable) => unknown): void => {
    const given = (holder as Holder)[name]
    if (typeof given !== 'function') return
    const made = make(given as Callable)
    copyProperties(given, made as object)
    try {
      ;(holder as Holder)[name] = made
    } catch {
      return
    }
    undo.push(() => {
      ;(holder as Holder)[name] = given
    })
  }
  replaceTime(replace)
  replaceChance(replace)
  refuseOutside(replace)
  syncBuiltinESMExports()
  const turns = countTurns(replace)
  return {
    get pending() {
      return turns.pending()
    },
    next: turns.next,
    release() {
      for (const one of undo.reverse()) one()
      syncBuiltinESMExports()
    },
  }
}

type Replace = (holder: object, name: string, make: (given: Callable) => unknown) => void

/** Says that a stage asked by itself; Holdfast's own code, which runs at the same place, may. */
function noted(what: string, replaced: boolean): Place | undefined {
  const place = places.getStore()
  if (place?.stage !== undefined) place.note({ stage: place.stage, what, replaced })
  return place
}

function replaceTime(replace: Replace): void {
  const RealDate = Date
  replace(globalThis, 'Date', () => {
    const SimulatedDate = function (this: unknown, ...given: unknown[]): unknown {
      const place = given.length === 0 || new.target === undefined ? noted('new Date()', true) : undefined
      if (!place) return new.target ? Reflect.construct(RealDate, given, new.target) : RealDate()
      const date = Reflect.construct(RealDate, [place.time.wallClock], new.target ?? RealDate) as Date
      return new.target ? date : date.toString()
    }
    SimulatedDate.prototype = RealDate.prototype
    Object.setPrototypeOf(SimulatedDate, RealDate)
    Object.defineProperty(SimulatedDate, 'now', {
      value: () => noted('Date.now', true)?.time.wallClock ?? RealDate.now(),
      writable: true,
      configurable: true,
    })
    return SimulatedDate
  })
  replace(performance, 'now', given => () => noted('performance.now', true)?.time.now ?? given.call(performance))
  for (const [set, clear] of [
    ['setTimeout', 'clearTimeout'],
    ['setInterval', 'clearInterval'],
  ] as const) {
    replace(globalThis, set, given => (callback: Callable, delayMs = 0, ...rest: unknown[]) => {
      const place = noted(set, true)
      if (!place) return given(callback, delayMs, ...rest)
      return simulatedTimer(place, () => callback(...rest), Number(delayMs) || 0, set === 'setInterval')
    })
    replace(globalThis, clear, given => (handle: unknown) => {
      if (handle instanceof SimulatedTimer) handle.stop()
      else given(handle)
    })
  }
  replace(builtin('timers/promises'), 'setTimeout', given => (delayMs: unknown, value: unknown, ...rest: unknown[]) => {
    const place = noted('timers/promises.setTimeout', true)
    return place ? place.time.sleep(Number(delayMs) || 0).then(() => value) : given(delayMs, value, ...rest)
  })
}

/** What `setTimeout` gives in a simulation. */
class SimulatedTimer {
  stop: () => void = () => {}
  ref(): this {
    return this
  }
  unref(): this {
    return this
  }
  hasRef(): boolean {
    return false
  }
  [Symbol.toPrimitive](): number {
    return 0
  }
}

/** The callback runs where the timer was set: what it does is done in the name of the same stage. */
function simulatedTimer(place: Place, callback: () => unknown, delayMs: number, repeats: boolean): SimulatedTimer {
  const { time } = place
  const handle = new SimulatedTimer()
  // Holdfast's own keep-alive is a timer that need never fire; one a year is no sign of life.
  if (repeats && delayMs >= 2 ** 30) return handle
  const arm = (): void => {
    const timer = time.after(Math.max(1, delayMs), () => {
      if (place.process?.isDead) return
      if (repeats) arm()
      inPlace(place, callback)
    })
    handle.stop = () => time.cancel(timer)
  }
  arm()
  return handle
}

function replaceChance(replace: Replace): void {
  replace(Math, 'random', given => () => noted('Math.random', true)?.random() ?? given())
  const bytes = (random: Random, view: Uint8Array): void => {
    for (let index = 0; index < view.length; index++) view[index] = Math.floor(random() * 256)
  }
  const uuid = (random: Random): string => {
    const view = new Uint8Array(16)
    bytes(random, view)
    view[6] = ((view[6] as number) & 0x0f) | 0x40
    view[8] = ((view[8] as number) & 0x3f) | 0x80
    const hex = Buffer.from(view).toString('hex')
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
  }
  for (const holder of [globalThis.crypto, builtin('crypto')]) {
    replace(holder, 'randomUUID', given => (...options: unknown[]) => {
      const place = noted('crypto.randomUUID', true)
      return place ? uuid(place.random) : given.apply(holder, options)
    })
    replace(holder, 'getRandomValues', given => (view: ArrayBufferView) => {
      const place = noted('crypto.getRandomValues', true)
      if (!place) return given.call(holder, view)
      bytes(place.random, new Uint8Array(view.buffer, view.byteOffset, view.byteLength))
      return view
    })
  }
  replace(builtin('crypto'), 'randomBytes', given => (size: number, ...rest: unknown[]) => {
    const place = rest.length === 0 ? noted('crypto.randomBytes', true) : undefined
    if (!place) return given(size, ...rest)
    const made = Buffer.alloc(size)
    bytes(place.random, made)
    return made
  })
}

function refuseOutside(replace: Replace): void {
  replace(globalThis, 'fetch', given => (...rest: unknown[]) => {
    if (places.getStore()?.stage === undefined) return given(...rest)
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
      const place = places.getStore()
      if (place?.stage === undefined) return Reflect.apply(given, this, [options])
      if (place.world?.spawn(place, this, options as object)) return 0
      noted('child_process.spawn', false)
      throw refusal(place.stage, 'child_process.spawn')
    }
  })
  replace(process, 'kill', given => (pid: unknown, signal: unknown) => {
    const place = places.getStore()
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
    const place = places.getStore()
    if (place?.stage === undefined || isLoadingModule(module)) return Reflect.apply(given, this, rest)
    const served = place.world?.serve(place, module, name, given)
    if (typeof served === 'function') return Reflect.apply(served, this, rest)
    noted(what, false)
    throw refusal(place.stage, what, served)
  }
  const { custom } = promisify
  const promised = (given as unknown as Holder)[custom as never] as Callable | undefined
  if (!promised) return made
  const promise = (...rest: unknown[]): unknown =>
    places.getStore()?.stage === undefined ? promised(...rest) : promiseOf(made, rest)
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

/** Immediates of simulated code are counted, so that it is known when nothing goes on any more. */
function countTurns(replace: Replace): { pending: () => number; next: () => Promise<void> } {
  let pending = 0
  const { setImmediate: real } = globalThis
  const waiting = new WeakSet<object>()
  replace(globalThis, 'setImmediate', given => (callback: Callable, ...rest: unknown[]) => {
    if (!places.getStore()) return given(callback, ...rest)
    pending++
    const handle = given(() => {
      waiting.delete(handle)
      pending--
      callback(...rest)
    }) as object
    waiting.add(handle)
    return handle
  })
  replace(globalThis, 'clearImmediate', given => (handle: unknown) => {
    if (handle !== null && typeof handle === 'object' && waiting.delete(handle)) pending--
    given(handle)
  })
  return { pending: () => pending, next: () => new Promise<void>(resolve => void real(resolve)) }
}

const builtin = (name: string): object => createRequire(import.meta.url)(`node:${name}`) as object

/** `util.promisify` and the like find what they look for on the function. */
function copyProperties(from: object, to: object): void {
  for (const key of Reflect.ownKeys(from)) {
    if (Object.hasOwn(to, key)) continue
    const descriptor = Object.getOwnPropertyDescriptor(from, key)
    if (descriptor) Object.defineProperty(to, key, descriptor)
  }
}
