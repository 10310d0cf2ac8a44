import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { selectTests, type TestCandidate } from '../../../../src/bundled/checkup/survey/select-tests.ts'

const files = (candidates: readonly TestCandidate[]): string[] => candidates.map(({ file }) => file)

describe('a share of the tests', () => {
  test('is all of them when none was asked for', () => {
    expect(
      files(
        selectTests(
          [
            { file: 'b', bytes: 1 },
            { file: 'a', bytes: 2 },
          ],
          undefined,
        ),
      ),
    ).toEqual(['a', 'b'])
  })

  test('takes from every directory what changed last, then what is small', () => {
    const candidates = [
      { file: 'a/large.test.ts', bytes: 900 },
      { file: 'a/small.test.ts', bytes: 10 },
      { file: 'b/old.test.ts', bytes: 10 },
      { file: 'b/recent.test.ts', bytes: 900, recency: 3 },
    ]
    expect(files(selectTests(candidates, 2))).toEqual(['a/small.test.ts', 'b/recent.test.ts'])
  })

  test('takes tests of whole systems only when nothing else is left', () => {
    const candidates = [
      { file: 'test/e2e/a.test.ts', bytes: 1, recency: 0 },
      { file: 'test/unit/a.test.ts', bytes: 9 },
      { file: 'test/unit/b.test.ts', bytes: 9 },
    ]
    expect(files(selectTests(candidates, 2))).toEqual(['test/unit/a.test.ts', 'test/unit/b.test.ts'])
  })

  test('is of the size asked for, without repetitions, and does not depend on the order', () => {
    const candidate = fc.record({
      file: fc
        .tuple(fc.constantFrom('a', 'b/c', 'e2e'), fc.nat(30))
        .map(([directory, n]) => `${directory}/${n}.test.ts`),
      bytes: fc.nat(1000),
    })
    const candidates = fc.uniqueArray(candidate, { selector: ({ file }) => file })
    fc.assert(
      fc.property(candidates, fc.nat(40), (all, maxTests) => {
        const chosen = files(selectTests(all, maxTests))
        expect(chosen).toHaveLength(Math.min(maxTests, all.length))
        expect(new Set(chosen).size).toBe(chosen.length)
        expect(files(selectTests(all.toReversed(), maxTests))).toEqual(chosen)
      }),
    )
  })
})
