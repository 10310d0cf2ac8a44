/**
 * Somebody who has the command of the runs of a simulation: holds them and lets them go on, and cancels some. What is
 * acknowledged to him must be durable; what he holds he lets go on once everything is healed.
 */
import type { Run } from '../../runtime/api.ts'
import { isEnded } from '../../store/store.ts'
import type { Random } from '../../time/random.ts'
import type { Guarantees } from './guarantees.ts'
import type { SimulatedProcess } from './simulated-process.ts'
import type { SimulatedTime } from './simulated-time.ts'

export interface SimulatedOperatorOptions {
  readonly guarantees: Guarantees
  readonly time: SimulatedTime
  readonly random: Random
  readonly note: (what: string) => void
}

const minute = 60_000

/** The journal's word for what he did. */
const rowOf = { pause: 'run.paused', resume: 'run.resumed', cancel: 'run.cancelling' } as const

export class SimulatedOperator {
  readonly #options: SimulatedOperatorOptions
  /** Runs that he has told to go on, and has not looked at since. */
  readonly #resuming = new Set<string>()

  constructor(options: SimulatedOperatorOptions) {
    this.#options = options
  }

  /** Something that he does with this process, at some time. */
  plan(process: SimulatedProcess, rate: number, isOver: () => boolean): void {
    const { random, time } = this.#options
    if (random() >= rate) return
    const what = random() < 0.4 ? 'cancel' : 'pause'
    const again = random() < 0.7
    time.after(Math.floor(random() ** 2 * 15 * minute), () => {
      if (isOver()) return
      const runId = this.#someRun()
      if (runId === undefined) return
      this.#command(process, runId, what)
      if (what === 'pause' && again)
        time.after(Math.floor(random() * 10 * minute), () => isOver() || this.#command(process, runId, 'resume'))
    })
  }

  /** Lets go on what he still holds. */
  release(process: SimulatedProcess): void {
    if (!process.runtime || process.isOver) return
    for (const runId of this.#options.guarantees.runIds) {
      if (this.#options.guarantees.statusOf(runId) !== 'paused' || this.#resuming.has(runId)) continue
      this.#resuming.add(runId)
      this.#command(process, runId, 'resume')
      this.#options.time.after(minute, () => void this.#resuming.delete(runId))
    }
  }

  #someRun(): string | undefined {
    const { guarantees, random } = this.#options
    const open = guarantees.runIds.filter(runId => !isEnded(guarantees.statusOf(runId) ?? 'completed'))
    return open[Math.floor(random() * open.length)]
  }

  #command(process: SimulatedProcess, runId: string, what: keyof typeof rowOf): void {
    const { guarantees } = this.#options
    if (!process.runtime || process.isOver) return
    const durable = guarantees.run(runId)
    const before = durable?.rows(rowOf[what]) ?? 0
    const wasThere = what === 'pause' ? durable?.status === 'paused' : false
    this.#options.note(`the operator asks to ${what} run ${runId}`)
    process.runtime
      .get(runId)
      .then((run: Run) => run[what]())
      .then(() => {
        const now = guarantees.run(runId)
        if (process.hasLostStore || wasThere || !now) return
        // To hold one that is held, to free one that is free and to cancel a cancelled one is to do nothing.
        const isSo =
          what === 'cancel'
            ? now.status === 'cancelling' || isEnded(now.status)
            : now.rows(rowOf[what]) > before || (what === 'resume' ? now.status !== 'paused' : false)
        if (!isSo) guarantees.fail('told is durable', `${what} was acknowledged, and the run is ${now.status}`, runId)
      })
      .catch(() => {})
  }
}
