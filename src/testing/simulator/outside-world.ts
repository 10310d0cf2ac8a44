/**
 * What lies outside of a simulation, and how code in it is kept from there. The clock, timers and chance of the language
 * are replaced by simulated ones, and it is noted which stage asked for them by itself. What reaches for the disk, the
 * network and other processes is looked after by `outside-calls.ts`. Only code of a simulation is meant, found by its
 * asynchronous context; everything else in the process goes on as ever.
 */
import { syncBuiltinESMExports } from 'node:module'
import type { Random } from '../../time/random.ts'
import { builtin, type Replace } from './builtin.ts'
import { closeOutside } from './outside-calls.ts'
import { type Callable, currentPlace, inPlace, noted, type Place } from './place.ts'
import type { Turns } from './simulated-time.ts'

type Holder = Record<string, unknown>

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
  closeOutside(replace)
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

/** Immediates of simulated code are counted, so that it is known when nothing goes on any more. */
function countTurns(replace: Replace): { pending: () => number; next: () => Promise<void> } {
  let pending = 0
  const { setImmediate: real } = globalThis
  const waiting = new WeakSet<object>()
  replace(globalThis, 'setImmediate', given => (callback: Callable, ...rest: unknown[]) => {
    if (!currentPlace()) return given(callback, ...rest)
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

/** `util.promisify` and the like find what they look for on the function. */
function copyProperties(from: object, to: object): void {
  for (const key of Reflect.ownKeys(from)) {
    if (Object.hasOwn(to, key)) continue
    const descriptor = Object.getOwnPropertyDescriptor(from, key)
    if (descriptor) Object.defineProperty(to, key, descriptor)
  }
}
