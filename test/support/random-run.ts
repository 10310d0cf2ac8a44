/**
 * One run of a random workflow, over as many lives of the process as it takes: a memory store that outlives them, one
 * clock, signals that are sent when they are due, and a watch that nothing which the store has as done is done again.
 */
import type { RunResult, Runtime } from '../../src/runtime/api.ts'
import { createRuntime } from '../../src/runtime/create-runtime.ts'
import type { OperatedRuntime } from '../../src/runtime/operations/operations-api.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import { isEnded, type JournalRow, type Store } from '../../src/store/store.ts'
import { type FaultyStoreOptions, faultyStore } from '../../src/testing/faulty-store.ts'
import { scriptedProvider } from '../../src/testing/scripted-provider.ts'
import { virtualClock } from '../../src/testing/virtual-clock.ts'
import { seededRandom } from '../../src/time/random.ts'
import type { AnyWorkflow } from '../../src/workflow/definition.ts'
import { buildWorkflow, childWorkflow, profile, signalsOf, type WorkflowSpec } from './random-workflow.ts'

export interface RunWorldOptions {
  readonly seed: number
  /** Turns of the event loop that a commit takes before and after it is applied. */
  readonly commitTurns?: number
}

export type Crash = Pick<FaultyStoreOptions, 'crashAt' | 'mode'>

export interface Life {
  readonly runtime: OperatedRuntime
  /** How many writes it asked of the store. */
  readonly operations: () => number
}

const runId = 'r'
const longestMinutes = 900

export class RunWorld {
  readonly clock = virtualClock()
  readonly store = memoryStore()
  readonly workflow: AnyWorkflow
  /** What was done although the store had it as done. */
  readonly doneAgain: string[] = []
  /** Ends that were told before they were durable. */
  readonly toldTooEarly: string[] = []

  readonly #child: AnyWorkflow
  readonly #random: () => number
  readonly #asked = new Set<string>()
  readonly #durable = new Set<string>()
  readonly #signals
  readonly #beganAt: number
  readonly #commitTurns: number

  constructor(spec: WorkflowSpec, { seed, commitTurns = 0 }: RunWorldOptions) {
    const witness = {
      step: (stage: string, key: string) => this.#watchStep(stage, key),
      isFirst: (what: string) => {
        if (this.#asked.has(what)) return false
        this.#asked.add(what)
        return true
      },
    }
    this.#child = childWorkflow(witness)
    this.workflow = buildWorkflow(spec, witness, this.#child)
    this.#signals = signalsOf(spec)
    this.#random = seededRandom(seed)
    this.#beganAt = this.clock.now()
    this.#commitTurns = commitTurns
  }

  /** Opens a runtime on the store; undefined when the process died of it. */
  async open(crash: Crash = {}): Promise<Life | undefined> {
    const faulty = faultyStore(this.#watched(), crash)
    const provider = scriptedProvider([request => this.#answer(String(request.messages.at(-1)?.content))], {
      clock: this.clock,
      loop: true,
    })
    const runtime = await this.pass(
      createRuntime({
        store: slowed(faulty, this.#commitTurns),
        clock: this.clock,
        random: this.#random,
        logger: false,
        mode: 'minimal',
        workflows: [this.workflow, this.#child],
        providers: [provider],
      }),
    )
    return runtime && { runtime, operations: () => faulty.operations }
  }

  /** Starts the run, or finds it, and does not wait for more than that. */
  async begin({ runtime }: Life): Promise<void> {
    await this.pass(runtime.start(this.workflow, undefined, { id: runId, profile }))
  }

  /** Starts the run, or finds it, and waits for its end; undefined when the process died first. */
  async finish({ runtime }: Life): Promise<RunResult | undefined> {
    const ended = runtime
      .start(this.workflow, undefined, { id: runId, profile })
      .then(run => run.result())
      .then(result => this.#expectDurable(result))
    return this.pass(ended as Promise<RunResult>, runtime)
  }

  async close({ runtime }: Life): Promise<void> {
    await this.pass(runtime.close())
  }

  /** Lets what follows from an end, such as the cancelling of children, take its course. */
  async rest(): Promise<void> {
    await this.clock.advance('1m')
  }

  /** What the promise gives, or undefined when it rejects. One that nothing comes of for hours is a defect. */
  async pass<T>(promise: Promise<T>, runtime?: Pick<Runtime, 'get'>): Promise<T | undefined> {
    let settled: { value?: T } | undefined
    promise.then(
      value => {
        settled = { value }
      },
      () => {
        settled = {}
      },
    )
    await this.clock.advance(0)
    for (let minute = 0; minute < longestMinutes && !settled; minute++) {
      if (runtime) await this.sendSignals(runtime)
      if (!settled) await this.clock.advance('1m')
    }
    if (!settled) throw new Error('nothing came of it')
    return settled.value
  }

  /** Sends what is due and the journal has not: a sender that heard no answer looks before it sends again. */
  async sendSignals(runtime: Pick<Runtime, 'get'>): Promise<void> {
    const minute = (this.clock.now() - this.#beganAt) / 60_000
    const due = this.#signals.filter(signal => signal.minute <= minute)
    if (due.length === 0) return
    const row = await this.store.readRun(runId)
    if (!row || isEnded(row.status)) return
    const received = new Set(
      (await this.journal()).filter(({ type }) => type === 'signal.received').map(({ data }) => JSON.parse(data).name),
    )
    for (const { name } of due) {
      if (received.has(name)) continue
      const run = await runtime.get(runId).catch(() => undefined)
      run?.signal(name, { signal: name }).catch(() => {})
      await this.clock.advance(0)
    }
  }

  journal(id: string = runId): Promise<readonly JournalRow[]> {
    return this.store.readJournal(id, { limit: 100_000 })
  }

  /** Who is told of an end must find it in the store: nothing takes it back. */
  async #expectDurable(result: RunResult): Promise<RunResult> {
    const row = await this.store.readRun(runId)
    if (row?.status !== result.status) this.toldTooEarly.push(`${result.status} while the store has ${row?.status}`)
    return result
  }

  #answer(prompt: string): { text: string; cost: number; delay: number } {
    const text = `answer to ${prompt}`
    if (this.#durable.has(text)) this.doneAgain.push(`call ${prompt}`)
    return { text, cost: 1, delay: Number(prompt.slice(prompt.lastIndexOf('/') + 1)) }
  }

  #watchStep(stage: string, key: string): void {
    const full = stage.includes('/') ? stage : `${runId}/${stage}`
    if (this.#durable.has(`${full} ${key}`)) this.doneAgain.push(`${full} ${key}`)
  }

  /** The store, with a note of every step and answer that it has ever had as done. */
  #watched(): Store {
    const { store } = this
    return {
      ...store,
      commit: async (epoch, writes) => {
        await store.commit(epoch, writes)
        for (const { runId: id, ledger = [] } of writes) {
          for (const { stage, key, kind, state, data } of ledger) {
            if (state !== 'succeeded') continue
            this.#durable.add(kind === 'call' ? JSON.parse(data).answer.text : `${id}/${stage} ${key}`)
          }
        }
      },
    }
  }
}

/** A store whose commits take their time, as one behind a network does. */
function slowed(store: Store, turns: number): Store {
  const wait = async (): Promise<void> => {
    for (let turn = 0; turn < turns; turn++) await new Promise<void>(resolve => setImmediate(resolve))
  }
  return {
    ...store,
    async commit(epoch, writes) {
      await wait()
      await store.commit(epoch, writes)
      await wait()
    },
  }
}
