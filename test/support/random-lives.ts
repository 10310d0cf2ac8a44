/** The lives of a random run: crashed at chosen writes, taken up by the next process, and held against its prediction. */
import fc from 'fast-check'
import { expect } from 'vitest'
import type { RunResult } from '../../src/runtime/api.ts'
import { expectResultAgrees, expectSoundJournal } from './journal-rules.ts'
import type { Crash, RunWorld } from './random-run.ts'
import type { Prediction } from './random-workflow.ts'

const most = 6

export interface Lived {
  readonly result: RunResult
  readonly operations: number
}

/** Runs it to its end, over as many lives as the crashes make, until nothing is left to do. */
export async function live(world: RunWorld, crashes: readonly Crash[]): Promise<Lived> {
  let lived: Lived | undefined
  for (let number = 0; number < most; number++) {
    const life = await world.open(crashes[number])
    const result = life && (await world.finish(life))
    await world.rest()
    if (life) await world.close(life)
    expect(world.clock.pending).toBe(0)
    if (life && result) {
      if (lived) expect(result).toEqual(lived.result)
      lived ??= { result, operations: life.operations() }
    }
    if (lived && (await world.store.unfinished()).length === 0) return lived
  }
  throw new Error(`the run did not end in ${most} lives`)
}

export async function expectPredicted(world: RunWorld, result: RunResult, prediction: Prediction): Promise<void> {
  expect(world.doneAgain).toEqual([])
  expect(world.toldTooEarly).toEqual([])
  expect(result.status).toBe(prediction.status)
  const rows = await world.journal()
  expectSoundJournal(rows)
  expectResultAgrees(result, rows)
  if (!result.success) {
    expect(prediction.fatal).toContain(result.error.stage?.replace(/\[.*/, ''))
    return
  }
  expect(result.output).toEqual(prediction.output)
  expect(result.degraded.map(part => part.stage).sort()).toEqual([...prediction.degraded].sort())
  const attempts = Object.entries(result.performance.stages).filter(([, stage]) => stage.attempts > 0)
  expect(Object.fromEntries(attempts.map(([name, stage]) => [name, stage.attempts]))).toEqual(
    Object.fromEntries(prediction.attempts),
  )
}

export const crashModes = ['before', 'after', 'torn'] as const

interface CrashPoint {
  readonly at: number
  readonly mode: (typeof crashModes)[number]
}

export const crashPoints: fc.Arbitrary<readonly CrashPoint[]> = fc.array(
  fc.record({ at: fc.nat(1000), mode: fc.constantFrom(...crashModes) }),
  { minLength: 1, maxLength: 3 },
)

/** One crash in each life, at one of the writes of the run that nothing happens to. */
export const crashesAt = (points: readonly CrashPoint[], operations: number): Crash[] =>
  points.map(({ at, mode }) => ({ crashAt: 1 + (at % operations), mode }))
