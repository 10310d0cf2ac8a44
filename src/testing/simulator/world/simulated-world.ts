/**
 * What there is of the outside in a simulation: its files and its programs, as the functions of Node give them to a stage.
 * Under faults an operation takes seconds, finds no space or cannot read, and the process dies at it: before, after, or
 * with half of its bytes written. What has died changes nothing any more.
 */
import type { ChildProcess } from 'node:child_process'
import type { Random } from '../../../time/random.ts'
import type { FaultRates } from '../fault-profile.ts'
import type { Callable, OutsideServer, Place } from '../place.ts'
import { bytesOf, fileCalls, writingCalls } from './file-calls.ts'
import { type FilePath, FileTree, fileError, placeOf } from './file-tree.ts'
import { type ProgramRun, type Programs, SimulatedPrograms, withSimulatedTimeout } from './programs.ts'
import { syncPrograms } from './sync-programs.ts'

/** Texts or bytes by path, or a function of chance that gives them. */
export type Files =
  | Readonly<Record<string, string | Uint8Array>>
  | ((random: Random) => Readonly<Record<string, string | Uint8Array>>)

/** A change of the files, for invariants. */
export interface FileChange {
  readonly runId: string
  readonly stage: string
  /** `writeFile`, `rename`; of all forms that Node has. */
  readonly what: string
  /** Absolute. Of a rename or a link the new one. */
  readonly path: string
}

export interface WorldOptions {
  readonly files: Files | undefined
  readonly programs: Programs | undefined
  readonly random: Random
  readonly now: () => number
  readonly rates: () => FaultRates
  readonly note: (what: string) => void
}

type Fate = 'before' | 'torn' | 'after' | undefined

/** How often a process dies at a change, of rate 1. */
const deathRate = 0.05

export class SimulatedWorld implements OutsideServer {
  readonly changes: FileChange[] = []
  readonly #options: WorldOptions
  readonly #files: FileTree
  readonly #hasFiles: boolean
  readonly #programs: SimulatedPrograms | undefined

  constructor(options: WorldOptions) {
    const { files, programs, random, now, rates, note } = options
    this.#options = options
    this.#hasFiles = files !== undefined
    this.#files = new FileTree(typeof files === 'function' ? files(random) : (files ?? {}), now)
    if (programs === undefined) return
    this.#programs = new SimulatedPrograms({ programs, files: this.#files, random, rates, note })
  }

  get texts(): Readonly<Record<string, string>> {
    return this.#files.texts
  }

  get programs(): readonly ProgramRun[] {
    return this.#programs?.started ?? []
  }

  serve(place: Place, module: string, name: string, given: Callable): Callable | string {
    if (module === 'child_process') return this.#served(place, name, given)
    if (!this.#hasFiles || !/^fs/.test(module)) return ''
    const call = name.replace(/Sync$/, '')
    if (call === 'exists') return this.#exists(place, name)
    if (!Object.hasOwn(fileCalls, call)) return ', which simulated files do not have'
    if (module === 'fs/promises') return (...asked) => this.#later(place, call, asked)
    if (call !== name) return (...asked) => this.#nowOrDead(place, call, asked)
    return (...asked) => {
      const callback = asked.pop() as Callable
      this.#later(place, call, asked).then(
        value => callback(null, value),
        error => callback(error),
      )
    }
  }

  spawn(place: Place, child: ChildProcess, options: object): boolean {
    if (!this.#programs) return false
    const fate = this.#fate(place)
    if (fate === 'before') place.process?.die('before it starts a program')
    if (place.process?.isDead) return true
    this.#programs.spawn(place, child, options as never)
    if (fate !== undefined) place.process?.die('after it has started a program')
    return true
  }

  kill(pid: number, signal: string | number | undefined): boolean | undefined {
    return this.#programs?.kill(pid, signal)
  }

  #served(place: Place, name: string, given: Callable): Callable | string {
    if (!this.#programs) return ''
    const sync = syncPrograms(place, this.#programs)[name]
    if (sync) return sync
    if (name === 'fork') return ', which simulated programs do not have'
    return withSimulatedTimeout(place, given)
  }

  #exists(place: Place, name: string): Callable {
    const has = (path: unknown): boolean => this.#files.find(path as FilePath) !== undefined
    if (name === 'existsSync') return has
    return (path, callback) => void this.#delay().then(() => place.process?.isDead || (callback as Callable)(has(path)))
  }

  async #later(place: Place, name: string, given: readonly unknown[]): Promise<unknown> {
    if (place.process?.isDead) return never()
    await this.#delay(place)
    if (place.process?.isDead) return never()
    try {
      return this.#does(place, name, given)
    } finally {
      await this.#delay()
      if (place.process?.isDead) await never()
    }
  }

  #nowOrDead(place: Place, name: string, given: readonly unknown[]): unknown {
    if (place.process?.isDead) throw dead()
    const value = this.#does(place, name, given)
    if (place.process?.isDead) throw dead()
    return value
  }

  #does(place: Place, name: string, given: readonly unknown[]): unknown {
    const { random, rates, note } = this.#options
    const call = fileCalls[name] as (typeof fileCalls)[string]
    const path = String(given[0])
    const { disk } = rates()
    if (!call.changes) {
      if (name !== 'readFile' || random() >= disk * 0.02) return call.does(this.#files, given, random)
      note(`${path} cannot be read`)
      throw fileError('EIO', 'read', path)
    }
    const fate = this.#fate(place)
    if (fate === 'before') return place.process?.die(`before ${name} ${path}`)
    if (fate === 'torn') {
      this.#tear(name, given)
      return place.process?.die(`in the middle of ${name} ${path}`)
    }
    if (random() < disk * 0.05) {
      note(`there is no space for ${name} ${path}`)
      this.#tear(name, given)
      throw fileError('ENOSPC', name === 'writeFile' ? 'write' : name, path)
    }
    const value = call.does(this.#files, given, random)
    const to = name === 'rename' || name === 'link' || name === 'copyFile' ? given[1] : given[0]
    const changed = { what: name, path: placeOf(to as FilePath) }
    this.changes.push({ runId: place.runId ?? '', stage: place.stage ?? '', ...changed })
    if (fate === 'after') place.process?.die(`after ${name} ${path}`)
    return value
  }

  /** Only the first of the bytes reach the file. */
  #tear(name: string, given: readonly unknown[]): void {
    if (!writingCalls.has(name)) return
    const bytes = bytesOf(given)
    const kept = bytes.subarray(0, Math.floor(this.#options.random() * bytes.length))
    fileCalls[name]?.does(this.#files, [given[0], kept, ...given.slice(2)], this.#options.random)
  }

  #fate(place: Place): Fate {
    const { random, rates } = this.#options
    if (!place.process || random() >= rates().crashes * deathRate) return undefined
    return (['before', 'torn', 'after'] as const)[Math.floor(random() * 3)]
  }

  async #delay(slow?: Place): Promise<void> {
    const { random, rates } = this.#options
    if (slow && random() < rates().disk * 0.05) return slow.time.sleep(Math.floor(random() * 20_000))
    for (let turns = Math.floor(random() * 3); turns > 0; turns--) {
      await new Promise<void>(resolve => setImmediate(resolve))
    }
  }
}

const never = <T>(): Promise<T> => new Promise<T>(() => {})

/** What a synchronous function must throw where there is nobody left to go on. */
const dead = (): Error => new Error('this process of the simulation has died')
