/**
 * The disk of a simulation: one memory store that outlives every process, and for each process a store of its own over
 * it, with the delays and faults of a disk. A process that has died gets no answer any more. Whatever is durable passes
 * a watch, which holds it against the guarantees.
 */
import { StoreError } from '../../errors.ts'
import { memoryStore } from '../../store/memory-store.ts'
import type { JournalRow, RunWrite, Store } from '../../store/store.ts'
import type { Random } from '../../time/random.ts'
import type { SimulatedTime } from './simulated-time.ts'

/** When a process dies by its own writing: at this write, before it, after it, or with half of its batch written. */
export interface WriteDeath {
  readonly at: number
  readonly mode: 'before' | 'after' | 'torn'
}

export interface DiskFaults {
  /** Chance that an operation takes seconds rather than nothing. */
  slow: number
  /** Chance that a commit finds the disk full; it stays full for that process. */
  full: number
  /** Chance that a run that is loaded has lost the end of its snapshot. */
  corrupt: number
}

export interface DiskWatch {
  /** A process has handed in what it wants to be durable, which it is not yet. */
  committing(writes: readonly RunWrite[]): void
  committed(writes: readonly RunWrite[], epoch: number): void
  noted(what: string): void
}

export class SimulatedDisk {
  readonly base = memoryStore()
  readonly faults: DiskFaults = { slow: 0, full: 0, corrupt: 0 }
  readonly #time: SimulatedTime
  readonly #random: Random
  readonly #watch: DiskWatch
  #writes = 0

  constructor(time: SimulatedTime, random: Random, watch: DiskWatch) {
    this.#time = time
    this.#random = random
    this.#watch = watch
  }

  /** Commits that were applied, of all processes. */
  get writes(): number {
    return this.#writes
  }

  journal(runId: string): Promise<readonly JournalRow[]> {
    return this.base.readJournal(runId, { limit: 1_000_000 })
  }

  /**
   * The store of one process.
   * @param life what kills the process: `die` is called when it writes its last, and `isDead` says whether it has died
   */
  open(life: { readonly isDead: boolean; die(why: string): void }, death: () => WriteDeath | undefined): Store {
    let commits = 0
    let isFull = false
    let claimed: number | undefined
    const { base } = this

    const commit = async (epoch: number, writes: readonly RunWrite[]): Promise<void> => {
      await base.commit(epoch, writes)
      this.#writes++
      this.#watch.committed(writes, epoch)
    }

    const answer = async <T>(operation: () => Promise<T>): Promise<T> => {
      if (life.isDead) return never()
      await this.#delay()
      if (life.isDead) return never()
      const result = await operation().then(
        value => () => value,
        error => () => {
          throw error
        },
      )
      await this.#delay()
      if (life.isDead) return never()
      return result()
    }

    const dieAt = async (epoch: number, writes: readonly RunWrite[]): Promise<void> => {
      const mode = death()?.mode ?? 'before'
      const kept = mode === 'after' ? writes : mode === 'torn' ? writes.slice(0, Math.floor(writes.length / 2)) : []
      if (kept.length > 0) await commit(epoch, kept).catch(() => {})
      life.die(`at write ${commits}, ${mode} it`)
    }

    return {
      ...base,
      claim: claimant =>
        answer(async () => {
          const owner = await base.claim({ ...claimant, pid: 1, host: 'simulated' })
          claimed = owner.epoch
          return owner
        }),
      commit: (epoch, writes) => {
        if (!life.isDead) this.#watch.committing(writes)
        return answer(async () => {
          commits++
          if (commits === death()?.at) return dieAt(epoch, writes)
          if (!isFull && this.#chance(this.faults.full)) {
            isFull = true
            this.#watch.noted('the disk is full')
          }
          if (isFull) throw new StoreError('store_full', 'the simulated disk is full')
          return commit(epoch, writes)
        })
      },
      readRun: runId => answer(() => base.readRun(runId)),
      unfinished: () => answer(() => base.unfinished()),
      load: (runIds, types) => answer(async () => (await base.load(runIds, types)).map(run => this.#damaged(run))),
      list: filter => answer(() => base.list(filter)),
      readJournal: (runId, range) => answer(() => base.readJournal(runId, range)),
      readLedger: runId => answer(() => base.readLedger(runId)),
      owner: () => answer(() => base.owner()),
      enqueueCommand: command => answer(() => base.enqueueCommand(command)),
      pendingCommands: () => answer(() => base.pendingCommands()),
      replyToCommand: (epoch, id, reply) => answer(() => base.replyToCommand(epoch, id, reply)),
      readReply: id => answer(() => base.readReply(id)),
      describe: () => answer(() => base.describe()),
      // One that has lost the store to another must not give up the other's claim.
      close: () =>
        answer(async () => {
          if (claimed !== undefined && (await base.owner())?.epoch === claimed) await base.close()
          claimed = undefined
        }),
    }
  }

  #damaged<T extends { readonly run: { readonly id: string; readonly snapshot: string | null } }>(stored: T): T {
    if (stored.run.snapshot === null || !this.#chance(this.faults.corrupt)) return stored
    this.#watch.noted(`the snapshot of run ${stored.run.id} has lost its end`)
    const snapshot = stored.run.snapshot.slice(0, Math.floor(stored.run.snapshot.length / 2))
    return { ...stored, run: { ...stored.run, snapshot } }
  }

  async #delay(): Promise<void> {
    if (this.#chance(this.faults.slow)) return this.#time.sleep(Math.floor(this.#random() * 20_000))
    for (let turns = Math.floor(this.#random() * 4); turns > 0; turns--) {
      await new Promise<void>(resolve => setImmediate(resolve))
    }
  }

  #chance(rate: number): boolean {
    return rate > 0 && this.#random() < rate
  }
}

const never = <T>(): Promise<T> => new Promise<T>(() => {})
