import { describe, expect, it } from 'vitest'
import { type Committable, createCommitPipeline } from '../../../src/runtime/commits/commit-pipeline.ts'
import type { RunWrite, Store } from '../../../src/store/store.ts'

const microtasks = () => new Promise<void>(resolve => setImmediate(resolve))

/** A store whose commits take as long as the test says. */
function createWorld({ isIdle = () => true, isAside = false }: { isIdle?: () => boolean; isAside?: boolean } = {}) {
  const batches: string[][] = []
  const turns: (() => void)[] = []
  const acknowledged: string[] = []
  let finish = (): void => {}
  const store = {
    commitsAside: () => isAside,
    commit: (_epoch: number, writes: readonly RunWrite[]) => {
      batches.push(writes.map(({ runId }) => runId))
      return new Promise<void>(resolve => {
        finish = resolve
      })
    },
  } as unknown as Store
  const pipeline = createCommitPipeline({
    store,
    epoch: 1,
    defer: work => turns.push(work),
    isIdle,
    onFailure: error => expect.unreachable(String(error)),
  })
  const target = (runId: string): Committable => ({
    takeWrite: () => ({ runId }),
    committed: () => void acknowledged.push(runId),
  })
  return {
    batches,
    acknowledged,
    pipeline,
    target,
    turn: () => turns.shift()?.(),
    get turnsAsked() {
      return turns.length
    },
    mark(...runIds: string[]) {
      for (const runId of runIds) pipeline.mark(target(runId))
    },
    async finish() {
      finish()
      await microtasks()
    },
  }
}

describe('group commit', () => {
  it('takes into the next batch what became dirty meanwhile, and begins it before anything else happens', async () => {
    const world = createWorld({ isIdle: () => false })
    world.pipeline.mark(world.target('a'))
    for (let turns = 0; turns < 10; turns++) world.turn()
    expect(world.batches).toEqual([['a']])
    world.pipeline.mark(world.target('b'))
    world.pipeline.mark(world.target('c'))
    expect(world.batches).toHaveLength(1)
    await world.finish()
    expect(world.acknowledged).toEqual(['a'])
    expect(world.batches).toEqual([['a'], ['b', 'c']])
    expect(world.turnsAsked).toBe(0)
  })

  it('waits for what is ready where nothing has waited yet', async () => {
    let idle = false
    const world = createWorld({ isIdle: () => idle })
    world.pipeline.mark(world.target('a'))
    world.turn()
    expect(world.batches).toEqual([])
    world.pipeline.mark(world.target('b'))
    idle = true
    world.turn()
    expect(world.batches).toEqual([['a', 'b']])
  })

  it('begins aside with a part of the many that are ready, so that the rest goes on while that is written', async () => {
    const world = createWorld({ isIdle: () => false, isAside: true })
    const many = Array.from({ length: 40 }, (_, index) => `r${index}`)
    world.mark(...many.slice(0, 31))
    world.turn()
    expect(world.batches).toEqual([])
    world.mark(...many.slice(31))
    world.turn()
    expect(world.batches).toEqual([many])
  })

  it('lets a few that waited for a commit aside wait for the others that are ready', async () => {
    let idle = true
    const world = createWorld({ isIdle: () => idle, isAside: true })
    world.mark('a')
    world.turn()
    world.mark('b')
    idle = false
    await world.finish()
    expect(world.batches).toEqual([['a']])
    world.mark('c')
    idle = true
    world.turn()
    expect(world.batches).toEqual([['a'], ['b', 'c']])
    world.mark('d')
    await world.finish()
    expect(world.batches).toEqual([['a'], ['b', 'c'], ['d']])
  })

  it('never makes a commit aside wait for more than eight turns', async () => {
    const world = createWorld({ isIdle: () => false, isAside: true })
    world.mark('a')
    for (let turns = 0; turns < 8; turns++) world.turn()
    expect(world.batches).toEqual([])
    world.turn()
    expect(world.batches).toEqual([['a']])
  })

  it('tells that what was marked is durable, although there is always more to write', async () => {
    const world = createWorld()
    world.pipeline.mark(world.target('a'))
    world.turn()
    world.pipeline.mark(world.target('b'))
    let [isDurable, isSettled] = [false, false]
    void world.pipeline.durable().then(() => {
      isDurable = true
    })
    void world.pipeline.settled().then(() => {
      isSettled = true
    })
    await world.finish()
    expect(isDurable).toBe(false)
    world.pipeline.mark(world.target('c'))
    await world.finish()
    expect(world.batches).toEqual([['a'], ['b'], ['c']])
    expect({ isDurable, isSettled }).toEqual({ isDurable: true, isSettled: false })
    await world.finish()
    expect(isSettled).toBe(true)
    await world.pipeline.durable()
  })

  it('has settled when what was marked, and what became dirty meanwhile, is durable', async () => {
    const world = createWorld()
    world.pipeline.mark(world.target('a'))
    world.turn()
    world.pipeline.mark(world.target('b'))
    let settled = false
    const settling = world.pipeline.settled().then(() => {
      settled = true
    })
    await world.finish()
    expect(settled).toBe(false)
    await world.finish()
    await settling
    expect(world.acknowledged).toEqual(['a', 'b'])
  })
})
