/**
 * The account of the providers: who asked, and what was charged for each answer. A run that lived in one process to its
 * end has booked exactly that; one whose process died may have lost what was not durable, and nothing else.
 */
import { isEnded } from '../../store/store.ts'
import type { Guarantees } from './guarantees.ts'

interface Account {
  asked: number
  usd: number
}

const roundingUsd = 1e-6

export class Charges {
  readonly #guarantees: Guarantees
  readonly #accounts = new Map<string, Account>()
  /** Runs of which something may have been lost. */
  readonly #interrupted = new Set<string>()

  constructor(guarantees: Guarantees) {
    this.#guarantees = guarantees
  }

  asked(idempotencyKey: string): void {
    const account = this.#accountOf(idempotencyKey)
    if (account) account.asked++
  }

  charged(idempotencyKey: string, usd: number): void {
    const account = this.#accountOf(idempotencyKey)
    if (account) account.usd += usd
  }

  /** A process ended, or lost the store: what it had in memory alone is gone. */
  interrupted(): void {
    for (const runId of this.#guarantees.runIds) {
      if (!isEnded(this.#guarantees.statusOf(runId) ?? 'completed')) this.#interrupted.add(runId)
    }
  }

  /** Holds what the run has booked against what was charged. */
  examine(runId: string, budget: { readonly calls?: number | undefined } = {}): void {
    const run = this.#guarantees.run(runId)
    const { asked, usd } = this.#accounts.get(runId) ?? { asked: 0, usd: 0 }
    if (!run) return
    const fail = (message: string): void => this.#guarantees.fail('counted as done', message, runId)
    if (run.usd > usd + roundingUsd) fail(`it has booked ${run.usd} USD, and ${usd} were charged`)
    if (this.#interrupted.has(runId)) return
    if (run.usd < usd - roundingUsd) fail(`it has booked ${run.usd} USD of ${usd} that were charged`)
    if (run.calls !== asked) fail(`it has counted ${run.calls} calls, and providers were asked ${asked} times`)
    if (budget.calls !== undefined && asked > budget.calls)
      this.#guarantees.fail(
        'budget kept',
        `providers were asked ${asked} times, and ${budget.calls} were allowed`,
        runId,
      )
  }

  #accountOf(idempotencyKey: string): Account | undefined {
    let runId: string | undefined
    for (const id of this.#guarantees.runIds) {
      if (idempotencyKey.startsWith(`${id}/`) && id.length > (runId?.length ?? 0)) runId = id
    }
    if (runId === undefined || isEnded(this.#guarantees.statusOf(runId) ?? 'completed')) return undefined
    const account = this.#accounts.get(runId) ?? { asked: 0, usd: 0 }
    this.#accounts.set(runId, account)
    return account
  }
}
