import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import {
  anthropic,
  createRuntime,
  defineWorkflow,
  type ModelEntry,
  openaiCompatible,
  type Provider,
} from '../../../src/index.ts'
import { scriptedProvider } from '../../../src/testing/scripted-provider.ts'
import { servers } from '../../support/model-calls.ts'

const serve = servers()
const usage = { inputTokens: 1_000_000, outputTokens: 100_000 }

const ask = defineWorkflow({ name: 'ask', version: '1' }).stage('only', async ({ model }) => {
  const answer = await model.generate({ prompt: 'Rate this.', schema: z.object({ score: z.number() }) })
  return { object: answer.object, cost: answer.cost, model: answer.model }
})

async function run(providers: readonly Provider[], models?: readonly ModelEntry[]) {
  const runtime = await createRuntime({ store: ':memory:', logger: false, mode: 'minimal', providers, models })
  try {
    return await (await runtime.start(ask)).result()
  } finally {
    await runtime.close()
  }
}

describe('a stage that asks a model over HTTP', () => {
  it('survives a failure, and its cost is that of the price list', async () => {
    const server = await serve([{ status: 529 }, { object: { score: 3 }, usage }])
    const result = await run([anthropic({ baseURL: server.url, apiKey: 'k', models: ['claude-haiku-4-5'] })])
    expect(result).toMatchObject({
      success: true,
      output: { object: { score: 3 }, cost: 1.5, model: 'claude-haiku-4-5' },
      cost: { usd: 1.5, calls: 2, unpricedCalls: 0 },
    })
  })

  it('falls back to another provider where the first is gone', async () => {
    const gone = await serve(() => ({ fault: 'reset' }))
    const there = await serve([{ object: { score: 4 }, usage }])
    const result = await run([
      openaiCompatible({ id: 'openai', baseURL: gone.url, models: ['gpt-4o'] }),
      anthropic({ baseURL: there.url, models: ['claude-sonnet-5'] }),
    ])
    expect(result).toMatchObject({ success: true, output: { object: { score: 4 }, cost: 3 } })
  })

  it('costs what the user set, 0 included, and is unpriced where nobody knows', async () => {
    const server = await serve([{ object: { score: 1 }, usage }])
    const local = openaiCompatible({ id: 'my-server', baseURL: server.url, models: ['llama'] })
    const free = { provider: 'my-server', model: 'llama', price: { inputUsdPerMTok: 0, outputUsdPerMTok: 0 } }
    expect(await run([local], [free])).toMatchObject({ cost: { usd: 0, unpricedCalls: 0 } })
    expect(await run([local])).toMatchObject({ cost: { usd: 'unknown', unpricedCalls: 1 } })
  })

  it('costs what the model costs that was asked, whatever the server calls it', async () => {
    const provider: Provider = {
      id: 'my-server',
      models: [{ id: 'llama', tier: 'cheap' }],
      generate: async () => ({ text: '{"score":1}', usage, model: '/models/llama.gguf' }),
    }
    const price = { inputUsdPerMTok: 1, outputUsdPerMTok: 10 }
    const result = await run([provider], [{ provider: 'my-server', model: 'llama', price }])
    expect(result).toMatchObject({ output: { model: '/models/llama.gguf', cost: 2 }, cost: { usd: 2 } })
  })

  it('keeps the cost that the provider tells', async () => {
    const provider = scriptedProvider([{ object: { score: 1 }, usage, cost: 0.25 }], { id: 'openai' })
    expect(await run([provider])).toMatchObject({ cost: { usd: 0.25 } })
  })

  it('refuses a model entry of the wrong form before anything starts', async () => {
    await expect(run([], [{ provider: 'a', model: 'b', tear: 'cheap' } as ModelEntry])).rejects.toThrow(
      /models\[0\]: unknown option 'tear'; did you mean 'tier'/,
    )
  })
})
