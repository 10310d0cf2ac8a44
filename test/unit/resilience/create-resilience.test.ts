import { describe, expect, test } from 'vitest'
import { CancelledError, CircuitOpenError, OptionsError, TimeoutError } from '../../../src/errors.ts'
import { createCircuit } from '../../../src/resilience/create-circuit.ts'
import { createResilience } from '../../../src/resilience/create-resilience.ts'
import { operationPresets } from '../../../src/resilience/operations.ts'
import type { AttemptEvent } from '../../../src/resilience/retry.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'
import { seededRandom } from '../../../src/time/random.ts'

const unavailable = () => Object.assign(new Error('unavailable'), { status: 503 })
const settled = <T>(promise: Promise<T>) =>
  promise.then(
    value => ({ value }),
    (error: unknown) => ({ error }),
  )

/** Fails so many times, then answers with the number of the call. */
const flaky = (failures: number, failure: () => unknown = unavailable) => {
  let calls = 0
  return Object.assign(
    () => {
      calls++
      if (calls <= failures) throw failure()
      return calls
    },
    { count: () => calls },
  )
}

const setUp = (options: Parameters<typeof createResilience>[0] = {}) => {
  const clock = virtualClock()
  return { clock, resilience: createResilience({ clock, random: seededRandom(1), ...options }) }
}

describe('execute', () => {
  test('retries a plain function by the profile, and gives a promise', async () => {
    const { clock, resilience } = setUp()
    const pending = resilience.execute(flaky(2))
    await clock.advance('1s')
    expect(await pending).toBe(3)
    expect(clock.pending).toBe(0)
  })

  test('fails with the function’s own error once the attempts are used up', async () => {
    const { clock, resilience } = setUp({ profile: 'tolerant' })
    const fn = flaky(9)
    const pending = settled(resilience.execute(fn))
    await clock.advance('10s')
    expect(await pending).toMatchObject({ error: { message: 'unavailable', status: 503 } })
    expect(fn.count()).toBe(4)
  })

  test('fails at once with what is permanent, or is a defect of the function', async () => {
    for (const failure of [
      () => Object.assign(new Error('no'), { status: 401 }),
      () => new TypeError('x is undefined'),
    ]) {
      const fn = flaky(9, failure)
      await expect(setUp().resilience.execute(fn)).rejects.toThrow(failure().message)
      expect(fn.count()).toBe(1)
    }
  })

  test('limits each attempt by timeout, and aborts its signal', async () => {
    const { clock, resilience } = setUp({ profile: 'critical' })
    const signals: AbortSignal[] = []
    const pending = settled(
      resilience.execute(
        ({ signal }) => {
          signals.push(signal)
          return new Promise(() => undefined)
        },
        { timeout: '1s' },
      ),
    )
    await clock.advance('5s')
    expect(await pending).toMatchObject({ error: expect.any(TimeoutError) })
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true])
  })

  test('stops when the caller cancels, also while it waits', async () => {
    const { clock, resilience } = setUp({ fallback: () => 'not for cancellations' })
    const controller = new AbortController()
    const pending = settled(resilience.execute(flaky(9), { signal: controller.signal }))
    await clock.advance(1)
    controller.abort()
    expect(await pending).toMatchObject({ error: expect.any(CancelledError) })
    expect(clock.pending).toBe(0)
  })

  test('reports attempts and decisions with the context', async () => {
    const events: (AttemptEvent & { context?: unknown })[] = []
    const { clock, resilience } = setUp({ onEvent: event => events.push(event) })
    const pending = resilience.execute(flaky(1), { context: 'load users' })
    await clock.advance('1s')
    await pending
    expect(events.map(({ type, context }) => [type, context])).toEqual(
      ['attempt.started', 'attempt.failed', 'retry.decided', 'attempt.started', 'attempt.succeeded'].map(type => [
        type,
        'load users',
      ]),
    )
  })
})

describe('wrap', () => {
  test('keeps the arguments of the function', async () => {
    const add = setUp().resilience.wrap((a: number, b: number) => a + b)
    expect(await add(2, 3)).toBe(5)
  })
})

describe('the fallback', () => {
  test('answers with what it knows of the failure', async () => {
    const { clock, resilience } = setUp({
      fallback: ({ error, context }) => `${(error as Error).message} in ${String(context)}`,
    })
    const pending = resilience.execute(flaky(9), { context: 'a test' })
    await clock.advance('10s')
    expect(await pending).toBe('unavailable in a test')
  })
})

describe('the circuit', () => {
  test('is shared by the calls and refuses once it is open', async () => {
    const { clock, resilience } = setUp({ circuit: { failureThreshold: 3 } })
    const fn = flaky(99)
    for (let i = 0; i < 4; i++) {
      const pending = settled(resilience.execute(fn))
      await clock.advance('1s')
      const expected = i === 0 ? { message: 'unavailable' } : expect.any(CircuitOpenError)
      expect(await pending).toMatchObject({ error: expected })
    }
    expect([resilience.circuit?.state, fn.count()]).toEqual(['open', 3])
  })

  test('may be one of your own, and counts failures that no provider made', async () => {
    const circuit = createCircuit('db', { clock: virtualClock(), failureThreshold: 1 })
    const { resilience } = setUp({ circuit })
    await expect(resilience.execute(() => Promise.reject(new Error('boom')))).rejects.toThrow('boom')
    expect(circuit.state).toBe('open')
  })

  test('there is none unless asked for', async () => {
    expect(setUp().resilience.circuit).toBeUndefined()
  })
})

describe('operations', () => {
  test('are those of the contract', () => {
    const shown = Object.entries(operationPresets).map(([name, { max, backoff }]) => [name, backoff.base, max])
    expect(shown).toEqual([
      ['socket.connect', 200, 5],
      ['agent.connect', 200, 5],
      ['model.prompt', 500, 2],
      ['agent.message', 150, 4],
      ['http.fetch', 100, 3],
    ])
  })

  test('set the number of retries', async () => {
    const { clock, resilience } = setUp({ operation: 'socket.connect' })
    const fn = flaky(99)
    const pending = settled(resilience.execute(fn))
    await clock.advance('1m')
    await pending
    expect(fn.count()).toBe(6)
  })
})

describe('options', () => {
  test.each([
    [{ profil: 'critical' }, /unknown option 'profil'; did you mean 'profile'/],
    [{ profile: 'tolerent' }, /did you mean 'tolerant'/],
    [{ operation: 'http.fetsh' }, /unknown operation 'http.fetsh'; did you mean 'http.fetch'/],
    [{ circuit: 7 }, /circuit must be/],
  ])('refuse %j', (options, message) => {
    expect(() => createResilience(options as never)).toThrow(OptionsError)
    expect(() => createResilience(options as never)).toThrow(message)
  })

  test('are for a function, and anything else is refused as no failure of it', async () => {
    const { resilience } = setUp({ fallback: () => 'not for mistakes' })
    await expect(resilience.execute('load' as never)).rejects.toThrow(OptionsError)
    expect(resilience.metrics()).toMatchObject({ calls: 0 })
    expect(() => resilience.wrap(undefined as never)).toThrow(OptionsError)
    const circuit = createCircuit('c')
    await expect(circuit.execute(5 as never)).rejects.toThrow(OptionsError)
    expect(circuit.failureCount).toBe(0)
  })

  test('of execute are strict too', async () => {
    await expect(setUp().resilience.execute(() => 1, { timout: 5 } as never)).rejects.toThrow(/did you mean 'timeout'/)
  })
})
