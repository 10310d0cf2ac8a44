/** Sends the runs of a simulation the signals that they wait for, some time after they began to wait. */
import type { Random } from '../../time/random.ts'
import type { Guarantees } from './guarantees.ts'
import type { Signal } from './scenario.ts'
import type { SimulatedProcess } from './simulated-process.ts'
import type { SimulatedTime } from './simulated-time.ts'

export interface SignalSenderOptions {
  readonly guarantees: Guarantees
  readonly time: SimulatedTime
  readonly random: Random
  readonly signal: (name: string, random: Random) => Signal | undefined
  /** The process that lives at the moment. */
  readonly process: () => SimulatedProcess | undefined
  readonly note: (what: string) => void
}

/** Events that a machine of the user's own is sent by chance, so that it comes to rest. */
const mostEvents = 12
/** Times that the same signal is sent to a run that waits for it. */
const mostSendings = 20
const minute = 60_000

export class SignalSender {
  readonly #options: SignalSenderOptions
  /** Signals that are on their way, by run and name. */
  readonly #underWay = new Set<string>()
  readonly #refused = new Set<string>()
  /** How many events of its choice a machine of the user's own was sent. */
  readonly #events = new Map<string, number>()
  readonly #sendings = new Map<string, number>()

  constructor(options: SignalSenderOptions) {
    this.#options = options
  }

  /** Sets out what is waited for and not yet on its way. */
  send(): void {
    const { guarantees, time, random } = this.#options
    for (const { runId, name } of guarantees.signalsWaitedFor()) {
      const key = `${runId} ${name}`
      if (this.#underWay.has(key)) continue
      this.#underWay.add(key)
      const signal = this.#signalFor(runId, name, random)
      if (!signal) continue
      this.#sendings.set(key, (this.#sendings.get(key) ?? 0) + 1)
      if (name === '') this.#events.set(runId, (this.#events.get(runId) ?? 0) + 1)
      const delayMs = Math.floor(random() ** 3 * 60 * minute)
      time.after(delayMs, () => this.#deliver(key, runId, signal))
    }
  }

  /** Whether a signal that a run waits for can still be sent. */
  get hasMore(): boolean {
    for (const { runId, name } of this.#options.guarantees.signalsWaitedFor()) {
      if (this.#signalFor(runId, name, () => 0)) return true
    }
    return false
  }

  #deliver(key: string, runId: string, { name, payload }: Signal): void {
    const { guarantees, time } = this.#options
    const process = this.#options.process()
    const stillWaits = [...guarantees.signalsWaitedFor()].some(wait => `${wait.runId} ${wait.name}` === key)
    const over = (): void => void this.#underWay.delete(key)
    if (!stillWaits || !process?.runtime || process.isOver) return over()
    this.#options.note(`signal ${name} to run ${runId}`)
    process.runtime
      .get(runId)
      .then(run => run.signal(name, payload))
      .then(() => {
        if (!process.hasLostStore) guarantees.acknowledged(runId, 'signal.received')
      })
      .catch(error => {
        if ((error as { code?: string }).code === 'invalid_value') this.#refuse(`${runId} ${name}`, error as Error)
      })
    // A process that dies answers nobody: whoever sent it looks again after a while.
    time.after(minute, over)
  }

  #refuse(key: string, error: Error): void {
    this.#refused.add(key)
    this.#options.note(`signal ${key} is refused: ${error.message}`)
  }

  #signalFor(runId: string, name: string, random: Random): Signal | undefined {
    const key = `${runId} ${name}`
    if (this.#refused.has(key) || (this.#sendings.get(key) ?? 0) >= mostSendings) return undefined
    if (name === '' && (this.#events.get(runId) ?? 0) >= mostEvents) return undefined
    return this.#options.signal(name, random)
  }
}
