import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createLimiter, type LimitPermit } from '../../../src/providers/limits.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'
import { propertyRuns } from '../../support/supervised-worker.ts'

const never = new AbortController().signal

describe('the limits of a provider', () => {
  it('let one in when another leaves, first come, first served', async () => {
    const limiter = createLimiter({ concurrency: 1 }, virtualClock())
    const order: string[] = []
    const first = await limiter.acquire(0, never)
    const waiting = ['a', 'b', 'c'].map(async name => {
      const permit = await limiter.acquire(0, never)
      order.push(name)
      permit.release()
    })
    expect(limiter.waiting).toBe(3)
    first.release()
    first.release()
    await Promise.all(waiting)
    expect(order).toEqual(['a', 'b', 'c'])
  })

  it('let a caller leave the line, and those behind him move up', async () => {
    const limiter = createLimiter({ tokensPerMinute: 100 }, virtualClock())
    await limiter.acquire(50, never)
    const controller = new AbortController()
    const large = limiter.acquire(90, controller.signal)
    const small = limiter.acquire(10, never)
    expect(limiter.waiting).toBe(2)
    controller.abort(new Error('enough'))
    await expect(large).rejects.toThrow('enough')
    await expect(small).resolves.toBeDefined()
    await expect(limiter.acquire(0, AbortSignal.abort(new Error('before')))).rejects.toThrow('before')
  })

  it('count the tokens that a call really used', async () => {
    const clock = virtualClock()
    const limiter = createLimiter({ tokensPerMinute: 100 }, clock)
    const first = await limiter.acquire(90, never)
    first.release(20)
    await limiter.acquire(70, never)
    let admitted = false
    void limiter.acquire(20, never).then(() => {
      admitted = true
    })
    await clock.advance('59s')
    expect(admitted).toBe(false)
    await clock.advance('1s')
    expect(admitted).toBe(true)
  })

  it('let a call that is larger than the limit go alone', async () => {
    const clock = virtualClock()
    const limiter = createLimiter({ tokensPerMinute: 100 }, clock)
    const small = await limiter.acquire(10, never)
    let admitted = false
    void limiter.acquire(1000, never).then(() => {
      admitted = true
    })
    small.release()
    await clock.advance('61s')
    expect(admitted).toBe(true)
  })

  it('are never passed, everyone comes through, and no timer is left', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          concurrency: fc.integer({ min: 1, max: 4 }),
          requestsPerMinute: fc.integer({ min: 1, max: 6 }),
          tokensPerMinute: fc.integer({ min: 50, max: 200 }),
        }),
        fc.array(fc.record({ tokens: fc.integer({ min: 0, max: 50 }), takesMs: fc.integer({ min: 0, max: 90_000 }) }), {
          maxLength: 20,
        }),
        async (limits, calls) => {
          const clock = virtualClock()
          const limiter = createLimiter(limits, clock)
          const begun: { at: number; tokens: number }[] = []
          let underWay = 0
          let ended = 0
          const run = async ({ tokens, takesMs }: (typeof calls)[number]): Promise<void> => {
            const permit: LimitPermit = await limiter.acquire(tokens, never)
            begun.push({ at: clock.now(), tokens })
            expect(++underWay).toBeLessThanOrEqual(limits.concurrency)
            const minute = begun.filter(({ at }) => clock.now() - at < 60_000)
            expect(minute.length).toBeLessThanOrEqual(limits.requestsPerMinute)
            expect(minute.reduce((sum, call) => sum + call.tokens, 0)).toBeLessThanOrEqual(limits.tokensPerMinute)
            await new Promise<void>(resolve => clock.setTimeout(resolve, takesMs))
            underWay--
            ended++
            permit.release()
          }
          const all = Promise.all(calls.map(run))
          await clock.advance(60_000 * 60)
          await all
          expect(ended).toBe(calls.length)
          expect(clock.pending).toBe(0)
        },
      ),
      { numRuns: propertyRuns },
    )
  })
})
