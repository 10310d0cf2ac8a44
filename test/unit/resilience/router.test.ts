import { describe, expect, test } from 'vitest'
import type { Capabilities, Model, ModelRequest, Provider, Tier } from '../../../src/providers/provider.ts'
import { createRegistry, type ModelEntry } from '../../../src/providers/registry.ts'
import type { ModelCallEvent } from '../../../src/resilience/call-events.ts'
import { createKeyRests } from '../../../src/resilience/call-gate.ts'
import { type CandidateSources, candidatesFor } from '../../../src/resilience/candidates.ts'
import { createCircuits } from '../../../src/resilience/circuits.ts'
import { defineProfile } from '../../../src/resilience/define-profile.ts'
import { callModel } from '../../../src/resilience/model-call.ts'
import type { ModelCallOptions } from '../../../src/resilience/model-call-terms.ts'
import { builtInProfiles } from '../../../src/resilience/profiles.ts'
import { type ScriptEntry, scriptedProvider } from '../../../src/testing/scripted-provider.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'
import { seededRandom } from '../../../src/time/random.ts'

const model = (id: string, tier: Tier, more: Partial<Model> = {}): Model => ({ id, tier, ...more })
const offer = (id: string, models: readonly Model[], script: readonly ScriptEntry[] = []) =>
  scriptedProvider(script, { id, models })
const price = (usd: number) => ({ inputUsdPerMTok: usd, outputUsdPerMTok: usd })
const ask = (more: Partial<ModelRequest> = {}): ModelRequest => ({
  task: 'bug_predict',
  messages: [{ role: 'user', content: 'hello' }],
  ...more,
})
const registryOf = (providers: readonly Provider[], entries: readonly ModelEntry[] = []) =>
  createRegistry({ providers, entries, now: () => 0 })

/** `provider/model` of the candidates in order, with who was left out and why. */
function ordered(
  providers: readonly Provider[],
  request: Partial<ModelRequest> = {},
  profile: keyof typeof builtInProfiles = 'balanced',
  sources: CandidateSources = {},
) {
  const found = candidatesFor(ask(request), providers, builtInProfiles[profile], {
    catalogue: registryOf(providers),
    ...sources,
  })
  return {
    order: found.inOrder.map(({ provider, model: id }) => `${provider.id}/${id}`),
    leftOut: found.leftOut,
  }
}

describe('who may answer', () => {
  const can = (capabilities: Capabilities) => ({ capabilities })

  test.each([
    ['tools', { tools: { look: { description: 'looks', schema: {} } } }, can({ tools: false })],
    ['json', { schema: {} }, can({ json: false })],
    ['vision', { messages: [{ role: 'user', content: [{ type: 'image', image: 'aGk=' }] }] }, can({ vision: false })],
  ] as const)('is nobody who is known not to have %s where the request needs it', (name, request, cannot) => {
    const providers = [offer('a', [model('blind', 'capable', cannot), model('able', 'capable')])]
    expect(ordered(providers, request)).toEqual({ order: ['a/able'], leftOut: [`'a' (blind) cannot do ${name}`] })
    expect(ordered(providers).order).toEqual(['a/blind', 'a/able'])
  })

  test('is first who is known to have what was asked for by name', () => {
    const providers = [
      offer('a', [model('silent', 'capable')]),
      offer('b', [model('sees', 'capable', can({ vision: true }))]),
    ]
    expect(ordered(providers, {}, 'balanced', { capabilities: ['vision'] }).order).toEqual(['b/sees', 'a/silent'])
  })

  test('is nobody whose window is smaller than the prompt and its answer', () => {
    const providers = [offer('a', [model('small', 'capable', { contextWindow: 100 }), model('large', 'capable')])]
    const messages = [{ role: 'user', content: 'x'.repeat(300) }] as const
    expect(ordered(providers, { messages }).order).toEqual(['a/small', 'a/large'])
    expect(ordered(providers, { messages, maxOutputTokens: 30 })).toEqual({
      order: ['a/large'],
      leftOut: ["'a' (small) takes 100 tokens and this is about 105"],
    })
  })

  test('is by price among models of one provider, and among all where any will do', () => {
    const dear = model('dear', 'capable', { price: price(9) })
    const fair = model('fair', 'capable', { price: price(3) })
    expect(ordered([offer('a', [dear, fair])]).order).toEqual(['a/fair', 'a/dear'])
    const two = [offer('a', [dear]), offer('b', [fair])]
    expect(ordered(two).order).toEqual(['a/dear', 'b/fair'])
    expect(ordered(two, {}, 'tolerant').order).toEqual(['b/fair', 'a/dear'])
  })

  test('wants the tier of the task, of what the first provider offers', () => {
    const all = [model('s', 'cheap'), model('m', 'capable'), model('l', 'premium')]
    expect(ordered([offer('a', all)], { task: 'security_audit' }, 'critical').order).toEqual(['a/l'])
    expect(ordered([offer('a', all)], { task: 'code_review' }, 'critical').order).toEqual(['a/m'])
    expect(ordered([offer('a', all)], { task: 'bug_predict' }).order).toEqual(['a/m', 'a/s'])
    expect(ordered([offer('a', all)], { task: 'summarize' }, 'tolerant').order).toEqual(['a/s', 'a/m', 'a/l'])
    expect(ordered([offer('a', [model('s', 'cheap')])], { task: 'code_review' }, 'critical').order).toEqual(['a/s'])
  })

  test('is last who would be refused', () => {
    const providers = ['a', 'b', 'c'].map(id => offer(id, [model('m', 'capable')]))
    const isAvailable = (provider: Provider) => provider.id !== 'b'
    expect(ordered(providers, {}, 'balanced', { isAvailable }).order).toEqual(['a/m', 'c/m', 'b/m'])
  })
})

interface Setting extends Partial<ModelCallOptions> {
  readonly request?: Partial<ModelRequest>
}

function setUp(providers: readonly Provider[]) {
  const clock = virtualClock()
  const circuits = createCircuits({ clock })
  const rests = createKeyRests()
  const events: ModelCallEvent[] = []
  const settle = async ({ request, ...more }: Setting = {}) => {
    const began = clock.now()
    let tookMs = 0
    const pending = callModel(ask(request), {
      providers,
      profile: builtInProfiles.balanced,
      catalogue: registryOf(providers),
      circuits,
      rests,
      clock,
      random: seededRandom(1),
      idempotencyKey: 'key',
      onEvent: event => events.push(event),
      ...more,
    }).finally(() => {
      tookMs = clock.now() - began
    })
    const ended = pending.then(
      outcome => ({ outcome, error: undefined }),
      (error: unknown) => ({
        outcome: undefined,
        error: error as { message: string; details: Record<string, unknown> },
      }),
    )
    for (let passed = 0; passed < 200; passed++) await clock.advance(1000)
    return { ...(await ended), tookMs }
  }
  return { clock, circuits, events, settle }
}

const limited = (seconds: number) => ({ status: 429, headers: { 'retry-after': String(seconds) } })
const badKey = { status: 401 }

describe('keys', () => {
  const withKeys = (keyCount: number, script: readonly ScriptEntry[]) => ({
    ...offer('a', [model('m', 'capable')], script),
    keyCount,
  })
  const keysOf = ({ calls }: { calls: readonly { context: { keyIndex?: number | undefined } }[] }) =>
    calls.map(({ context }) => context.keyIndex)

  test('are changed at once when one of them is rate limited, and it is left alone until it may be asked', async () => {
    const provider = withKeys(2, [limited(60), 'one', 'two', 'three'])
    const { settle, events, clock } = setUp([provider])
    const began = clock.now()
    expect(await settle()).toMatchObject({ outcome: { attempts: 2, answer: { text: 'one' } }, tookMs: 0 })
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'fallback.decided', rule: 'next_key', kind: 'rate_limit', key: 2, at: began }),
    )
    await settle()
    expect(keysOf(provider)).toEqual([0, 1, 0])
  })

  test('prefer the one that does not rest', async () => {
    const provider = withKeys(2, [limited(3600), 'one', 'two'])
    const { settle } = setUp([provider])
    await settle()
    await settle()
    expect(keysOf(provider)).toEqual([0, 1, 1])
  })

  test('are all tried before another provider is', async () => {
    const provider = withKeys(3, [badKey, badKey, badKey])
    const { settle } = setUp([provider, offer('b', [model('m', 'capable')], ['hi'])])
    const { outcome } = await settle()
    expect(outcome?.hops.map(({ provider: id, key, kind }) => [id, key, kind])).toEqual([
      ['a', 1, 'auth'],
      ['a', 2, 'auth'],
      ['a', 3, 'auth'],
      ['b', undefined, undefined],
    ])
  })

  test('wait for the limit only where it is the last key, and only within the deadline', async () => {
    const { settle } = setUp([withKeys(2, [limited(20), limited(5), 'hi'])])
    expect(await settle()).toMatchObject({ outcome: { attempts: 3 }, tookMs: 5000 })
  })
})

describe('circuits', () => {
  test('open for the one that is to blame: a key, a model, a provider', async () => {
    const missing = { status: 404, body: { error: { code: 'model_not_found', message: 'no such model' } } }
    const failing = { status: 529 }
    for (const [fault, name] of [
      [badKey, 'a#1'],
      [missing, 'a/m'],
      [failing, 'a'],
    ] as const) {
      const provider = offer(
        'a',
        [model('m', 'capable')],
        Array.from({ length: 20 }, () => fault),
      )
      const { settle, circuits } = setUp([provider])
      for (let call = 0; call < 8; call++) await settle({ profile: builtInProfiles.critical, signal: undefined })
      const open = circuits.list().filter(({ failureCount, state }) => state !== 'closed' || failureCount > 0)
      expect(open.map(circuit => circuit.name)).toEqual([name])
      expect(circuits.find(name)?.metrics().opens, name).toBeGreaterThan(0)
    }
  })

  test('are not opened by rate limits, which say for how long to wait', async () => {
    const { settle, circuits } = setUp([
      offer(
        'a',
        [model('m', 'capable')],
        Array.from({ length: 20 }, () => limited(600)),
      ),
    ])
    for (let call = 0; call < 10; call++) await settle()
    expect(circuits.list().map(({ name, failureCount }) => [name, failureCount])).toEqual([['a', 0]])
  })

  test('give back the permit of a probe that ended without telling anything', async () => {
    const provider = offer('a', [model('m', 'capable')], [{ status: 400 }, 'hi'])
    const { settle, circuits, clock } = setUp([provider])
    const circuit = circuits.of('a', {
      ...builtInProfiles.balanced.circuit,
      failureThreshold: 1,
      maxProbes: 1,
      successThreshold: 1,
    })
    circuit.acquire()?.failure()
    await clock.advance('31s')
    await settle()
    expect(circuit.isAvailable()).toBe(true)
    expect((await settle()).outcome?.answer.text).toBe('hi')
    expect(circuit.state).toBe('closed')
  })
})

describe('a fallback', () => {
  const tooLong = { status: 400, body: { error: { code: 'context_length_exceeded', message: 'too long' } } }

  test('goes to a model that takes more where the prompt was too long', async () => {
    const providers = [
      offer('a', [model('small', 'capable', { contextWindow: 1000 })], [tooLong]),
      offer('b', [model('smaller', 'capable', { contextWindow: 500 })], ['never']),
      offer('c', [model('large', 'capable', { contextWindow: 9000 })], ['hi']),
    ]
    const { settle, events } = setUp(providers)
    expect((await settle()).outcome?.hops.map(({ provider }) => provider)).toEqual(['a', 'c'])
    expect(events).toContainEqual(expect.objectContaining({ type: 'fallback.decided', rule: 'larger_context' }))
  })

  test('does not go to one that takes no more', async () => {
    const providers = [
      offer('a', [model('large', 'capable', { contextWindow: 1000 })], [tooLong]),
      offer('b', [model('small', 'capable', { contextWindow: 500 })], ['never']),
    ]
    expect((await setUp(providers).settle()).error?.details).toMatchObject({ kind: 'context_length', attempts: 1 })
  })

  test('of a request that is too large for the tier of a key goes to another provider', async () => {
    const tooLarge = {
      status: 413,
      body: { error: { message: 'Request too large for gpt-4o on tokens per min (TPM)', code: 'rate_limit_exceeded' } },
    }
    const providers = [
      offer('a', [model('m', 'capable'), model('n', 'capable')], [tooLarge, 'never']),
      offer('b', [model('m', 'capable')], ['hi']),
    ]
    const { outcome } = await setUp(providers).settle()
    expect(outcome?.hops.map(({ provider, kind }) => [provider, kind])).toEqual([
      ['a', 'request_too_large_for_tier'],
      ['b', undefined],
    ])
  })

  test('that fails for good does not hide that waiting for the first would help', async () => {
    const providers = [
      offer('a', [model('m', 'capable')], [limited(3600)]),
      offer('b', [model('m', 'capable')], [badKey]),
    ]
    expect((await setUp(providers).settle()).error?.details).toMatchObject({
      kind: 'rate_limit',
      retryAfterMs: 3_600_000,
      hops: [{ kind: 'rate_limit' }, { kind: 'auth' }],
    })
  })

  test("'none' asks nobody else", async () => {
    const profile = defineProfile({ fallback: 'none', retry: { max: 0 } })
    const providers = [
      offer('a', [model('m', 'capable')], [{ status: 529 }]),
      offer('b', [model('m', 'capable')], ['no']),
    ]
    expect((await setUp(providers).settle({ profile })).error?.details).toMatchObject({ attempts: 1 })
  })

  test('never takes a critical task to a lower tier', async () => {
    const providers = [
      offer('a', [model('m', 'capable')], [{ status: 529 }]),
      offer('b', [model('s', 'cheap')], ['no']),
      offer('c', [model('l', 'premium')], ['hi']),
    ]
    const { outcome } = await setUp(providers).settle({
      profile: builtInProfiles.critical,
      request: { task: 'code_review' },
    })
    expect(outcome).toMatchObject({ provider: 'c', degraded: false })
  })

  test('counts what it costs by the price of the model that answered', async () => {
    const usage = { inputTokens: 1_000_000, outputTokens: 500_000 }
    const providers = [
      offer('a', [model('m', 'capable', { price: price(7) })], [{ status: 529 }, { status: 529 }, { status: 529 }]),
      offer('b', [model('m', 'capable', { price: price(2) })], [{ text: 'hi', usage }]),
    ]
    expect((await setUp(providers).settle()).outcome?.cost).toBe(3)
  })
})
