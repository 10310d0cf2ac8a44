import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { createReadyQueue } from '../../../src/runtime/commits/ready-queue.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

function createWorld() {
  const turns: (() => void)[] = []
  const defects: unknown[] = []
  const queue = createReadyQueue({ defer: work => turns.push(work), onDefect: error => defects.push(error) })
  return { queue, defects, turn: () => turns.shift()?.(), turnsAsked: () => turns.length }
}

describe('the queue of what is ready', () => {
  it('is emptied in slices, a turn each, in the order of coming', () => {
    const { queue, turn, turnsAsked } = createWorld()
    const done: number[] = []
    for (let n = 0; n < 40; n++) queue.push(() => done.push(n))
    turn()
    expect(done).toHaveLength(32)
    expect(queue.idle).toBe(false)
    turn()
    expect(done).toEqual(Array.from({ length: 40 }, (_, n) => n))
    expect([queue.idle, turnsAsked()]).toEqual([true, 0])
  })

  it('goes on after a piece of work that throws, and tells of it', () => {
    const { queue, defects, turn } = createWorld()
    let isDone = false
    queue.push(() => {
      throw new Error('a defect')
    })
    queue.push(() => {
      isDone = true
    })
    turn()
    expect([defects, isDone]).toEqual([[new Error('a defect')], true])
  })

  it('lets go of what is done though more is still to do', async () => {
    const { queue, turn } = createWorld()
    const push = (): WeakRef<object> => {
      const big = { text: 'x'.repeat(1000) }
      queue.push(() => void big.text)
      return new WeakRef(big)
    }
    const done = push()
    for (let n = 0; n < 40; n++) queue.push(() => {})
    turn()
    expect(queue.idle).toBe(false)
    await new Promise(resolve => setImmediate(resolve))
    collectGarbage()
    expect(done.deref()).toBeUndefined()
  })
})
