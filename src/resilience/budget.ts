/**
 * Budgets of money, tokens and calls. What a call may cost is set aside before it goes out and settled when it is over,
 * so calls that run at once cannot together spend what each could alone. Levels nest: one call is reserved on every level
 * above it, or on none. A call that does not fit while others are under way waits for what they leave.
 *
 * A request that says how much may be answered is held to its worst case; any other is let go while something is left, so
 * a budget is passed by at most one such call.
 */
import { BudgetExceededError } from '../errors.ts'

export interface BudgetLimits {
  readonly usd?: number | undefined
  readonly tokens?: number | undefined
  readonly calls?: number | undefined
}

export interface Spend {
  readonly usd: number
  readonly tokens: number
  readonly calls: number
}

/** What is set aside for one call. */
export interface Reserve extends Spend {
  /** In tokens it cannot take more than this. */
  readonly isWorstCase: boolean
  /** In USD neither. @default as in tokens */
  readonly isWorstUsd?: boolean | undefined
}

/** One level of a budget, whose limits may be another's for each call. */
export interface BudgetLevel {
  /** Whose it is, for messages. */
  readonly what: string
  readonly limits: BudgetLimits
  readonly account: BudgetAccount
}

export interface BudgetReservation {
  /** Gives back what was set aside; the first time counts. What was spent is to be booked before. */
  settle(): void
}

const currencies = ['usd', 'tokens', 'calls'] as const
type Currency = (typeof currencies)[number]

/** What one holder has spent, and what is set aside for calls under way. */
export class BudgetAccount {
  readonly spent: () => Spend
  readonly #reserved = { usd: 0, tokens: 0, calls: 0 }
  #underWay = 0
  readonly #waiters = new Set<() => void>()

  /** @param spent what has been booked until now */
  constructor(spent: () => Spend) {
    this.spent = spent
  }

  get underWay(): number {
    return this.#underWay
  }

  get reserved(): Spend {
    return this.#reserved
  }

  /** The currency of which there is not enough; undefined where the call fits. */
  shortOf(limits: BudgetLimits, ask: Reserve): Currency | undefined {
    const spent = this.spent()
    for (const currency of currencies) {
      const limit = limits[currency]
      if (limit === undefined) continue
      const taken = spent[currency] + this.#reserved[currency]
      if (isBounded(ask, currency) ? taken + ask[currency] > limit : taken >= limit) return currency
    }
    return undefined
  }

  take(ask: Reserve): void {
    this.#underWay++
    for (const currency of currencies) this.#reserved[currency] += ask[currency]
  }

  giveBack(ask: Reserve): void {
    this.#underWay--
    // Sums of fractions leave crumbs; nothing under way is nothing set aside.
    for (const currency of currencies) {
      this.#reserved[currency] = this.#underWay === 0 ? 0 : this.#reserved[currency] - ask[currency]
    }
    if (this.#waiters.size > 0) for (const wake of [...this.#waiters]) wake()
  }

  /** Resolves when something was given back, or the signal aborts. */
  nextGivenBack(signal: AbortSignal | undefined): Promise<void> {
    return new Promise(resolve => {
      const wake = (): void => {
        this.#waiters.delete(wake)
        signal?.removeEventListener('abort', wake)
        resolve()
      }
      this.#waiters.add(wake)
      signal?.addEventListener('abort', wake)
    })
  }
}

/**
 * Sets aside on every level what a call may cost, waiting for calls under way where it would fit without them.
 * @param caller whose signal ends a wait; it is read where one has to wait, for it may be made only then
 * @throws BudgetExceededError where a level has not enough left; the signal's reason when it aborts
 */
export async function reserve(
  levels: readonly BudgetLevel[],
  ask: Reserve,
  caller?: { readonly signal: AbortSignal },
): Promise<BudgetReservation> {
  for (;;) {
    const tight = levels.find(({ account, limits }) => account.shortOf(limits, ask) !== undefined)
    if (tight === undefined) break
    if (tight.account.underWay === 0) throw exceeded(tight, ask)
    const signal = caller?.signal
    signal?.throwIfAborted()
    await tight.account.nextGivenBack(signal)
    signal?.throwIfAborted()
  }
  for (const { account } of levels) account.take(ask)
  let isOpen = true
  return {
    settle() {
      if (!isOpen) return
      isOpen = false
      for (const { account } of levels) account.giveBack(ask)
    },
  }
}

function exceeded({ what, limits, account }: BudgetLevel, ask: Reserve): BudgetExceededError {
  const currency = account.shortOf(limits, ask) ?? 'calls'
  const limit = limits[currency] as number
  const spent = account.spent()[currency]
  const left = Math.max(0, limit - spent)
  const short = left > 0 ? `, and this call may take ${shown(ask[currency])}` : ''
  return new BudgetExceededError(
    `${what} may not make another call: ${shown(spent)} of ${shown(limit)} ${currency} are spent${short}; raise its budget`,
    { currency, limit, spent },
  )
}

/** Whether it is known what the call takes of it at the most. */
function isBounded({ isWorstCase, isWorstUsd = isWorstCase }: Reserve, currency: Currency): boolean {
  if (currency === 'calls') return true
  return currency === 'usd' ? isWorstUsd : isWorstCase
}

const shown = (amount: number): string => String(Number(amount.toPrecision(6)))
