/**
 * What users of other circuit breakers report as defects, or have come to rely on, each as a sentence. The threads that
 * it was seen in are named: opossum, cockatiel, resilience4j, Polly, gobreaker, Hystrix and others.
 */
import { describe, expect, test } from 'vitest'
import { CancelledError, ValidationError } from '../../../src/errors.ts'
import type { Circuit, CircuitReport } from '../../../src/resilience/circuit.ts'
import { type CircuitSetup, createCircuit } from '../../../src/resilience/create-circuit.ts'
import { createResilience } from '../../../src/resilience/create-resilience.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'

const fail = (circuit: Circuit, times = 1): void => {
  for (let i = 0; i < times; i++) circuit.acquire()?.failure()
}
const succeed = (circuit: Circuit, times = 1): void => {
  for (let i = 0; i < times; i++) circuit.acquire()?.success()
}
const never = (): Promise<never> => new Promise(() => undefined)

const setUp = (options: CircuitSetup = {}) => {
  const clock = virtualClock()
  const reports: CircuitReport[] = []
  const circuit = createCircuit('api', { clock, onEvent: report => reports.push(report), ...options })
  return { clock, circuit, reports }
}
const halfOpen = async (options: CircuitSetup = {}) => {
  const made = setUp(options)
  fail(made.circuit, 5)
  await made.clock.advance(made.circuit.settings.openMs)
  expect(made.circuit.state).toBe('half-open')
  return made
}

describe('stuck half-open', () => {
  test('a probe that fails with an ignored error gives its permit back (resilience4j 544, opossum 388, Polly 1979)', async () => {
    const { circuit } = await halfOpen({ preset: 'strict' })
    await expect(circuit.execute(() => Promise.reject(new ValidationError('bad value')))).rejects.toThrow('bad value')
    expect([circuit.state, circuit.isAvailable()]).toEqual(['half-open', true])
    succeed(circuit, 2)
    expect(circuit.state).toBe('closed')
  })

  test('a probe that is cancelled by its caller counts neither way (cockatiel 112, brpc 3532, Hystrix 1621)', async () => {
    const { circuit } = await halfOpen({ preset: 'strict' })
    await expect(circuit.execute(() => Promise.reject(new CancelledError('gone')))).rejects.toThrow('gone')
    expect([circuit.state, circuit.isAvailable(), circuit.metrics().failures]).toEqual(['half-open', true, 5])
  })

  test('a probe whose caller aborts it while it hangs gives its permit back', async () => {
    const { circuit, clock } = await halfOpen({ preset: 'strict' })
    const controller = new AbortController()
    const pending = createResilience({ circuit, clock }).execute(never, { signal: controller.signal })
    const ended = expect(pending).rejects.toThrow(CancelledError)
    expect(circuit.isAvailable()).toBe(false)
    controller.abort()
    await ended
    expect([circuit.state, circuit.isAvailable()]).toEqual(['half-open', true])
  })

  test('a probe that hangs for ever is given up after the half-open time (resilience4j 935, decocms 5322)', async () => {
    const { circuit, clock } = await halfOpen({ preset: 'strict', halfOpenTime: '10s' })
    const probe = circuit.acquire()
    expect(circuit.remainingMs()).toBe(10_000)
    await clock.advance('10s')
    expect(circuit.state).toBe('open')
    await clock.advance('60s')
    probe?.success()
    expect([circuit.state, circuit.isAvailable()]).toEqual(['half-open', true])
  })

  test('a failed probe opens it though the window holds too few calls to be judged (opossum 276, 119)', async () => {
    const { circuit } = await halfOpen({ window: { time: '10s', minimumCalls: 50 } })
    fail(circuit)
    expect([circuit.state, circuit.remainingMs()]).toEqual(['open', 30_000])
  })

  test('it closes again and again, the second time as the first (opossum 7)', async () => {
    const { circuit, clock } = setUp()
    for (let round = 0; round < 3; round++) {
      fail(circuit, 5)
      await clock.advance('30s')
      succeed(circuit, 2)
      expect(circuit.state).toBe('closed')
    }
    expect(circuit.metrics()).toMatchObject({ trips: 3, opens: 3 })
  })

  test('no minimum of calls keeps it there: 2 probes decide (resilience4j 903, 1869)', async () => {
    const { circuit } = await halfOpen({ window: { calls: 100, minimumCalls: 100 } })
    succeed(circuit, 2)
    expect(circuit.state).toBe('closed')
  })
})

describe('late results', () => {
  test('a success of a call begun before the trip does not close it (opossum 381, Polly 217)', () => {
    const { circuit } = setUp()
    const late = circuit.acquire()
    fail(circuit, 5)
    late?.success()
    expect(circuit.state).toBe('open')
  })

  test('failures that come in while it is open do not make it open longer (opossum 385, Polly 223)', async () => {
    const { circuit, clock, reports } = setUp()
    const late = Array.from({ length: 5 }, () => circuit.acquire())
    fail(circuit, 5)
    await clock.advance('20s')
    for (const permit of late) permit?.failure()
    expect([circuit.remainingMs(), circuit.metrics().opens]).toEqual([10_000, 1])
    expect(reports.filter(({ type }) => type === 'circuit.changed')).toHaveLength(1)
  })

  test('a probe of an earlier half-open period frees no place and closes nothing in a later one (deno std 7306)', async () => {
    const { circuit, clock } = await halfOpen({ maxProbes: 2 })
    const old = circuit.acquire()
    fail(circuit)
    await clock.advance('30s')
    const [one, two] = [circuit.acquire(), circuit.acquire()]
    old?.success()
    expect([circuit.state, circuit.acquire()]).toEqual(['half-open', undefined])
    one?.success()
    two?.success()
    expect(circuit.state).toBe('closed')
  })

  test('six calls that fail at once open it once, and it comes half-open (opossum 385)', async () => {
    const { circuit, clock } = setUp()
    const permits = Array.from({ length: 6 }, () => circuit.acquire())
    for (const permit of permits) permit?.failure()
    await clock.advance('30s')
    expect([circuit.state, circuit.metrics().trips]).toEqual(['half-open', 1])
  })
})

describe('what counts', () => {
  test('callers that cancel do not open it, however many (rubyist 42, cockroach 35433, cerberus 738)', async () => {
    const { circuit, clock } = setUp()
    const resilience = createResilience({ circuit, clock })
    for (let i = 0; i < 20; i++) {
      const controller = new AbortController()
      const pending = expect(resilience.execute(never, { signal: controller.signal })).rejects.toThrow(CancelledError)
      controller.abort()
      await pending
    }
    expect([circuit.state, circuit.failureCount]).toEqual(['closed', 0])
  })

  test('an own timeout does count, for it is the other side that was slow', async () => {
    const { circuit, clock } = setUp()
    const resilience = createResilience({ circuit, clock, profile: 'critical' })
    for (let i = 0; i < 3; i++) {
      const pending = expect(resilience.execute(never, { timeout: 10 })).rejects.toThrow()
      await clock.advance('1s')
      await pending
    }
    expect(circuit.state).toBe('open')
  })

  test.each([
    ['too long a context', { status: 400, headers: {}, body: { error: { code: 'context_length_exceeded' } } }],
    ['refused content', { status: 400, headers: {}, body: { error: { code: 'content_filter' } } }],
    ['an invalid request', { status: 422, headers: {}, body: { error: { message: 'bad field' } } }],
    ['an invalid value', new ValidationError('no number')],
  ])('%s never opens it', async (_, failure) => {
    const { circuit } = setUp({ failureThreshold: 1 })
    await expect(circuit.execute(() => Promise.reject(failure))).rejects.toBe(failure)
    expect([circuit.state, circuit.failureCount]).toEqual(['closed', 0])
  })

  test('consecutive means that nothing came between (semian 634)', () => {
    const { circuit } = setUp({ failureThreshold: 2 })
    for (let i = 0; i < 100; i++) {
      fail(circuit)
      succeed(circuit)
    }
    expect(circuit.state).toBe('closed')
  })

  test('a function that throws synchronously counts as one that rejects', async () => {
    const { circuit } = setUp({ failureThreshold: 1 })
    const boom = (): never => {
      throw new Error('boom')
    }
    await expect(circuit.execute(boom)).rejects.toThrow('boom')
    expect(circuit.state).toBe('open')
  })
})

describe('a failure ratio', () => {
  const window = { calls: 20, minimumCalls: 10, failureRatio: 0.5 }

  test('is not judged below the minimum of calls: one failed first call opens nothing (opossum 217, 232)', () => {
    const { circuit } = setUp({ failureThreshold: 'none', window })
    fail(circuit, 9)
    expect(circuit.state).toBe('closed')
    fail(circuit)
    expect([circuit.state, circuit.metrics().transitions.at(-1)?.reason]).toEqual(['open', 'failure ratio'])
  })

  test('opens where failures alternate with successes, which consecutive counting never sees', () => {
    const { circuit } = setUp({ window })
    for (let i = 0; i < 5; i++) {
      succeed(circuit)
      fail(circuit)
    }
    expect(circuit.state).toBe('open')
  })

  test('opens at a failure, never at a success (circuitbox 118)', () => {
    const { circuit } = setUp({ failureThreshold: 'none', window })
    fail(circuit, 9)
    succeed(circuit)
    expect([circuit.state, circuit.metrics().window]).toEqual(['closed', { calls: 10, failures: 9, slow: 0 }])
    fail(circuit)
    expect(circuit.state).toBe('open')
  })

  test('forgets what is older than its time', async () => {
    const { circuit, clock } = setUp({ failureThreshold: 'none', window: { time: '10s', minimumCalls: 2 } })
    fail(circuit)
    await clock.advance('11s')
    fail(circuit)
    expect([circuit.state, circuit.metrics().window?.calls]).toEqual(['closed', 1])
  })

  test('starts anew after the circuit closes (opossum 484)', async () => {
    const { circuit, clock } = setUp({ failureThreshold: 'none', window })
    fail(circuit, 10)
    await clock.advance('30s')
    succeed(circuit, 2)
    fail(circuit, 9)
    expect([circuit.state, circuit.failureCount]).toEqual(['closed', 9])
  })
})

describe('slow calls', () => {
  const slowly = async (circuit: Circuit, clock: { advance(ms: number): Promise<void> }, times: number) => {
    for (let i = 0; i < times; i++) {
      const permit = circuit.acquire()
      await clock.advance(2000)
      permit?.success()
    }
  }
  const window = { calls: 10, minimumCalls: 4, slowAfter: '1s', slowRatio: 0.75 }

  test('open it though every one of them succeeds, from the minimum of calls on (resilience4j 808)', async () => {
    const { circuit, clock } = setUp({ window })
    await slowly(circuit, clock, 3)
    expect(circuit.state).toBe('closed')
    await slowly(circuit, clock, 1)
    expect([circuit.state, circuit.metrics().transitions.at(-1)?.reason]).toEqual(['open', 'slow calls'])
  })

  test('as probes open it again: it is whole when it is quick', async () => {
    const { circuit, clock } = setUp({ window })
    await slowly(circuit, clock, 4)
    await clock.advance(30_000)
    await slowly(circuit, clock, 1)
    expect(circuit.state).toBe('open')
    await clock.advance(30_000)
    succeed(circuit, 2)
    expect(circuit.state).toBe('closed')
  })
})

describe('the open time', () => {
  const growing = { preset: 'strict', openTime: '10s', openGrowth: 2, longestOpenTime: '60s', calmTime: '5m' } as const

  test('grows from one opening to the next, up to its bound', async () => {
    const { circuit, clock } = setUp(growing)
    fail(circuit, 5)
    const times: (number | undefined)[] = []
    for (let i = 0; i < 5; i++) {
      times.push(circuit.remainingMs())
      await clock.advance(circuit.remainingMs() as number)
      fail(circuit)
    }
    expect(times).toEqual([10_000, 20_000, 40_000, 60_000, 60_000])
  })

  test('goes on growing where it closed for a moment only, and is the first again after a calm while', async () => {
    const { circuit, clock } = setUp(growing)
    const openAgainAfter = async (closedFor: string): Promise<number | undefined> => {
      await clock.advance(circuit.remainingMs() as number)
      succeed(circuit, 2)
      await clock.advance(closedFor)
      fail(circuit, 5)
      return circuit.remainingMs()
    }
    fail(circuit, 5)
    expect(await openAgainAfter('1m')).toBe(20_000)
    expect(await openAgainAfter('5m')).toBe(10_000)
    circuit.reset()
    fail(circuit, 5)
    expect(circuit.remainingMs()).toBe(10_000)
  })

  test('is not made longer by a clock that is set back', async () => {
    let now = 10_000_000
    const clock = { now: () => now, setTimeout: () => undefined, clearTimeout: () => undefined }
    const circuit = createCircuit('api', { clock })
    fail(circuit, 5)
    now += 10_000
    expect(circuit.remainingMs()).toBe(20_000)
    now -= 3_600_000
    expect(circuit.remainingMs()).toBe(20_000)
    expect(circuit.metrics().timeInStateMs.open).toBe(10_000)
    const restored = createCircuit('api', {
      clock: { ...clock, now: () => now - 7_200_000 },
      snapshot: circuit.snapshot(),
    })
    expect(restored.remainingMs()).toBe(20_000)
    now += 20_000
    expect(circuit.state).toBe('half-open')
  })

  test('passes without anyone asking, and needs no timer (Polly 481, opossum 719, failsafe-go 97)', async () => {
    const { circuit, clock } = setUp()
    fail(circuit, 5)
    await clock.advance('1h')
    expect([clock.pending, circuit.metrics().state]).toEqual([0, 'half-open'])
    expect(circuit.metrics().transitions.at(-1)).toMatchObject({ to: 'half-open', reason: 'open time over' })
    expect(circuit.metrics().lastOpenMs).toBe(30_000)
  })
})

describe('a snapshot', () => {
  test('keeps the failures that are counted, the window, the history and the growth of the open time', async () => {
    const options = { openGrowth: 2, window: { calls: 30, minimumCalls: 30 } }
    const { circuit, clock } = setUp(options)
    fail(circuit, 5)
    await clock.advance('30s')
    succeed(circuit, 2)
    fail(circuit, 4)
    const snapshot = JSON.parse(JSON.stringify(circuit.snapshot()))
    const restored = createCircuit('api', { clock, snapshot, ...options })
    expect(restored.metrics()).toEqual(circuit.metrics())
    fail(restored)
    expect(restored.remainingMs()).toBe(60_000)
  })

  test('whose open time passed while nobody ran is half-open at once (opossum 720)', async () => {
    const { circuit, clock } = setUp()
    fail(circuit, 5)
    const snapshot = circuit.snapshot()
    await clock.advance('1d')
    expect(createCircuit('api', { clock, snapshot }).state).toBe('half-open')
  })

  test('of an isolated circuit stays isolated', () => {
    const { circuit, clock } = setUp()
    circuit.isolate()
    const restored = createCircuit('api', { clock, snapshot: circuit.snapshot() })
    expect([restored.state, restored.isAvailable()]).toEqual(['isolated', false])
  })
})

describe('listeners', () => {
  test('may reset it in the middle of the failure that would open it', () => {
    const circuit: Circuit = createCircuit('api', {
      clock: virtualClock(),
      failureThreshold: 1,
      onEvent: ({ type }) => {
        if (type === 'circuit.changed') circuit.reset()
      },
    })
    fail(circuit)
    expect([circuit.state, circuit.failureCount]).toEqual(['closed', 0])
  })

  test('hear a success only while failures are counted, or of a probe', async () => {
    const { circuit, clock, reports } = setUp()
    succeed(circuit, 3)
    fail(circuit)
    succeed(circuit, 3)
    expect(reports.map(({ type }) => type)).toEqual(['circuit.failed', 'circuit.succeeded'])
    fail(circuit, 5)
    await clock.advance('30s')
    reports.length = 0
    succeed(circuit, 2)
    const heard = reports.map(({ type }) => type)
    expect(heard).toEqual(['circuit.changed', 'circuit.succeeded', 'circuit.succeeded', 'circuit.changed'])
  })
})

describe('options', () => {
  test.each([
    [{ openTime: Number.NaN }, /openTime/],
    [{ failureThreshold: Number.NaN }, /failureThreshold/],
    [{ openGrowth: 0.5 }, /openGrowth/],
    [{ calmTime: '1m' }, /only with openGrowth/],
    [{ openGrowth: 2, longestOpenTime: '1s' }, /longestOpenTime is below openTime/],
    [{ failureThreshold: 'none' }, /needs a window/],
    [{ window: { calls: 10, time: '1s' } }, /either calls or time/],
    [{ window: { slowRatio: 0.5 } }, /slowRatio needs slowAfter/],
    [{ window: { calls: 5, minimumCalls: 6 } }, /never holds 6 calls/],
    [{ window: { failureRatio: Number.NaN } }, /failureRatio/],
    [{ window: { failurRatio: 0.5 } }, /did you mean 'failureRatio'/],
  ])('%j is refused', (options, message) => {
    expect(() => createCircuit('api', options as never)).toThrow(message)
  })
})
