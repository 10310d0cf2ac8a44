/** The only door to chance: every `random` in Holdfast is a function to [0, 1), given from outside. */

export type Random = () => number

export const systemRandom: Random = () => Math.random()

/**
 * The same sequence for the same seed, on every platform.
 * Mulberry32 (Tommy Ettinger, public domain): 32 bits of state, full period 2^32.
 */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
