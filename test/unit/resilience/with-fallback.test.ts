import { describe, expect, test } from 'vitest'
import { CancelledError, OptionsError, ValidationError } from '../../../src/errors.ts'
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
  test('refuses what cannot be called', () => {
    expect(() => withFallback('cache', 'load' as never, () => 1)).toThrow(OptionsError)
    expect(() => withFallback('cache', () => 1, undefined as never)).toThrow(OptionsError)
  })

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

describe('the degradation of a component', () => {
  test('is seen in a set that components share, and leaves it with the recovery', async () => {
    const degradedSet = new Set<string>()
    const { clock, primary, call } = setUp({ degradedSet })
    await call('a')
    expect([...degradedSet]).toEqual(['cache'])
    primary.broken = false
    await clock.advance('30s')
    await call('b')
    expect([...degradedSet]).toEqual([])
  })

  test('is not ended by a late success of a call that began before it', async () => {
    const clock = virtualClock()
    const results: { resolve(value: string): void; reject(error: Error): void }[] = []
    const call = withFallback(
      'cache',
      () => new Promise<string>((resolve, reject) => results.push({ resolve, reject })),
      () => 'fallback',
      { clock },
    )
    const [slow, failing] = [call(), call()]
    results[1]?.reject(new Error('down'))
    expect([await failing, call.degraded]).toEqual(['fallback', true])
    results[0]?.resolve('late')
    expect([await slow, call.degraded, await call()]).toEqual(['late', true, 'fallback'])
  })

  test('lets one call probe the primary while the others have the fallback', async () => {
    const { clock, primary, call } = setUp()
    await call('a')
    await clock.advance('30s')
    expect(await Promise.all([call('b'), call('c'), call('d')])).toEqual(['fallback b', 'fallback c', 'fallback d'])
    expect(primary.calls).toBe(2)
  })

  test('does not begin with a fault of the request, and is ended by a reset', async () => {
    const { primary, call } = setUp()
    const strict = withFallback(
      'checked',
      () => Promise.reject(new ValidationError('no number')),
      () => 'fallback',
    )
    await expect(strict()).rejects.toThrow('no number')
    expect(strict.degraded).toBe(false)
    await call('a')
    primary.broken = false
    call.reset()
    expect([call.degraded, await call('b')]).toEqual([false, 'primary b'])
  })

  test('a fallback that fails rejects with its own error, and a listener that throws harms nobody', async () => {
    const call = withFallback(
      'cache',
      () => Promise.reject(new Error('down')),
      () => Promise.reject(new Error('empty')),
      {
        clock: virtualClock(),
        onChange: () => {
          throw new Error('listener')
        },
      },
    )
    await expect(call()).rejects.toThrow('empty')
  })

  test('options are strict', () => {
    const make = (name: string, options: object) => () => withFallback(name, boom, boom, options)
    const boom = (): string => 'x'
    expect(make('a', { onse: true })).toThrow(/did you mean 'once'/)
    expect(make('a', { degradedSet: [] })).toThrow(/must be a Set/)
    expect(make('', {})).toThrow(/needs a name/)
  })
})
