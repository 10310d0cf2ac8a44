import { AsyncLocalStorage } from 'node:async_hooks'
import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { createResilience } from '../../../src/resilience.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'

const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

function watchedCalls() {
  const clock = virtualClock()
  const controller = new AbortController()
  let timers = 0
  let listeners = 0
  const seen = {
    ...clock,
    setTimeout(callback: () => void, delayMs: number) {
      timers++
      return clock.setTimeout(callback, delayMs)
    },
  }
  const { addEventListener } = controller.signal
  controller.signal.addEventListener = (...given: Parameters<typeof addEventListener>) => {
    listeners++
    addEventListener.apply(controller.signal, given)
  }
  const { execute } = createResilience({ clock: seen })
  const { signal } = controller
  return {
    clock,
    controller,
    run: <T>(work: () => Promise<T>) => execute(work, { signal, timeout: 100 }),
    used: () => ({ timers, listeners }),
    left: () => ({ timers: clock.pending, listeners: getEventListeners(signal, 'abort').length }),
  }
}

describe('an attempt', () => {
  it('sets no timer and no listener where it answers in its own turn, however many promises come before', async () => {
    const { run, used } = watchedCalls()
    const work = async () => {
      for (let i = 0; i < 1000; i++) await undefined
      return 'done'
    }
    expect(await Promise.all([run(work), run(work)])).toEqual(['done', 'done'])
    await turn()
    expect(used()).toEqual({ timers: 0, listeners: 0 })
  })

  it('has both from the end of its turn on, begun by a promise or by a callback, and leaves none', async () => {
    const { run, used, left, clock } = watchedCalls()
    const work = () => new Promise<never>(() => {})
    const byPromise = Promise.resolve().then(() => run(work))
    const byCallback = new Promise((resolve, reject) => setImmediate(() => run(work).then(resolve, reject)))
    const ended = Promise.allSettled([byPromise, byCallback])
    await turn()
    await turn()
    expect(used()).toEqual({ timers: 2, listeners: 1 })
    await clock.advance(100_000)
    expect((await ended).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(left()).toEqual({ timers: 0, listeners: 0 })
  })

  it('is cancelled where its caller cancels in the very turn in which it began', async () => {
    const { run, controller, left } = watchedCalls()
    const ended = run(() => new Promise<never>(() => {}))
    await Promise.resolve()
    controller.abort(new Error('enough'))
    await expect(ended).rejects.toThrow('the caller cancelled it')
    expect(left()).toEqual({ timers: 0, listeners: 0 })
  })

  it('is not watched any more once it is over, though others of its turn are', async () => {
    const { run, used, left, controller } = watchedCalls()
    const open = run(() => new Promise<never>(() => {})).catch(error => error.code)
    await run(async () => 'done')
    await turn()
    expect(used()).toEqual({ timers: 1, listeners: 1 })
    controller.abort()
    expect(await open).toBe('cancelled')
    expect(left()).toEqual({ timers: 0, listeners: 0 })
  })

  it('sets its timer in its own asynchronous context, whoever else began in that turn', async () => {
    const places = new AsyncLocalStorage<string>()
    const { clock, controller } = watchedCalls()
    const setIn: unknown[] = []
    const { execute } = createResilience({
      clock: {
        ...clock,
        setTimeout(callback, delayMs) {
          setIn.push(places.getStore())
          return clock.setTimeout(callback, delayMs)
        },
      },
    })
    const open = ['a', 'b'].map(place =>
      places.run(place, () => execute(() => new Promise<never>(() => {}), { signal: controller.signal })),
    )
    await turn()
    expect(setIn).toEqual(['a', 'b'])
    controller.abort()
    await Promise.allSettled(open)
  })
})
