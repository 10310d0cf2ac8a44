/**
 * Runs of paid model calls over as many lives of the process as it takes: one provider that does what it is told, call by
 * call, and charges for what it answers; a store that outlives the process; and a watch that what the store has as
 * answered is not asked again.
 */
import { z } from 'zod'
import type { Provider } from '../../src/providers/provider.ts'
import type { ResolvedProfile } from '../../src/resilience/profiles.ts'
import { createRuntime } from '../../src/runtime/create-runtime.ts'
import type { OperatedRuntime } from '../../src/runtime/operations/operations-api.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import type { Store } from '../../src/store/store.ts'
import { type FaultyStoreOptions, faultyStore } from '../../src/testing/faulty-store.ts'
import { virtualClock } from '../../src/testing/virtual-clock.ts'
import { seededRandom } from '../../src/time/random.ts'
import { defineWorkflow } from '../../src/workflow/define-workflow.ts'

/** What the provider does with a call; after the last deed, and after the faults, all goes well. */
export type Deed = 'well' | 'limited' | 'down' | 'broken' | 'slow'

export interface PaidSpec {
  readonly profile: ResolvedProfile
  readonly items: number
  readonly concurrency: number
  /** Whether each call says how much may be answered. */
  readonly says: boolean
  readonly deeds: readonly Deed[]
  /** Ms from the beginning in which it is down, whatever else it was told. */
  readonly outage?: readonly [from: number, to: number] | undefined
  readonly seed: number
}

export interface Ask {
  readonly prompt: string
  readonly at: number
  readonly deed: Deed
  endedAt?: number
}

export const hintMs = 7000
const answerTokens = 100
const price = { inputUsdPerMTok: 0, outputUsdPerMTok: 10_000 }
/** USD of every answer, good or not. */
export const answerUsd = (answerTokens * price.outputUsdPerMTok) / 1_000_000

export class PaidWorld {
  readonly clock = virtualClock()
  readonly store = memoryStore()
  readonly asks: Ask[] = []
  /** Prompts that were asked although the store had their answer. */
  readonly askedAgain: string[] = []
  readonly workflow
  charged = 0
  readonly #spec: PaidSpec
  readonly #began: number
  readonly #random: () => number
  readonly #answered = new Set<string>()

  constructor(spec: PaidSpec) {
    this.#spec = spec
    this.#began = this.clock.now()
    this.#random = seededRandom(spec.seed)
    const { items, concurrency, says, profile } = spec
    this.workflow = defineWorkflow({ name: 'paid', version: '1', profile })
      .stage('list', () => Array.from({ length: items }, (_, at) => at))
      .map(
        'ask',
        { over: ({ results }) => results.list, concurrency },
        async ({ item, model, runId }) =>
          (
            await model.generate({
              prompt: `${runId} ${item}`,
              schema: z.object({ ok: z.boolean() }),
              ...(says ? { maxOutputTokens: answerTokens } : {}),
            })
          ).object.ok,
      )
  }

  /** The next life; undefined where the process died as it began. */
  async open(crash: FaultyStoreOptions = {}): Promise<OperatedRuntime | undefined> {
    const made = createRuntime({
      store: faultyStore(this.#watched(), crash),
      clock: this.clock,
      random: this.#random,
      logger: false,
      mode: 'minimal',
      workflows: [this.workflow],
      providers: [this.#provider()],
    })
    return this.pass(made)
  }

  /** What the promise gives, or undefined where it rejects or nothing comes of it for so long. */
  async pass<T>(promise: Promise<T>, longestMs = 12 * 3_600_000): Promise<T | undefined> {
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
    for (let passed = 0; !settled && passed < longestMs; passed += 1000) await this.clock.advance(1000)
    return settled?.value
  }

  /** USD in the ledger of a run, as it is in the store. */
  async booked(runId: string): Promise<number> {
    const entries = await this.store.readLedger(runId)
    return entries.reduce((sum, { data }) => sum + ((JSON.parse(data).spend?.usd as number | undefined) ?? 0), 0)
  }

  async journal(runId: string): Promise<{ type: string; at: number; data: Record<string, unknown> }[]> {
    const rows = await this.store.readJournal(runId, { limit: 100_000 })
    return rows.map(({ type, at, data }) => ({ type, at, data: JSON.parse(data) }))
  }

  #provider(): Provider {
    const model = { id: 'm', tier: 'capable', price, maxOutputTokens: answerTokens } as const
    return {
      id: 'p',
      models: [model],
      generate: async ({ messages }) => {
        const prompt = String(messages[0]?.content)
        if (this.#answered.has(prompt)) this.askedAgain.push(prompt)
        const ask: Ask = { prompt, at: this.clock.now(), deed: this.#nextDeed() }
        this.asks.push(ask)
        await new Promise<void>(resolve => this.clock.setTimeout(resolve, ask.deed === 'slow' ? 20_000 : 200))
        ask.endedAt = this.clock.now()
        if (ask.deed === 'down') throw Object.assign(new Error('down'), { status: 503 })
        if (ask.deed === 'limited')
          throw Object.assign(new Error('slow down'), { status: 429, headers: { 'retry-after-ms': `${hintMs}` } })
        this.charged += answerUsd
        const text = ask.deed === 'broken' ? 'no JSON' : '{"ok":true}'
        return { text, usage: { inputTokens: 0, outputTokens: answerTokens } }
      },
    }
  }

  #nextDeed(): Deed {
    const passed = this.clock.now() - this.#began
    const [from, to] = this.#spec.outage ?? [0, 0]
    if (passed >= from && passed < to) return 'down'
    return this.#spec.deeds[this.asks.length] ?? 'well'
  }

  /** The store, with a note of every prompt whose answer it has had. */
  #watched(): Store {
    const { store } = this
    return {
      ...store,
      commit: async (epoch, writes) => {
        await store.commit(epoch, writes)
        for (const { runId, ledger = [] } of writes) {
          for (const { stage, kind, state } of ledger) {
            if (kind !== 'call' || state !== 'succeeded') continue
            this.#answered.add(`${runId} ${/\[(\d+)\]/.exec(stage)?.[1]}`)
          }
        }
      },
    }
  }
}
