import { getEventListeners } from 'node:events'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { CancelledError, TimeoutError } from '../../../src/errors.ts'
import { createCircuit } from '../../../src/resilience/create-circuit.ts'
import { createResilience, type ResilienceOptions } from '../../../src/resilience/create-resilience.ts'
import { defineProfile } from '../../../src/resilience/define-profile.ts'
import { createOperationMetrics } from '../../../src/resilience/operation-metrics.ts'
import { createRetryBudget } from '../../../src/resilience/retry-budget.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'
import { seededRandom } from '../../../src/time/random.ts'

const unavailable = (retryAfter?: number) =>
  Object.assign(new Error('unavailable'), {
    status: 503,
    headers: retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) },
  })
const never = (): Promise<never> => new Promise(() => undefined)
const settled = <T>(promise: Promise<T>) =>
  promise.then(
    value => ({ value, error: undefined }),
    (error: unknown) => ({ value: undefined, error }),
  )
const setUp = (options: ResilienceOptions = {}) => {
  const clock = virtualClock()
  return { clock, resilience: createResilience({ clock, random: seededRandom(1), ...options }) }
}
const listeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length

describe('one deadline', () => {
  const profile = defineProfile({ extends: 'tolerant', timeout: { attempt: '10s', call: '12s' } })

  test('covers attempts, waits and the fallback together', async () => {
    const { clock, resilience } = setUp({ profile, fallback: never })
    const startedAt = clock.now()
    let endedAt = 0
    const pending = settled(resilience.execute(never)).finally(() => {
      endedAt = clock.now()
    })
    await clock.advance('1m')
    expect((await pending).error).toMatchObject({ code: 'timed_out', message: expect.stringContaining('fallback') })
    expect(endedAt - startedAt).toBeLessThanOrEqual(12_050)
    expect(clock.pending).toBe(0)
  })

  test('a hint beyond it means to fall back now', async () => {
    const { clock, resilience } = setUp({ profile, fallback: () => 'at hand' })
    let calls = 0
    const pending = resilience.execute(() => {
      calls++
      throw unavailable(60)
    })
    expect([await pending, calls, clock.pending]).toEqual(['at hand', 1, 0])
  })

  test('a hint beyond it means to fail now where there is no fallback', async () => {
    const events: object[] = []
    const { resilience } = setUp({ profile, onEvent: event => events.push(event) })
    await expect(resilience.execute(() => Promise.reject(unavailable(60)))).rejects.toThrow('unavailable')
    expect(events.at(-1)).toMatchObject({ type: 'retry.decided', retry: false, rule: 'hint_beyond_deadline' })
  })

  test('is not put off by a clock that is set back', async () => {
    const clock = virtualClock()
    let backMs = 0
    const stepping = { ...clock, now: () => clock.now() - backMs }
    const resilience = createResilience({
      clock: stepping,
      random: () => 0.5,
      profile: defineProfile({
        extends: profile,
        retry: { max: 1000, backoff: { kind: 'fixed', base: '1s', jitter: 0 } },
      }),
    })
    let endedAt = 0
    const pending = settled(
      resilience.execute(() => {
        backMs += 500
        throw unavailable()
      }),
    ).finally(() => {
      endedAt = clock.now()
    })
    const startedAt = clock.now()
    await clock.advance('10m')
    await pending
    // Each attempt takes half a second back; the seconds between them pass all the same.
    expect(endedAt - startedAt).toBeLessThanOrEqual(12_050)
  })
})

describe('the signal of the caller', () => {
  test('ends a call in each of its states: before, in an attempt, in a wait, in the fallback', async () => {
    const states = {
      before: { fn: never, abortAfterMs: -1 },
      attempt: { fn: never, abortAfterMs: 5 },
      wait: { fn: () => Promise.reject(unavailable(2)), abortAfterMs: 5 },
      fallback: { fn: () => Promise.reject(new Error('broken')), abortAfterMs: 5 },
    }
    for (const [state, { fn, abortAfterMs }] of Object.entries(states)) {
      const { clock, resilience } = setUp(state === 'fallback' ? { fallback: never } : {})
      const controller = new AbortController()
      if (abortAfterMs < 0) controller.abort('gone')
      const pending = settled(resilience.execute(fn, { signal: controller.signal }))
      await clock.advance(Math.max(0, abortAfterMs))
      controller.abort('gone')
      const { error } = await pending
      expect(error, state).toBeInstanceOf(CancelledError)
      expect((error as Error).cause, state).toBe('gone')
      expect([listeners(controller.signal), clock.pending], state).toEqual([0, 0])
    }
  })

  test('reaches the signal of the attempt and that of the fallback', async () => {
    const { clock, resilience } = setUp({
      fallback: ({ signal }) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    })
    const controller = new AbortController()
    const pending = settled(
      resilience.execute(() => Promise.reject(new Error('broken')), { signal: controller.signal }),
    )
    await clock.advance(1)
    controller.abort()
    expect((await pending).error).toBeInstanceOf(CancelledError)
  })

  test('that the function aborts itself ends the call', async () => {
    const { clock, resilience } = setUp()
    const controller = new AbortController()
    const abortAndHang = (): Promise<never> => {
      controller.abort()
      return never()
    }
    await expect(resilience.execute(abortAndHang, { signal: controller.signal })).rejects.toThrow(CancelledError)
    expect([clock.pending, listeners(controller.signal)]).toEqual([0, 0])
  })

  test('ends a call that would have answered in the same turn', async () => {
    const { clock, resilience } = setUp()
    const caller = new AbortController()
    const call = settled(resilience.execute(async () => 'done', { signal: caller.signal }))
    caller.abort()
    expect((await call).error).toBeInstanceOf(CancelledError)
    expect([listeners(caller.signal), clock.pending]).toEqual([0, 0])
  })

  test('is listened to, and the time is limited, only where there is no answer in the same turn', async () => {
    const { clock, resilience } = setUp()
    const caller = new AbortController()
    const seen: unknown[] = []
    const answer = async (): Promise<string> => {
      await null
      seen.push([listeners(caller.signal), clock.pending])
      return 'done'
    }
    await resilience.execute(async () => 'done', { signal: caller.signal })
    await resilience.execute(answer, { signal: caller.signal })
    expect(seen).toEqual([[0, 0]])
    const hanging = settled(resilience.execute(never, { signal: caller.signal, timeout: '1s' }))
    await clock.advance(0)
    expect([listeners(caller.signal), clock.pending]).toEqual([1, 1])
    await clock.advance('1s')
    await clock.advance('1m')
    expect((await hanging).error).toBeInstanceOf(TimeoutError)
  })

  test('has no listener more after 100,000 calls, and the heap does not grow', async () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    // The real clock: the virtual one keeps cleared timers until their time has come.
    const resilience = createResilience({ circuit: 'default', profile: defineProfile({ retry: { max: 0 } }) })
    const { signal } = new AbortController()
    const outcomes = [
      ...Array.from({ length: 10 }, () => async () => 1),
      ...Array.from({ length: 10 }, () => () => 1),
      async () => {
        throw unavailable()
      },
      async ({ signal: own }: { signal: AbortSignal }) => own.aborted,
    ]
    const call = async (times: number): Promise<void> => {
      for (let i = 0; i < times; i++) {
        const fn = outcomes[i % outcomes.length] as () => unknown
        await resilience.execute(fn, { signal }).catch(() => undefined)
        if (i % 1000 === 0) expect(listeners(signal)).toBe(0)
      }
      collect()
    }
    await call(20_000)
    const before = process.memoryUsage().heapUsed
    await call(100_000)
    expect(listeners(signal)).toBe(0)
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(1_000_000)
  })

  test('has one listener for all calls that are under way, and no timer stays', async () => {
    const { clock, resilience } = setUp()
    const controller = new AbortController()
    const pending = Array.from({ length: 8 }, () => settled(resilience.execute(never, { signal: controller.signal })))
    await clock.advance(1)
    expect([listeners(controller.signal), clock.pending]).toEqual([1, 8])
    controller.abort()
    const ended = await Promise.all(pending)
    expect(ended.every(({ error }) => error instanceof CancelledError)).toBe(true)
    expect([listeners(controller.signal), clock.pending]).toEqual([0, 0])
  })

  test('may be that of 100 calls at once, which run or wait: Node has no leak to warn of', async () => {
    const warnings: Error[] = []
    const note = (warning: Error): void => void warnings.push(warning)
    process.on('warning', note)
    const { clock, resilience } = setUp()
    const controller = new AbortController()
    let at = 0
    const runOrFail = (): Promise<never> => (at++ % 2 === 0 ? never() : Promise.reject(unavailable(5)))
    const pending = Array.from({ length: 100 }, () =>
      settled(resilience.execute(runOrFail, { signal: controller.signal })),
    )
    await clock.advance('1s')
    expect([at, listeners(controller.signal)]).toEqual([100, 1])
    controller.abort()
    await Promise.all(pending)
    await clock.advance(1)
    process.off('warning', note)
    expect([warnings, listeners(controller.signal)]).toEqual([[], 0])
  })
})

describe('functions that misbehave', () => {
  test('one that ignores its signal and rejects long after its time limit harms nobody', async () => {
    const { clock, resilience } = setUp({ profile: 'critical' })
    const rejections: ((error: Error) => void)[] = []
    const pending = settled(
      resilience.execute(
        () =>
          new Promise((_, reject) => {
            rejections.push(reject)
          }),
        { timeout: 100 },
      ),
    )
    await clock.advance('5s')
    expect((await pending).error).toBeInstanceOf(TimeoutError)
    for (const reject of rejections) reject(new Error('late'))
    await clock.advance(1)
    expect([rejections.length, clock.pending]).toEqual([2, 0])
  })

  test('a thenable that throws in its then fails as a rejection does', async () => {
    const hostile = {
      // biome-ignore lint/suspicious/noThenProperty: a hostile one is what is tested
      get then(): never {
        throw new Error('no then')
      },
    }
    await expect(setUp().resilience.execute(() => hostile)).rejects.toThrow('no then')
  })

  test('a listener that throws fails no call', async () => {
    const { resilience } = setUp({
      onEvent: () => {
        throw new Error('listener')
      },
    })
    expect(await resilience.execute(() => 1)).toBe(1)
  })

  test('calls that make calls through the same circuit are counted each', async () => {
    const { resilience } = setUp({ circuit: 'default' })
    expect(await resilience.execute(() => resilience.execute(() => resilience.execute(() => 'deep')))).toBe('deep')
    expect(resilience.circuit?.metrics()).toMatchObject({ calls: 3, successes: 3 })
  })

  test.each([
    [{ timeout: Number.NaN }, /timeout/],
    [{ timeout: -5 }, /timeout/],
    [{ timeout: {} }, /timeout/],
    [{ signal: {} }, /AbortSignal/],
    ['no object', /execute options/],
  ])('options %j are refused', async (options, message) => {
    await expect(setUp().resilience.execute(() => 1, options as never)).rejects.toThrow(message)
  })
})

describe('calls at once', () => {
  test('a thousand of them through an open circuit make no more probes than it allows', async () => {
    const clock = virtualClock()
    const circuit = createCircuit('api', { clock })
    const resilience = createResilience({ clock, circuit, profile: defineProfile({ retry: { max: 0 } }) })
    let made = 0
    const fn = async (): Promise<void> => {
      made++
      throw unavailable()
    }
    const burst = () => Promise.all(Array.from({ length: 1000 }, () => settled(resilience.execute(fn))))
    await burst()
    // All of them had begun before the first failed.
    expect([made, circuit.state]).toEqual([1000, 'open'])
    made = 0
    await clock.advance('30s')
    await burst()
    expect([made, circuit.state]).toEqual([3, 'open'])
  })
})

describe('a retry budget', () => {
  test('does not let an outage be multiplied: retries stay a share of the calls', async () => {
    const clock = virtualClock()
    const retryBudget = createRetryBudget({ perCall: 0.1, perSecond: 0, capacity: 10, clock })
    const services = ['a', 'b'].map(() =>
      createResilience({ clock, random: seededRandom(1), profile: 'tolerant', retryBudget }),
    )
    let attempts = 0
    const calls = Array.from({ length: 500 }, (_, i) =>
      settled(
        (services[i % 2] as (typeof services)[0]).execute(() => {
          attempts++
          throw unavailable()
        }),
      ),
    )
    await clock.advance('5m')
    await Promise.all(calls)
    // What it began with, and a tenth of a token a call; without it there would be 2000 attempts.
    expect(attempts - 500).toBeLessThanOrEqual(10 + 50)
    expect(retryBudget).toMatchObject({ granted: attempts - 500, refused: 500 })
  })

  test('says that it was the reason', async () => {
    const events: object[] = []
    const retryBudget = createRetryBudget({ capacity: 1, perCall: 0, perSecond: 0.001, clock: virtualClock() })
    retryBudget.withdraw()
    const { resilience } = setUp({ retryBudget, onEvent: event => events.push(event) })
    await expect(resilience.execute(() => Promise.reject(unavailable()))).rejects.toThrow('unavailable')
    expect(events.at(-1)).toMatchObject({ retry: false, rule: 'retry_budget' })
  })

  test('fills up with the time, never above its capacity, whatever the clock does', async () => {
    let now = 0
    const clock = { now: () => now, setTimeout: () => undefined, clearTimeout: () => undefined }
    const budget = createRetryBudget({ capacity: 5, perSecond: 2, clock })
    for (let i = 0; i < 5; i++) expect(budget.withdraw()).toBe(true)
    expect(budget.withdraw()).toBe(false)
    now -= 1_000_000
    expect(budget.tokens).toBe(0)
    now += 1000
    expect(budget.tokens).toBe(2)
    now += 1_000_000
    expect(budget.tokens).toBe(5)
  })

  test.each([
    [{ perCall: Number.NaN }, /perCall/],
    [{ capacity: 0 }, /capacity/],
    [{ perCall: 0, perSecond: 0 }, /refill/],
    [{ persecond: 1 }, /did you mean 'perSecond'/],
  ])('refuses %j', (options, message) => {
    expect(() => createRetryBudget(options as never)).toThrow(message)
  })
})

describe('the counts of an operation', () => {
  test('add up to what happened', async () => {
    const metrics = createOperationMetrics()
    const { clock, resilience } = setUp({ operation: 'http.fetch', metrics, random: () => 0.5 })
    let calls = 0
    const pending = resilience.execute(() => {
      if (++calls < 3) throw unavailable()
      return 'ok'
    })
    await clock.advance('1s')
    await pending
    expect(metrics.list()).toEqual([
      {
        operation: 'http.fetch',
        calls: 1,
        attempts: 3,
        retries: 2,
        successes: 1,
        failures: 2,
        refusals: 0,
        totalDelayMs: 300,
        successRate: 1 / 3,
      },
    ])
    expect(resilience.metrics()).toEqual(metrics.list()[0])
  })

  test('are complete while nothing was called', () => {
    expect(setUp().resilience.metrics()).toMatchObject({ operation: 'resilience', attempts: 0, successRate: 1 })
  })
})
