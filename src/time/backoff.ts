/**
 * How long to wait before the next try. One declared formula for retries, restarts and circuits: the delay grows by
 * kind, jitter moves it, and the result is cut to [base, max]: jitter neither lifts it above the cap nor below the base.
 */

export interface Backoff {
  /** `exponential`: base × 2^n · `linear`: base × (n + 1) · `fixed`: base · `decorrelated`: between base and 3 × the last delay. */
  readonly kind: 'exponential' | 'linear' | 'fixed' | 'decorrelated'
  /** The first delay, ms. */
  readonly base: number
  /** No delay is above it, ms. */
  readonly max: number
  /** The share of the delay that chance may add or take, 0 to 1. `decorrelated` has its own and ignores it. */
  readonly jitter: number
}

/**
 * The delay before try `n + 1` in ms, a whole number; `n` counts the failures before this one, from 0.
 * @param unit chance in [0, 1), given by the caller so that the same inputs give the same delay
 * @param previousMs the last delay, for `decorrelated` only
 */
export function backoffDelayMs(backoff: Backoff, n: number, unit: number, previousMs = backoff.base): number {
  if (backoff.kind === 'decorrelated') {
    const span = Math.max(0, previousMs * 3 - backoff.base)
    return Math.round(Math.min(backoff.max, backoff.base + unit * span))
  }
  const grown =
    backoff.kind === 'exponential'
      ? backoff.base * 2 ** Math.min(n, 52)
      : backoff.kind === 'linear'
        ? backoff.base * (n + 1)
        : backoff.base
  const jittered = Math.min(grown, backoff.max) * (1 + (unit * 2 - 1) * backoff.jitter)
  return Math.round(Math.min(backoff.max, Math.max(backoff.base, jittered)))
}
