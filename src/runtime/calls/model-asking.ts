/**
 * How a recorded call asks models: as the profile of its stage says, within the time of the attempt of the stage, under
 * the budgets of its run and of the runs above it, and with all that happens told at once. Whoever is answered after the
 * attempt of the stage is over has paid all the same.
 */
import type { ModelRequest, Provider } from '../../providers/provider.ts'
import type { AttemptContext } from '../../resilience/attempt.ts'
import type { Admission, PlannedAttempt } from '../../resilience/call-admission.ts'
import type { KeyRests } from '../../resilience/call-gate.ts'
import type { Circuits } from '../../resilience/circuits.ts'
import type { PieceSink } from '../../resilience/model-answer.ts'
import { callModel } from '../../resilience/model-call.ts'
import type { ModelCallOutcome } from '../../resilience/model-call-terms.ts'
import type { ResponseCache } from '../../resilience/response-cache.ts'
import type { Attempt } from '../run/live.ts'
import { countForAncestors, hasMoneyBudget, reserveCall } from './budget.ts'
import type { PricedCatalogue } from './call-costs.ts'
import type { CallEntry } from './call-entry.ts'
import type { CallOptions } from './call-request.ts'
import type { CallTeller } from './call-teller.ts'
import type { Incidents } from './incidents.ts'

/** What model calls share in one runtime. */
export interface ModelCallParts {
  readonly providers: readonly Provider[]
  readonly circuits: Circuits
  readonly catalogue: PricedCatalogue
  readonly rests: KeyRests
  readonly cache: ResponseCache
  readonly incidents: Incidents
}

/** The call that asks: its place in the run, what it is to come to, and who writes down what happens. */
export interface AskingCall {
  readonly attempt: Attempt
  readonly key: string
  readonly options: CallOptions
  readonly parts: ModelCallParts
  readonly sink: PieceSink | undefined
  readonly teller: CallTeller
  readonly entry: CallEntry
}

export class ModelAsking {
  readonly #call: AskingCall
  readonly #deadlineAt: number

  constructor(call: AskingCall) {
    this.#call = call
    const { attempt } = call
    const { stage } = attempt
    const ownDeadlineAt = stage.run.services.clock.now() + stage.profile.timeout.callMs
    this.#deadlineAt = Math.min(ownDeadlineAt, attempt.deadline)
  }

  /** @throws as `callModel` does; CancelledError where the attempt of the stage ends meanwhile */
  async ask(request: ModelRequest): Promise<ModelCallOutcome> {
    const { attempt, key, options, parts, sink, teller, entry } = this.#call
    const { stage, workSignal: signal } = attempt
    const { run } = stage
    const { providers, circuits, catalogue, rests } = parts
    const { clock, random } = run.services
    const made = callModel(request, {
      providers,
      circuits,
      catalogue,
      rests,
      profile: stage.profile,
      clock,
      random,
      signal,
      capabilities: options.capabilities,
      unpriced: !hasMoneyBudget(stage),
      deadlineAt: this.#deadlineAt,
      idempotencyKey: `${run.id}/${stage.name}/${key}`,
      admit: (planned, caller) => this.#admit(planned, caller),
      sink,
      onEvent: event => teller.note(event),
    })
    made.then(outcome => {
      if (attempt.over) entry.bookLate(outcome)
    }, unheard)
    return attempt.guard(made)
  }

  async #admit(planned: PlannedAttempt, caller: AttemptContext): Promise<Admission> {
    const { attempt, entry } = this.#call
    const { stage } = attempt
    const { run } = stage
    const reservation = await reserveCall(stage, planned, caller)
    run.dispatch(() => {
      run.memory.counters.calls++
      countForAncestors(run, { calls: 1 })
    })
    return {
      settle: () => reservation.settle(),
      late: (answer, cost) => entry.bookLate({ answer, cost, provider: planned.provider }),
    }
  }
}

/** That it failed is told by whoever waits for the call itself. */
const unheard = (): void => {}
