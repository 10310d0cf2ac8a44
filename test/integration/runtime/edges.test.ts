import { describe, expect, it } from 'vitest'
import { fromPromise, setup } from 'xstate'
import { z } from 'zod'
import { OptionsError } from '../../../src/errors.ts'
import { defineProfile } from '../../../src/resilience/define-profile.ts'
import { defineWorkflow } from '../../../src/workflow/define-workflow.ts'
import { workflowFromMachine } from '../../../src/workflow/own-machine.ts'
import { stageActor } from '../../../src/workflow/stage-actor.ts'
import { createWorld, settle } from '../../support/runtime-world.ts'

const begin = (name = 'w') => defineWorkflow({ name, version: '1', signals: { go: z.object({}) } })
const never = (): Promise<never> => new Promise(() => {})

describe('a generated id', () => {
  it('that a run has already is drawn again, though the same seed draws the same ids in a new process', async () => {
    const world = createWorld()
    const workflow = begin().stage('a', () => 1)
    const first = await world.open({ workflows: [workflow] })
    const one = await first.start(workflow)
    await first.close()
    const second = await world.open({ workflows: [workflow] })
    const two = await second.start(workflow)
    expect(two.id).not.toBe(one.id)
    expect(await settle(world.clock, two.result())).toMatchObject({ success: true })
    await second.close()
  })
})

describe('a status', () => {
  it('that was told is what is read of the run next, though its commit is under way', async () => {
    const world = createWorld()
    const held: (() => void)[] = []
    const store = Object.create(world.store, {
      commit: {
        value: async (...batch: Parameters<typeof world.store.commit>) => {
          await new Promise<void>(resolve => held.push(resolve))
          return world.store.commit(...batch)
        },
      },
    }) as typeof world.store
    const workflow = begin().stage('a', ({ waitFor }) => waitFor('go'))
    const runtime = await world.open({ store, workflows: [workflow] })
    const letThrough = async <T>(promise: Promise<T>): Promise<T> => {
      let isSettled = false
      const settled = promise.finally(() => {
        isSettled = true
      })
      await world.clock.advance(0)
      while (!isSettled) {
        held.shift()?.()
        await world.clock.advance(0)
      }
      return settled
    }
    const run = await letThrough(runtime.start(workflow))
    while ((await run.status()) !== 'waiting') {
      held.shift()?.()
      await world.clock.advance(0)
    }
    expect((await world.store.readRun(run.id))?.status).toBe('running')
    expect((await letThrough(runtime.diagnostics(run.id))).status).toBe('waiting')
    expect((await runtime.list()).items[0]?.status).toBe('waiting')
    await letThrough(runtime.close())
  })
})

describe('what watches a run', () => {
  it('must be a function', async () => {
    const world = createWorld()
    const workflow = begin().stage('a', () => 1)
    const runtime = await world.open({ workflows: [workflow] })
    const run = await runtime.start(workflow)
    expect(() => run.subscribe('tell me' as never)).toThrow(OptionsError)
    await runtime.close()
  })
})

describe('an id with a slash', () => {
  it('is an id like any other: the run ends, and is cancelled by it', async () => {
    const world = createWorld()
    const workflow = begin().stage('a', ({ waitFor }) => waitFor('go'))
    const runtime = await world.open({ workflows: [workflow] })
    const run = await runtime.start(workflow, undefined, { id: 'orders/42%2F' })
    await run.signal('go', {})
    expect(await settle(world.clock, run.result())).toMatchObject({ runId: 'orders/42%2F', status: 'completed' })
    const other = await runtime.start(workflow, undefined, { id: 'orders/43' })
    await other.cancel()
    expect(await settle(world.clock, other.result())).toMatchObject({ status: 'cancelled' })
    await runtime.close()
  })
})

describe('a run that is held', () => {
  it('does nothing, of a machine of one’s own neither its timers nor its promises', async () => {
    const world = createWorld()
    const machine = setup({
      actors: {
        slow: fromPromise(() => new Promise(resolve => world.clock.setTimeout(() => resolve(undefined), 60_000))),
      },
    }).createMachine({
      id: 'own',
      type: 'parallel',
      states: {
        timed: { initial: 'a', states: { a: { after: { 60000: 'b' } }, b: { type: 'final' } } },
        promised: {
          initial: 'a',
          states: { a: { invoke: { id: 'slow', src: 'slow', onDone: 'b' } }, b: { type: 'final' } },
        },
      },
    })
    const runtime = await world.open()
    const run = await runtime.start(workflowFromMachine({ name: 'own', version: '1', machine }))
    await world.clock.advance('30s')
    await run.pause()
    await world.clock.advance('1h')
    expect(await run.status()).toBe('paused')
    await run.resume()
    await world.clock.advance('10s')
    expect(await run.status()).toBe('running')
    expect(await settle(world.clock, run.result())).toMatchObject({ success: true })
    await runtime.close()
  })

  it('before it has begun waits for its place again when it is resumed', async () => {
    const world = createWorld()
    const workflow = begin().stage('a', never)
    const runtime = await world.open({ concurrency: { runs: 1 } })
    const first = await runtime.start(workflow)
    const second = await runtime.start(begin('quick').stage('a', () => 'done'))
    await world.clock.advance(10)
    expect(await second.status()).toBe('pending')
    await second.pause()
    await first.cancel()
    await world.clock.advance(10)
    expect(await second.status()).toBe('paused')
    await second.resume()
    expect(await settle(world.clock, second.result())).toMatchObject({ output: 'done' })
    await runtime.close()
  })
})

describe('what hangs beside a stage', () => {
  it.each([
    ['a fallback', { fallback: never }, {}],
    ['a remedy', { remedies: ['hang'] }, { remedies: { hang: never } }],
  ])('%s, has the time of the stage', async (_, options, runtimeOptions) => {
    const world = createWorld()
    const runtime = await world.open(runtimeOptions)
    const workflow = begin().stage('a', { timeout: '1s', restart: 'temporary', ...options }, (): string => {
      throw new Error('broken')
    })
    expect(await settle(world.clock, (await runtime.start(workflow)).result())).toMatchObject({ success: false })
    await runtime.close()
  })

  it('a compensation, has it too, and the cancellation ends', async () => {
    const world = createWorld()
    const runtime = await world.open()
    const workflow = begin()
      .stage('a', { timeout: '1s', compensate: never }, () => 1)
      .stage('b', never)
    const run = await runtime.start(workflow)
    await world.clock.advance(10)
    await run.cancel()
    expect(await settle(world.clock, run.result())).toMatchObject({ status: 'cancelled' })
    await runtime.close()
  })
})

describe('places for attempts', () => {
  it('are never given to more new attempts than there are, and are lent while a function waits', async () => {
    const world = createWorld()
    let atWork = 0
    let most = 0
    const workflow = begin().map('each', { over: () => [1, 2, 3, 4], concurrency: 4 }, async ({ sleep }) => {
      most = Math.max(most, ++atWork)
      await new Promise(resolve => world.clock.setTimeout(() => resolve(undefined), 100))
      atWork--
      await sleep('1m')
      return world.clock.now()
    })
    const runtime = await world.open({ concurrency: { stages: 1 } })
    const began = world.clock.now()
    const result = await settle(world.clock, (await runtime.start(workflow)).result(), 100)
    expect(most).toBe(1)
    // Four sleeps of a minute at once, not one after another.
    expect(result.success && Math.max(...(result.output as number[])) - began).toBeLessThan(90_000)
    await runtime.close()
  })
})

describe('inputs', () => {
  it('are the same for every stage, whatever another did to its own', async () => {
    const world = createWorld()
    const runtime = await world.open()
    const workflow = defineWorkflow({ name: 'w', version: '1', input: z.object({ list: z.array(z.number()) }) })
      .stage('a', ({ input }) => input.list.push(9))
      .stage('b', ({ input }) => input.list)
    expect(await settle(world.clock, (await runtime.start(workflow, { list: [1] })).result())).toMatchObject({
      output: [1],
    })
    await runtime.close()
  })

  it('are the same run when they say the same in another order or spell out a default', async () => {
    const world = createWorld()
    const runtime = await world.open()
    const workflow = defineWorkflow({
      name: 'w',
      version: '1',
      input: z.object({ a: z.number(), b: z.number().default(2) }),
    }).stage('x', ({ input }) => input)
    await runtime.start(workflow, { a: 1, b: 2 }, { id: 'r' })
    expect((await runtime.start(workflow, { b: 2, a: 1 }, { id: 'r' })).id).toBe('r')
    expect((await runtime.start(workflow, { a: 1 }, { id: 'r' })).id).toBe('r')
    await runtime.close()
  })

  it('of a stage of one’s own machine are what its schema makes of them, after a restart too', async () => {
    const world = createWorld()
    const seen: unknown[] = []
    const machine = setup({
      actors: {
        wait: stageActor({ input: z.object({ n: z.coerce.number().default(4) }) }, async ({ input, sleep }) => {
          seen.push(input)
          await sleep('1h')
        }),
      },
    }).createMachine({
      id: 'own',
      initial: 'a',
      states: {
        a: { invoke: { id: 'wait', src: 'wait', input: { n: '7' } as never, onDone: 'b' } },
        b: { type: 'final' },
      },
    })
    const workflow = workflowFromMachine({ name: 'own', version: '1', machine })
    const first = await world.open({ workflows: [workflow] })
    await first.start(workflow, undefined as never, { id: 'r' })
    await world.clock.advance('1m')
    await first.close()
    const second = await world.open({ workflows: [workflow] })
    expect(await settle(world.clock, (await second.get('r')).result(), 60_000)).toMatchObject({ success: true })
    expect(seen).toEqual([{ n: 7 }, { n: 7 }])
    await second.close()
  })
})

describe('a budget', () => {
  it('of wall time ends the run as out of budget, a deadline as timed out', async () => {
    const world = createWorld()
    const runtime = await world.open()
    const workflow = begin().stage('a', never)
    const budgeted = await runtime.start(workflow, undefined, { budget: { wallTime: '1h' } })
    const limited = await runtime.start(workflow, undefined, { profile: defineProfile({ timeout: { run: '1h' } }) })
    expect(await settle(world.clock, budgeted.result(), 60_000)).toMatchObject({
      status: 'budget_exceeded',
      error: { type: 'budget' },
    })
    expect(await settle(world.clock, limited.result(), 60_000)).toMatchObject({
      status: 'failed',
      error: { type: 'timeout', scope: 'local' },
    })
    await runtime.close()
  })

  it('of restarts is a bound over the whole run', async () => {
    const world = createWorld()
    const runtime = await world.open()
    let times = 0
    const workflow = begin().stage('a', () => {
      times++
      throw new Error('broken')
    })
    const result = await settle(
      world.clock,
      (await runtime.start(workflow, undefined, { budget: { restarts: 1 } })).result(),
    )
    expect(result).toMatchObject({ status: 'budget_exceeded', restarts: 1, error: { code: 'budget_exceeded' } })
    expect(times).toBe(2)
    await runtime.close()
  })
})

describe('children', () => {
  it('of an item may have a key with slashes, and a foreign run is never cancelled with a parent', async () => {
    const world = createWorld()
    const child = defineWorkflow({ name: 'child', version: '1' }).stage('a', () => 5)
    const parent = begin('parent').map(
      'each',
      { over: () => ['src/a.ts'], key: file => file },
      async ({ startChild }) => {
        const result = await (await startChild(child, undefined)).result()
        return `${result.runId} ${result.status}`
      },
    )
    const runtime = await world.open({ workflows: [parent, child] })
    expect(await settle(world.clock, (await runtime.start(parent, undefined, { id: 'p' })).result())).toMatchObject({
      output: ['p.each[src/a.ts].1 completed'],
    })

    const victim = await runtime.start(begin('victim').stage('a', never), undefined, { id: 'victim' })
    const thief = begin('thief').stage('a', { restart: 'temporary' }, async ({ startChild }) => {
      await startChild(child, undefined, { id: 'victim' })
    })
    expect(await settle(world.clock, (await runtime.start(thief)).result())).toMatchObject({
      success: false,
      error: { code: 'run_conflict' },
    })
    await world.clock.advance(10)
    expect(await victim.status()).toBe('running')
    await runtime.close()
  })
})

describe('what is optional', () => {
  it('cannot harm a run: a logger, a listener, an inspector that throw', async () => {
    const world = createWorld()
    const fail = (): never => {
      throw new Error('I throw')
    }
    const runtime = await world.open({ logger: { debug: fail, info: fail, warn: fail, error: fail }, inspect: fail })
    const workflow = begin().stage('a', ({ attempt }) => {
      if (attempt === 1) throw new Error('once')
      return 'done'
    })
    const run = await runtime.start(workflow)
    run.subscribe(fail)
    expect(await settle(world.clock, run.result())).toMatchObject({ output: 'done' })
    await runtime.close()
  })

  it('a machine whose context is no JSON ends alone, with the path to what is not', async () => {
    const world = createWorld()
    const machine = setup({}).createMachine({
      id: 'own',
      context: { seen: new Map() },
      initial: 'a',
      states: { a: {} },
    })
    const runtime = await world.open()
    const other = await runtime.start(begin().stage('a', ({ sleep }) => sleep('1m')))
    const run = await runtime.start(workflowFromMachine({ name: 'own', version: '1', machine }))
    expect(await settle(world.clock, run.result())).toMatchObject({
      success: false,
      error: { type: 'validation', message: expect.stringContaining('seen') },
    })
    expect(await settle(world.clock, other.result())).toMatchObject({ success: true })
    await runtime.close()
  })
})
