import fc from 'fast-check'
import { expect, it } from 'vitest'
import { countWithin, emptySlidingCount, slidingCountSchema, withOneMore } from '../../../src/time/sliding-count.ts'
import { propertyRuns } from '../../support/supervised-worker.ts'

it('a sliding count counts exactly what a list of all times would', () => {
  const steps = fc.array(fc.constantFrom(0, 0, 1, 1, 1, 2, 50, 99, 100, 101), { maxLength: 400 })
  fc.assert(
    fc.property(steps, fc.constantFrom(1, 100, 150), (gaps, periodMs) => {
      const times: number[] = []
      let counted = emptySlidingCount
      let now = 0
      for (const gap of gaps) {
        now += gap
        const within = (): number => times.filter(at => now - at <= periodMs).length
        expect(countWithin(counted, now, periodMs)).toBe(within())
        const before = JSON.stringify(counted)
        const after = withOneMore(counted, now, periodMs)
        expect(JSON.stringify(counted)).toBe(before)
        times.push(now)
        counted = slidingCountSchema.parse(JSON.parse(JSON.stringify(after)))
        expect(counted.total).toBe(within())
      }
    }),
    { numRuns: propertyRuns },
  )
})
