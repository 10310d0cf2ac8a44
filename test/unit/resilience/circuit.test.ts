import { describe, expect, test } from 'vitest'
import { CancelledError, CircuitOpenError, OptionsError, SnapshotError } from '../../../src/errors.ts'
import type { Circuit, CircuitReport } from '../../../src/resilience/circuit.ts'
import { createCircuit } from '../../../src/resilience/create-circuit.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'

const fail = (circuit: Circuit, times = 1): void => {
  for (let i = 0; i < times; i++) circuit.acquire()?.failure()
}
const boom = (): never => {
  throw new Error('boom')
}

describe('a closed circuit', () => {
  test('opens at the fifth consecutive failure, and not before', () => {
    const circuit = createCircuit('a', { clock: virtualClock() })
    fail(circuit, 4)
    expect([circuit.state, circuit.failureCount, circuit.isAvailable()]).toEqual(['closed', 4, true])
    fail(circuit)
    expect([circuit.state, circuit.failureCount, circuit.isAvailable()]).toEqual(['open', 5, false])
  })

  test('tells the failures that opened it until it is closed again', async () => {
    const clock = virtualClock()
    const circuit = createCircuit('a', { clock })
    fail(circuit, 5)
    await clock.advance('30s')
    const probe = circuit.acquire()
    expect([circuit.state, circuit.failureCount]).toEqual(['half-open', 5])
    probe?.failure()
    expect([circuit.state, circuit.failureCount, circuit.metrics().failureCount]).toEqual(['open', 5, 5])
    await clock.advance('30s')
    for (let n = 0; n < 2; n++) circuit.acquire()?.success()
    expect([circuit.state, circuit.failureCount]).toEqual(['closed', 0])
    fail(circuit, 5)
    circuit.reset()
    expect([circuit.state, circuit.failureCount]).toEqual(['closed', 0])
  })

  test('forgets failures at a success', () => {
    const circuit = createCircuit('a', { clock: virtualClock() })
    fail(circuit, 4)
    circuit.acquire()?.success()
    fail(circuit, 4)
    expect(circuit.state).toBe('closed')
  })

  test('does not count faults of the request, cancellations and releases', async () => {
    const circuit = createCircuit('a', { clock: virtualClock(), failureThreshold: 1 })
    const tooLong = { status: 400, headers: {}, body: { error: { code: 'context_length_exceeded' } } }
    await expect(circuit.execute(() => Promise.reject(tooLong))).rejects.toBe(tooLong)
    await expect(circuit.execute(() => Promise.reject(new CancelledError('stop')))).rejects.toThrow('stop')
    circuit.acquire()?.release()
    expect([circuit.state, circuit.failureCount]).toEqual(['closed', 0])
  })

  test('counts one outcome a permit, whatever is called after', () => {
    const circuit = createCircuit('a', { clock: virtualClock() })
    const permit = circuit.acquire()
    permit?.failure()
    permit?.failure()
    permit?.success()
    expect(circuit.failureCount).toBe(1)
    expect(circuit.metrics()).toMatchObject({ calls: 1, failures: 1, successes: 0 })
  })
})

describe('an open circuit', () => {
  test('refuses calls with the time that is left', async () => {
    const clock = virtualClock()
    const circuit = createCircuit('db', { clock })
    fail(circuit, 5)
    await clock.advance(10_000)
    const refused = circuit.execute(() => 'never')
    await expect(refused).rejects.toThrow(CircuitOpenError)
    await expect(refused).rejects.toMatchObject({
      code: 'circuit_open',
      message: "circuit 'db' is open and refuses calls for another 20000 ms",
      details: { circuit: 'db', state: 'open', transient: true, remainingMs: 20_000 },
    })
  })

  test('is half-open after 30 s, though nobody called meanwhile', async () => {
    const clock = virtualClock()
    const circuit = createCircuit('a', { clock })
    fail(circuit, 5)
    await clock.advance(29_999)
    expect(circuit.state).toBe('open')
    await clock.advance(1)
    expect([circuit.state, circuit.isAvailable()]).toEqual(['half-open', true])
  })

  test('is not moved by calls that began before the trip', async () => {
    const clock = virtualClock()
    const circuit = createCircuit('a', { clock })
    const [late, later] = [circuit.acquire(), circuit.acquire()]
    fail(circuit, 5)
    late?.success()
    expect(circuit.state).toBe('open')
    await clock.advance('30s')
    expect(circuit.state).toBe('half-open')
    later?.failure()
    expect(circuit.state).toBe('half-open')
    circuit.reset()
    expect(circuit.failureCount).toBe(0)
  })

  test('sets no timer', () => {
    const clock = virtualClock()
    fail(createCircuit('a', { clock }), 5)
    expect(clock.pending).toBe(0)
  })
})

describe('a half-open circuit', () => {
  const halfOpen = async (options = {}) => {
    const clock = virtualClock()
    const circuit = createCircuit('a', { clock, ...options })
    fail(circuit, 5)
    await clock.advance(circuit.settings.openMs)
    return { clock, circuit }
  }

  test('admits at most 3 probes at once', async () => {
    const { circuit } = await halfOpen()
    expect([1, 2, 3, 4].map(() => circuit.acquire() !== undefined)).toEqual([true, true, true, false])
  })

  test('closes after 2 successes, and starts with no failures counted', async () => {
    const { circuit } = await halfOpen()
    circuit.acquire()?.success()
    expect(circuit.state).toBe('half-open')
    circuit.acquire()?.success()
    expect([circuit.state, circuit.failureCount]).toEqual(['closed', 0])
  })

  test('opens again at one failure, for the whole time', async () => {
    const { clock, circuit } = await halfOpen()
    circuit.acquire()?.success()
    fail(circuit)
    expect([circuit.state, circuit.remainingMs()]).toEqual(['open', 30_000])
    await clock.advance('30s')
    expect(circuit.state).toBe('half-open')
    expect(circuit.metrics()).toMatchObject({ opens: 2, trips: 1, lastOpenMs: 30_000 })
  })

  test('has the permit of an aborted probe back', async () => {
    const { circuit } = await halfOpen({ preset: 'strict' })
    const probe = circuit.acquire()
    expect(circuit.acquire()).toBeUndefined()
    probe?.release()
    expect(circuit.acquire()).toBeDefined()
  })

  test('is not stuck by a probe that is never heard of again', async () => {
    const { clock, circuit } = await halfOpen({ preset: 'strict', halfOpenTime: '5s' })
    const lost = circuit.acquire()
    await clock.advance('5s')
    expect(circuit.state).toBe('open')
    lost?.success()
    expect(circuit.state).toBe('open')
    await clock.advance('60s')
    circuit.acquire()?.success()
    circuit.acquire()?.success()
    expect(circuit.state).toBe('closed')
  })
})

describe('an operator', () => {
  test('takes a circuit out until it is reset', async () => {
    const clock = virtualClock()
    const circuit = createCircuit('a', { clock })
    circuit.isolate()
    await clock.advance('30d')
    expect([circuit.state, circuit.isAvailable(), circuit.remainingMs()]).toEqual(['isolated', false, undefined])
    await expect(circuit.execute(boom)).rejects.toMatchObject({ details: { transient: false } })
    circuit.reset()
    expect([circuit.state, circuit.isAvailable()]).toEqual(['closed', true])
  })
})

describe('what a circuit tells', () => {
  test('reports failures, refusals and changes, and nothing for healthy calls', async () => {
    const clock = virtualClock()
    const reports: CircuitReport[] = []
    const circuit = createCircuit('a', { clock, failureThreshold: 2, onEvent: report => reports.push(report) })
    for (let i = 0; i < 100; i++) await circuit.execute(() => i)
    expect(reports).toEqual([])
    fail(circuit, 2)
    circuit.acquire()
    expect(reports.map(({ type }) => type)).toEqual([
      'circuit.failed',
      'circuit.failed',
      'circuit.changed',
      'circuit.refused',
    ])
  })

  test('keeps the last 100 changes and the time in each state', async () => {
    const clock = virtualClock()
    const circuit = createCircuit('a', { clock, preset: 'strict', failureThreshold: 1, openTime: 10 })
    for (let i = 0; i < 60; i++) {
      fail(circuit)
      await clock.advance(10)
      circuit.acquire()?.success()
      circuit.acquire()?.success()
      await clock.advance(5)
    }
    const { transitions, timeInStateMs, opens } = circuit.metrics()
    expect([transitions.length, opens]).toEqual([100, 60])
    expect(timeInStateMs).toEqual({ closed: 300, open: 600, 'half-open': 0, isolated: 0 })
  })

  test('a listener that throws fails no call', async () => {
    const circuit = createCircuit('a', { clock: virtualClock(), onEvent: boom })
    await expect(circuit.execute(boom)).rejects.toThrow('boom')
    expect(circuit.failureCount).toBe(1)
  })
})

describe('a snapshot', () => {
  test('goes through JSON, and an open circuit keeps its remaining time', async () => {
    const clock = virtualClock()
    const before = createCircuit('a', { clock })
    fail(before, 5)
    await clock.advance('12s')
    const snapshot = JSON.parse(JSON.stringify(before.snapshot()))
    before.stop()
    const after = createCircuit('a', { clock, snapshot })
    expect([after.state, after.remainingMs(), after.metrics().failures]).toEqual(['open', 18_000, 5])
    await clock.advance('18s')
    expect(after.state).toBe('half-open')
  })

  test('taken with all probes under way is restored with none', async () => {
    const clock = virtualClock()
    const before = createCircuit('a', { clock, preset: 'strict' })
    fail(before, 5)
    await clock.advance('60s')
    expect(before.acquire()).toBeDefined()
    const after = createCircuit('a', { clock, preset: 'strict', snapshot: before.snapshot() })
    expect([after.state, after.isAvailable()]).toEqual(['half-open', true])
  })

  test('that is none is refused', () => {
    const snapshot = { name: 'a', version: 1, state: 'open', context: { failureCount: 'x' } }
    expect(() => createCircuit('a', { snapshot: snapshot as never })).toThrow(SnapshotError)
  })
})

describe('options', () => {
  test('of the preset strict: 60 s and one probe at a time, else as by default', async () => {
    const clock = virtualClock()
    const { settings } = createCircuit('a', 'strict')
    expect(settings).toEqual({ ...createCircuit('b').settings, openMs: 60_000, maxProbes: 1 })
    const circuit = createCircuit('c', { preset: 'strict', clock })
    expect(circuit.settings).toEqual(settings)
    fail(circuit, 5)
    await clock.advance('60s')
    const first = circuit.acquire()
    expect(circuit.acquire()).toBeUndefined()
    first?.success()
    expect(circuit.state).toBe('half-open')
    circuit.acquire()?.success()
    expect(circuit.state).toBe('closed')
  })

  test.each([
    [{ failureTreshold: 3 }, /unknown option 'failureTreshold'; did you mean 'failureThreshold'/],
    [{ failureThreshold: 0 }, /failureThreshold/],
    [{ openTime: '-1s' }, /openTime/],
    ['strickt', /circuit options/],
  ])('refuses %j', (options, message) => {
    expect(() => createCircuit('a', options as never)).toThrow(OptionsError)
    expect(() => createCircuit('a', options as never)).toThrow(message)
  })

  test('a stopped circuit refuses', () => {
    const circuit = createCircuit('a', { clock: virtualClock() })
    circuit.stop()
    expect([circuit.acquire(), circuit.isAvailable()]).toEqual([undefined, false])
  })
})
