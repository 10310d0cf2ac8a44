import { describe, expect, it } from 'vitest'
import { assign, setup } from 'xstate'
import { z } from 'zod'
import {
  type AnyWorkflow,
  createRuntime,
  defineProfile,
  defineWorkflow,
  memoryStore,
  type Run,
  type Runtime,
  type RuntimeOptions,
  type Store,
  stageActor,
  workflowFromMachine,
} from '../../../src/index.ts'
import { bundleOf } from '../../../src/runtime/operations/bundle.ts'
import {
  chaos,
  type Faults,
  outcomeDifferences,
  type RunRecording,
  recordingOf,
  replayRun,
  type ScriptEntry,
  scriptedProvider,
  virtualClock,
} from '../../../src/testing.ts'

interface Lived {
  readonly script?: readonly ScriptEntry[]
  readonly input?: unknown
  readonly start?: object
  readonly faults?: { readonly rates: Faults; readonly seed: number }
  /** Called each minute. */
  readonly meddle?: (run: Run<unknown>, minute: number) => Promise<unknown> | unknown
  readonly minutes?: number
}

/** To a runtime whose process has died, its store gives no answer any more. */
function mortal(store: Store, life: { readonly isDead: boolean }): Store {
  let isDead = false
  return new Proxy(store, {
    get(target, key) {
      const value = Reflect.get(target, key) as unknown
      if (typeof value !== 'function' || key === 'onCommands') return value
      return (...given: unknown[]) => {
        isDead ||= life.isDead
        return isDead ? new Promise(() => {}) : Reflect.apply(value, target, given)
      }
    },
  })
}

async function die(store: Store, life: { isDead: boolean }): Promise<void> {
  life.isDead = true
  await store.close()
}

/** Lives through a run for real, on a virtual clock, and records it. */
async function record(workflow: AnyWorkflow, lived: Lived = {}) {
  const { script = [], input, start = {}, faults, meddle, minutes = 60 } = lived
  const clock = virtualClock()
  const store = memoryStore()
  const life = { isDead: false }
  const open = (more: Partial<RuntimeOptions>): Promise<Runtime> =>
    createRuntime({
      store: mortal(store, life),
      clock,
      random: () => 0.5,
      logger: false,
      mode: 'minimal',
      providers: [scriptedProvider(script, { clock, tier: 'capable' })],
      workflows: [workflow],
      ...more,
    })
  const made = faults && chaos(faults.rates, { seed: faults.seed, kill: () => void die(store, life) })
  let runtime = await open({ chaos: made })
  let run = (await runtime.start(workflow as never, input as never, { id: 'run', ...start })) as Run<unknown>
  let isOver = false
  const listen = (): void =>
    void run.result().then(
      () => {
        isOver = true
      },
      () => {},
    )
  listen()
  for (let minute = 0; minute < minutes && !isOver; minute++) {
    await clock.advance('1m')
    await meddle?.(run, minute)
    if (!life.isDead) continue
    life.isDead = false
    runtime = await open({ store })
    run = (await runtime.get('run')) as Run<unknown>
    listen()
  }
  const bundles = [await bundleOf(store, 'run', { secrets: [], now: clock.now() })]
  for (const { type, data } of bundles[0]?.journal ?? []) {
    const { childId } = JSON.parse(data) as { childId?: string }
    if (type === 'child.started' && childId) bundles.push(await bundleOf(store, childId, { secrets: [], now: 0 }))
  }
  await runtime.close()
  const { recording, limits } = recordingOf(bundles)
  // As it goes through the file of a test.
  return { recording: JSON.parse(JSON.stringify(recording)) as RunRecording, limits }
}

/** Records the run, expects that a replay comes to the same, and gives both. */
async function same(workflow: AnyWorkflow, status: string, lived: Lived = {}) {
  const { recording, limits } = await record(workflow, lived)
  expect(recording.outcome.status, JSON.stringify(recording.outcome)).toBe(status)
  const replayed = await replayRun(workflow, recording)
  expect(outcomeDifferences(recording.outcome, replayed), replayed.trace.join('\n')).toEqual([])
  expect(replayed.unrecorded).toEqual([])
  return { recording, limits, replayed }
}

const flow = () => defineWorkflow({ name: 'flow', version: '1' })
const limited = { status: 429, headers: { 'retry-after': '30' }, body: {} }

describe('replayRun', () => {
  it('replays a completed run, without running its steps again', async () => {
    let paid = 0
    const shop = defineWorkflow({ name: 'shop', version: '1', input: z.object({ n: z.number() }) })
      .stage('pay', ({ step, input }) => step('pay', () => ({ paid: ++paid, n: input.n })))
      .stage('ask', async ({ model, results, sleep }) => {
        await sleep('20m')
        return [results.pay, (await model.generate({ prompt: 'thank them' })).text]
      })
    const { replayed } = await same(shop, 'completed', { script: ['thanks'], input: { n: 2 } })
    expect(replayed.output).toEqual([{ paid: 1, n: 2 }, 'thanks'])
    expect(paid).toBe(1)
  })

  it('replays a failure of the code, and shows when the code is mended', async () => {
    const broken = flow()
      .stage('read', ({ step }) => step('price', () => ({ price: 'three' })))
      .stage('sum', ({ results }) => (results.read.price as unknown as number).toFixed(2))
    const { recording } = await same(broken, 'failed')
    expect(recording.outcome.error).toMatchObject({ stage: 'sum', message: expect.stringContaining('toFixed') })
    const mended = flow()
      .stage('read', ({ step }) => step('price', () => ({ price: 'three' })))
      .stage('sum', ({ results }) => Number(results.read.price).toFixed(2))
    expect(await replayRun(mended, recording)).toMatchObject({ status: 'completed', output: 'NaN' })
  })

  it('replays calls that failed and were tried again, and restarts of the stage', async () => {
    const asks = flow().stage('ask', async ({ model, attempt }) => {
      const { text } = await model.generate({ prompt: 'what?', key: 'what' })
      if (attempt < 2) throw new Error('not yet')
      return text
    })
    const { recording } = await same(asks, 'completed', { script: [limited, { status: 500 }, 'that'] })
    expect(recording.outcome.stages.ask).toEqual({ status: 'done', failures: 1 })
    expect(recording.runs[0]?.calls.ask?.['call:(what)']).toHaveLength(3)
  })

  it('replays calls that failed for good, as they did', async () => {
    const asks = flow().stage('ask', async ({ model }) => (await model.generate({ prompt: 'what?' })).text)
    const refused = { status: 401, headers: {}, body: { error: { type: 'authentication_error', message: 'bad key' } } }
    await same(asks, 'failed', { script: Array(20).fill(refused) })
    await same(asks, 'failed', { script: Array(40).fill({ status: 503, headers: {}, body: 'out' }) })
  })

  it('replays an answer of the wrong form, by its error', async () => {
    const asks = flow().stage('ask', async ({ model }) => {
      return (await model.generate({ prompt: 'how many?', schema: z.object({ n: z.number() }) })).object
    })
    const { limits } = await same(asks, 'failed', { script: Array(40).fill('many') })
    expect(limits.join()).toContain('not kept')
    const { replayed } = await same(asks, 'completed', { script: ['many', '{"n":3}'] })
    expect(replayed.output).toEqual({ n: 3 })
  })

  it('replays steps that failed, and their retries', async () => {
    let tries = 0
    const steps = flow().stage('fetch', ({ step }) =>
      step('page', { retry: { max: 3, backoff: '1m' } }, () => {
        if (++tries % 3 !== 0) throw new TypeError('no such page')
        return tries
      }),
    )
    const { replayed } = await same(steps, 'completed')
    expect(replayed.output).toBe(3)
    expect(tries).toBe(3)
  })

  it('replays a quarantined run, and one that is out of budget', async () => {
    const profile = defineProfile({ extends: 'critical', restart: { onExhausted: 'quarantine' } })
    const doomed = defineWorkflow({ name: 'doomed', version: '1', profile }).stage('work', () => {
      throw new Error('never')
    })
    await same(doomed, 'quarantined')
    const asks = flow().stage('ask', async ({ model }) => {
      for (const prompt of ['a', 'b', 'c']) await model.generate({ prompt })
    })
    const costly = { text: 'x', usage: { inputTokens: 1, outputTokens: 1 } }
    await same(asks, 'budget_exceeded', { script: [costly, costly, costly], start: { budget: { calls: 2 } } })
    const dear = { text: 'x', cost: 0.6, usage: { inputTokens: 10, outputTokens: 10 } }
    await same(asks, 'budget_exceeded', { script: [dear, dear, dear], start: { budget: { usd: 1 } } })
    await same(asks, 'budget_exceeded', { script: [dear, dear, dear], start: { budget: { tokens: 30 } } })
    const endless = flow().stage('wait', ({ sleep }) => sleep('10d'))
    await same(endless, 'budget_exceeded', { start: { budget: { wallTime: '5m' } } })
    await same(endless, 'failed', { start: { deadline: '5m' } })
  })

  it('replays maps, with items that are lost or fall back', async () => {
    const maps = defineWorkflow({ name: 'maps', version: '1', input: z.array(z.number()) }).map(
      'items',
      { over: ({ input }) => input, optional: true, profile: 'critical', restart: 'temporary' },
      async ({ item, step }) => {
        const twice = await step('twice', () => item * 2)
        if (item === 2) throw new RangeError('two is bad')
        return twice
      },
    )
    const { recording } = await same(maps, 'completed', { input: [1, 2, 3] })
    expect(recording.outcome.stages['items[1]']).toEqual({ status: 'lost', failures: 1 })
  })

  it('replays fallbacks, remedies apart, and what was skipped or degraded', async () => {
    const mixed = flow()
      .stage('lost', { optional: true, restart: 'temporary' }, () => {
        throw new Error('gone')
      })
      .stage('stood in for', { fallback: () => 'instead', restart: 'temporary' }, () => {
        throw new Error('gone too')
      })
      .stage('skipped', { when: () => false }, () => 1)
      .stage('worse', ({ degrade }) => {
        degrade('no luck')
        return 2
      })
      .output(({ results }) => results)
    const { replayed } = await same(mixed, 'completed')
    expect(replayed.output).toEqual({ 'stood in for': 'instead', worse: 2 })
  })

  it('replays stages side by side, one of which stops the others', async () => {
    const sides = flow()
      .stage('slow', { needs: [] }, async ({ sleep, step }) => {
        await step('begin', () => 1)
        await sleep('1h')
      })
      .stage('bad', { needs: [], restart: 'temporary' }, async ({ sleep }) => {
        await sleep('2m')
        throw new Error('stop')
      })
      .stage('end', { needs: ['slow', 'bad'] }, () => 1)
    const { recording } = await same(sides, 'failed')
    expect(recording.outcome.stages.slow?.status).toBe('stopped')
  })

  it('replays streams and tool calls', async () => {
    const streams = flow()
      .stage('stream', async ({ model }) => {
        const stream = model.stream({ prompt: 'go on' })
        let text = ''
        for await (const piece of stream) text += typeof piece === 'string' ? piece : JSON.stringify(piece)
        return [text, (await stream.result).text]
      })
      .stage('tools', async ({ model }) => {
        const tools = { look: { description: 'looks', input: z.object({ at: z.string() }) } }
        return (await model.generate({ prompt: 'look', tools })).toolCalls
      })
      .output(({ results }) => results)
    const toolCalls = [{ id: 'one', name: 'look', input: { at: 'kelp' } }]
    const { replayed, recording } = await same(streams, 'completed', { script: ['and so on', { toolCalls }] })
    expect((replayed.output as { tools: unknown }).tools).toEqual(toolCalls)
    expect((replayed.output as { stream: string[] }).stream[1]).toBe('and so on')
    expect(recording.runs[0]?.calls.stream).toBeDefined()
  })

  it('replays signals that came and that did not', async () => {
    const waits = defineWorkflow({ name: 'waits', version: '1', signals: { go: z.object({ by: z.string() }) } })
      .stage('first', ({ waitFor }) => waitFor('go', { timeout: '5m' }).catch(() => 'nobody'))
      .stage('second', ({ waitFor }) => waitFor('go'))
      .output(({ results }) => results)
    const { replayed } = await same(waits, 'completed', {
      meddle: (run, minute) => minute === 10 && run.signal('go', { by: 'ann' }),
    })
    expect(replayed.output).toEqual({ first: 'nobody', second: { by: 'ann' } })
    await same(waits, 'waiting', { minutes: 20 })
  })

  it('replays children with what they were answered', async () => {
    const child = defineWorkflow({ name: 'child', version: '1', input: z.number() }).stage(
      'ask',
      async ({ model, input, step }) => {
        const n = await step('n', () => input + 1)
        if (n > 2) throw new Error('too many')
        return (await model.generate({ prompt: `say ${n}` })).text
      },
    )
    const parent = flow().stage('call', async ({ startChild }) => {
      const good = await (await startChild(child, 1)).result()
      const bad = await (await startChild(child, 2)).result()
      return [good.success && good.output, bad.success, bad.error?.message]
    })
    const { replayed } = await same(parent, 'completed', { script: ['two'] })
    expect(replayed.output).toEqual(['two', false, 'too many'])
  })

  it('replays machines of one’s own: events, timers, stages', async () => {
    const machine = setup({
      types: { context: {} as { fed: number }, events: {} as { type: 'FEED'; amount: number } | { type: 'STOP' } },
      actors: { weigh: stageActor({ input: z.number() }, ({ input, step }) => step('weigh', () => input * 10)) },
      actions: { eat: assign({ fed: ({ context, event }) => context.fed + (event as { amount: number }).amount }) },
    }).createMachine({
      id: 'cat',
      context: { fed: 0 },
      initial: 'hungry',
      output: ({ context }) => context.fed,
      states: {
        hungry: { on: { FEED: { actions: 'eat', target: 'weighed' } }, after: { 3600000: 'gone' } },
        weighed: { invoke: { id: 'scale', src: 'weigh', input: ({ context }) => context.fed, onDone: 'full' } },
        full: { after: { 600000: 'hungry' }, on: { STOP: 'gone' } },
        gone: { type: 'final' },
      },
    })
    const cat = workflowFromMachine({ name: 'cat', version: '1', machine })
    const { replayed } = await same(cat, 'completed', {
      meddle: async (run, minute) => {
        if (minute === 3) await run.signal('FEED', { amount: 2 })
        if (minute === 20) await run.signal('FEED', { amount: 5 })
        if (minute === 25) await run.signal('STOP', {})
      },
    })
    expect(replayed.output).toBe(7)
  })

  it('replays what was injected on purpose, the deaths of the process too', async () => {
    const work = flow()
      .stage('fetch', ({ step }) => step('page', () => 'kelp'))
      .stage('ask', async ({ model, results }) => (await model.generate({ prompt: results.fetch })).text)
    for (let seed = 1; seed <= 16; seed++) {
      const faults = { rates: { crashes: 0.5, providers: 0.7, clock: 0.5 }, seed }
      const script = Array(30).fill({ text: 'a plant', cost: 0.01, delay: '2s' })
      const { recording } = await record(work, { script, faults, minutes: 600 })
      const replayed = await replayRun(work, recording)
      expect(outcomeDifferences(recording.outcome, replayed), `seed ${seed}\n${replayed.trace.join('\n')}`).toEqual([])
      expect(replayed.injected, `seed ${seed}`).toHaveLength(recording.faults.length)
    }
  })

  it('puts what was recorded in place of a stage that reaches out by itself, and says so', async () => {
    const reaches = flow()
      .stage('ask', async () => (await fetch('data:text/plain,kelp')).text())
      .stage('end', ({ results }) => results.ask.toUpperCase())
    const { recording } = await record(reaches)
    // The real request takes a time of its own, which a virtual clock does not wait for.
    expect(['completed', 'running']).toContain(recording.outcome.status)
    if (recording.outcome.status === 'running') return
    const replayed = await replayRun(reaches, recording)
    expect(replayed).toMatchObject({ status: 'completed', output: 'KELP' })
    expect(replayed.standIns).toEqual([expect.stringContaining("stage 'ask' reaches out by itself (fetch)")])
  })

  it('says which calls were not recorded, where the workflow asks something else now', async () => {
    const asks = (prompt: string) => flow().stage('ask', async ({ model }) => (await model.generate({ prompt })).text)
    const { recording } = await record(asks('what?'), { script: ['that'] })
    const replayed = await replayRun(asks('who?'), recording)
    expect(replayed.status).toBe('failed')
    expect(replayed.unrecorded).toEqual([expect.stringMatching(/^run\/ask\/call:/)])
    expect(await replayRun(asks('who?'), recording, { unrecorded: 'simulate' })).toMatchObject({ status: 'completed' })
  })

  it('simulates what a run that died before its first call would have asked', async () => {
    const asks = flow()
      .stage('rest', ({ sleep }) => sleep('2m'))
      .stage('ask', async ({ model }) => (await model.generate({ prompt: 'what?' })).text)
    const { recording } = await record(asks, { minutes: 1 })
    expect(recording.outcome.status).toBe('waiting')
    const replayed = await replayRun(asks, recording, { unrecorded: 'simulate' })
    expect(replayed.status, replayed.trace.join('\n')).toBe('completed')
    expect(replayed.unrecorded).toHaveLength(1)
  })

  it('refuses what is no recording, or one of another workflow', async () => {
    const { recording } = await record(flow().stage('a', () => 1))
    await expect(
      replayRun(
        flow().stage('a', () => 1),
        {},
      ),
    ).rejects.toThrow('no recording')
    const other = defineWorkflow({ name: 'other', version: '1' }).stage('a', () => 1)
    await expect(replayRun(other, recording)).rejects.toThrow("of workflow 'flow'")
  })
})
