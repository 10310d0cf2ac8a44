/** What a live stage does about the cause of its failure: it waits, starts again, changes its plan, stops or escalates. */
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { CircuitOpenError, ProviderError, ValidationError } from '../../../src/errors.ts'
import type { ProfileOptions } from '../../../src/resilience/define-profile.ts'
import { defineProfile } from '../../../src/resilience/define-profile.ts'
import type { Run, RunResult } from '../../../src/runtime/api.ts'
import { type ScriptEntry, scriptedProvider } from '../../../src/testing/scripted-provider.ts'
import { defineWorkflow } from '../../../src/workflow/define-workflow.ts'
import type { AnyWorkflow } from '../../../src/workflow/definition.ts'
import type { LastFailure } from '../../../src/workflow/stage-context.ts'
import { createWorld, settle } from '../../support/runtime-world.ts'

const begin = (options: ProfileOptions = {}) =>
  defineWorkflow({ name: 'w', version: '1', profile: defineProfile({ retry: { max: 0 }, ...options }) })
const limited = (seconds: number): ScriptEntry => ({ status: 429, headers: { 'retry-after': String(seconds) } })

async function eventsOf(run: Run): Promise<{ type: string; at: number; stage?: string | undefined; data: object }[]> {
  const events = []
  for await (const event of run.events()) events.push(event)
  return events
}

const decisionsIn = (events: Awaited<ReturnType<typeof eventsOf>>) =>
  events.filter(({ type }) => type.endsWith('.decided')).map(({ data }) => data as { rule: string; because?: string })

/** Runs a workflow to its end in a world of its own. */
async function runToEnd(
  workflow: AnyWorkflow,
  script: readonly ScriptEntry[] = [],
): Promise<{ result: RunResult; events: Awaited<ReturnType<typeof eventsOf>>; tookMs: number }> {
  const world = createWorld()
  const runtime = await world.open({ providers: [scriptedProvider([...script], { clock: world.clock })] })
  const startedAt = world.clock.now()
  const run = await runtime.start(workflow)
  const result = await settle(world.clock, run.result())
  const events = await eventsOf(run)
  await runtime.close()
  return { result, events, tookMs: (events.at(-1)?.at ?? startedAt) - startedAt }
}

describe('a rate limit', () => {
  const workflow = begin().stage(
    'ask',
    { timeout: '1m' },
    async ({ model, attempt, incarnation }) =>
      `${(await model.generate({ prompt: 'p' })).text} ${attempt} ${incarnation}`,
  )

  it('parks the stage until its Retry-After, costs no restart, and is no running time', async () => {
    const { result, events, tookMs } = await runToEnd(workflow, [limited(600), limited(900), 'fine'])
    expect(result).toMatchObject({ success: true, output: 'fine 1 3', restarts: 0, attempts: 1 })
    expect(decisionsIn(events)).toMatchObject([
      { rule: 'wait', kind: 'rate_limit', delayMs: 600_000 },
      { rule: 'wait', kind: 'rate_limit', delayMs: 900_000 },
    ])
    expect(tookMs).toBe(1_500_000)
  })

  it('leaves the run waiting for something that it names, over the death of the process too', async () => {
    const world = createWorld()
    const providers = [scriptedProvider([limited(600), 'fine'], { clock: world.clock })]
    const first = await world.open({ providers, workflows: [workflow] })
    const { id } = await first.start(workflow)
    const until = world.clock.now() + 600_000
    await world.clock.advance('1m')
    expect(await (await first.get(id)).status()).toBe('waiting')
    const waiting = (await world.store.readJournal(id, { after: 0, limit: 100 })).find(
      ({ type }) => type === 'run.waiting',
    )
    expect(JSON.parse(waiting?.data ?? '{}')).toEqual({
      for: [{ stage: 'ask', kind: 'cause', name: 'rate_limit', until }],
    })
    await first.close()
    const second = await world.open({ providers, workflows: [workflow] })
    const run = await second.get(id)
    await world.clock.advance(until - world.clock.now() - 1)
    expect(await run.status()).toBe('waiting')
    await world.clock.advance(1)
    expect(await settle(world.clock, run.result())).toMatchObject({ success: true, restarts: 0 })
    await second.close()
  })

  it('that never ends is a livelock, and ends the stage', async () => {
    const { result, events } = await runToEnd(
      workflow,
      Array.from({ length: 11 }, () => limited(1)),
    )
    expect(decisionsIn(events).map(({ rule }) => rule)).toEqual([
      ...Array.from({ length: 10 }, () => 'wait'),
      'livelock',
      'fail',
    ])
    expect(decisionsIn(events).at(-1)).toMatchObject({ because: 'livelock' })
    expect(result).toMatchObject({ success: false, status: 'failed', restarts: 0, error: { kind: 'rate_limit' } })
  })

  it('of which there are attempts left is tried again when it says, and not before', async () => {
    const { result, tookMs } = await runToEnd(
      begin({ retry: { max: 1 } }).stage('ask', ({ attempt }) => {
        if (attempt === 1) throw new ProviderError('slow down', { kind: 'rate_limit', retryAfterMs: 30_000 })
        return attempt
      }),
    )
    expect(result).toMatchObject({ success: true, output: 2, restarts: 0 })
    expect(tookMs).toBe(30_000)
  })

  it('of a stage that is temporary ends it: it is not started again for anything', async () => {
    const { result } = await runToEnd(
      begin().stage('ask', { restart: 'temporary' }, ({ model }) => model.generate({ prompt: 'p' })),
      [limited(1)],
    )
    expect(result).toMatchObject({ success: false, error: { kind: 'rate_limit' } })
  })
})

describe('a parked stage', () => {
  it('that is cancelled never starts again, and leaves no timer', async () => {
    const world = createWorld()
    const runtime = await world.open({ providers: [scriptedProvider([limited(600)], { clock: world.clock })] })
    const run = await runtime.start(begin().stage('ask', ({ model }) => model.generate({ prompt: 'p' })))
    await world.clock.advance('1m')
    await run.cancel()
    expect(await run.result()).toMatchObject({ status: 'cancelled' })
    await runtime.close()
    expect(world.clock.pending).toBe(0)
  })
})

describe('an open circuit', () => {
  it('is waited for until it lets probes through', async () => {
    const world = createWorld()
    const down = Array.from({ length: 5 }, (): ScriptEntry => ({ status: 500, headers: {} }))
    const runtime = await world.open({ providers: [scriptedProvider([...down, 'fine'], { clock: world.clock })] })
    const workflow = begin({ retry: { max: 4, backoff: { kind: 'fixed', base: 1, max: 1 } } })
      .stage('opens', { optional: true, restart: 'temporary' }, ({ model }) => model.generate({ prompt: 'p' }))
      .stage('waits', async ({ model }) => (await model.generate({ prompt: 'q' })).text)
    const run = await runtime.start(workflow)
    expect(await settle(world.clock, run.result())).toMatchObject({ success: true, output: 'fine', restarts: 0 })
    const [waited] = decisionsIn((await eventsOf(run)).filter(({ stage }) => stage === 'waits'))
    expect(waited).toMatchObject({ rule: 'wait', kind: 'circuit_open' })
    expect((waited as unknown as { delayMs: number }).delayMs).toBeGreaterThan(29_000)
    await runtime.close()
  })
})

describe('an answer that is not what was asked for', () => {
  it('starts the function again with what was wrong, so that it can ask otherwise', async () => {
    const seen: (LastFailure | undefined)[] = []
    const workflow = begin().stage('ask', async ({ model, lastFailure }) => {
      seen.push(lastFailure)
      const prompt = lastFailure ? `again, since: ${lastFailure.message}` : 'p'
      return (await model.generate({ prompt, schema: z.object({ n: z.number() }) })).object
    })
    const { result, events } = await runToEnd(workflow, ['no JSON', 'no JSON, asked to mend it', '{"n":1}'])
    expect(result).toMatchObject({ success: true, output: { n: 1 }, restarts: 1 })
    expect(seen).toMatchObject([undefined, { kind: 'invalid_response', type: 'provider' }])
    expect(seen[1]?.message).toContain('is no JSON')
    expect(decisionsIn(events)).toMatchObject([{ rule: 'change_plan' }])
  })
})

describe('a cause that passes by no waiting', () => {
  it('stops the stage: its fallback is asked', async () => {
    const { result, events } = await runToEnd(
      begin().stage('ask', { fallback: () => 'instead' }, () => {
        throw new ProviderError('no such key', { kind: 'auth' })
      }),
    )
    expect(result).toMatchObject({ success: true, output: 'instead', restarts: 0, attempts: 1 })
    expect(decisionsIn(events)).toMatchObject([{ rule: 'fallback', because: 'cause' }])
  })

  it('escalates where the profile says so: neither fallback nor `optional` is for it', async () => {
    const { result, events } = await runToEnd(
      begin({ causes: { auth: 'escalate' }, restart: { onExhausted: 'quarantine' } }).stage(
        'ask',
        { fallback: () => 'instead', optional: true },
        () => {
          throw new ProviderError('no such key', { kind: 'auth' })
        },
      ),
    )
    expect(result).toMatchObject({ success: false, status: 'quarantined', error: { kind: 'auth', stage: 'ask' } })
    expect(decisionsIn(events)).toMatchObject([{ rule: 'quarantine', because: 'escalated' }])
  })

  it('is what the profile says: a rate limit may restart, a lost connection may stop', async () => {
    const restarting = begin({ causes: { rate_limit: 'restart' } }).stage('ask', ({ attempt }) => {
      if (attempt === 1) throw new ProviderError('slow down', { kind: 'rate_limit' })
      return attempt
    })
    expect((await runToEnd(restarting)).result).toMatchObject({ success: true, output: 2, restarts: 1 })
    const stopping = begin({ causes: { connection: 'stop' } }).stage('ask', () => {
      throw new ProviderError('gone', { kind: 'connection' })
    })
    expect((await runToEnd(stopping)).result).toMatchObject({ success: false, restarts: 0, attempts: 1 })
  })

  it('is never one of our own making: no profile starts invalid input again', async () => {
    const stopped = begin({ causes: { unknown: 'restart', cancelled: 'restart' } }).stage('ask', () => {
      throw new ValidationError('it will always be so')
    })
    expect((await runToEnd(stopped)).result).toMatchObject({ success: false, restarts: 0, attempts: 1 })
  })
})

describe('credit for restarts', () => {
  it('comes back when the period has passed and the stage has come further', async () => {
    const workflow = begin({ restart: { intensity: 1, period: '1m' } }).stage(
      'work',
      async ({ step, sleep, attempt }) => {
        for (let part = 1; part <= attempt; part++) {
          await step(`part-${part}`, () => part)
          await sleep('2m')
        }
        if (attempt < 5) throw new Error('crash')
        return attempt
      },
    )
    expect((await runToEnd(workflow)).result).toMatchObject({ success: true, output: 5, restarts: 4 })
  })

  it('comes back for progress that the stage tells, once for each step further', async () => {
    const world = createWorld()
    const runtime = await world.open()
    const slow = defineProfile({ retry: { max: 0, backoff: { kind: 'fixed', base: '2m', max: '2m', jitter: 0 } } })
    const run = await runtime.start(
      defineWorkflow({
        name: 'w',
        version: '1',
        profile: defineProfile({ extends: slow, restart: { intensity: 1, period: '1m' } }),
      }).stage('work', ({ progress, attempt }) => {
        progress(Math.min(attempt, 3) / 10)
        throw new Error('crash')
      }),
    )
    // Attempts 1, 2 and 3 told something new; the restart after the fourth is not given back.
    expect(await settle(world.clock, run.result())).toMatchObject({ success: false, restarts: 3, attempts: 4 })
    await runtime.close()
  })

  it('does not come back by time alone', async () => {
    const workflow = begin({
      retry: { max: 0, backoff: { kind: 'fixed', base: '2m', max: '2m', jitter: 0 } },
      restart: { intensity: 2, period: '1m' },
    }).stage('work', () => {
      throw new Error('crash')
    })
    const { result, events } = await runToEnd(workflow)
    expect(result).toMatchObject({ success: false, restarts: 2, attempts: 3 })
    expect(decisionsIn(events).at(-1)).toMatchObject({ rule: 'fail', because: 'intensity' })
  })

  it('is no help against a livelock: the same failure in the same state ends the stage however much is left', async () => {
    const workflow = begin({ restart: { intensity: 1000, livelockAfter: 5 } }).stage('work', ({ attempt }) => {
      throw new Error(`request ${attempt} of 0d9f3c4e failed`)
    })
    const { result, events } = await runToEnd(workflow)
    expect(result).toMatchObject({ success: false, restarts: 5, attempts: 6 })
    expect(decisionsIn(events).slice(-2)).toMatchObject([
      { rule: 'livelock', counters: { alike: 5, livelockAfter: 5 } },
      { rule: 'fail', because: 'livelock' },
    ])
  })
})

describe('a fallback that fails', () => {
  it('is written down, with the rule that ends the stage', async () => {
    const { result, events } = await runToEnd(
      begin({ restart: { intensity: 0 } }).stage(
        'work',
        {
          fallback: () => {
            throw new CircuitOpenError('nothing instead either')
          },
        },
        () => {
          throw new Error('crash')
        },
      ),
    )
    expect(result).toMatchObject({ success: false, error: { message: 'nothing instead either' } })
    expect(events.filter(({ type }) => type === 'fallback.failed')).toHaveLength(1)
    expect(decisionsIn(events)).toMatchObject([
      { rule: 'fallback', because: 'intensity' },
      { rule: 'fail', because: 'fallback_failed' },
    ])
  })
})

describe('a map that is stopped', () => {
  it('says so in the journal, as its items do', async () => {
    const world = createWorld()
    const runtime = await world.open()
    const workflow = begin().map('each', { over: () => [1, 2] }, () => new Promise(() => {}))
    const run = await runtime.start(workflow)
    await world.clock.advance(1)
    await run.cancel()
    await run.result()
    const stopped = (await eventsOf(run)).filter(({ type }) => type === 'stage.stopped').map(({ stage }) => stage)
    expect(stopped.sort()).toEqual(['each', 'each[0]', 'each[1]'])
    await runtime.close()
  })
})
