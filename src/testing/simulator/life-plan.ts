/**
 * What comes over a process of a simulation from outside: its death, its being closed, a rival for its store, the loss
 * of it, and a wall clock that jumps.
 */
import { formatMs } from '../../time/duration.ts'
import type { Random } from '../../time/random.ts'
import type { FaultRates } from './fault-profile.ts'
import type { Guarantees } from './guarantees.ts'
import type { SimulatedDisk, WriteDeath } from './simulated-disk.ts'
import type { SimulatedProcess } from './simulated-process.ts'
import type { SimulatedTime } from './simulated-time.ts'

export interface LifePlanOptions {
  readonly time: SimulatedTime
  readonly disk: SimulatedDisk
  readonly guarantees: Guarantees
  readonly random: Random
  readonly rates: () => FaultRates
  /** Whether this process is the one that owns the store, as far as the plan goes. */
  readonly isCurrent: (process: SimulatedProcess) => boolean
  /** The process does not own the store any more. */
  readonly deposed: () => void
  readonly note: (what: string) => void
}

const minute = 60_000

export class LifePlan {
  readonly #options: LifePlanOptions

  constructor(options: LifePlanOptions) {
    this.#options = options
  }

  /** When the process dies by its own writing. */
  death(): WriteDeath | undefined {
    const { random, rates } = this.#options
    if (random() >= rates().crashes) return undefined
    const mode = (['before', 'after', 'torn'] as const)[Math.floor(random() * 3)] as WriteDeath['mode']
    return { at: 1 + Math.floor(random() ** 2 * 40), mode }
  }

  /** What else happens to it, at some time. */
  plan(process: SimulatedProcess, isOver: () => boolean): void {
    const { random, time } = this.#options
    const sometime = (event: () => void): void => {
      time.after(Math.floor(random() ** 2 * 20 * minute), () => isOver() || event())
    }
    const { crashes, owners } = this.#options.rates()
    if (random() < crashes / 2) sometime(() => process.die('at some moment'))
    else if (random() < crashes / 4) sometime(() => process.close())
    if (random() < owners / 2) sometime(() => this.#rival(process))
    if (random() < owners / 2) {
      sometime(() => {
        if (!this.#options.isCurrent(process) || !process.runtime) return
        process.losesStore()
        this.#options.deposed()
      })
    }
  }

  setClockWrong(): void {
    const { random, time, rates, note } = this.#options
    const again = (): void => {
      if (rates().clock === 0) return
      const jump = Math.floor((random() - 0.5) * 2 * (random() < 0.5 ? minute : 60 * minute))
      time.skewMs += jump
      note(`the clock jumps by ${jump < 0 ? '-' : ''}${formatMs(Math.abs(jump))}`)
      time.after((1 + random() * 20) * minute, again)
    }
    time.after(random() * 10 * minute, again)
  }

  /** Another process wants the store of one that lives: it must be refused. */
  #rival(process: SimulatedProcess): void {
    const { disk, time, guarantees, isCurrent, note } = this.#options
    if (process.isOver || !isCurrent(process) || !process.runtime) return
    const rival = { isDead: false, die: () => {} }
    const store = disk.open(rival, () => undefined)
    note('another process wants the store')
    store.claim({ pid: 2, host: 'rival', at: time.wallClock }).then(
      () => {
        if (process.isOver || !isCurrent(process)) return void store.close()
        guarantees.fail('one owner', 'another process was given the store of one that lives')
      },
      () => {},
    )
  }
}
