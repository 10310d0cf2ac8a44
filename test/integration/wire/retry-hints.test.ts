/** When a service says to come again, in each of the forms that services have for it: runs keep to it, and no longer. */
import { describe, expect, it } from 'vitest'
import { defineWorkflow } from '../../../src/workflow/define-workflow.ts'
import { servers } from '../../support/model-calls.ts'
import { dialects, generate, hasty, pricedModel, runStage, wireRuntime } from '../../support/wire-runs.ts'

const serve = servers()

interface Told {
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
}

const inSeconds = (count: number): Date => new Date(Math.ceil(Date.now() / 1000 + count) * 1000)
const google = (details: object) => ({
  error: { code: 429, status: 'RESOURCE_EXHAUSTED', message: 'x', details: [details] },
})

/** What is told when the call comes in, and until when that holds, ms from then. */
const forms: readonly (readonly [what: string, tell: () => Told, leastMs: number])[] = [
  ['retry-after in seconds', () => ({ headers: { 'retry-after': '1' } }), 1000],
  ['retry-after as a date', () => ({ headers: { 'retry-after': inSeconds(1).toUTCString() } }), 1000],
  ['retry-after-ms', () => ({ headers: { 'retry-after-ms': '400' } }), 400],
  ['x-ms-retry-after-ms', () => ({ headers: { 'x-ms-retry-after-ms': '400' } }), 400],
  [
    'RetryInfo',
    () => ({ body: google({ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '0.4s' }) }),
    400,
  ],
  [
    'anthropic-ratelimit-*-reset',
    () => ({
      headers: {
        'anthropic-ratelimit-requests-remaining': '0',
        'anthropic-ratelimit-requests-reset': inSeconds(1).toISOString(),
      },
    }),
    1000,
  ],
  [
    'x-ratelimit-reset-*',
    () => ({ headers: { 'x-ratelimit-remaining-tokens': '0', 'x-ratelimit-reset-tokens': '400ms' } }),
    400,
  ],
  ['a sentence', () => ({ body: { error: { message: 'Rate limit reached. Please try again in 400ms.' } } }), 400],
]

describe('a rate limit that says when it ends', () => {
  it('is waited out to that moment, in whatever form it is said', async () => {
    const waited = await Promise.all(
      forms.map(async ([what, tell]) => {
        const at: number[] = []
        const server = await serve(() => {
          at.push(performance.now())
          return at.length === 1 ? { status: 429, headers: {}, body: null, ...tell() } : 'ok'
        })
        const runtime = await wireRuntime([dialects.openai(server.url)])
        const { result, of } = await runStage(runtime, generate())
        const [attempt] = of('call.attempted')
        return { what, success: result.success, kind: attempt?.kind, told: attempt?.retryAfterMs, ms: at }
      }),
    )
    for (const [index, [what, , leastMs]] of forms.entries()) {
      const { told, ms, ...seen } = waited[index] as (typeof waited)[number]
      expect(seen).toEqual({ what, success: true, kind: 'rate_limit' })
      expect(ms, what).toHaveLength(2)
      expect(told, what).toBeGreaterThanOrEqual(leastMs)
      // Timers of Node may come a millisecond early.
      expect((ms[1] ?? 0) - (ms[0] ?? 0), what).toBeGreaterThanOrEqual(leastMs - 5)
    }
  })

  it('beyond the deadline of the call is not waited for: another provider is asked now', async () => {
    const limited = await serve(() => ({ status: 429, headers: { 'retry-after': '3600' } }))
    const other = await serve(['from the other'])
    const providers = [dialects.openai(limited.url), dialects.anthropic(other.url)]
    const { result, of } = await runStage(await wireRuntime(providers), generate())
    expect(result).toMatchObject({ success: true, output: { text: 'from the other', provider: 'anthropic' } })
    expect(of('call.fell_back')).toMatchObject([
      { from: { provider: 'openai' }, to: { provider: 'anthropic' }, kind: 'rate_limit' },
    ])
    expect(limited.calls).toHaveLength(1)
  })

  it('beyond the deadline of a run that has nobody else parks the stage, which waits for it at no restart', async () => {
    const limited = await serve(() => ({ status: 429, headers: { 'retry-after': '3600' } }))
    const runtime = await wireRuntime([dialects.openai(limited.url)])
    const workflow = defineWorkflow({ name: 'w', version: '1', profile: hasty() }).stage('ask', generate() as never)
    const run = await runtime.start(workflow)
    let decided: Readonly<Record<string, unknown>> = {}
    for await (const { type, data } of run.events()) {
      if (type !== 'wait.decided') continue
      decided = data
      break
    }
    expect(decided).toMatchObject({ kind: 'rate_limit' })
    expect(decided.delayMs).toBeGreaterThan(3_000_000)
    expect(await run.status()).toBe('waiting')
    await run.cancel('seen')
    expect(await run.result()).toMatchObject({ status: 'cancelled', restarts: 0, cost: { calls: 1 } })
  })

  it('of x-should-retry: false is no reason to ask the same again', async () => {
    const refuses = await serve(() => ({ status: 429, headers: { 'x-should-retry': 'false', 'retry-after-ms': '1' } }))
    const other = await serve(['ok'])
    const providers = [dialects.openai(refuses.url), dialects.anthropic(other.url, { models: [pricedModel('n')] })]
    const { result } = await runStage(await wireRuntime(providers), generate())
    expect(result).toMatchObject({ output: { provider: 'anthropic', model: 'n' } })
    expect(refuses.calls).toHaveLength(1)
  })
})
