import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { createPlaces } from '../../../src/runtime/run/places.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

describe('places', () => {
  it('gives them in the order of asking, in a queue that is never empty', () => {
    const places = createPlaces(2)
    const entered: number[] = []
    const ask = (number: number): void => places.acquire(() => entered.push(number))
    for (let number = 0; number < 10; number++) ask(number)
    for (let number = 10; number < 5000; number++) {
      places.release()
      ask(number)
    }
    expect(entered).toEqual(Array.from({ length: 4992 }, (_, number) => number))
  })

  it('lets go of who has entered though others still wait', async () => {
    const places = createPlaces(1)
    places.acquire(() => {})
    const seen = { count: 0 }
    const asked = (() => {
      const big = { payload: new Array(1000).fill('x') }
      places.acquire(() => {
        seen.count += big.payload.length
      })
      return new WeakRef(big)
    })()
    places.acquire(() => {})
    places.acquire(() => {})
    places.release()
    expect(seen.count).toBe(1000)
    await new Promise(resolve => setImmediate(resolve))
    collectGarbage()
    expect(asked.deref()).toBeUndefined()
  })
})
