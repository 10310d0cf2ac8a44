/**
 * What the stages of a run wait for, and how it comes to them: sleeps, signals and child runs. Each wait is an entry of
 * the ledger. What ends it is recorded first and told to the function after the commit; a function that has not asked
 * again yet, since its process died meanwhile, finds it recorded when it does.
 */
import { decodeError, type EncodedError, encodeError, TimeoutError } from '../../errors.ts'
import type { JsonText, LedgerRow, SignalRow } from '../../store/store.ts'
import { isOutcomeAnswer, outcomeAnswerName, outcomeSignal } from '../stage/unknown-outcome.ts'
import type { LiveRun, LiveStage, RunWaits } from './live.ts'

interface SignalWait {
  readonly stage: LiveStage
  readonly key: string
}

const noWaits: ReadonlyMap<string, SignalWait[]> = new Map()

export class LedgeredWaits implements RunWaits {
  readonly #run: LiveRun
  /** By signal; made when a stage waits for the first time. */
  #waitingFor: Map<string, SignalWait[]> | undefined

  constructor(run: LiveRun) {
    this.#run = run
  }

  /** Keeps a signal and gives it to who waits for it. */
  accept(name: string, payload: JsonText): void {
    const run = this.#run
    const keptName = name === outcomeSignal ? outcomeAnswerName(run, payload) : name
    run.dispatch(() => {
      const signal: SignalRow = {
        ordinal: run.memory.signalsAccepted + 1,
        name: keptName,
        payload,
        at: run.services.clock.now(),
        consumed: false,
      }
      run.pending.addSignal({ ordinal: signal.ordinal, name: keptName, payload, at: signal.at })
      // What a stage was given is in its ledger; what a machine was sent is nowhere else once it is taken.
      const carried = run.definition.origin === 'machine' ? { payload: JSON.parse(payload) as unknown } : {}
      run.journal('signal.received', { name, ordinal: signal.ordinal, ...carried })
      run.memory.inbox.push(signal)
      this.deliver()
    })
  }

  /** Gives the signals of the inbox to those who wait for them, oldest first. */
  deliver(): void {
    const run = this.#run
    if (run.status === 'paused' || run.status === 'pending') return
    const waitingFor = this.#waitingFor ?? noWaits
    for (const name of [...waitingFor.keys()]) {
      for (let waits = waitingFor.get(name); waits && waits.length > 0; waits = waitingFor.get(name)) {
        const signal = this.take(name)
        if (!signal) break
        const wait = waits.shift() as SignalWait
        this.#endSignalWait(wait.stage.name, wait.key, name, { value: JSON.parse(signal.payload) })
      }
    }
    if (run.definition.origin === 'machine') this.#deliverToFlow()
  }

  /** Takes the oldest such signal out of the inbox. */
  take(name: string): SignalRow | undefined {
    const { inbox } = this.#run.memory
    const place = inbox.findIndex(signal => signal.name === name)
    if (place < 0) return undefined
    const [signal] = inbox.splice(place, 1) as [SignalRow]
    this.#run.pending.consumeSignal(signal.ordinal)
    return signal
  }

  /** The stage waits for the next such signal. */
  expect(stage: LiveStage, key: string, name: string): void {
    this.#waitingFor ??= new Map()
    const waits = this.#waitingFor.get(name) ?? []
    waits.push({ stage, key })
    this.#waitingFor.set(name, waits)
  }

  /** The stage no longer waits: its attempt is over. */
  forget(stage: LiveStage): void {
    for (const [name, waits] of this.#waitingFor ?? noWaits) {
      const left = waits.filter(wait => wait.stage !== stage)
      if (left.length === 0) this.#waitingFor?.delete(name)
      else if (left.length < waits.length) this.#waitingFor?.set(name, left)
    }
  }

  endSleep(stage: string, key: string): void {
    this.#record(stage, key, 'sleep', 'succeeded', {})
    this.#run.journal('sleep.ended', { key }, { stage })
    this.#run.liveStage(stage)?.attempt?.answer(key, {})
  }

  /** The time for a signal is up. */
  endWait(stage: string, key: string): void {
    const { name } = JSON.parse(this.#run.ledger(stage, key)?.data ?? '{}') as { name?: string }
    if (name !== undefined) {
      const waits = this.#waitingFor?.get(name)?.filter(wait => wait.stage.name !== stage || wait.key !== key)
      if (waits) this.#waitingFor?.set(name, waits)
    }
    const error = new TimeoutError(`no signal '${name}' came in time`, {
      stage,
      signal: name,
      scope: 'local',
      recorded: true,
    })
    this.#endSignalWait(stage, key, name ?? '', { error: encodeError(error) })
  }

  /** Records how a wait for a signal ended, and tells the function. */
  #endSignalWait(stage: string, key: string, name: string, answer: { value?: unknown; error?: EncodedError }): void {
    this.#record(stage, key, 'signal', answer.error ? 'failed' : 'succeeded', { name, ...answer })
    this.#run.timers.clear(`wait:${stage}:${key}`)
    this.#run.journal('wait.ended', { key, name, outcome: answer.error ? 'timed out' : 'received' }, { stage })
    const told = answer.error ? { error: decodeError(answer.error) } : { value: answer.value }
    this.#run.liveStage(stage)?.attempt?.answer(key, told)
  }

  #record(stage: string, key: string, kind: LedgerRow['kind'], state: LedgerRow['state'], data: object): void {
    this.#run.putLedger({ stage, key, kind, state, data: JSON.stringify(data) })
  }

  #deliverToFlow(): void {
    const flow = this.#run.flow
    if (!flow || (flow.getSnapshot() as { status: string }).status !== 'active') return
    const { memory } = this.#run
    const signals = memory.inbox.filter(({ name }) => !isOutcomeAnswer(name))
    if (signals.length > 0) memory.inbox = memory.inbox.filter(({ name }) => isOutcomeAnswer(name))
    for (const signal of signals) {
      this.#run.pending.consumeSignal(signal.ordinal)
      flow.send({ ...(JSON.parse(signal.payload) as object), type: signal.name })
    }
  }
}
