/**
 * Where a piece of code runs in a simulation: in which process, for which stage, and with what there is of the outside. It
 * goes with the code through its promises and callbacks.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { ChildProcess } from 'node:child_process'
import type { Random } from '../../time/random.ts'
import type { SimulatedTime } from './simulated-time.ts'

export type Callable = (...given: unknown[]) => unknown

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

/** The place of the code that asks; undefined outside of every simulation. */
export const currentPlace = (): Place | undefined => places.getStore()

/** Says that a stage asked by itself; Holdfast's own code, which runs at the same place, may. */
export function noted(what: string, replaced: boolean): Place | undefined {
  const place = currentPlace()
  if (place?.stage !== undefined) place.note({ stage: place.stage, what, replaced })
  return place
}
