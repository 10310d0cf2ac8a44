import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { Run } from '../../../src/runtime/api.ts'
import type { JournalEvent } from '../../../src/telemetry/catalogue.ts'
import { defineWorkflow } from '../../../src/workflow/define-workflow.ts'
import { createWorld, settle } from '../../support/runtime-world.ts'

const begin = (name = 'w') => defineWorkflow({ name, version: '1' })

async function journalOf(run: Run): Promise<JournalEvent[]> {
  const events: JournalEvent[] = []
  for await (const event of run.events()) events.push(event)
  return events
}

describe('a stage that works', () => {
  it('runs after its needs with their results, and gives the run its output', async () => {
    const world = createWorld()
    const runtime = await world.open()
    const workflow = begin()
      .stage('a', () => 20)
      .stage('b', { needs: ['a'] }, ({ results }) => results.a + 1)
      .stage('c', { needs: ['a'] }, ({ results }) => results.a + 2)
      .stage('d', { needs: ['b', 'c'] }, ({ results }) => results.b * results.c)
    const result = await settle(world.clock, (await runtime.start(workflow)).result())
    expect(result).toMatchObject({
      success: true,
      status: 'completed',
      output: 21 * 22,
      attempts: 4,
      restarts: 0,
      resumes: 0,
      degraded: [],
    })
    await runtime.close()
  })

  it('is given a plain object, which can be taken apart, copied and listed', async () => {
    const world = createWorld()
    const runtime = await world.open()
    const workflow = begin()
      .stage('a', async context => {
        const { input: _, step, runId, ...rest } = context
        const copy = { ...context }
        return {
          steps: [await step('x', () => 1), await copy.step('y', () => 2), await context.step('z', () => 3)],
          same: [copy.runId === runId, copy.stage, rest.attempt, copy.idempotencyKey === `${runId}/a`],
          names: Object.keys(context).sort(),
          isItem: 'item' in context,
        }
      })
      .map('b', { over: () => ['p', 'q'] }, context => {
        const { item, index } = { ...context }
        return { item, index, isListed: Object.keys(context).includes('item') }
      })
    const result = await settle(world.clock, (await runtime.start(workflow)).result())
    expect(result).toMatchObject({
      output: [
        { item: 'p', index: 0, isListed: true },
        { item: 'q', index: 1, isListed: true },
      ],
    })
    const [succeeded] = (await journalOf(await runtime.get(result.runId))).filter(
      ({ type }) => type === 'stage.succeeded',
    )
    expect(succeeded?.data.result).toEqual({
      steps: [1, 2, 3],
      same: [true, 'a', 1, true],
      names: [
        ...['attempt', 'deadline', 'degrade', 'idempotencyKey', 'incarnation', 'input', 'lastFailure', 'log'],
        ...['metrics', 'model', 'progress', 'results', 'runId', 'signal', 'sleep', 'stage', 'startChild', 'step'],
        ...['system', 'waitFor'],
      ],
      isItem: false,
    })
    await runtime.close()
  })

  it('sees only the results of its ancestors, as values of its own', async () => {
    const world = createWorld()
    const runtime = await world.open()
    const workflow = begin()
      .stage('a', () => ({ list: [1, 2] }))
      .stage('b', { needs: ['a'] }, ({ results }) => {
        results.a.list.push(3)
        return Object.keys(results)
      })
      .stage('c', { needs: ['a'] }, ({ results }) => ({ ...results }))
      .stage('d', { needs: ['b', 'c'] }, ({ results }) => [results.b, results.c])
    const result = await settle(world.clock, (await runtime.start(workflow)).result())
    expect(result).toMatchObject({ output: [['a'], { a: { list: [1, 2] } }] })
    await runtime.close()
  })

  it('gives what JSON gives back, in memory too', async () => {
    const world = createWorld()
    const runtime = await world.open()
    const workflow = begin()
      .stage('a', () => ({ at: new Date(0), nothing: undefined, not: Number.NaN }))
      .stage('b', ({ results }) => results.a)
    const result = await settle(world.clock, (await runtime.start(workflow)).result())
    expect(result).toMatchObject({ output: { at: '1970-01-01T00:00:00.000Z', not: null } })
    await runtime.close()
  })

  it('is skipped when `when` says no, and its successors run', async () => {
    const world = createWorld()
    const runtime = await world.open()
    const workflow = begin()
      .stage('a', () => 1)
      .stage('b', { when: ({ results }) => results.a > 1 }, () => 2)
      .stage('c', ({ results }) => [results.a, results.b ?? 'none'])
    const run = await runtime.start(workflow)
    const result = await settle(world.clock, run.result())
    expect(result).toMatchObject({ success: true, output: [1, 'none'] })
    expect((await journalOf(run)).map(event => event.type)).toContain('stage.skipped')
    await runtime.close()
  })
})

describe('a stage that fails', () => {
  it('is restarted within the intensity of its profile, then fails the run', async () => {
    const world = createWorld()
    const runtime = await world.open()
    const seen: [number, number][] = []
    const workflow = begin().stage('a', ({ attempt, incarnation }) => {
      seen.push([attempt, incarnation])
      throw new Error('broken')
    })
    const run = await runtime.start(workflow)
    const result = await settle(world.clock, run.result())
    expect(seen).toEqual([
      [1, 1],
      [2, 2],
      [3, 3],
      [4, 4],
    ])
    expect(result).toMatchObject({
      success: false,
      status: 'failed',
      restarts: 3,
      attempts: 4,
      error: { stage: 'a', message: 'broken', type: 'runtime', kind: 'unknown' },
    })
    const decided = (await journalOf(run)).filter(event => event.type === 'restart.decided')
    expect(decided.map(event => event.data.counters)).toMatchObject([
      { restarts: 1, intensity: 3 },
      { restarts: 2 },
      { restarts: 3 },
    ])
    await runtime.close()
  })

  it('is tried again for a kind that its profile repeats, before any restart', async () => {
    const world = createWorld()
    const runtime = await world.open()
    const seen: [number, number][] = []
    const workflow = begin().stage('a', ({ attempt, incarnation }) => {
      seen.push([attempt, incarnation])
      if (seen.length < 5) throw Object.assign(new Error('overloaded'), { status: 503 })
      return 'at last'
    })
    const result = await settle(world.clock, (await runtime.start(workflow)).result())
    expect(seen).toEqual([
      [1, 1],
      [2, 1],
      [3, 1],
      [4, 2],
      [5, 2],
    ])
    expect(result).toMatchObject({ success: true, output: 'at last', restarts: 1, attempts: 5 })
    await runtime.close()
  })

  it('is not restarted when it is temporary', async () => {
    const world = createWorld()
    const runtime = await world.open()
    let times = 0
    const workflow = begin().stage('a', { restart: 'temporary' }, () => {
      times++
      throw new Error('broken')
    })
    expect(await settle(world.clock, (await runtime.start(workflow)).result())).toMatchObject({
      success: false,
      restarts: 0,
    })
    expect(times).toBe(1)
    await runtime.close()
  })

  it('takes the value of its fallback, and the run says so', async () => {
    const world = createWorld()
    const runtime = await world.open()
    const workflow = begin()
      .stage('a', { restart: 'temporary', fallback: ({ error }) => `instead of ${error.message}` }, (): string => {
        throw new Error('broken')
      })
      .stage('b', ({ results }) => results.a)
    const result = await settle(world.clock, (await runtime.start(workflow)).result())
    expect(result).toMatchObject({
      success: true,
      output: 'instead of broken',
      degraded: [{ stage: 'a', reason: 'broken' }],
    })
    await runtime.close()
  })

  it('fails with what its fallback threw, and what that was to make up for as the cause', async () => {
    const world = createWorld()
    const runtime = await world.open()
    const fallback = (): never => {
      throw new Error('nothing kept')
    }
    const workflow = begin().stage('a', { restart: 'temporary', fallback }, (): never => {
      throw new Error('broken')
    })
    expect(await settle(world.clock, (await runtime.start(workflow)).result())).toMatchObject({
      status: 'failed',
      error: { message: 'nothing kept', cause: { message: 'broken' } },
    })
    await runtime.close()
  })

  it('is lost without failing the run when it is optional', async () => {
    const world = createWorld()
    const runtime = await world.open()
    const workflow = begin()
      .stage('a', { optional: true, restart: 'temporary' }, (): string => {
        throw new Error('broken')
      })
      .stage('b', ({ results }) => results.a ?? 'nothing')
    const result = await settle(world.clock, (await runtime.start(workflow)).result())
    expect(result).toMatchObject({ success: true, output: 'nothing', degraded: [{ stage: 'a', reason: 'broken' }] })
    await runtime.close()
  })

  it('with a remedy that the runtime has not is refused before anything is started', async () => {
    const workflow = begin().stage('a', { remedies: ['tidi'] }, () => 1)
    const remedies = { tidy: () => {} }
    await expect(createWorld().open({ workflows: [workflow], remedies })).rejects.toThrow(
      /stage 'a' of workflow 'w': there is no remedy 'tidi'; did you mean 'tidy'\?; give it to createRuntime/,
    )
    const runtime = await createWorld().open()
    await expect(runtime.start(workflow)).rejects.toThrow(/there is no remedy 'tidi'; give it to/)
    expect((await runtime.list()).items).toEqual([])
    await runtime.close()
  })

  it('is tried again after a remedy, each remedy once', async () => {
    const world = createWorld()
    const applied: string[] = []
    const runtime = await world.open({ remedies: { tidy: ({ stage }) => void applied.push(stage) } })
    let times = 0
    const workflow = begin().stage('a', { remedies: ['tidy'] }, () => {
      if (++times === 1) throw new Error('broken')
      return times
    })
    expect(await settle(world.clock, (await runtime.start(workflow)).result())).toMatchObject({
      success: true,
      output: 2,
      restarts: 0,
    })
    expect(applied).toEqual(['a'])
    await runtime.close()
  })

  it('stops its sisters when it fails the run, and aborts their signals', async () => {
    const world = createWorld()
    const runtime = await world.open()
    let aborted = ''
    const workflow = begin()
      .stage('a', () => 1)
      .stage('b', { needs: ['a'], restart: 'temporary' }, async ({ sleep }) => {
        await sleep('1s')
        throw new Error('broken')
      })
      .stage(
        'c',
        { needs: ['a'] },
        ({ signal }) =>
          new Promise(() => signal.addEventListener('abort', () => (aborted = String(signal.reason.message)))),
      )
    expect(await settle(world.clock, (await runtime.start(workflow)).result())).toMatchObject({
      success: false,
      error: { stage: 'b' },
    })
    expect(aborted).toContain("stage 'c' was stopped")
    expect(world.clock.pending).toBe(0)
    await runtime.close()
  })
})

const cyclic = new Error('cause')
cyclic.cause = cyclic

const refuse = (): never => {
  throw new Error('refused')
}
const unreadable: unknown = new Proxy({}, { get: refuse, getPrototypeOf: refuse, ownKeys: refuse, has: refuse })

describe('a stage that misbehaves', () => {
  it.each([
    ['undefined', undefined, /undefined was thrown, which is no error/],
    ['null', null, 'null was thrown'],
    ['a text', 'oops', '"oops" was thrown'],
    ['a symbol', Symbol('oops'), /Symbol\(oops\) was thrown/],
    ['a promise', Promise.resolve(), 'an object that is no error was thrown'],
    ['an error that is its own cause', Object.assign(new Error('round'), { cause: cyclic }), 'round'],
    ['an error of 50 MB', new Error('x'.repeat(50 * 1024 * 1024)), /^x{8000}$/],
    ['what throws whatever it is asked', unreadable, 'what was thrown cannot be read'],
  ])('that throws %s fails with a sentence', async (_, thrown, message) => {
    const world = createWorld()
    const runtime = await world.open()
    const workflow = begin().stage('a', { restart: 'temporary' }, () => {
      throw thrown
    })
    expect(await settle(world.clock, (await runtime.start(workflow)).result())).toMatchObject({
      success: false,
      error: { message: expect.stringMatching(message) },
    })
    await runtime.close()
  })

  it('that hangs is timed out, its signal aborted, and its late result ignored', async () => {
    const world = createWorld()
    const runtime = await world.open()
    const late: ((value: string) => void)[] = []
    const workflow = begin().stage(
      'a',
      { timeout: '10s', warnAfter: '5s', profile: 'critical' },
      ({ signal, attempt }) => {
        if (attempt > 2) return 'in time'
        return new Promise<string>(resolve => {
          late.push(resolve)
          signal.addEventListener('abort', () => resolve('too late'))
        })
      },
    )
    const run = await runtime.start(workflow)
    const result = await settle(world.clock, run.result())
    expect(late).toHaveLength(2)
    expect(result).toMatchObject({ success: true, output: 'in time', attempts: 3 })
    const types = (await journalOf(run)).map(event => event.type)
    expect(types.filter(type => type === 'stage.warned')).toHaveLength(2)
    await runtime.close()
  })

  it.each([
    ['a Map', () => new Map(), 'Map'],
    ['a function', () => ({ deep: [() => 1] }), 'deep'],
    ['a bigint', () => 1n, 'bigint'],
    [
      'a cycle',
      () => {
        const a: { self?: unknown } = {}
        a.self = a
        return a
      },
      'self',
    ],
  ])('that returns %s fails at once with the path to it', async (_, make, part) => {
    const world = createWorld()
    const runtime = await world.open()
    let times = 0
    const workflow = begin().stage('a', () => {
      times++
      return make() as never
    })
    const result = await settle(world.clock, (await runtime.start(workflow)).result())
    expect(result).toMatchObject({
      success: false,
      error: { type: 'validation', code: 'invalid_value', message: expect.stringContaining(part) },
    })
    expect(times).toBe(1)
    await runtime.close()
  })

  it('that returns 50 MB fails with what to do instead', async () => {
    const world = createWorld()
    const runtime = await world.open()
    const workflow = begin().stage('a', () => 'x'.repeat(50 * 1024 * 1024))
    expect(await settle(world.clock, (await runtime.start(workflow)).result())).toMatchObject({
      success: false,
      error: { type: 'validation', message: expect.stringMatching(/50(\.0)? MB.*file/) },
    })
    await runtime.close()
  })

  it('that does not wait for what it began does not harm the process', async () => {
    const world = createWorld()
    const runtime = await world.open()
    const workflow = begin().stage('a', ({ sleep, step }) => {
      void sleep('1h')
      void step('left behind', () => new Promise(() => {}))
      return 'done'
    })
    expect(await settle(world.clock, (await runtime.start(workflow)).result())).toMatchObject({
      success: true,
      output: 'done',
    })
    await runtime.close()
    expect(world.clock.pending).toBe(0)
  })
})

describe('a map', () => {
  it('runs an item at most `concurrency` at a time, and gives the results in the order of `over`', async () => {
    const world = createWorld()
    const runtime = await world.open()
    let live = 0
    let most = 0
    const workflow = begin()
      .stage('list', () => ['c', 'a', 'b', 'e', 'd'])
      .map(
        'each',
        { over: ({ results }) => results.list, key: item => item, concurrency: 2 },
        async ({ item, index, stage, sleep }) => {
          most = Math.max(most, ++live)
          await sleep(1000 * (5 - index))
          live--
          return `${stage}:${item}`
        },
      )
    const result = await settle(world.clock, (await runtime.start(workflow)).result())
    expect(result).toMatchObject({ output: ['each[c]:c', 'each[a]:a', 'each[b]:b', 'each[e]:e', 'each[d]:d'] })
    expect(most).toBe(2)
    await runtime.close()
  })

  it('fails with its item and cancels the others', async () => {
    const world = createWorld()
    const runtime = await world.open()
    const aborted: number[] = []
    const workflow = begin().map('each', { over: () => [0, 1, 2], restart: 'temporary' }, ({ item, signal }) => {
      if (item === 1) throw new Error('item 1 is broken')
      return new Promise(() => signal.addEventListener('abort', () => aborted.push(item)))
    })
    expect(await settle(world.clock, (await runtime.start(workflow)).result())).toMatchObject({
      success: false,
      error: { message: 'item 1 is broken', stage: 'each[1]' },
    })
    expect(aborted.sort()).toEqual([0, 2])
    await runtime.close()
  })

  it('loses an optional item and goes on', async () => {
    const world = createWorld()
    const runtime = await world.open()
    const workflow = begin()
      .map('each', { over: () => [0, 1, 2], optional: true, restart: 'temporary' }, ({ item }) => {
        if (item === 1) throw new Error('broken')
        return item
      })
      .stage('seen', ({ results }) => results.each.map(value => (value === undefined ? 'lost' : value)))
    const result = await settle(world.clock, (await runtime.start(workflow)).result())
    expect(result).toMatchObject({ success: true, degraded: [{ stage: 'each[1]', reason: 'broken' }] })
    expect(result).toMatchObject({ output: [0, 'lost', 2] })
    await runtime.close()
  })

  it('takes the fallback of an item in its place', async () => {
    const world = createWorld()
    const runtime = await world.open()
    const workflow = begin().map(
      'each',
      { over: () => [0, 1], restart: 'temporary', fallback: ({ item }) => `instead of ${item}` },
      ({ item }): string => {
        if (item === 1) throw new Error('broken')
        return 'ok'
      },
    )
    expect(await settle(world.clock, (await runtime.start(workflow)).result())).toMatchObject({
      output: ['ok', 'instead of 1'],
    })
    await runtime.close()
  })

  it('is done at once without items', async () => {
    const world = createWorld()
    const runtime = await world.open()
    const workflow = begin().map('each', { over: () => [] as number[] }, ({ item }) => item)
    expect(await settle(world.clock, (await runtime.start(workflow)).result())).toMatchObject({ output: [] })
    await runtime.close()
  })

  it.each([
    ['no array', () => 'text' as never, 'must return an array'],
    [
      'a throw',
      () => {
        throw new Error('oops')
      },
      'oops',
    ],
    ['more than 10,000 items', () => new Array(10_001).fill(0), 'startChild|child run'],
  ])('refuses %s from `over`', async (_, over, message) => {
    const world = createWorld()
    const runtime = await world.open()
    const workflow = begin().map('each', { over }, () => 1)
    expect(await settle(world.clock, (await runtime.start(workflow)).result())).toMatchObject({
      success: false,
      error: { stage: 'each', message: expect.stringMatching(message) },
    })
    await runtime.close()
  })

  it('refuses items with the same key', async () => {
    const world = createWorld()
    const runtime = await world.open()
    const workflow = begin().map('each', { over: () => ['a', 'b', 'a'], key: item => item }, () => 1)
    expect(await settle(world.clock, (await runtime.start(workflow)).result())).toMatchObject({
      success: false,
      error: { type: 'validation', message: expect.stringContaining('0 and 2') },
    })
    await runtime.close()
  })
})

describe('an input', () => {
  it('whose schema takes only what JSON does not keep is refused with what to write instead', async () => {
    const world = createWorld()
    const runtime = await world.open()
    const of = (at: z.ZodType) =>
      defineWorkflow({ name: 'w', version: '1', input: z.object({ at }) }).stage(
        'a',
        ({ input }) => input.at instanceof Date,
      )
    await expect(runtime.start(of(z.date()), { at: new Date(0) })).rejects.toMatchObject({
      name: 'ValidationError',
      message: expect.stringMatching(/at: .*a date.*kept as JSON.*z\.coerce\.date\(\)/),
    })
    const run = await runtime.start(of(z.coerce.date()), { at: new Date(0) })
    expect(await settle(world.clock, run.result())).toMatchObject({ output: true })
    await runtime.close()
  })

  it('that is invalid starts nothing', async () => {
    const world = createWorld()
    const runtime = await world.open()
    const workflow = defineWorkflow({ name: 'w', version: '1', input: z.object({ path: z.string() }) }).stage(
      'a',
      ({ input }) => input.path,
    )
    await expect(runtime.start(workflow, { path: 3 } as never)).rejects.toMatchObject({
      name: 'ValidationError',
      message: expect.stringContaining('path'),
    })
    expect((await runtime.list()).items).toEqual([])
    await runtime.close()
  })
})
