import fc from 'fast-check'
import { expect, test } from 'vitest'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'

test('starts at a fixed date and stands still until it is advanced', async () => {
  const clock = virtualClock()
  expect(new Date(clock.now()).toISOString()).toBe('2026-01-01T00:00:00.000Z')
  await clock.advance('2h')
  expect(new Date(clock.now()).toISOString()).toBe('2026-01-01T02:00:00.000Z')
  expect(virtualClock(5).now()).toBe(5)
})

test('fires every timer that falls due, by due time and then by creation, at its own time', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(50), { maxLength: 40 }), fc.nat(60), async (delays, span) => {
      const clock = virtualClock(0)
      const fired: [index: number, at: number][] = []
      for (const [index, delay] of delays.entries()) {
        clock.setTimeout(() => fired.push([index, clock.now()]), delay)
      }
      await clock.advance(span)
      const due = [...delays.entries()].filter(([, delay]) => delay <= span).sort((a, b) => a[1] - b[1] || a[0] - b[0])
      expect(fired).toEqual(due)
      expect(clock.pending).toBe(delays.length - due.length)
      expect(clock.now()).toBe(span)
    }),
    { numRuns: 50 },
  )
})

test('fires a timer that was set by another within the same span', async () => {
  const clock = virtualClock(0)
  const at: number[] = []
  clock.setTimeout(() => {
    at.push(clock.now())
    clock.setTimeout(() => at.push(clock.now()), 10)
    clock.setTimeout(() => at.push(clock.now()), 91)
  }, 10)
  await clock.advance(100)
  expect(at).toEqual([10, 20])
  expect(clock.pending).toBe(1)
})

test('a cleared timer never fires, and clearing it again changes nothing', async () => {
  const clock = virtualClock()
  let fired = 0
  const first = clock.setTimeout(() => fired++, 5)
  const second = clock.setTimeout(() => clock.clearTimeout(third), 5)
  const third = clock.setTimeout(() => fired++, 5)
  clock.clearTimeout(first)
  clock.clearTimeout(first)
  clock.clearTimeout(undefined)
  expect(clock.pending).toBe(2)
  await clock.advance(5)
  clock.clearTimeout(second)
  expect(fired).toBe(0)
  expect(clock.pending).toBe(0)
})

test('lets promises and immediates settle before the next timer fires', async () => {
  const clock = virtualClock(0)
  const seen: string[] = []
  const work = async (name: string): Promise<void> => {
    for (let turn = 0; turn < 200; turn++) await new Promise<void>(resolve => setImmediate(resolve))
    seen.push(`${name} done at ${clock.now()}`)
  }
  void work('early')
  clock.setTimeout(() => void work('first'), 1)
  clock.setTimeout(() => seen.push('second fires'), 2)
  clock.setTimeout(() => void work('third'), 3)
  await clock.advance(3)
  expect(seen).toEqual(['early done at 0', 'first done at 1', 'second fires', 'third done at 3'])
})

test('advances that overlap run one after the other', async () => {
  const clock = virtualClock(0)
  const at: number[] = []
  clock.setTimeout(() => at.push(clock.now()), 15)
  await Promise.all([clock.advance(10), clock.advance(10)])
  expect(at).toEqual([15])
  expect(clock.now()).toBe(20)
})

test('a callback that throws rejects the advance that fired it and leaves the clock usable', async () => {
  const clock = virtualClock(0)
  let fired = 0
  clock.setTimeout(() => {
    throw new Error('boom')
  }, 1)
  clock.setTimeout(() => fired++, 2)
  await expect(clock.advance(5)).rejects.toThrow('boom')
  await clock.advance(5)
  expect(fired).toBe(1)
})

test('refuses to loop for ever over delays of 0', async () => {
  const clock = virtualClock(0)
  let fired = 0
  const again = (): void => {
    fired++
    if (fired === 1) for (let i = 0; i < 10_001; i++) clock.setTimeout(() => {}, 0)
  }
  clock.setTimeout(again, 0)
  await expect(clock.advance(1)).rejects.toThrow('did not move on')
})

test('fires as many timers at one moment as were set for it', async () => {
  const clock = virtualClock(0)
  let fired = 0
  for (let i = 0; i < 10_001; i++) clock.setTimeout(() => fired++, 5)
  await clock.advance(5)
  expect(fired).toBe(10_001)
})

test('keeps delays of years', async () => {
  const clock = virtualClock(0)
  let fired = 0
  clock.setTimeout(() => fired++, 400 * 86_400_000)
  await clock.advance('399d')
  expect(fired).toBe(0)
  await clock.advance('1d')
  expect(fired).toBe(1)
})
