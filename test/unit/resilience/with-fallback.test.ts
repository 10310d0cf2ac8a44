import { describe, expect, test } from 'vitest'
import { CancelledError } from '../../../src/errors.ts'
import { type ComponentChange, withFallback } from '../../../src/resilience/with-fallback.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'

const setUp = (options = {}) => {
  const clock = virtualClock()
  const primary = { broken: true, calls: 0 }
  const changes: ComponentChange[] = []
  const call = withFallback(
    'cache',
    (key: string) => {
      primary.calls++
      if (primary.broken) throw new Error('down')
      return `primary ${key}`
    },
    key => `fallback ${key}`,
    { clock, onChange: change => changes.push(change), ...options },
  )
  return { clock, primary, changes, call }
}

describe('withFallback', () => {
  test('answers with the fallback and leaves the broken primary alone for 30 s', async () => {
    const { clock, primary, call } = setUp()
    expect([await call('a'), await call('b'), call.degraded]).toEqual(['fallback a', 'fallback b', true])
    expect(primary.calls).toBe(1)
    await clock.advance('30s')
    expect(await call('c')).toBe('fallback c')
    expect(primary.calls).toBe(2)
  })

  test('notices the recovery', async () => {
    const { clock, primary, changes, call } = setUp()
    await call('a')
    primary.broken = false
    await clock.advance('30s')
    expect([await call('b'), await call('c'), call.degraded]).toEqual(['primary b', 'primary c', false])
    expect(changes.map(({ type, component, reason }) => [type, component, reason])).toEqual([
      ['component.degraded', 'cache', 'down'],
      ['component.recovered', 'cache', undefined],
    ])
  })

  test('once: stands in for the failed call only', async () => {
    const { primary, call } = setUp({ once: true })
    expect(await call('a')).toBe('fallback a')
    primary.broken = false
    expect(await call('b')).toBe('primary b')
  })

  test('does not stand in for a cancelled call', async () => {
    const call = withFallback(
      'cache',
      () => Promise.reject(new CancelledError('stop')),
      () => 'fallback',
    )
    await expect(call()).rejects.toThrow('stop')
    expect([call.degraded, call.component]).toEqual([false, 'cache'])
  })
})
