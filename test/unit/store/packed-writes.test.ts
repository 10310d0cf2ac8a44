import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { packWrites, unpackWrites } from '../../../src/store/packed-writes.ts'
import { type RunWrite, runStatuses } from '../../../src/store/store.ts'

const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })
const orNull = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null })
const text = fc.string({ unit: 'binary', maxLength: 8 })

const journalRow = fc.record({
  seq: fc.nat(),
  at: fc.maxSafeInteger(),
  type: text,
  schemaVersion: fc.nat(),
  stage: maybe(text),
  attempt: maybe(fc.nat()),
  incarnation: maybe(fc.nat()),
  data: text,
})

const write: fc.Arbitrary<RunWrite> = fc.record({
  runId: text,
  create: maybe(
    fc.record({
      workflow: text,
      version: text,
      definitionHash: text,
      source: maybe(text),
      input: text,
      options: text,
      tags: fc.array(text, { maxLength: 2 }),
      createdAt: fc.nat(),
      parent: maybe(fc.record({ runId: text, stage: text })),
    }),
  ),
  definition: maybe(fc.record({ version: text, definitionHash: text })),
  state: maybe(
    fc.record({
      status: fc.constantFrom(...runStatuses),
      snapshot: orNull(text),
      seq: fc.nat(),
      updatedAt: fc.nat(),
      endedAt: orNull(fc.nat()),
      counters: text,
      outcome: orNull(text),
    }),
  ),
  journal: maybe(fc.array(journalRow, { maxLength: 3 })),
  ledger: maybe(
    fc.array(
      fc.record({
        stage: text,
        key: text,
        kind: fc.constantFrom('call', 'step', 'sleep', 'signal', 'child'),
        state: fc.constantFrom('intended', 'succeeded', 'failed', 'unknown', 'superseded'),
        data: text,
      }),
      { maxLength: 2 },
    ),
  ),
  setTimers: maybe(fc.array(fc.record({ key: text, dueAt: fc.nat(), data: text }), { maxLength: 2 })),
  clearTimers: maybe(fc.array(text, { maxLength: 2 })),
  addSignals: maybe(
    fc.array(fc.record({ ordinal: fc.nat(), name: text, payload: text, at: fc.nat() }), { maxLength: 2 }),
  ),
  consumeSignals: maybe(fc.array(fc.nat(), { maxLength: 2 })),
  wake: maybe(fc.array(fc.record({ runId: text, key: text, dueAt: fc.nat(), data: text }), { maxLength: 2 })),
})

test('texts of any length come out of another thread as they went in', () => {
  const longest = 4096
  const batch: RunWrite[] = [0, 1, longest, longest + 1].map(length => ({
    runId: `r${length}`,
    journal: Array.from({ length: 5000 }, (_, seq) => ({
      ...{ seq, at: seq, type: 'stage.succeeded', schemaVersion: 1 },
      data: `${seq}`.padEnd(length, 'ä'),
    })),
  }))
  const dataOf = (writes: readonly RunWrite[]) => writes.map(({ journal }) => journal?.map(({ data }) => data))
  const packed = packWrites(batch)
  expect(packed.text.length).toBeGreaterThan(15 * 1024 * 1024)
  expect(packed.text.length).toBeLessThanOrEqual(16 * 1024 * 1024)
  expect(isDeepStrictEqual(dataOf(unpackWrites(structuredClone(packed))), dataOf(batch))).toBe(true)
})

test('writes come out of another thread as they went in', () => {
  fc.assert(
    fc.property(fc.array(write, { maxLength: 4 }), writes => {
      expect(unpackWrites(structuredClone(packWrites(writes)))).toEqual(writes)
    }),
  )
})
