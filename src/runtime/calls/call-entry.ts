/**
 * The entry that a model call has in the ledger, from its intention to its end, with what it has cost over all its tries.
 * To be written to within a dispatch.
 */
import type { EncodedError } from '../../errors.ts'
import type { Admission } from '../../resilience/call-admission.ts'
import { isEnded } from '../../store/store.ts'
import { encodeJson } from '../../workflow/results.ts'
import type { Attempt } from '../run/live.ts'
import { doubtsOf } from '../stage/unknown-outcome.ts'
import { countForAncestors } from './budget.ts'
import type { RecordedAnswer } from './call-answer.ts'
import { bookAnswer, type CallSpend, noSpend, type PaidAnswer, type PricedCatalogue } from './call-costs.ts'

/** An answer to be booked, with the leave under which it was given. */
type BookedAnswer = PaidAnswer & { readonly admission?: Admission | undefined }

export class CallEntry {
  readonly #attempt: Attempt
  readonly #key: string
  readonly #catalogue: PricedCatalogue
  #spend: CallSpend

  constructor(attempt: Attempt, key: string, catalogue: PricedCatalogue) {
    this.#attempt = attempt
    this.#key = key
    this.#catalogue = catalogue
    const { stage } = attempt
    // What an earlier try of this entry has cost stays booked in it.
    const known = stage.run.ledger(stage.name, key)
    this.#spend = known ? ((JSON.parse(known.data) as { spend?: CallSpend }).spend ?? noSpend) : noSpend
  }

  intend(): void {
    this.#put('intended', JSON.stringify(this.#kept()))
  }

  succeed(recorded: RecordedAnswer): void {
    const { name } = this.#attempt.stage
    const data = encodeJson(
      Object.assign({}, recorded, { spend: this.#spend }),
      `answer to call ${this.#key} of stage '${name}'`,
    )
    this.#put('succeeded', data as string)
  }

  fail(error: EncodedError): void {
    this.#put('failed', JSON.stringify({ error, ...this.#kept() }))
  }

  /** @param wasted whether the answer is thrown away */
  book(outcome: BookedAnswer, wasted: boolean): void {
    const { run } = this.#attempt.stage
    const before = this.#spend
    this.#spend = bookAnswer(run.memory.counters, before, outcome, wasted, this.#catalogue)
    const tokens = this.#spend.inputTokens + this.#spend.outputTokens - before.inputTokens - before.outputTokens
    countForAncestors(run, { usd: this.#spend.usd - before.usd, tokens })
    outcome.admission?.settle()
  }

  /** Nobody waits for this answer any more; its entry has ended, or is somebody else's by now. In a dispatch of its own. */
  bookLate(outcome: BookedAnswer): void {
    const { stage } = this.#attempt
    const { run } = stage
    outcome.admission?.settle()
    if (run.detached || isEnded(run.status)) return
    run.dispatch(() => {
      const known = run.ledger(stage.name, this.#key)
      if (known === undefined) return
      const data = JSON.parse(known.data) as { spend?: CallSpend }
      this.#spend = data.spend ?? noSpend
      this.book({ answer: outcome.answer, cost: outcome.cost, provider: outcome.provider }, true)
      run.putLedger({ ...known, data: JSON.stringify({ ...data, spend: this.#spend }) })
    })
  }

  /** What the entry keeps over its tries. */
  #kept(): object {
    const { run, name } = this.#attempt.stage
    return Object.assign({}, doubtsOf(run.ledger(name, this.#key)), { spend: this.#spend })
  }

  #put(state: 'intended' | 'succeeded' | 'failed', data: string): void {
    const { run, name } = this.#attempt.stage
    run.putLedger({ stage: name, key: this.#key, kind: 'call', state, data })
  }
}
