import { afterEach, describe, expect, it } from 'vitest'
import { type CliPlace, createCliPlace } from '../support/cli.ts'
import { servers } from '../support/model-calls.ts'

const serve = servers()
const places: CliPlace[] = []
afterEach(() => {
  for (const place of places.splice(0)) place.remove()
})

const asking = `
import { defineWorkflow } from 'holdfast'

export default defineWorkflow({ name: 'asking', version: '1', task: 'bug_predict' })
  .stage('ask', async ({ model }) => (await model.generate({ prompt: 'hello' })).text)
`
const waiting = `
import { defineWorkflow } from 'holdfast'

export default defineWorkflow({ name: 'waiting', version: '1', task: 'bug_predict' }).stage('wait', ({ model, sleep }) => (model ? sleep('1h') : undefined))
`

function placeWith(url: string | undefined, more: Readonly<Record<string, string>> = {}): CliPlace {
  const files = { 'asking.ts': asking, 'waiting.ts': waiting, 'a.js': 'eval(1)\n' }
  const server = url === undefined ? {} : { HOLDFAST_OPENAI_BASE_URL: `${url}/v1` }
  const place = createCliPlace(files, { ...server, ...more })
  places.push(place)
  return place
}

describe('a run that asks a paid model', () => {
  it('is planned with what it can cost at most by prices, and held by the budget', async () => {
    const server = await serve(['hi there'])
    const place = placeWith(server.url)
    const { stdout } = await place.run('run', 'asking.ts', '--dry-run')
    expect(stdout).toMatch(
      /cost: 1 USD, held by the budget; by prices alone up to [\d,.]+ USD as assumed below; to models: \d+ requests/,
    )
    expect(stdout).toMatch(/ask: 52 calls of at most 6 × openai \(gpt-5\.6-terra\) at [\d.]+ USD/)
    const { data } = await place.json<{ cost: { usd: number; byPrices: number; heldBy: string } }>(
      ...['run', 'asking.ts', '--dry-run', '--budget', 'usd=1000000'],
    )
    expect(data.cost).toMatchObject({ usd: data.cost.byPrices, heldBy: 'prices' })
    expect(data.cost.byPrices).toBeGreaterThan(1)
    expect(server.calls).toEqual([])
  })

  it('asks nobody but this machine with --local, at no cost, also when it is taken up again', async () => {
    const server = await serve(() => ({ text: 'hi there', usage: { inputTokens: 9, outputTokens: 2 } }))
    const place = placeWith(server.url, { OPENAI_API_KEY: '' })
    const here = await place.json<{ cost: object }>('run', 'asking.ts', '--local')
    expect((await place.run('run', 'asking.ts', '--local')).stderr).not.toMatch(/paid models/)
    expect(here.data).toMatchObject({ success: true, cost: { usd: 0, calls: 1, unpricedCalls: 0 } })
    const away = placeWith(undefined, { OPENAI_API_KEY: 'sk-nobody' })
    const { code, data } = await away.json('run', 'asking.ts', '--local', '--id', 'l')
    expect({ code, data }).toMatchObject({ code: 1, data: { error: { kind: 'no_provider' }, cost: { calls: 0 } } })
    expect((data.error as { message: string }).message).toMatch(/'openai' is not on this machine/)
    expect(await away.json('retry', 'l')).toMatchObject({ code: 1, data: { error: { kind: 'no_provider' } } })
  })

  it('is refused where nobody knows the price, with what would let it start', async () => {
    const server = await serve(() => ({ text: 'hi there', usage: { inputTokens: 1000, outputTokens: 500 } }))
    const unpriced = { OPENAI_API_KEY: 'sk-0123456789', HOLDFAST_OPENAI_MODELS: 'house-made' }
    const place = placeWith(server.url, unpriced)
    const { code, stdout, stderr } = await place.run('run', 'asking.ts')
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/the price of 'house-made' of 'openai' is unknown/)
    expect(stderr).toMatch(/--budget calls=N/)
    expect((await place.run('run', 'asking.ts', '--budget', 'usd=5')).code).toBe(2)
    const told = await place.json<{ error: { code: string; message: string } }>('run', 'asking.ts')
    expect(told).toMatchObject({ code: 2, data: { error: { code: 'invalid_config' } } })
    expect(server.calls).toEqual([])
    expect((await place.json<{ items: object[] }>('runs', 'list')).data.items).toEqual([])

    const counted = await place.json<{ cost: object }>('run', 'asking.ts', '--budget', 'calls=1')
    expect(counted).toMatchObject({ code: 0, data: { cost: { usd: 'unknown', calls: 1, unpricedCalls: 1 } } })
    // What it says one can type is what helps.
    const [, example = ''] = /HOLDFAST_OPENAI_MODELS='([^']+)'/.exec(told.data.error.message) ?? []
    const priced = example.replace('"inputUsdPerMTok":0', '"inputUsdPerMTok":10')
    const other = placeWith(server.url, { ...unpriced, HOLDFAST_OPENAI_MODELS: priced })
    expect(await other.json('run', 'asking.ts')).toMatchObject({ code: 0, data: { cost: { usd: 0.01, calls: 1 } } })
    expect(server.calls.map(({ body }) => body.model)).toEqual(['house-made', 'house-made'])
  })

  it('says which, and what it may cost at most, and is held to that', async () => {
    const server = await serve(['hi there'])
    const place = placeWith(server.url)
    const { code, stderr, stdout } = await place.run('run', 'asking.ts')
    expect(stderr).toMatch(/this run asks paid models: openai \(gpt-5\.6-terra\) for ask/)
    expect(stderr).toMatch(/it spends at most 1 USD; --budget usd=N sets another limit/)
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining('hi there') })
    const told = await place.run('run', 'asking.ts', '--budget', 'usd=0.0000001')
    expect(told.stderr).toMatch(/at most 1e-7 USD|at most 0\.0000001 USD/)
    const profile = "defineProfile({ extends: 'balanced', budget: { usd: 0.25 } })"
    const own = asking.replace('{ defineWorkflow }', '{ defineProfile, defineWorkflow }').replace("'asking'", "'own'")
    place.write('own.ts', own.replace("task: 'bug_predict'", `profile: ${profile}`))
    expect((await place.run('run', 'own.ts')).stderr).toMatch(/at most 0\.25 USD/)
    const { data } = await place.json<{ runs: number; calls: number; usd: number; workflows: object[] }>('cost')
    expect(data).toMatchObject({
      runs: 3,
      workflows: expect.arrayContaining([expect.objectContaining({ workflow: 'asking', runs: 2 })]),
    })
    expect(data.usd).toBeGreaterThan(0)
    expect((await place.json('cost', '--since', '2099-01-01')).data).toMatchObject({ runs: 0, calls: 0, usd: 0 })
  })

  it('says nothing where only the offline provider is there', async () => {
    const place = placeWith(undefined)
    const { stderr } = await place.run('run', 'summarize', '--input', '{"text":"Boats float. Stones sink."}')
    expect(stderr).not.toMatch(/paid models/)
  })

  it('tells files, pieces and tokens of a code review', async () => {
    const server = await serve(({ body }) =>
      JSON.stringify(body.messages).includes('predict')
        ? { object: { predictions: [] } }
        : { object: { findings: [] } },
    )
    const { code, stderr } = await placeWith(server.url).run(
      'run',
      'code-review',
      '--input',
      '{"path":".","include":["*.js"]}',
    )
    expect(stderr).toMatch(/1 file in 1 chunk, about \d+ tokens and 300 in answers: about 0\.\d{4} USD/)
    expect(code).toBe(0)
  })

  it('summarises what is piped in', async () => {
    const { code, stdout } = await placeWith(undefined).feed(
      'Boats float. Stones sink.',
      'run',
      'summarize',
      '--input',
      '-',
    )
    expect(code).toBe(0)
    expect(stdout).toMatch(/Boats float|Stones sink/)
  })
})

describe('models', () => {
  it('are listed with tier, window and price, and validated', async () => {
    const place = placeWith('http://127.0.0.1:9')
    const { data } = await place.json<{ items: { model: string; offered: boolean; price: unknown }[] }>(
      'models',
      'list',
    )
    expect(data.items.filter(({ offered }) => offered).length).toBeGreaterThan(2)
    const valid = await place.json('models', 'validate')
    expect(valid).toMatchObject({ code: 0, data: { ok: true } })
  })

  it('are asked with --ping only, and one that does not answer is a finding', async () => {
    const server = await serve([{ status: 401 }, 'ok'])
    const place = placeWith(server.url, { OPENAI_API_KEY: 'sk-0123456789' })
    await place.run('models', 'validate')
    expect(server.calls).toHaveLength(0)
    const { code, data } = await place.json<{ pings: { outcome: string; kind?: string }[] }>(
      'models',
      'validate',
      '--ping',
    )
    expect(code).toBe(1)
    expect(data.pings.map(({ outcome, kind }) => [outcome, kind])).toEqual([
      ['failed', 'auth'],
      ['answered', undefined],
      ['answered', undefined],
      ['skipped', undefined],
    ])
  })
})

describe('circuits', () => {
  it('are shown and changed as the last process left them, and beside a live one', async () => {
    const server = await serve([{ status: 503, times: 100 }])
    const place = placeWith(server.url)
    // Its stage would wait for the open circuit, twice 30 s.
    const asks = place.start('run', 'asking.ts')
    await asks.said('is parked until the cause has passed')
    asks.child.kill('SIGINT')
    expect((await asks.ended).code).toBe(130)
    const { data } = await place.json<{ items: { id: string; state: string }[] }>('circuits', 'list')
    expect(data.items).toMatchObject([{ id: 'openai', state: 'open' }])
    expect(await place.run('circuits', 'reset', 'openai')).toMatchObject({
      code: 0,
      stdout: 'circuit openai is closed\n',
    })
    expect((await place.run('circuits', 'reset', 'opnai')).code).toBe(3)
    const live = place.start('run', 'waiting.ts', '--watch')
    await live.said('spends at most')
    let state = ''
    for (let tries = 0; tries < 20 && state !== 'circuit openai is isolated\n'; tries++) {
      state = (await place.run('circuits', 'isolate', 'openai')).stdout
    }
    expect(state).toBe('circuit openai is isolated\n')
    expect((await place.json<{ items: object[] }>('circuits', 'list')).data.items).toMatchObject([
      { state: 'isolated' },
    ])
    live.child.kill('SIGKILL')
    await live.ended
    expect((await place.json<{ items: object[] }>('circuits', 'list')).data.items).toMatchObject([
      { state: 'isolated' },
    ])
  })
})
