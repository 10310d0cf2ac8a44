import { afterEach, describe, expect, it, vi } from 'vitest'
import { readProviderEnvironment } from '../../../src/config/environment.ts'
import {
  anthropic,
  openaiCompatible,
  providersFromEnvironment,
} from '../../../src/runtime/calls/environment-providers.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'
import { contextOf, hello, servers } from '../../support/model-calls.ts'

const serve = servers()
const idsFrom = (variables: NodeJS.ProcessEnv) =>
  providersFromEnvironment(virtualClock(), readProviderEnvironment(variables)).map(({ id }) => id)

afterEach(() => vi.unstubAllEnvs())

describe('the providers of the environment', () => {
  it('are those that it has keys for, and the offline one last', () => {
    expect(idsFrom({})).toEqual(['offline'])
    expect(idsFrom({ OPENAI_API_KEY: 'k', ANTHROPIC_API_KEY: 'k' })).toEqual(['openai', 'anthropic', 'offline'])
    expect(idsFrom({ HOLDFAST_OPENAI_BASE_URL: 'http://localhost:1/v1' })).toEqual(['openai', 'offline'])
  })

  it('are not those whose variable is empty', () => {
    const empty = { OPENAI_API_KEY: '', ANTHROPIC_API_KEY: ' ', HOLDFAST_OPENAI_BASE_URL: '' }
    expect(idsFrom(empty)).toEqual(['offline'])
  })

  it('ask the server that is named in the place of OpenAI', async () => {
    const server = await serve(['Hello.'])
    const environment = readProviderEnvironment({ OPENAI_API_KEY: 'k-1', HOLDFAST_OPENAI_BASE_URL: `${server.url}/v1` })
    const [provider] = providersFromEnvironment(virtualClock(), environment)
    expect(await provider?.generate({ ...hello, tier: 'cheap' }, contextOf())).toMatchObject({ text: 'Hello.' })
    expect(server.calls[0]).toMatchObject({ body: { model: 'gpt-5.6-luna' }, headers: { authorization: 'Bearer k-1' } })
  })

  it('offer the models that are named: by names, or by what `models` of a provider takes', () => {
    const offered = (models: string) =>
      providersFromEnvironment(
        virtualClock(),
        readProviderEnvironment({ OPENAI_API_KEY: 'k', HOLDFAST_OPENAI_MODELS: models }),
      )[0]?.models
    expect(offered('llama3.2, gpt-5.6-luna')).toMatchObject([
      { id: 'llama3.2', tier: 'capable' },
      { id: 'gpt-5.6-luna', tier: 'cheap' },
    ])
    expect(offered('{"cheap":"a","premium":"b"}')?.map(({ id, tier }) => [id, tier])).toEqual([
      ['a', 'cheap'],
      ['b', 'premium'],
    ])
    const price = { inputUsdPerMTok: 0, outputUsdPerMTok: 0 }
    expect(offered(JSON.stringify([{ id: 'a', price }]))).toMatchObject([{ id: 'a', price }])
    expect(offered(' ')?.map(({ id }) => id)).toContain('gpt-5.6-terra')
    for (const wrong of ['[{', '[]', ',', '[{"id":"a","teir":"cheap"}]', '["a","a"]']) {
      expect(() => offered(wrong), wrong).toThrow(/HOLDFAST_OPENAI_MODELS/)
    }
  })

  it('say which variable is no address', () => {
    expect(() => idsFrom({ HOLDFAST_OPENAI_BASE_URL: 'localhost' })).toThrow(
      /HOLDFAST_OPENAI_BASE_URL must be an address/,
    )
  })
})

describe('a key of the environment', () => {
  const sentTo = async (make: (fetch: (url: string, init: RequestInit) => Promise<Response>) => unknown) => {
    let sent: RequestInit | undefined
    const provider = make(async (_, init) => {
      sent = init
      return new Response('{}', { status: 500 })
    }) as ReturnType<typeof anthropic>
    await provider.generate(hello, contextOf()).catch(() => {})
    return JSON.stringify(sent?.headers)
  }

  it('is sent to the host that it is for', async () => {
    vi.stubEnv('OPENAI_API_KEY', 'openai-key')
    vi.stubEnv('ANTHROPIC_API_KEY', 'anthropic-key')
    const openai = { id: 'o', baseURL: 'https://api.openai.com/v1', models: ['gpt-4o'] }
    expect(await sentTo(fetch => openaiCompatible({ ...openai, fetch }))).toContain('openai-key')
    expect(await sentTo(fetch => anthropic({ fetch }))).toContain('anthropic-key')
    expect(await sentTo(fetch => anthropic({ fetch, apiKey: 'my-own' }))).toContain('my-own')
  })

  it('is sent to no other', async () => {
    vi.stubEnv('OPENAI_API_KEY', 'openai-key')
    vi.stubEnv('ANTHROPIC_API_KEY', 'anthropic-key')
    const other = { id: 'o', baseURL: 'https://example.com/v1', models: ['m'] }
    expect(await sentTo(fetch => openaiCompatible({ ...other, fetch }))).not.toContain('openai-key')
    expect(await sentTo(fetch => anthropic({ baseURL: 'https://example.com', fetch }))).not.toContain('anthropic-key')
  })
})
