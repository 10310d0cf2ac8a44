/** What a call to a model is given beside its request, and what it comes to. */
import type { ModelAnswer, Provider, Tier } from '../providers/provider.ts'
import type { Clock } from '../time/clock.ts'
import type { Random } from '../time/random.ts'
import type { AttemptContext } from './attempt.ts'
import type { Admission, PlannedAttempt } from './call-admission.ts'
import type { Hop, ModelCallEvent } from './call-events.ts'
import type { KeyRests } from './call-gate.ts'
import type { Circuits } from './circuits.ts'
import type { PieceSink } from './model-answer.ts'
import type { ModelCatalogue } from './model-catalogue.ts'
import type { ResolvedProfile } from './profiles.ts'
import type { CapabilityName } from './request-needs.ts'
import type { RetryBudget } from './retry-budget.ts'

export interface ModelCallOptions {
  /** In the order of preference. */
  readonly providers: readonly Provider[]
  readonly profile: ResolvedProfile
  readonly circuits: Circuits
  readonly clock: Clock
  readonly random: Random
  /** What is known of the models. @default nothing */
  readonly catalogue?: ModelCatalogue | undefined
  /** Which keys rest; shared with other calls. @default known to this call alone */
  readonly rests?: KeyRests | undefined
  /** What the model must be able to do, beside what follows from the request. */
  readonly capabilities?: readonly CapabilityName[] | undefined
  /** Whether a model without a known price may be asked. @default true */
  readonly unpriced?: boolean | undefined
  readonly signal?: AbortSignal | undefined
  /** Shared with other calls, over all providers: their retries are a share of their calls. @default none */
  readonly retryBudget?: RetryBudget | undefined
  /** When it must be over though the profile would allow more, on the clock. */
  readonly deadlineAt?: number | undefined
  readonly idempotencyKey: string
  /** Asked before each attempt goes out. Its refusal, a BudgetExceededError, ends the call. */
  readonly admit?: ((attempt: PlannedAttempt, caller: AttemptContext) => Promise<Admission>) | undefined
  /** Takes the answer in pieces as they come. */
  readonly sink?: PieceSink | undefined
  /** Told of everything, in order; what it throws is dropped. */
  readonly onEvent?: ((event: ModelCallEvent) => void) | undefined
}

export interface ModelCallOutcome {
  readonly answer: ModelAnswer
  readonly provider: string
  readonly model: string
  readonly tier: Tier
  /** USD: as the provider told, else by the catalogue's price. */
  readonly cost: number | 'unknown'
  /** Over all candidates. */
  readonly attempts: number
  readonly hops: readonly Hop[]
  /** Whether it came from a lower tier than was wanted, or from the offline provider. */
  readonly degraded: boolean
  /** Of the attempt that was answered: to be settled once its cost is booked. */
  readonly admission?: Admission | undefined
}
