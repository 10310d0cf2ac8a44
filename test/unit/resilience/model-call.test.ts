import { getEventListeners } from 'node:events'
import { describe, expect, test } from 'vitest'
import { CancelledError, CircuitOpenError, ProviderError, TimeoutError } from '../../../src/errors.ts'
import { offline } from '../../../src/providers/offline.ts'
import type { ModelRequest, Provider } from '../../../src/providers/provider.ts'
import type { ModelCallEvent } from '../../../src/resilience/call-events.ts'
import { createCircuits } from '../../../src/resilience/circuits.ts'
import { defineProfile } from '../../../src/resilience/define-profile.ts'
import { callModel } from '../../../src/resilience/model-call.ts'
import type { ModelCallOptions } from '../../../src/resilience/model-call-terms.ts'
import { builtInProfiles } from '../../../src/resilience/profiles.ts'
import { createRetryBudget } from '../../../src/resilience/retry-budget.ts'
import { type ScriptEntry, scriptedProvider } from '../../../src/testing/scripted-provider.ts'
import { type VirtualClock, virtualClock } from '../../../src/testing/virtual-clock.ts'
import { seededRandom } from '../../../src/time/random.ts'

const overloaded = { status: 529 }
const limited = (seconds: number) => ({ status: 429, headers: { 'retry-after': String(seconds) } })
const badKey = { status: 401 }
const badRequest = { status: 400 }
const ask = (more: Partial<ModelRequest> = {}): ModelRequest => ({
  task: 'bug_predict',
  messages: [{ role: 'user', content: 'hello' }],
  ...more,
})

interface Setting extends Partial<ModelCallOptions> {
  readonly request?: Partial<ModelRequest>
}

function setUp(providers: readonly Provider[], clock: VirtualClock = virtualClock()) {
  const circuits = createCircuits({ clock })
  const events: ModelCallEvent[] = []
  const call = ({ request, ...more }: Setting = {}) => {
    const started = clock.now()
    const pending = callModel(ask(request), {
      providers,
      profile: builtInProfiles.balanced,
      circuits,
      clock,
      random: seededRandom(1),
      idempotencyKey: 'key',
      onEvent: event => events.push(event),
      ...more,
    })
    return pending.then(
      outcome => ({ outcome, error: undefined, tookMs: clock.now() - started }),
      (error: unknown) => ({ outcome: undefined, error, tookMs: clock.now() - started }),
    )
  }
  const settle = async (options?: Setting) => {
    const pending = call(options)
    await clock.advance('10m')
    return pending
  }
  return { clock, circuits, events, call, settle }
}

const scripted = (
  id: string,
  script: readonly ScriptEntry[],
  clock?: VirtualClock,
  tier?: 'cheap' | 'capable' | 'premium',
) => scriptedProvider(script, { id, clock, tier })

describe('a model call', () => {
  test('gives the answer with who gave it', async () => {
    const provider = scripted('a', ['hi'])
    const { settle, clock } = setUp([provider])
    const { outcome } = await settle()
    expect(outcome).toEqual({
      answer: { text: 'hi', finishReason: 'stop' },
      provider: 'a',
      model: 'a',
      tier: 'capable',
      cost: 'unknown',
      attempts: 1,
      hops: [{ provider: 'a', model: 'a', tier: 'capable', attempts: 1, outcome: 'answered' }],
      degraded: false,
    })
    expect(provider.calls[0]?.context).toMatchObject({ idempotencyKey: 'key', attempt: 1 })
    expect(clock.pending).toBe(0)
  })

  test('falls back to a provider that needs no key in its turn', async () => {
    const keyless = { ...scripted('local', ['from near']), keyCount: 0 }
    const { settle } = setUp([scripted('first', [badKey]), keyless, scripted('far', ['from far'])])
    expect((await settle()).outcome).toMatchObject({ provider: 'local', answer: { text: 'from near' } })
  })

  test('retries what the profile retries, with growing waits', async () => {
    const provider = scripted('a', [overloaded, overloaded, 'hi'])
    const { settle, events } = setUp([provider])
    const { outcome } = await settle()
    expect(outcome).toMatchObject({ attempts: 3, answer: { text: 'hi' } })
    const delays = events.flatMap(event => (event.type === 'retry.decided' ? [event.delayMs] : []))
    expect(delays[0]).toBeGreaterThanOrEqual(100)
    expect(delays[0]).toBeLessThanOrEqual(120)
    expect(delays[1]).toBeGreaterThanOrEqual(160)
    expect(delays[1]).toBeLessThanOrEqual(240)
  })

  test('does not retry what the profile does not', async () => {
    const provider = scripted('a', [overloaded, 'never'])
    const { settle } = setUp([provider])
    const { error } = await settle({ profile: builtInProfiles.critical })
    expect(provider.calls).toHaveLength(1)
    expect(error).toBeInstanceOf(ProviderError)
    expect(error).toMatchObject({
      details: { kind: 'overloaded', scope: 'provider', transient: true, attempts: 1, attemptsExhausted: true },
    })
  })

  test('gives up after the attempts of the profile and says what was tried', async () => {
    const { settle } = setUp([scripted('a', [overloaded, overloaded, overloaded, 'never'])])
    const { error } = await settle()
    expect((error as Error).message).toBe(
      "the model call failed (overloaded): status 529; tried 'a' 3 × overloaded within 3m 00s",
    )
    expect(error).toMatchObject({ details: { hops: [{ provider: 'a', attempts: 3, kind: 'overloaded' }] } })
  })

  test('waits as long as the provider says', async () => {
    const { settle, events } = setUp([scripted('a', [limited(7), 'hi'])])
    expect((await settle()).tookMs).toBeGreaterThanOrEqual(7000)
    expect(events).toContainEqual(expect.objectContaining({ type: 'retry.decided', retry: true, delayMs: 7000 }))
  })

  test('falls back at once where the hint lies beyond the deadline', async () => {
    const { call, clock } = setUp([scripted('a', [limited(3600)]), scripted('b', ['hi'])])
    const pending = call()
    await clock.advance(0)
    expect((await pending).outcome).toMatchObject({ provider: 'b', attempts: 2 })
  })

  test('fails with the hint where nobody else can answer', async () => {
    const { settle } = setUp([scripted('a', [limited(3600)])])
    expect((await settle()).error).toMatchObject({ details: { kind: 'rate_limit', retryAfterMs: 3_600_000 } })
  })

  test('an attempt that hangs is a timeout, and its signal is aborted', async () => {
    const clock = virtualClock()
    const provider = scripted('a', [{ text: 'late', delay: '2m' }, 'hi'], clock)
    const { settle } = setUp([provider], clock)
    const { outcome } = await settle()
    expect(outcome).toMatchObject({ attempts: 2, answer: { text: 'hi' } })
    expect(provider.calls[0]?.context.signal.aborted).toBe(true)
    expect(clock.pending).toBe(0)
  })

  test('ends within its one deadline, whatever its attempts, waits and fallbacks add up to', async () => {
    const clock = virtualClock()
    const hang = { text: '', delay: '1h' }
    const script = Array.from({ length: 20 }, () => hang)
    const providers = [scripted('a', script, clock), scripted('b', script, clock)]
    const { call } = setUp(providers, clock)
    const pending = call({ profile: defineProfile({ retry: { max: 1 }, timeout: { attempt: '50s' } }) })
    await clock.advance('10m')
    expect(await pending).toMatchObject({ tookMs: 180_000, error: expect.any(TimeoutError) })
    expect(providers.map(({ calls }) => calls.length)).toEqual([2, 2])
    expect(clock.pending).toBe(0)
  })

  test('a deadline of the caller counts where it is nearer', async () => {
    const clock = virtualClock()
    const { call } = setUp([scripted('a', [{ text: '', delay: '1h' }], clock)], clock)
    const pending = call({ deadlineAt: clock.now() + 5000 })
    await clock.advance(5000)
    expect(await pending).toMatchObject({ tookMs: 5000, error: expect.any(TimeoutError) })
  })

  test('an answer that is none is an invalid response', async () => {
    const broken: Provider = { id: 'a', models: [], generate: async () => undefined as never }
    const { error } = await setUp([broken]).settle()
    expect(error).toMatchObject({ details: { kind: 'invalid_response' } })
  })

  test('an answer that the model refused is a content filter’s', async () => {
    const { settle } = setUp([scripted('a', [{ text: '', finishReason: 'content-filter' }])])
    expect((await settle()).error).toMatchObject({ details: { kind: 'content_filter', scope: 'request' } })
  })

  test('a listener that throws changes nothing', async () => {
    const { settle } = setUp([scripted('a', [overloaded, 'hi'])])
    const onEvent = (): never => {
      throw new Error('listener')
    }
    expect((await settle({ onEvent })).outcome?.answer.text).toBe('hi')
  })
})

describe('fallback', () => {
  test('goes to the next provider, and every hop is recorded', async () => {
    const { settle, events } = setUp([
      scripted('a', [badKey]),
      scripted('b', [overloaded, overloaded, overloaded]),
      scripted('c', ['hi']),
    ])
    const { outcome } = await settle()
    expect(outcome?.hops.map(({ provider, attempts, outcome, kind }) => [provider, attempts, outcome, kind])).toEqual([
      ['a', 1, 'failed', 'auth'],
      ['b', 3, 'failed', 'overloaded'],
      ['c', 1, 'answered', undefined],
    ])
    expect(outcome?.attempts).toBe(5)
    expect(events.filter(({ type }) => type === 'fallback.decided')).toHaveLength(2)
    expect(events.at(-1)).toMatchObject({ type: 'call.succeeded', attempts: 5 })
  })

  test('is not taken for a request that nobody could answer', async () => {
    const other = scripted('b', ['never'])
    const { settle } = setUp([scripted('a', [badRequest]), other])
    expect((await settle()).error).toMatchObject({ details: { kind: 'invalid_request' } })
    expect(other.calls).toHaveLength(0)
  })

  test('none stays with the first provider', async () => {
    const other = scripted('b', ['never'])
    const { settle } = setUp([scripted('a', [badKey]), other])
    await settle({ profile: defineProfile({ fallback: 'none' }) })
    expect(other.calls).toHaveLength(0)
  })

  test('critical never gets a lower tier, and fails instead', async () => {
    const cheap = scripted('b', ['never'], undefined, 'cheap')
    const { settle } = setUp([scripted('a', [badKey], undefined, 'premium'), cheap])
    expect((await settle({ profile: builtInProfiles.critical })).error).toMatchObject({ details: { kind: 'auth' } })
    expect(cheap.calls).toHaveLength(0)
  })

  test('critical takes the same tier or a higher one of another provider', async () => {
    const { settle } = setUp([
      scripted('a', [badKey], undefined, 'capable'),
      scripted('b', ['hi'], undefined, 'premium'),
    ])
    const { outcome } = await settle({ profile: builtInProfiles.critical })
    expect(outcome).toMatchObject({ provider: 'b', tier: 'premium', degraded: false })
  })

  test('balanced takes the same tier first, then down, and says that it is degraded', async () => {
    const providers = [
      scripted('a', [badKey], undefined, 'premium'),
      scripted('b', ['lower'], undefined, 'cheap'),
      scripted('c', [badKey], undefined, 'premium'),
    ]
    const { outcome } = await setUp(providers).settle()
    expect(outcome?.hops.map(({ provider }) => provider)).toEqual(['a', 'c', 'b'])
    expect(outcome).toMatchObject({ tier: 'cheap', degraded: true })
  })

  test('tolerant asks the cheap one first', async () => {
    const providers = [scripted('a', ['dear'], undefined, 'premium'), scripted('b', ['cheap'], undefined, 'cheap')]
    const { outcome } = await setUp(providers).settle({ profile: builtInProfiles.tolerant })
    expect(outcome).toMatchObject({ provider: 'b', degraded: false })
  })

  test('a model at fault is replaced by another of the same provider, a provider at fault is not', async () => {
    const models = [
      { id: 'm1', tier: 'capable' as const },
      { id: 'm2', tier: 'capable' as const },
    ]
    const gone = scriptedProvider([{ status: 404 }, 'hi'], { id: 'a', models })
    expect((await setUp([gone]).settle()).outcome).toMatchObject({ provider: 'a', model: 'm2' })
    const down = scriptedProvider([badKey, 'never'], { id: 'a', models })
    await setUp([down]).settle()
    expect(down.calls).toHaveLength(1)
  })

  test('a failure that is not understood goes on to another provider unless the profile fails fast', async () => {
    const providers = () => [scripted('a', [new Error('what?')]), scripted('b', ['hi'])]
    expect((await setUp(providers()).settle()).outcome).toMatchObject({ provider: 'b' })
    const { error } = await setUp(providers()).settle({ profile: builtInProfiles.critical })
    expect(error).toMatchObject({ details: { kind: 'unknown' }, cause: new Error('what?') })
  })
})

describe('the offline provider', () => {
  const text = 'Circuits open when providers fail. Cats sleep. Providers fail and circuits open again.'
  const request = { task: 'summarize', messages: [{ role: 'user' as const, content: text }] }

  test('stands in last where the profile has it, and the answer is degraded', async () => {
    const { settle } = setUp([offline(), scripted('a', [badKey])])
    const { outcome } = await settle({ profile: builtInProfiles.tolerant, request })
    expect(outcome?.hops.map(({ provider }) => provider)).toEqual(['a', 'offline'])
    expect(outcome?.degraded).toBe(true)
  })

  test.each([
    ['another task', builtInProfiles.tolerant, 'research', /'offline' does not do 'research'/],
    ['a critical profile', builtInProfiles.critical, 'summarize', /'offline' is not allowed by the profile/],
  ])('does not stand in for %s', async (_, profile, task, message) => {
    const { settle } = setUp([offline()])
    const { error } = await settle({ profile, request: { ...request, task } })
    expect(error).toMatchObject({
      code: 'provider_failed',
      details: { kind: 'no_provider', transient: false, attempts: 0 },
    })
    expect((error as Error).message).toMatch(message)
  })
})

describe('the circuit of a provider', () => {
  test('opens by its failures, is told apart from others, and the call goes elsewhere', async () => {
    const down = scripted(
      'a',
      Array.from({ length: 9 }, () => ({ status: 500 })),
    )
    const { call, circuits, clock } = setUp([down, scripted('b', ['1', '2', '3'])])
    for (let i = 0; i < 3; i++) {
      const pending = call()
      await clock.advance('1s')
      expect((await pending).outcome?.provider).toBe('b')
    }
    expect([circuits.find('a')?.state, circuits.find('b')?.state, down.calls.length]).toEqual(['open', 'closed', 5])
  })

  test('that is open is the error where nobody else can answer', async () => {
    const { settle, circuits, call } = setUp([scripted('a', ['never'])])
    await settle({ providers: [] })
    circuits.of('a').isolate()
    const { error } = await call()
    expect(error).toBeInstanceOf(CircuitOpenError)
    expect(error).toMatchObject({ details: { kind: 'circuit_open', attempts: 0, hops: [{ outcome: 'refused' }] } })
  })

  test('is not opened by faults of requests, keys and models', async () => {
    const faults = [badKey, badRequest, limited(3600), { status: 404 }, { status: 400, body: 'prompt is too long' }]
    const { settle, circuits } = setUp([scripted('a', [...faults, ...faults])])
    for (let i = 0; i < 10; i++) await settle()
    expect([circuits.find('a')?.state, circuits.find('a')?.failureCount]).toEqual(['closed', 0])
  })
})

describe('the caller’s signal', () => {
  test('ends an attempt and a wait at once', async () => {
    for (const script of [[{ text: '', delay: '1h' }], [limited(60), 'never']]) {
      const clock = virtualClock()
      const { call } = setUp([scripted('a', script, clock)], clock)
      const controller = new AbortController()
      const pending = call({ signal: controller.signal })
      await clock.advance(1000)
      controller.abort(new Error('enough'))
      const { error, tookMs } = await pending
      expect(error).toBeInstanceOf(CancelledError)
      expect(error).toMatchObject({ details: { kind: 'cancelled', transient: false, attempts: 1 } })
      expect([tookMs, clock.pending, getEventListeners(controller.signal, 'abort').length]).toEqual([1000, 0, 0])
    }
  })

  test('aborted beforehand makes no call', async () => {
    const provider = scripted('a', ['never'])
    const { error } = await setUp([provider]).call({ signal: AbortSignal.abort() })
    expect(error).toBeInstanceOf(CancelledError)
    expect(provider.calls).toHaveLength(0)
  })

  test('has no listener more after 10,000 calls', async () => {
    const provider = scriptedProvider([{ status: 400 }, 'hi'], { id: 'a', loop: true })
    const { call } = setUp([provider])
    const { signal } = new AbortController()
    let most = 0
    for (let i = 0; i < 10_000; i++) {
      await call({ signal })
      most = Math.max(most, getEventListeners(signal, 'abort').length)
    }
    expect([provider.calls.length, most]).toEqual([10_000, 0])
  })
})

describe('the retry budget', () => {
  test('is shared over providers: an outage of all of them is not multiplied by the retries', async () => {
    const clock = virtualClock()
    const retryBudget = createRetryBudget({ perCall: 0, perSecond: 0.000_001, capacity: 3, clock })
    const down = () => Array.from({ length: 40 }, () => overloaded)
    const { settle } = setUp([scripted('a', down()), scripted('b', down())], clock)
    const attempts: number[] = []
    for (let i = 0; i < 4; i++) {
      const { error } = await settle({ retryBudget, profile: builtInProfiles.tolerant })
      attempts.push((error as ProviderError).details.attempts as number)
    }
    // Three retries in all; after them one attempt at each.
    expect(attempts).toEqual([5, 2, 2, 2])
    expect(retryBudget.granted).toBe(3)
  })
})
