import { describe, expect, it } from 'vitest'
import { createMachine, fromPromise, setup } from 'xstate'
import { z } from 'zod'
import type { Run } from '../../../src/runtime/api.ts'
import type { JournalEvent } from '../../../src/telemetry/catalogue.ts'
import { scriptedProvider } from '../../../src/testing/scripted-provider.ts'
import { defineWorkflow } from '../../../src/workflow/define-workflow.ts'
import { workflowFromMachine } from '../../../src/workflow/own-machine.ts'
import { stageActor } from '../../../src/workflow/stage-actor.ts'
import { createWorld, settle } from '../../support/runtime-world.ts'

const begin = (name = 'w') => defineWorkflow({ name, version: '1', signals: { go: z.object({ by: z.string() }) } })

/** Notes that it happened, and gives the value. */
function noting<T>(list: string[], what: string, value: T): T {
  list.push(what)
  return value
}

async function journalOf(run: Run): Promise<JournalEvent[]> {
  const events: JournalEvent[] = []
  for await (const event of run.events()) events.push(event)
  return events
}

describe('a run that is taken up by another runtime', () => {
  it('keeps what its stages had given, and starts only what was under way again', async () => {
    const world = createWorld()
    const started: string[] = []
    const workflow = begin()
      .stage('a', ({ stage }) => noting(started, stage, 1))
      .stage('b', async ({ stage, sleep, attempt, incarnation, results }) => {
        started.push(`${stage} ${attempt} ${incarnation}`)
        await sleep('1h')
        return results.a + 1
      })
      .stage('c', ({ stage, results }) => noting(started, stage, results.b + 1))
    const first = await world.open({ workflows: [workflow] })
    await first.start(workflow, undefined, { id: 'r' })
    await world.clock.advance('20m')
    await first.close()
    const second = await world.open({ workflows: [workflow] })
    const began = world.clock.now()
    const result = await settle(world.clock, (await second.get('r')).result(), 60_000)
    expect(result).toMatchObject({ success: true, output: 3, resumes: 1 })
    expect(started).toEqual(['a', 'b 1 1', 'b 1 2', 'c'])
    // The remaining 40 minutes of the hour, not the hour again.
    expect(world.clock.now() - began).toBeLessThan(42 * 60_000)
    await second.close()
  })

  it('never executes a step that succeeded again, and a failed one is tried again', async () => {
    const world = createWorld()
    const executed: string[] = []
    const workflow = begin().stage('a', async ({ step, sleep, attempt }) => {
      const x = await step('x', () => noting(executed, 'x', 20))
      const y = await step('y', { key: 'only' }, () => {
        executed.push('y')
        if (attempt === 1) throw new Error('y is broken')
        return 1
      })
      await sleep('1h')
      return x + y
    })
    const runtime = await world.open({ workflows: [workflow] })
    await runtime.start(workflow, undefined, { id: 'r' })
    await world.clock.advance('10m')
    await runtime.close()
    const next = await world.open({ workflows: [workflow] })
    expect(await settle(world.clock, (await next.get('r')).result(), 60_000)).toMatchObject({ output: 21 })
    expect(executed).toEqual(['x', 'y', 'y'])
    await next.close()
  })

  it('is given a recorded model answer again instead of a second call', async () => {
    const world = createWorld()
    const provider = scriptedProvider(
      [{ text: 'the answer', usage: { inputTokens: 10, outputTokens: 2 }, cost: 0.25 }],
      { clock: world.clock },
    )
    const workflow = begin().stage('a', async ({ model, sleep }) => {
      const { text, cost } = await model.generate({ prompt: 'what?' })
      await sleep('1h')
      return { text, cost }
    })
    const options = { workflows: [workflow], providers: [provider] }
    const first = await world.open(options)
    await first.start(workflow, undefined, { id: 'r' })
    await world.clock.advance('10m')
    await first.close()
    const second = await world.open(options)
    const result = await settle(world.clock, (await second.get('r')).result(), 60_000)
    expect(provider.calls).toHaveLength(1)
    expect(result).toMatchObject({
      output: { text: 'the answer', cost: 0.25 },
      cost: { usd: 0.25, calls: 1, replayedCalls: 1, inputTokens: 10, outputTokens: 2, wastedUsd: 0 },
    })
    await second.close()
  })

  it('waits out the remaining time of a backoff, and its restarts are not forgotten', async () => {
    const world = createWorld()
    let times = 0
    const workflow = begin().stage('a', () => {
      times++
      throw new Error('broken')
    })
    const first = await world.open({ workflows: [workflow] })
    await first.start(workflow, undefined, { id: 'r' })
    await world.clock.advance(120)
    await first.close()
    const before = times
    expect(before).toBeGreaterThanOrEqual(1)
    const second = await world.open({ workflows: [workflow] })
    const result = await settle(world.clock, (await second.get('r')).result())
    expect(result).toMatchObject({ success: false, restarts: 3, attempts: 4 })
    expect(times).toBe(4)
    await second.close()
  })

  it('keeps the items of a map, and does not ask `over` again', async () => {
    const world = createWorld()
    const asked: string[] = []
    const done: string[] = []
    const workflow = begin().map(
      'each',
      { over: () => noting(asked, 'over', ['a', 'b', 'c', 'd']), key: item => item, concurrency: 2 },
      async ({ item, sleep }) => {
        await sleep(item === 'a' ? '1m' : '1h')
        done.push(item)
        return item.toUpperCase()
      },
    )
    const first = await world.open({ workflows: [workflow] })
    await first.start(workflow, undefined, { id: 'r' })
    await world.clock.advance('5m')
    expect(done).toEqual(['a'])
    await first.close()
    const second = await world.open({ workflows: [workflow] })
    const result = await settle(world.clock, (await second.get('r')).result(), 60_000)
    expect(result).toMatchObject({ output: ['A', 'B', 'C', 'D'] })
    expect(asked).toEqual(['over'])
    expect(done.sort()).toEqual(['a', 'b', 'c', 'd'])
    await second.close()
  })

  it('is left alone with a reason when its workflow is not known or has changed', async () => {
    const world = createWorld()
    const workflow = begin().stage('a', ({ sleep }) => sleep('1h'))
    const first = await world.open({ workflows: [workflow] })
    await first.start(workflow, undefined, { id: 'r' })
    await first.close()
    const without = await world.open({ recover: false })
    expect((await without.recover()).skipped).toMatchObject([
      { id: 'r', reason: expect.stringContaining("workflow 'w'") },
    ])
    await without.close()
    const changed = await world.open({ recover: false, workflows: [begin().stage('b', () => 1)] })
    expect((await changed.recover()).skipped).toMatchObject([
      { id: 'r', reason: expect.stringContaining('another definition') },
    ])
    expect(await (await changed.get('r')).status()).toBe('waiting')
    await changed.close()
  })
})

describe('signals', () => {
  it('are kept when they come before anyone waits, are taken oldest first, and only once', async () => {
    const world = createWorld()
    const workflow = begin().stage('a', async ({ waitFor, sleep }) => {
      await sleep('1h')
      return [await waitFor('go'), await waitFor('go')]
    })
    const first = await world.open({ workflows: [workflow] })
    const run = await first.start(workflow, undefined, { id: 'r' })
    await run.signal('go', { by: 'one' })
    await run.signal('go', { by: 'two' })
    await run.signal('go', { by: 'three' })
    await first.close()
    const second = await world.open({ workflows: [workflow] })
    expect(await settle(world.clock, (await second.get('r')).result(), 60_000)).toMatchObject({
      output: [{ by: 'one' }, { by: 'two' }],
    })
    await second.close()
  })

  it('that are unknown or of the wrong form are refused, and nothing is lost', async () => {
    const world = createWorld()
    const workflow = begin().stage('a', ({ waitFor }) => waitFor('go'))
    const runtime = await world.open()
    const run = await runtime.start(workflow)
    await world.clock.advance(10)
    expect(await run.status()).toBe('waiting')
    await expect(run.signal('goo', { by: 'me' })).rejects.toMatchObject({
      name: 'ValidationError',
      message: expect.stringContaining("did you mean 'go'"),
    })
    await expect(run.signal('go', { by: 1 })).rejects.toMatchObject({
      name: 'ValidationError',
      message: expect.stringContaining('by'),
    })
    await run.signal('go', { by: 'me' })
    expect(await settle(world.clock, run.result())).toMatchObject({ output: { by: 'me' } })
    await expect(run.signal('go', { by: 'me' })).rejects.toMatchObject({ code: 'run_not_open' })
    await runtime.close()
  })

  it('that do not come in time reject with a TimeoutError that is recorded and not retried', async () => {
    const world = createWorld()
    let asked = 0
    const workflow = begin()
      .stage('a', async ({ waitFor }) => {
        asked++
        return waitFor('go', { timeout: '2d' }).catch((error: Error) => error.name)
      })
      .stage('b', { optional: true }, async ({ waitFor }) => {
        asked++
        return waitFor('go', { timeout: '1m' })
      })
    const runtime = await world.open()
    const result = await settle(world.clock, (await runtime.start(workflow)).result(), 3_600_000, 72 * 3_600_000)
    expect(result).toMatchObject({ success: true, attempts: 2, restarts: 0, degraded: [{ stage: 'b' }] })
    // The long wait ended in the store: the function that waited was started once more to hear of it.
    expect(asked).toBe(3)
    await runtime.close()
  })
})

describe('an operator', () => {
  it('cancels a run: its functions are aborted, and what had succeeded is compensated in reverse order', async () => {
    const world = createWorld()
    const undone: string[] = []
    const workflow = begin()
      .stage('a', { compensate: ({ result }) => void undone.push(`a ${result}`) }, () => 1)
      .stage('b', { compensate: () => Promise.reject(new Error('cannot undo')) }, () => 2)
      .stage('c', { compensate: ({ results }) => void undone.push(`c ${results.a}`) }, () => 3)
      .stage(
        'd',
        ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
      )
    const runtime = await world.open()
    const run = await runtime.start(workflow)
    await world.clock.advance(10)
    await run.cancel('changed my mind')
    const result = await settle(world.clock, run.result())
    expect(result).toMatchObject({
      success: false,
      status: 'cancelled',
      error: { type: 'cancelled', message: expect.stringContaining('changed my mind') },
    })
    expect(undone).toEqual(['c 1', 'a 1'])
    expect((await journalOf(run)).map(event => event.type)).toContain('compensation.failed')
    await run.cancel('again')
    await runtime.close()
  })

  it('pauses a run, over a restart too, and resumes it', async () => {
    const world = createWorld()
    let starts = 0
    const workflow = begin()
      .stage('a', async ({ sleep }) => {
        starts++
        await sleep('1m')
        return 1
      })
      .stage('b', ({ results }) => results.a + 1)
    const first = await world.open({ workflows: [workflow] })
    const run = await first.start(workflow, undefined, { id: 'r' })
    await world.clock.advance(10)
    await run.pause('lunch')
    expect(await run.status()).toBe('paused')
    await world.clock.advance('1h')
    expect(await run.status()).toBe('paused')
    await first.close()
    const second = await world.open({ workflows: [workflow] })
    const again = await second.get('r')
    await world.clock.advance('1h')
    expect(await again.status()).toBe('paused')
    expect(starts).toBe(1)
    await again.resume()
    expect(await settle(world.clock, again.result())).toMatchObject({ success: true, output: 2 })
    expect(starts).toBe(2)
    await second.close()
  })

  it('starts the same id again and gets the same run; another input or workflow is a conflict', async () => {
    const world = createWorld()
    const workflow = begin().stage('a', ({ input }) => input)
    const runtime = await world.open()
    const [one, two] = await Promise.all([
      runtime.start(workflow, { n: 1 }, { id: 'r' }),
      runtime.start(workflow, { n: 1 }, { id: 'r' }),
    ])
    expect(one.id).toBe(two.id)
    await expect(runtime.start(workflow, { n: 2 }, { id: 'r' })).rejects.toMatchObject({ name: 'RunConflictError' })
    await expect(
      runtime.start(
        begin('other').stage('a', () => 1),
        { n: 1 },
        { id: 'r' },
      ),
    ).rejects.toMatchObject({ name: 'RunConflictError' })
    await settle(world.clock, one.result())
    expect((await runtime.start(workflow, { n: 1 }, { id: 'r' })).id).toBe('r')
    expect((await runtime.list()).items).toHaveLength(1)
    await expect(runtime.get('nobody')).rejects.toMatchObject({ name: 'RunNotFoundError' })
    await runtime.close()
  })

  it.each([
    ['a time from now', () => '1h'],
    ['a Date', (now: number) => new Date(now + 3_600_000)],
    ['milliseconds since the epoch', (now: number) => now + 3_600_000],
  ])('lets a run fail when its deadline, given as %s, has passed', async (_form, deadlineOf) => {
    const world = createWorld()
    const workflow = begin().stage('a', ({ sleep }) => sleep('2d'))
    const runtime = await world.open()
    const run = await runtime.start(workflow, undefined, { deadline: deadlineOf(world.clock.now()) })
    const startedAt = world.clock.now()
    const result = await settle(world.clock, run.result(), 60_000)
    expect(result).toMatchObject({ success: false, status: 'failed', error: { type: 'timeout' } })
    expect(world.clock.now() - startedAt).toBe(3_600_000)
    await runtime.close()
  })

  it('is told of a deadline and a time to list from that are neither', async () => {
    const runtime = await createWorld().open()
    const workflow = begin().stage('a', () => 1)
    await expect(runtime.start(workflow, undefined, { deadline: new Date('soon') })).rejects.toThrow(/deadline/)
    await expect(runtime.list({ since: 'soon' as never })).rejects.toThrow(/milliseconds since the epoch, or a Date/)
    await runtime.close()
  })
})

describe('a child run', () => {
  it('gives its result to its parent, which hears the same after a restart', async () => {
    const world = createWorld()
    const child = defineWorkflow({ name: 'child', version: '1', input: z.object({ n: z.number() }) }).stage(
      'double',
      async ({ input, sleep }) => {
        await sleep('1h')
        return input.n * 2
      },
    )
    let starts = 0
    const parent = begin('parent').stage('a', async ({ startChild, sleep }) => {
      starts++
      const run = await startChild(child, { n: 21 })
      const result = await run.result()
      await sleep('1h')
      return { id: run.id, output: result.success ? result.output : undefined }
    })
    const first = await world.open({ workflows: [parent, child] })
    await first.start(parent, undefined, { id: 'p' })
    await world.clock.advance('30m')
    await first.close()
    const second = await world.open({ workflows: [parent, child] })
    await world.clock.advance('31m')
    await second.close()
    const third = await world.open({ workflows: [parent, child] })
    expect(await settle(world.clock, (await third.get('p')).result(), 60_000)).toMatchObject({
      output: { id: 'p.a.1', output: 42 },
    })
    expect(starts).toBe(3)
    expect((await third.list()).items.map(item => item.id).sort()).toEqual(['p', 'p.a.1'])
    await third.close()
  })

  it('is cancelled with its parent', async () => {
    const world = createWorld()
    const child = defineWorkflow({ name: 'child', version: '1' }).stage('long', ({ sleep }) => sleep('1d'))
    const parent = begin('parent').stage('a', async ({ startChild }) => (await startChild(child, undefined)).result())
    const runtime = await world.open({ workflows: [parent, child] })
    const run = await runtime.start(parent, undefined, { id: 'p' })
    await world.clock.advance(100)
    await run.cancel()
    await settle(world.clock, run.result())
    expect(await settle(world.clock, (await runtime.get('p.a.1')).result())).toMatchObject({ status: 'cancelled' })
    await runtime.close()
  })
})

describe('a machine of one’s own', () => {
  const own = () => {
    const starts: string[] = []
    const machine = setup({
      types: {} as {
        input: { limit: number }
        context: { limit: number; seen: number[]; by: string }
        events: { type: 'APPROVE'; by: string }
        output: { seen: number[]; by: string }
      },
      actors: {
        fetch: stageActor({ input: z.object({ n: z.number() }) }, async ({ input, step, stage }) => {
          starts.push(stage)
          return step('read', () => input.n * 10)
        }),
        plain: fromPromise(async () => 'plain'),
      },
      guards: { enough: ({ context }) => context.seen.length >= context.limit },
      delays: { pause: 3_600_000 },
    }).createMachine({
      id: 'own',
      context: ({ input }) => ({ limit: input.limit, seen: [], by: '' }),
      initial: 'fetching',
      states: {
        fetching: {
          invoke: {
            id: 'fetch',
            src: 'fetch',
            input: ({ context }) => ({ n: context.seen.length + 1 }),
            onDone: { target: 'resting', actions: ({ context, event }) => context.seen.push(event.output) },
          },
        },
        resting: { after: { pause: [{ guard: 'enough', target: 'asking' }, { target: 'fetching' }] } },
        asking: {
          on: {
            APPROVE: {
              target: 'plain',
              actions: ({ context, event }) => {
                context.by = event.by
              },
            },
          },
        },
        plain: { invoke: { id: 'plain', src: 'plain', onDone: 'done' } },
        done: { type: 'final' },
      },
      output: ({ context }) => ({ seen: context.seen, by: context.by }),
    })
    return { starts, workflow: workflowFromMachine({ name: 'own', version: '1', machine }) }
  }

  it('runs its stages under the same names, keeps its `after` over a restart with the remaining time, and takes its events as signals', async () => {
    const world = createWorld()
    const { starts, workflow } = own()
    const first = await world.open({ workflows: [workflow] })
    await first.start(workflow, { limit: 2 }, { id: 'r' })
    await world.clock.advance('20m')
    expect(starts).toEqual(['fetch'])
    await first.close()

    const second = await world.open({ workflows: [workflow] })
    await world.clock.advance('39m')
    expect(starts).toEqual(['fetch'])
    await world.clock.advance('2m')
    expect(starts).toEqual(['fetch', 'fetch#2'])
    await second.close()

    const third = await world.open({ workflows: [workflow] })
    const run = await third.get('r')
    await world.clock.advance('2h')
    expect(await run.status()).toBe('waiting')
    await expect(run.signal('xstate.stop', {})).rejects.toMatchObject({ name: 'ValidationError' })
    await expect(run.signal('APROVE', {})).rejects.toMatchObject({ message: expect.stringContaining('APPROVE') })
    await run.signal('APPROVE', { by: 'me' })
    expect(await settle(world.clock, run.result())).toMatchObject({
      success: true,
      output: { seen: [10, 20], by: 'me' },
      resumes: 2,
    })
    expect(world.clock.pending).toBe(0)
    await third.close()
  })

  it('that throws by itself fails the run, and nothing of it goes on', async () => {
    const world = createWorld()
    const machine = createMachine({
      id: 'bad',
      initial: 'a',
      states: {
        a: { after: { 1000: 'b' } },
        b: {
          entry: () => {
            throw new Error('broken by itself')
          },
        },
      },
    })
    const runtime = await world.open()
    const run = await runtime.start(workflowFromMachine({ name: 'bad', version: '1', machine }))
    expect(await settle(world.clock, run.result())).toMatchObject({
      success: false,
      error: { message: 'broken by itself' },
    })
    await runtime.close()
  })
})

describe('the tree of a runtime', () => {
  it('is made of live actors: runs, stages and items', async () => {
    const world = createWorld()
    const actors: string[] = []
    const workflow = begin()
      .stage('a', () => 1)
      .map('each', { over: () => [1, 2, 3] }, ({ item }) => item)
      .stage('b', ({ waitFor }) => waitFor('go'))
    const runtime = await world.open({
      inspect: event => {
        if (event.type === '@xstate.actor') actors.push(String((event.actorRef as { id: string }).id))
      },
    })
    await runtime.start(workflow, undefined, { id: 'r1' })
    await runtime.start(workflow, undefined, { id: 'r2' })
    await world.clock.advance(1000)
    const ofRuns = (id: string) => actors.filter(actor => actor === id || actor === `${id}#1`).length
    expect([ofRuns('r1'), ofRuns('r2')]).toEqual([1, 1])
    expect([ofRuns('a'), ofRuns('each'), ofRuns('each[0]'), ofRuns('each[1]'), ofRuns('each[2]'), ofRuns('b')]).toEqual(
      [2, 2, 2, 2, 2, 2],
    )
    const tree = await runtime.tree()
    expect(tree.children.map(child => child.id)).toEqual(['services', 'providers', 'monitors', 'runs'])
    const runs = tree.children.find(child => child.id === 'runs')
    expect(runs?.children).toMatchObject([
      { id: 'run:r1', status: 'waiting', children: [{ id: 'b', type: 'stage', attempt: 1, incarnation: 1 }] },
      { id: 'run:r2', status: 'waiting' },
    ])
    expect([tree.status, ...tree.children.map(child => child.status)]).toEqual(Array(5).fill('running'))
    await runtime.close()
    const after = await runtime.tree()
    expect([after.status, ...after.children.map(child => child.status)]).toEqual(Array(5).fill('stopped'))
  })
})
