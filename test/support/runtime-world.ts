/** A runtime in a test's hand: virtual time, seeded chance, a store that outlives it, and no logger. */

import type { Run, RunResult, RuntimeOptions } from '../../src/runtime/api.ts'
import { createRuntime } from '../../src/runtime/create-runtime.ts'
import type { OperatedRuntime } from '../../src/runtime/operations/operations-api.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import type { Store } from '../../src/store/store.ts'
import { virtualClock } from '../../src/testing/virtual-clock.ts'
import { seededRandom } from '../../src/time/random.ts'

export interface World {
  readonly clock: ReturnType<typeof virtualClock>
  readonly store: Store
  /** Opens a runtime on the store; what an earlier one left unfinished is taken up. */
  open(options?: RuntimeOptions): Promise<OperatedRuntime>
}

export function createWorld(seed = 1): World {
  const clock = virtualClock()
  const store = memoryStore()
  return {
    clock,
    store,
    open: (options = {}) => createRuntime({ store, clock, random: seededRandom(seed), logger: false, ...options }),
  }
}

/** Advances the clock in steps until the promise settles; fails after `longestMs` of virtual time. */
export async function settle<T>(
  clock: World['clock'],
  promise: Promise<T>,
  stepMs = 1000,
  longestMs = 24 * 3_600_000,
): Promise<T> {
  let done = false
  const settled = promise.finally(() => {
    done = true
  })
  settled.catch(() => {})
  for (let passed = 0; !done && passed < longestMs; passed += stepMs) await clock.advance(stepMs)
  return settled
}

/** How the run ends; one that has not ended after twenty minutes is parked for good. */
export async function endOf(world: World, run: Run): Promise<RunResult> {
  let result: RunResult | undefined
  run.result().then(
    ended => {
      result = ended
    },
    () => {},
  )
  for (let minute = 0; minute < 20 && !result; minute++) await world.clock.advance('1m')
  if (!result) throw new Error(`the run is parked as ${await run.status()}`)
  return result
}
