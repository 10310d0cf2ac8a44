/**
 * While a program that should be pure runs, the ambient clock and chance are held still: what reads them by itself gets
 * the same each time, so a replay is a replay. They are given back however it ends.
 */
import type { Random } from '../time/random.ts'

/** Runs synchronous work with `Date.now` and `Math.random` replaced. */
export function withHeldAmbient<T>(now: () => number, random: Random, work: () => T): T {
  const given = { now: Date.now, random: Math.random }
  Date.now = now
  Math.random = random
  try {
    return work()
  } finally {
    Date.now = given.now
    Math.random = given.random
  }
}

/** Runs `work` with `Math.random` given by `random`. */
export function withHeldRandom<T>(random: Random, work: () => T): T {
  const given = Math.random
  Math.random = random
  try {
    return work()
  } finally {
    Math.random = given
  }
}
