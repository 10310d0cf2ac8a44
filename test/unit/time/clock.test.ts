import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { systemClock } from '../../../src/time/clock.ts'

const dayMs = 86_400_000

describe('the system clock', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  test('keeps delays that no single Node timer keeps', () => {
    const fire = vi.fn()
    systemClock.setTimeout(fire, 60 * dayMs)
    vi.advanceTimersByTime(60 * dayMs - 1)
    expect(fire).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    expect(fire).toHaveBeenCalledTimes(1)
  })

  test('clears short and long ones, at any time, and takes what is none', () => {
    const fire = vi.fn()
    const short = systemClock.setTimeout(fire, 10)
    const long = systemClock.setTimeout(fire, 60 * dayMs)
    vi.advanceTimersByTime(9)
    systemClock.clearTimeout(short)
    vi.advanceTimersByTime(40 * dayMs)
    systemClock.clearTimeout(long)
    systemClock.clearTimeout(undefined)
    expect(vi.getTimerCount()).toBe(0)
    expect(fire).not.toHaveBeenCalled()
  })
})
