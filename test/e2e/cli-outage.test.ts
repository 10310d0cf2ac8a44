/** Outages as a person meets them on the command line: a real server that fails, real processes, a real SIGKILL. */
import { afterEach, describe, expect, it } from 'vitest'
import type { ServerReply } from '../../src/testing/fake-provider-server-script.ts'
import { type CliPlace, createCliPlace } from '../support/cli.ts'
import { servers } from '../support/model-calls.ts'

const serve = servers()
const places: CliPlace[] = []
afterEach(() => {
  for (const place of places.splice(0)) place.remove()
})

/** Asks twice, so that a circuit that lets it through is closed again. */
const asking = (task: string) => `
import { defineWorkflow } from 'holdfast'

export default defineWorkflow({ name: 'asking-${task}', version: '1', task: '${task}' })
  .stage('ask', async ({ model }) => {
    const first = await model.generate({ prompt: 'one' })
    const second = await model.generate({ prompt: 'two' })
    return { text: first.text + second.text, model: first.model, degraded: first.degraded, cached: first.cached }
  })
`

/** Their circuit stays open for longer than any test; the impatient one does not wait for it. */
const withLongCircuit = (name: string, causes: string): string =>
  asking('bug_predict')
    .replace('{ defineWorkflow }', '{ defineProfile, defineWorkflow }')
    .replace("'asking-bug_predict'", `'${name}'`)
    .replace(
      "task: 'bug_predict'",
      `profile: defineProfile({ circuit: { openTime: '1h' }, cache: false, causes: ${causes} })`,
    )
const patient = withLongCircuit('patient', '{}')
const impatient = withLongCircuit('impatient', "{ circuit_open: 'stop' }")

const models = JSON.stringify([
  { id: 'big', tier: 'capable', price: { inputUsdPerMTok: 1, outputUsdPerMTok: 1 }, contextWindow: 8000 },
  { id: 'small', tier: 'cheap', price: { inputUsdPerMTok: 0.1, outputUsdPerMTok: 0.1 }, contextWindow: 200_000 },
])

async function placeWith(reply: (model: string, number: number) => ServerReply) {
  const server = await serve(({ body }, number) => reply(String(body.model), number))
  const files = Object.fromEntries(
    ['code_review', 'bug_predict', 'summarize'].map(task => [`${task}.ts`, asking(task)]),
  )
  const place = createCliPlace(files, { HOLDFAST_OPENAI_BASE_URL: `${server.url}/v1`, HOLDFAST_OPENAI_MODELS: models })
  places.push(place)
  return { place, server, askedOf: () => server.calls.map(({ body }) => body.model) }
}

interface Listed {
  readonly items: readonly { readonly id: string; readonly state: string; readonly remainingMs: number }[]
}

/** Between which moments the circuit is half-open by what it is listed with: the listing took a while itself. */
async function halfOpenBetween(place: CliPlace, id: string): Promise<readonly [number, number]> {
  const before = Date.now()
  const { data } = await place.json<Listed>('circuits', 'list')
  const circuit = data.items.find(item => item.id === id)
  expect(circuit).toMatchObject({ state: 'open' })
  const { remainingMs = Number.NaN } = circuit ?? {}
  return [before + remainingMs, Date.now() + remainingMs]
}

describe('a process that is killed while a circuit is open', () => {
  it('leaves it open for the time that was left, and the next process asks nobody before', async () => {
    let isDown = true
    let firstAt = 0
    const { place, server } = await placeWith(() => {
      if (isDown) return { status: 503 }
      firstAt ||= Date.now()
      return 'up'
    })
    const started = place.start('run', 'bug_predict.ts', '--id', 'met')
    await started.said('is parked until the cause has passed')
    const openedBefore = Date.now()
    started.child.kill('SIGKILL')
    expect((await started.ended).code).toBeNull()
    const asked = server.calls.length
    const first = await halfOpenBetween(place, 'openai')
    const second = await halfOpenBetween(place, 'openai')
    // It is one moment for whoever looks, and no later than 30 s after it has opened.
    expect(Math.max(first[0], second[0])).toBeLessThanOrEqual(Math.min(first[1], second[1]))
    expect(first[0]).toBeLessThanOrEqual(openedBefore + 30_000)
    isDown = false
    const { code, stdout } = await place.run('resume', 'met')
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining('upup') })
    expect(firstAt).toBeGreaterThanOrEqual(Math.max(first[0], second[0]))
    expect(server.calls).toHaveLength(asked + 2)
    const events = await place.run('runs', 'events', 'met')
    expect(events.stdout.match(/incident\.opened/g)).toHaveLength(1)
    expect(events.stdout.match(/incident\.closed/g)).toHaveLength(1)
  })

  it('leaves it to an operator: nobody is asked while it is open or isolated, and at once after a reset', async () => {
    let isDown = true
    const { place, server } = await placeWith(() => (isDown ? { status: 503 } : 'up'))
    place.write('patient.ts', patient)
    place.write('impatient.ts', impatient)
    const started = place.start('run', 'patient.ts')
    await started.said('is parked until the cause has passed')
    started.child.kill('SIGKILL')
    await started.ended
    isDown = false
    const asked = server.calls.length
    const refused = { code: 1, data: { success: false, error: { kind: 'circuit_open' } } }
    expect(await place.json('run', 'impatient.ts')).toMatchObject(refused)
    expect((await place.run('circuits', 'isolate', 'openai')).stdout).toBe('circuit openai is isolated\n')
    expect(await place.json('run', 'impatient.ts')).toMatchObject(refused)
    expect(server.calls).toHaveLength(asked)
    expect((await place.run('circuits', 'reset', 'openai')).stdout).toBe('circuit openai is closed\n')
    expect((await place.run('run', 'impatient.ts')).code).toBe(0)
    expect(server.calls).toHaveLength(asked + 2)
  })
})

describe('a run of the command line beside a provider that misbehaves', () => {
  it.each([
    ['429 with a hint', { status: 429, headers: { 'retry-after-ms': '50' } }],
    ['a reset', { fault: 'reset' }],
    ['half a body', { fault: 'half-body' }],
    ['503 in HTML', { status: 503, headers: { 'content-type': 'text/html' }, body: '<html><title>503</title></html>' }],
  ] satisfies [string, ServerReply][])('ends well after %s', async (_what, failure) => {
    const { place, server } = await placeWith((_model, number) => (number === 1 ? failure : 'up'))
    const { code, data } = await place.json('run', 'bug_predict.ts')
    expect({ code, data }).toMatchObject({ code: 0, data: { success: true, output: { text: 'upup' } } })
    expect(server.calls).toHaveLength(3)
  })

  it('falls back to another model by what the task allows, and tells what it cost', async () => {
    const { place, askedOf } = await placeWith(model =>
      model === 'big'
        ? { status: 404, headers: {}, body: { error: { code: 'model_not_found', message: 'no such model' } } }
        : { text: 'up', usage: { inputTokens: 1_000_000, outputTokens: 0 } },
    )
    const balanced = await place.json('run', 'bug_predict.ts')
    expect(balanced).toMatchObject({
      code: 0,
      data: { output: { model: 'small', degraded: true }, cost: { usd: 0.2, calls: 4 } },
    })
    const critical = await place.json('run', 'code_review.ts')
    expect(critical).toMatchObject({ code: 1, data: { error: { kind: 'model_not_found' } } })
    expect(askedOf().slice(4)).not.toContain('small')
  })

  it('goes to a larger window where the prompt is too long', async () => {
    const message =
      "This model's maximum context length is 8000 tokens. However, your messages resulted in 9000 tokens."
    const { place, askedOf } = await placeWith(model =>
      model === 'big' ? { status: 400, headers: {}, body: { error: { message } } } : 'up',
    )
    expect(await place.json('run', 'bug_predict.ts')).toMatchObject({ code: 0, data: { output: { model: 'small' } } })
    expect(askedOf()).toEqual(['big', 'small', 'big', 'small'])
  })

  it('is answered from the cache while it is dead, and says so; strictly that is no success', async () => {
    let isDead = false
    const { place } = await placeWith(() => (isDead ? { fault: 'reset' } : 'up'))
    expect((await place.run('run', 'bug_predict.ts')).code).toBe(0)
    isDead = true
    const { code, stderr, stdout } = await place.run('run', 'bug_predict.ts')
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining('upup') })
    expect(stderr).toMatch(/degraded: ask: Providers unavailable, using cached data/)
    expect((await place.run('run', 'bug_predict.ts', '--strict')).code).toBe(6)
  })

  it('stops where the budget is spent, and goes on with more', async () => {
    const { place, server } = await placeWith(() => 'up')
    const { code, data } = await place.json('run', 'bug_predict.ts', '--id', 'poor', '--budget', 'calls=1')
    expect({ code, data }).toMatchObject({ code: 1, data: { status: 'budget_exceeded', cost: { calls: 1 } } })
    expect(server.calls).toHaveLength(1)
    expect(await place.json('resume', 'poor', '--budget', 'calls=5')).toMatchObject({
      code: 0,
      data: { output: { text: 'upup' }, cost: { calls: 2, replayedCalls: 1 } },
    })
    expect(server.calls).toHaveLength(2)
  })

  it('is cancelled in the middle of a call that never answers', async () => {
    let asked: () => void = () => {}
    const isAsked = new Promise<void>(resolve => {
      asked = resolve
    })
    const { place, server } = await placeWith(() => {
      asked()
      return { fault: 'stall' }
    })
    const started = place.start('run', 'bug_predict.ts', '--id', 'hangs')
    await isAsked
    expect((await place.run('cancel', 'hangs', '--reason', 'enough')).code).toBe(0)
    expect((await started.ended).code).toBe(1)
    expect(await place.json('runs', 'show', 'hangs')).toMatchObject({ data: { status: 'cancelled' } })
    expect(server.calls).toHaveLength(1)
  })
})
