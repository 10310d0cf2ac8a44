import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { Model, ModelChunk, Provider } from '../../../src/providers/provider.ts'
import type { Run, RunResult, RuntimeOptions } from '../../../src/runtime/api.ts'
import { createRuntime } from '../../../src/runtime/create-runtime.ts'
import { type ScriptEntry, scriptedProvider } from '../../../src/testing/scripted-provider.ts'
import { defineWorkflow } from '../../../src/workflow/define-workflow.ts'
import type { GenerateOptions, StageModel } from '../../../src/workflow/stage-context.ts'
import { createWorld, settle, type World } from '../../support/runtime-world.ts'

const dollar = { inputUsdPerMTok: 1, outputUsdPerMTok: 1 }
const model = (id: string, tier: Model['tier'] = 'capable', price: Model['price'] = dollar): Model => ({
  id,
  tier,
  price,
})
const usage = { inputTokens: 1_000_000, outputTokens: 0 }
/** An answer that costs a dollar, by the price of the model. */
const aDollar = (text = 'ok') => ({ text, usage })

interface Setting extends RuntimeOptions {
  readonly task?: string
}

const flowOf = (work: (model: StageModel) => unknown, task = 'bug_predict') =>
  defineWorkflow({ name: 'flow', version: '1', input: z.object({}), task }).stage('ask', ({ model }) => work(model))

async function run(
  world: World,
  work: (model: StageModel) => unknown,
  { task, ...options }: Setting,
  start: Parameters<Awaited<ReturnType<World['open']>>['start']>[2] = {},
) {
  const runtime = await world.open(options)
  const started: Run = await runtime.start(flowOf(work, task), {}, start)
  const result: RunResult = await settle(world.clock, started.result())
  const journal = (await world.store.readJournal(started.id)).map(row => ({ ...row, data: JSON.parse(row.data) }))
  const ledger = (await world.store.readLedger(started.id)).map(row => ({ ...row, data: JSON.parse(row.data) }))
  return { runtime, result, journal, ledger, of: (type: string) => journal.filter(row => row.type === type) }
}

const generate =
  (options: Partial<GenerateOptions> = {}) =>
  (model: StageModel) =>
    model.generate({ prompt: 'hello', ...options } as GenerateOptions)

describe('a budget of money', () => {
  it('refuses a call without a known price before it is made, and says how to set one', async () => {
    const provider = scriptedProvider(['hi'], { tier: 'capable' })
    const { result } = await run(createWorld(), generate(), { providers: [provider] }, { budget: { usd: 1 } })
    expect(result).toMatchObject({ status: 'budget_exceeded', error: { type: 'budget', code: 'budget_exceeded' } })
    expect(!result.success && result.error.message).toMatch(/no known price.*createRuntime\(\{ models.*budget of calls/)
    expect(provider.calls).toHaveLength(0)
  })

  it('takes a price of 0 for a price', async () => {
    const provider = scriptedProvider(['hi'], { tier: 'capable' })
    const models = [{ provider: 'scripted', model: 'scripted', price: { inputUsdPerMTok: 0, outputUsdPerMTok: 0 } }]
    const ended = await run(createWorld(), generate(), { providers: [provider], models }, { budget: { usd: 1 } })
    expect(ended.result.status).toBe('completed')
  })

  it('of nothing lets nobody be asked who tells the cost only with the answer, and asks who is free', async () => {
    for (const maxOutputTokens of [undefined, 10]) {
      const telling = scriptedProvider([{ text: 'hi', cost: 0.5 }])
      const budget = { usd: 0 }
      const { result } = await run(createWorld(), generate({ maxOutputTokens }), { providers: [telling] }, { budget })
      expect([result.status, telling.calls.length]).toEqual(['budget_exceeded', 0])
      const free = scriptedProvider(['hi'], { tier: 'capable' })
      const price = { inputUsdPerMTok: 0, outputUsdPerMTok: 0 }
      const models = [{ provider: 'scripted', model: 'scripted', price }]
      const ended = await run(createWorld(), generate({ maxOutputTokens }), { providers: [free], models }, { budget })
      expect([ended.result.status, free.calls.length]).toEqual(['completed', 1])
    }
  })

  it('asks a model with a price where there is one', async () => {
    const unpriced = scriptedProvider(['no'], { id: 'a', tier: 'capable' })
    const priced = scriptedProvider(['yes'], { id: 'b', models: [model('m')] })
    const ended = await run(createWorld(), generate(), { providers: [unpriced, priced] }, { budget: { usd: 1 } })
    expect(ended.result).toMatchObject({ success: true, output: { provider: 'b' } })
  })

  it('holds what a call may cost, so calls at once do not spend what each could alone', async () => {
    const script = Array.from({ length: 10 }, () => aDollar())
    const provider = scriptedProvider(script, { models: [model('m')] })
    const work = (asked: StageModel) =>
      Promise.allSettled(
        Array.from({ length: 10 }, (_, at) =>
          asked.generate({ prompt: 'hello', key: `${at}`, maxOutputTokens: 999_998 }),
        ),
      )
    const { result } = await run(createWorld(), work, { providers: [provider] }, { budget: { usd: 3 } })
    expect(provider.calls).toHaveLength(3)
    expect(result.cost).toMatchObject({ usd: 3, calls: 3 })
  })

  it('counts what child runs spend for every run above them, after a crash too', async () => {
    const child = defineWorkflow({ name: 'child', version: '1', task: 'bug_predict' }).stage('ask', ({ model }) =>
      model.generate({ prompt: 'child' }).then(({ text }) => text),
    )
    const middle = defineWorkflow({ name: 'middle', version: '1' }).stage('start', async ({ startChild }) => {
      const ended = await (await startChild(child, undefined, { id: 'c' })).result()
      return ended.status
    })
    const top = defineWorkflow({ name: 'top', version: '1', task: 'bug_predict', signals: { go: z.unknown() } })
      .stage(
        'start',
        async ({ startChild }) => (await (await startChild(middle, undefined, { id: 'm' })).result()).status,
      )
      .stage('gate', ({ waitFor }) => waitFor('go'))
      .stage('ask', ({ model }) => model.generate({ prompt: 'top' }))
    const provider = scriptedProvider([aDollar(), aDollar()], { models: [model('m')] })
    const world = createWorld()
    const options = { providers: [provider], workflows: [top, middle, child] }
    const first = await world.open(options)
    const started = await first.start(top, undefined, { id: 't', budget: { usd: 1 } })
    await world.clock.advance(5000)
    expect(await started.status()).toBe('waiting')
    await first.close()
    const second = await world.open(options)
    const again = await second.get('t')
    await again.signal('go')
    const result = await settle(world.clock, again.result())
    expect(result).toMatchObject({ status: 'budget_exceeded', cost: { usd: 0 } })
    expect(provider.calls).toHaveLength(1)
  })

  it('of calls counts every attempt', async () => {
    const provider = scriptedProvider([{ status: 529 }, { status: 529 }, 'never'], { models: [model('m')] })
    const { result } = await run(createWorld(), generate(), { providers: [provider] }, { budget: { calls: 2 } })
    expect(result.status).toBe('budget_exceeded')
    expect(provider.calls).toHaveLength(2)
  })
})

describe('what a run cost', () => {
  it('is the price of the tokens, with what the premium model would have cost and what was saved', async () => {
    const models = [model('m'), model('l', 'premium', { inputUsdPerMTok: 4, outputUsdPerMTok: 4 })]
    const provider = scriptedProvider([aDollar()], { models })
    const { result } = await run(createWorld(), generate(), { providers: [provider] })
    expect(result.cost).toMatchObject({ usd: 1, baselineUsd: 4, savedUsd: 3, savingsPercent: 75, warnings: [] })
  })

  it('warns of what makes no sense', async () => {
    const premium = model('l', 'premium', { inputUsdPerMTok: 0, outputUsdPerMTok: 0 })
    const script = [{ text: 'a', usage, cost: -3 }, aDollar()]
    const provider = scriptedProvider(script, { models: [model('m'), premium] })
    const work = async (asked: StageModel) => {
      await asked.generate({ prompt: 'one' })
      await asked.generate({ prompt: 'two' })
    }
    const { result } = await run(createWorld(), work, { providers: [provider] })
    expect(result.cost).toMatchObject({ usd: 'unknown', unpricedCalls: 1 })
    expect(result.cost.warnings.join()).toMatch(/no price.*makes no sense/)
    const other = scriptedProvider([aDollar()], { models: [model('m'), premium] })
    const zero = await run(createWorld(), generate(), { providers: [other] })
    expect(zero.result.cost.warnings).toEqual(['the baseline is zero though the calls cost something'])
  })

  it('is in the ledger to the last cent, thrown away answers too', async () => {
    const script = [aDollar('no json'), aDollar('nor this'), aDollar('nothing'), aDollar('{"n":1}'), aDollar('x')]
    const provider = scriptedProvider(script, { models: [model('m')] })
    const work = async (asked: StageModel) => {
      const { object } = await asked.generate({ prompt: 'one', schema: z.object({ n: z.number() }) })
      await asked.generate({ prompt: 'two' })
      return object
    }
    const { result, ledger } = await run(createWorld(), work, { providers: [provider] })
    expect(result).toMatchObject({ success: true, output: { n: 1 }, cost: { usd: 5, wastedUsd: 3 } })
    const sum = (of: 'usd' | 'wastedUsd') => ledger.reduce((total, { data }) => total + data.spend[of], 0)
    expect([sum('usd'), sum('wastedUsd')]).toEqual([5, 3])
  })
})

describe('an answer of the wrong form', () => {
  const schema = z.object({ n: z.number() })

  it('is mended by asking once more, with what was wrong', async () => {
    const provider = scriptedProvider(['{"n":"one"}', '{"n":1}'], { models: [model('m')] })
    const { result, of } = await run(createWorld(), generate({ schema }), { providers: [provider] })
    expect(result).toMatchObject({ success: true, attempts: 1, output: { object: { n: 1 }, attempts: 2 } })
    const [, second] = provider.calls
    expect(second?.request.messages.slice(-2)).toMatchObject([
      { role: 'assistant', content: '{"n":"one"}' },
      { role: 'user', content: expect.stringMatching(/n: .*expected number/) },
    ])
    expect(of('call.attempted')[0]?.data).toMatchObject({ kind: 'invalid_response', outcome: 'failed' })
  })

  it('fails after that as invalid_response, and is asked anew when the stage starts again', async () => {
    const provider = scriptedProvider(['a', 'b', '{"n":2}'], { models: [model('m')] })
    const { result, of } = await run(createWorld(), generate({ schema }), { providers: [provider] })
    expect(of('call.failed')[0]?.data.kind).toBe('invalid_response')
    expect(result).toMatchObject({ success: true, restarts: 1, output: { object: { n: 2 } } })
  })

  it('of a check is not mended but recorded as failed', async () => {
    const provider = scriptedProvider(['bad', 'good'], { models: [model('m')] })
    const check = ({ text }: { text: string }) => text === 'good' || 'it must be good'
    const { result, of } = await run(createWorld(), generate({ check }), { providers: [provider] })
    expect(of('call.failed').map(({ data }) => data.error.message)).toEqual([
      "the answer to stage 'ask' did not pass its check: it must be good",
    ])
    expect(result).toMatchObject({ success: true, output: { text: 'good' }, restarts: 1 })
    expect(provider.calls[1]?.request.messages).toHaveLength(1)
  })

  it('that calls a tool is checked by its input, and no answer is wanted beside it', async () => {
    const tools = { look: { description: 'looks', input: z.object({ at: z.string() }) } }
    const wrong = { toolCalls: [{ name: 'look', input: { at: 1 } }] }
    const right = { toolCalls: [{ name: 'look', input: { at: 'x' } }] }
    const provider = scriptedProvider([wrong, right], { models: [model('m')] })
    const { result } = await run(createWorld(), generate({ tools, schema }), { providers: [provider] })
    expect(result).toMatchObject({ success: true, output: { toolCalls: [{ name: 'look', input: { at: 'x' } }] } })
    expect(provider.calls).toHaveLength(2)
  })
})

describe('a call that waits for its budget', () => {
  it('has its whole time after that, and blames nobody', async () => {
    const world = createWorld()
    const slowly = { text: 'hi', usage: { inputTokens: 1, outputTokens: 1 }, delay: '40s' }
    const slow = scriptedProvider([slowly, slowly, slowly], { models: [model('m')], clock: world.clock })
    const work = (asked: StageModel) =>
      Promise.all(['1', '2', '3'].map(key => asked.generate({ prompt: 'hello', key, maxOutputTokens: 999_998 })))
    const { result, runtime } = await run(world, work, { providers: [slow] }, { budget: { usd: 1.5 } })
    expect(result).toMatchObject({ success: true, cost: { calls: 3, wastedUsd: 0 } })
    expect(slow.calls).toHaveLength(3)
    expect((await runtime.circuits.list())[0]).toMatchObject({ failures: 0 })
  })
})

describe('every hop of a call', () => {
  it('is in the journal with provider, tier, error and what followed', async () => {
    const down = scriptedProvider([{ status: 401 }], { id: 'a', models: [model('m')] })
    const up = scriptedProvider(['hi'], { id: 'b', models: [model('n')] })
    const { of } = await run(createWorld(), generate(), { providers: [down, up] })
    expect(of('call.attempted')[0]?.data).toMatchObject({ provider: 'a', model: 'm', tier: 'capable', kind: 'auth' })
    expect(of('call.fell_back')[0]?.data).toMatchObject({
      from: { provider: 'a' },
      to: { provider: 'b', model: 'n' },
      kind: 'auth',
      rule: 'next_provider',
    })
    expect(of('call.succeeded')[0]?.data).toMatchObject({ provider: 'b', attempts: 2, hops: [{ provider: 'a' }, {}] })
  })
})

describe('an outage', () => {
  it('is one incident for any number of stages, and ends with the circuit', async () => {
    const world = createWorld()
    let isDown = true
    const down = scriptedProvider([() => (isDown ? { status: 503 } : 'up')], {
      id: 'a',
      models: [model('m')],
      loop: true,
    })
    const other = scriptedProvider(
      Array.from({ length: 60 }, () => 'hi'),
      { id: 'b', models: [model('n')] },
    )
    const flow = defineWorkflow({ name: 'many', version: '1', task: 'bug_predict' }).map(
      'items',
      { over: () => Array.from({ length: 20 }, (_, at) => at), concurrency: 10 },
      ({ item, model }) => model.generate({ prompt: `item ${item}` }).then(({ provider }) => provider),
    )
    const runtime = await world.open({ providers: [down, other] })
    const started = await runtime.start(flow)
    expect(await settle(world.clock, started.result())).toMatchObject({ success: true })
    const types = async (id: string) => (await world.store.readJournal(id)).map(({ type }) => type)
    expect((await types(started.id)).filter(type => type === 'incident.opened')).toHaveLength(1)
    const { level, components, incidents } = await runtime.degradation()
    expect({ level, components: components.map(({ component }) => component) }).toEqual({
      level: 'degraded',
      components: ['a'],
    })
    expect(incidents.open).toMatchObject([{ circuit: 'a', kind: 'overloaded', runs: 1 }])
    expect(incidents.open[0]?.stages).toBeGreaterThan(5)
    await world.clock.advance('31s')
    const meanwhile = await runtime.start(flow)
    await settle(world.clock, meanwhile.result())
    expect((await types(meanwhile.id)).filter(type => type.startsWith('incident.'))).toEqual([])
    expect((await runtime.degradation()).incidents.open).toMatchObject([{ runs: 2 }])
    isDown = false
    await world.clock.advance('31s')
    const later = await runtime.start(flow)
    await settle(world.clock, later.result())
    expect((await types(later.id)).filter(type => type.startsWith('incident.'))).toEqual(['incident.closed'])
    expect(await runtime.degradation()).toMatchObject({ level: 'healthy', incidents: { open: [], closed: [{}] } })
  })

  it('leaves the circuits to what an operator says', async () => {
    const provider = scriptedProvider(['one', 'two'], { id: 'a', models: [model('m')] })
    const { runtime } = await run(createWorld(), generate(), { providers: [provider] })
    expect(await runtime.circuits.list()).toMatchObject([{ id: 'a', state: 'closed', calls: 1 }])
    expect(await runtime.circuits.isolate('a')).toMatchObject({ state: 'isolated' })
    expect(await runtime.circuits.reset('a')).toMatchObject({ state: 'closed', remainingMs: 0 })
    await expect(runtime.circuits.reset('aa')).rejects.toThrow(/no circuit 'aa'; did you mean 'a'\?/)
  })
})

describe('the circuit of a model', () => {
  it('is an actor below the providers, with the name that it is listed under', async () => {
    const world = createWorld()
    const missing = { status: 404, headers: {}, body: { error: { code: 'model_not_found', message: 'no such model' } } }
    const script = Array.from({ length: 5 }, () => missing)
    const provider = scriptedProvider(script, { id: 'a', models: [model('meta/llama')] })
    const { runtime, result } = await run(world, generate(), { providers: [provider] })
    expect(result).toMatchObject({ success: false, error: { kind: 'model_not_found' } })
    expect((await runtime.circuits.list()).map(({ id }) => id)).toEqual(['a', 'a/meta/llama'])
    const providers = (await runtime.tree()).children.find(({ id }) => id === 'providers')
    expect(providers?.children.map(({ id }) => id)).toContain('circuit:a/meta/llama')
    await runtime.close()
  })
})

describe('the response cache', () => {
  const places: string[] = []
  afterEach(() => {
    for (const place of places.splice(0)) rmSync(place, { recursive: true, force: true })
  })

  it('answers where nobody can be asked, marked, also in a later process; and not for a critical task', async () => {
    const place = mkdtempSync(join(tmpdir(), 'holdfast-cache-'))
    places.push(place)
    const options = { store: join(place, 'holdfast.db'), logger: false } as const
    const flow = (task: string) => flowOf(generate({ prompt: 'what is it?' }), task)
    const once = async (task: string, script: ScriptEntry[]) => {
      const runtime = await createRuntime({
        ...options,
        providers: [scriptedProvider(script, { models: [model('m')] })],
      })
      const result = await (await runtime.start(flow(task), {})).result()
      await runtime.close()
      return result
    }
    expect(await once('bug_predict', ['the answer'])).toMatchObject({ output: { cached: false } })
    expect(await once('bug_predict', [{ status: 401 }])).toMatchObject({
      success: true,
      output: { text: 'the answer', cached: true, degraded: true, cost: 0 },
      degraded: [{ stage: 'ask', component: 'providers', reason: 'Providers unavailable, using cached data' }],
      cost: { usd: 0, cachedCalls: 1 },
    })
    expect(await once('code_review', ['the answer'])).toMatchObject({ success: true })
    expect(await once('code_review', [{ status: 401 }])).toMatchObject({ success: false, error: { kind: 'auth' } })
  }, 30_000)

  it('that cannot be used fails nothing, nor do circuits that cannot be read', async () => {
    const place = mkdtempSync(join(tmpdir(), 'holdfast-cache-'))
    places.push(place)
    mkdirSync(join(place, 'holdfast.cache.db'))
    for (const kept of ['no json', '{"version":1}', '{"version":1,"circuits":[{"name":"scripted","state":"open"}]}']) {
      writeFileSync(join(place, 'holdfast.circuits.json'), kept)
      const provider = scriptedProvider(['hi', { status: 401 }], { models: [model('m')] })
      const runtime = await createRuntime({ store: join(place, 'holdfast.db'), logger: false, providers: [provider] })
      const flow = flowOf(generate())
      expect(await (await runtime.start(flow, {})).result()).toMatchObject({ success: true })
      expect(await (await runtime.start(flow, {})).result()).toMatchObject({ success: false, error: { kind: 'auth' } })
      await runtime.close()
    }
  }, 30_000)

  it('keeps an answer for a day', async () => {
    const world = createWorld()
    const provider = scriptedProvider(['hi', { status: 401 }, { status: 401 }], { models: [model('m')] })
    const runtime = await world.open({ providers: [provider] })
    const ask = async () => settle(world.clock, (await runtime.start(flowOf(generate()), {})).result())
    await ask()
    expect(await ask()).toMatchObject({ output: { cached: true } })
    await world.clock.advance('25h')
    expect(await ask()).toMatchObject({ success: false })
  })
})

describe('a streamed answer', () => {
  const streaming = (streams: readonly (readonly (string | Error)[])[]): Provider & { calls: number } => ({
    id: 's',
    models: [model('m')],
    calls: 0,
    generate: () => Promise.reject(new Error('not asked')),
    async *stream(): AsyncIterable<ModelChunk> {
      let text = ''
      for (const piece of streams[this.calls++] ?? []) {
        if (piece instanceof Error) throw piece
        text += piece
        yield { type: 'text', text: piece }
      }
      yield { type: 'end', answer: { text, usage } }
    },
  })
  const broken = Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' })
  const collect = async (asked: StageModel) => {
    const stream = asked.stream({ prompt: 'hello' })
    const pieces: string[] = []
    for await (const piece of stream) pieces.push(piece)
    return { pieces, text: (await stream.result).text }
  }

  it('comes in the pieces of the provider, and as one piece when it is replayed', async () => {
    const provider = streaming([['he', 'llo'], ['never']])
    let tries = 0
    const work = async (asked: StageModel) => {
      const got = await collect(asked)
      if (++tries === 1) throw Object.assign(new Error('again'), { code: 'ECONNRESET' })
      return got
    }
    const first: unknown[] = []
    const { result } = await run(
      createWorld(),
      async asked => {
        const stream = asked.stream({ prompt: 'first' })
        for await (const piece of stream) first.push(piece)
        return work(asked)
      },
      {
        providers: [
          streaming([
            ['a', 'b'],
            ['he', 'llo'],
          ]),
        ],
      },
    )
    expect(first).toEqual(['a', 'b', 'ab'])
    expect(result).toMatchObject({ output: { pieces: ['hello'], text: 'hello' }, cost: { calls: 2, usd: 2 } })
    expect(provider.calls).toBe(0)
  })

  it('that breaks before anybody has read of it is tried again, and what came before is void', async () => {
    const work = async (asked: StageModel) => {
      const stream = asked.stream({ prompt: 'hello' })
      await stream.result
      const pieces: string[] = []
      for await (const piece of stream) pieces.push(piece)
      return pieces
    }
    const { result, of } = await run(createWorld(), work, { providers: [streaming([['he', broken], ['hi']])] })
    expect(result).toMatchObject({ output: ['hi'], attempts: 1 })
    expect(of('call.attempted')).toHaveLength(1)
  })

  it('that breaks in the middle is a failed attempt, told to the reader', async () => {
    const { result, of } = await run(createWorld(), collect, { providers: [streaming([['he', broken], ['hi']])] })
    expect(of('call.failed')[0]?.data).toMatchObject({ kind: 'connection' })
    expect(result).toMatchObject({ output: { pieces: ['hi'] }, attempts: 2, restarts: 0 })
  })

  it('without its end is a failure', async () => {
    const endless: Provider = {
      ...streaming([]),
      async *stream() {
        yield { type: 'text', text: 'half' } as const
      },
    }
    const work = async (asked: StageModel) => (await asked.stream({ prompt: 'hello' }).result).text
    const { of } = await run(createWorld(), work, { providers: [endless] })
    expect(of('call.failed')[0]?.data).toMatchObject({ kind: 'stream_error' })
  })

  it('of a provider that answers only whole is one piece', async () => {
    const { result } = await run(createWorld(), collect, {
      providers: [scriptedProvider(['hello'], { models: [model('m')] })],
    })
    expect(result).toMatchObject({ output: { pieces: ['hello'], text: 'hello' } })
  })
})

describe('a call that nobody waits for any more', () => {
  it('is paid for all the same, and counted as wasted', async () => {
    const world = createWorld()
    const late: Provider = {
      id: 'late',
      models: [model('m')],
      generate: async () => {
        await new Promise<void>(resolve => world.clock.setTimeout(resolve, 90_000))
        return { text: 'late', usage }
      },
    }
    const quick = scriptedProvider(['hi'], { id: 'quick', models: [model('m')] })
    const work = async (asked: StageModel) => {
      const { text } = await asked.generate({ prompt: 'hello' })
      return text
    }
    const flow = defineWorkflow({ name: 'late', version: '1', task: 'code_review' })
      .stage('ask', ({ model }) => work(model))
      .stage('rest', ({ sleep }) => sleep('10m'))
    const runtime = await world.open({ providers: [late, quick] })
    const result = await settle(world.clock, (await runtime.start(flow)).result())
    expect(result).toMatchObject({ success: true, cost: { calls: 3, wastedUsd: 2 } })
  })
})
