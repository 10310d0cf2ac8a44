/** Who answers a call over a real wire, and what it costs: keys, profiles by task, fallbacks, budgets, caches. */
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createRuntime, defineWorkflow, type Provider } from '../../../src/index.ts'
import { aiSdk } from '../../../src/providers/ai-sdk.ts'
import type { AiSdkLanguageModel } from '../../../src/providers/ai-sdk-language-model.ts'
import type { ServerReply } from '../../../src/testing/fake-provider-server-script.ts'
import type { StageContext } from '../../../src/workflow/stage-context.ts'
import { servers } from '../../support/model-calls.ts'
import { dialects, generate, hasty, pricedModel, runStage, wireRuntime } from '../../support/wire-runs.ts'

const serve = servers()
const usage = { inputTokens: 1_000_000, outputTokens: 0 }
/** A dollar, by the prices of these tests. */
const aDollar = (text: string) => ({ text, usage })

describe.each(Object.entries(dialects))('a provider with two keys, over the wire of %s', (_, provider) => {
  const noCredit = { error: { type: 'insufficient_quota', code: 'insufficient_quota', message: 'no credit' } }
  it.each([
    ['is rate limited', { status: 429, headers: { 'retry-after': '600' } }, 'rate_limit'],
    ['has no credit', { status: 429, headers: {}, body: noCredit }, 'quota_exhausted'],
    ['is wrong', { status: 401 }, 'auth'],
  ] satisfies [string, ServerReply, string][])('asks with the other where one %s', async (_what, failure, kind) => {
    const keyOf = (headers: Readonly<Record<string, string>>): string =>
      headers['x-api-key'] ?? (headers.authorization ?? '').replace('Bearer ', '')
    const server = await serve(({ headers }) => (keyOf(headers) === 'first-key' ? failure : 'ok'))
    const runtime = await wireRuntime([provider(server.url, { apiKey: ['first-key', 'second-key'] })])
    const { result, of } = await runStage(runtime, generate())
    expect(result).toMatchObject({ success: true, output: { text: 'ok' }, cost: { calls: 2 } })
    expect(of('call.attempted')).toMatchObject([{ kind, apiKey: 1 }])
    expect(of('call.fell_back')).toMatchObject([{ rule: 'next_key', to: { apiKey: 2 } }])
    expect(server.calls.map(({ headers }) => keyOf(headers))).toEqual(['first-key', 'second-key'])
    expect(JSON.stringify(await runtime.diagnostics(result.runId))).not.toContain('first-key')
    // What rests is left alone by the next run, too.
    if (kind !== 'rate_limit') return
    await runStage(runtime, generate())
    expect(keyOf(server.calls[2]?.headers ?? {})).toBe('second-key')
  })
})

describe('the profile of a task', () => {
  const flow = (task: string) =>
    defineWorkflow({ name: `w-${task}`, version: '1', task }).stage('ask', async ({ model }) => {
      const { provider, degraded } = await model.generate({ prompt: 'hello' })
      return { provider, degraded }
    })

  it('decides how often, and whether a lower tier may answer', async () => {
    const outcomes: unknown[] = []
    for (const task of ['code_review', 'bug_predict', 'summarize']) {
      const first = await serve(() => ({ status: 503 }))
      const cheap = await serve(['from the cheap one'])
      const runtime = await wireRuntime([
        dialects.openai(first.url, { models: [pricedModel('big', { tier: 'premium' })] }),
        dialects.anthropic(cheap.url, { models: [pricedModel('small', { tier: 'cheap' })] }),
      ])
      const result = await (await runtime.start(flow(task))).result()
      const calls = [first.calls.length, cheap.calls.length]
      outcomes.push({ task, calls, ...(result.success ? { output: result.output } : { kind: result.error.kind }) })
    }
    expect(outcomes).toEqual([
      // Not retried for an overload, never answered by less; one restart of the stage, and it fails.
      { task: 'code_review', calls: [2, 0], kind: 'overloaded' },
      { task: 'bug_predict', calls: [3, 1], output: { provider: 'anthropic', degraded: true } },
      // Whatever is cheap comes first.
      { task: 'summarize', calls: [0, 1], output: { provider: 'anthropic', degraded: false } },
    ])
  })
})

describe('a fallback', () => {
  it('to another model and to another provider is told with what each has cost', async () => {
    const first = await serve(({ body }) =>
      body.model === 'gone'
        ? { status: 404, headers: {}, body: { error: { code: 'model_not_found' } } }
        : { status: 529 },
    )
    const other = await serve([aDollar('from elsewhere')])
    const runtime = await wireRuntime([
      dialects.openai(first.url, { models: [pricedModel('gone'), pricedModel('busy')] }),
      dialects.anthropic(other.url, {
        models: [pricedModel('dear', { price: { inputUsdPerMTok: 2.5, outputUsdPerMTok: 0 } })],
      }),
    ])
    const { result, of } = await runStage(runtime, generate())
    expect(result).toMatchObject({
      success: true,
      output: { provider: 'anthropic', model: 'dear', cost: 2.5 },
      cost: { usd: 2.5, calls: 6 },
    })
    expect(of('call.fell_back')).toMatchObject([
      { from: { model: 'gone' }, to: { model: 'busy' }, kind: 'model_not_found' },
      { from: { model: 'busy' }, to: { provider: 'anthropic', model: 'dear' }, kind: 'overloaded' },
    ])
    expect(of('call.succeeded')).toMatchObject([
      {
        attempts: 6,
        hops: [
          { model: 'gone', outcome: 'failed', kind: 'model_not_found', attempts: 1 },
          { model: 'busy', outcome: 'failed', kind: 'overloaded', attempts: 4 },
          { model: 'dear', outcome: 'answered', attempts: 1 },
        ],
      },
    ])
  })

  it('goes to a larger window where the prompt was too long, and to a remedy of the stage where there is none', async () => {
    const tooLong = {
      error: { type: 'invalid_request_error', message: 'prompt is too long: 9000 tokens > 8000 maximum' },
    }
    const server = await serve(({ body }) =>
      body.model === 'small' && JSON.stringify(body.messages).length > 100
        ? { status: 400, headers: {}, body: tooLong }
        : `${body.model}`,
    )
    const small = pricedModel('small', { contextWindow: 8000 })
    const large = pricedModel('large', { contextWindow: 200_000 })
    const long = 'x'.repeat(200)
    const both = await wireRuntime([dialects.openai(server.url, { models: [small, large] })])
    const larger = await runStage(both, generate(long))
    expect(larger.result).toMatchObject({ output: { text: 'large' } })
    expect(larger.of('call.fell_back')).toMatchObject([{ kind: 'context_length', to: { model: 'large' } }])

    let prompt = long
    const alone = await createRuntime({
      store: ':memory:',
      logger: false,
      mode: 'minimal',
      providers: [dialects.openai(server.url, { models: [small] })],
      remedies: {
        shorten: () => {
          prompt = 'short'
        },
      },
    })
    const remedied = defineWorkflow({ name: 'remedied', version: '1', profile: hasty() }).stage(
      'ask',
      { remedies: ['shorten'] },
      async ({ model }) => (await model.generate({ prompt })).text,
    )
    expect(await (await alone.start(remedied)).result()).toMatchObject({ success: true, output: 'small', restarts: 0 })
    await alone.close()
  })
})

describe('one deadline', () => {
  it('is that of attempts, waits and fallbacks together', async () => {
    const stalls = () => serve(() => ({ fault: 'stall' }))
    const [a, b, c] = [await stalls(), await stalls(), await stalls()]
    const runtime = await wireRuntime([
      dialects.openai(a.url),
      dialects.openai(b.url, { id: 'second' }),
      dialects.anthropic(c.url),
    ])
    const profile = hasty({
      retry: { max: 9 },
      timeout: { attempt: '200ms', call: '1s' },
      causes: { timeout: 'stop' },
    })
    const { result, journal } = await runStage(runtime, generate(), profile)
    expect(result).toMatchObject({ success: false, error: { kind: 'timeout', type: 'timeout' } })
    const atOf = (type: string): number => journal.find(event => event.type === type)?.at ?? Number.NaN
    const took = atOf('call.failed') - atOf('call.intended')
    expect(took).toBeGreaterThanOrEqual(995)
    // Each alone would be tried 10 times; a busy machine tries less, never more.
    expect(a.calls.length + b.calls.length + c.calls.length).toBeLessThanOrEqual(6)
  })
})

describe('one budget', () => {
  it('of calls refuses the next before it is made, and goes on with more', async () => {
    const server = await serve([{ status: 503, times: 2 }, 'ok'])
    const runtime = await wireRuntime([dialects.openai(server.url)])
    const { result } = await runStage(runtime, generate(), hasty(), { budget: { calls: 2 } })
    expect(result).toMatchObject({ status: 'budget_exceeded', error: { type: 'budget' }, cost: { calls: 2 } })
    expect(server.calls).toHaveLength(2)
    const run = await runtime.get(result.runId)
    await run.resume({ budget: { calls: 3 } })
    expect(await run.result()).toMatchObject({ success: true, cost: { calls: 3 } })
  })

  it('of money refuses a call that may cost more than is left, over retries and fallbacks', async () => {
    const wrong = await serve([aDollar('no JSON'), { status: 503 }])
    const other = await serve([aDollar('ok')])
    const providers = [dialects.openai(wrong.url), dialects.anthropic(other.url)]
    const runtime = await wireRuntime(providers)
    const twice = async ({ model }: Parameters<ReturnType<typeof generate>>[0]) => {
      await model.generate({ prompt: 'one', maxOutputTokens: 1000 })
      return model.generate({ prompt: 'two', maxOutputTokens: 900_000 })
    }
    const { result } = await runStage(runtime, twice, hasty(), { budget: { usd: 1.5 } })
    expect(result).toMatchObject({ status: 'budget_exceeded', cost: { usd: 1, calls: 1 } })
    expect([wrong.calls.length, other.calls.length]).toEqual([1, 0])
  })
})

describe.each(Object.entries(dialects))('an answer of a schema, over the wire of %s', (_, provider) => {
  const scored = z.object({ score: z.number() })
  const ask = ({ model }: StageContext) => model.generate({ prompt: 'rate it', schema: scored })

  it('is mended by asking once more, which is told what was wrong, and both are paid', async () => {
    const server = await serve([aDollar('{"score":"high"}'), aDollar('{"score":3}')])
    const { result } = await runStage(await wireRuntime([provider(server.url)]), ask)
    expect(result).toMatchObject({ output: { object: { score: 3 } }, cost: { usd: 2, calls: 2, wastedUsd: 1 } })
    expect(JSON.stringify(server.calls[1]?.body)).toMatch(/score/)
    expect(JSON.stringify(server.calls[1]?.body)).toContain('high')
  })

  it('that stays wrong is invalid_response, and the next start of the stage may ask otherwise', async () => {
    const server = await serve([{ text: 'no', times: 2 }, '{"score":1}'])
    const asksAnew = ({ model, attempt }: StageContext) =>
      model.generate({ prompt: `rate it, try ${attempt}`, schema: scored })
    const { result, of } = await runStage(await wireRuntime([provider(server.url)]), asksAnew)
    expect(result).toMatchObject({ success: true, restarts: 1, output: { object: { score: 1 } } })
    expect(of('call.failed')).toMatchObject([{ kind: 'invalid_response' }])
    expect(of('restart.decided')).toMatchObject([{ rule: 'change_plan', kind: 'invalid_response' }])
    expect(server.calls).toHaveLength(3)
  })
})

describe('the response cache', () => {
  it('answers while the provider is dead, marked and for nothing; never a critical task', async () => {
    let isDead = false
    const server = await serve(() => (isDead ? { fault: 'reset' } : aDollar('the answer')))
    const runtime = await wireRuntime([dialects.openai(server.url)])
    const ask = async (task: string) => {
      const flow = defineWorkflow({ name: 'q', version: '1', task }).stage('ask', generate() as never)
      return (await runtime.start(flow)).result()
    }
    expect(await ask('bug_predict')).toMatchObject({ output: { cached: false }, cost: { usd: 1 } })
    isDead = true
    expect(await ask('bug_predict')).toMatchObject({
      success: true,
      output: { text: 'the answer', cached: true, degraded: true, cost: 0 },
      cost: { usd: 0, cachedCalls: 1 },
      degraded: [{ reason: 'Providers unavailable, using cached data' }],
    })
    expect(await ask('code_review')).toMatchObject({ success: false, error: { kind: 'connection' } })
  })
})

describe('a model object of the AI SDK', () => {
  /** As an integration makes it, with the wire behind it; what it says of retries is not believed. */
  function modelOf(specificationVersion: 'v2' | 'v3', url: string): AiSdkLanguageModel {
    const ask = async () => {
      const response = await fetch(`${url}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hello' }] }),
      })
      const responseBody = await response.text()
      if (!response.ok) {
        const { status: statusCode } = response
        throw Object.assign(new Error('call failed'), {
          name: 'AI_APICallError',
          statusCode,
          responseBody,
          responseHeaders: Object.fromEntries(response.headers),
          isRetryable: statusCode === 401,
        })
      }
      return JSON.parse(responseBody).choices[0].message.content as string
    }
    const used =
      specificationVersion === 'v2'
        ? { inputTokens: 5, outputTokens: 2, totalTokens: 7 }
        : { inputTokens: { total: 5 }, outputTokens: { total: 2 } }
    const finishReason = specificationVersion === 'v2' ? 'stop' : { unified: 'stop', raw: 'stop' }
    return {
      specificationVersion,
      provider: 'maker.chat',
      modelId: 'm',
      doGenerate: async () => ({ content: [{ type: 'text', text: await ask() }], finishReason, usage: used }),
      doStream: async () => ({
        stream: ReadableStream.from([
          { type: 'text-delta', id: '1', delta: await ask() },
          { type: 'finish', finishReason, usage: used },
        ]),
      }),
    } as AiSdkLanguageModel
  }

  it.each(['v2', 'v3'] as const)(
    'of %s retries by what is known of failures, not by what it says of them',
    async version => {
      const overloaded = await serve([{ status: 503 }, 'answered'])
      const denied = await serve(() => ({ status: 401 }))
      const outcome = async (url: string) => {
        const provider: Provider = aiSdk(modelOf(version, url), { price: { inputUsdPerMTok: 1, outputUsdPerMTok: 1 } })
        return runStage(await wireRuntime([provider]), generate())
      }
      expect((await outcome(overloaded.url)).result).toMatchObject({
        output: { text: 'answered', provider: 'maker', model: 'm', usage: { inputTokens: 5, outputTokens: 2 } },
        cost: { calls: 2 },
      })
      expect((await outcome(denied.url)).result).toMatchObject({ success: false, error: { kind: 'auth' } })
      expect(denied.calls).toHaveLength(1)
    },
  )
})
