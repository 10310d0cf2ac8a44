import { describe, expect, test } from 'vitest'
import { OptionsError } from '../../../src/errors.ts'
import { defineProfile } from '../../../src/resilience/define-profile.ts'
import { resolveProfile } from '../../../src/resilience/profile-choice.ts'
import { builtInProfiles, taskProfiles } from '../../../src/resilience/profiles.ts'

describe('the built-in profiles', () => {
  test('are those of the contract', () => {
    const shown = Object.values(builtInProfiles).map(
      ({ name, retry, fallback, failFast, cache, offline, restart }) => ({
        name,
        max: retry.max,
        kind: retry.backoff.kind,
        kinds: retry.on.length,
        fallback,
        failFast,
        cache,
        offline,
        intensity: restart.intensity,
      }),
    )
    expect(shown).toEqual([
      {
        name: 'critical',
        max: 1,
        kind: 'exponential',
        kinds: 2,
        fallback: 'cross_provider',
        failFast: true,
        cache: false,
        offline: false,
        intensity: 1,
      },
      {
        name: 'balanced',
        max: 2,
        kind: 'exponential',
        kinds: 5,
        fallback: 'same_tier_then_down',
        failFast: false,
        cache: true,
        offline: false,
        intensity: 3,
      },
      {
        name: 'tolerant',
        max: 3,
        kind: 'linear',
        kinds: 5,
        fallback: 'any_available',
        failFast: false,
        cache: true,
        offline: true,
        intensity: 3,
      },
    ])
    for (const profile of Object.values(builtInProfiles)) {
      expect(profile).toMatchObject({
        retry: { backoff: { base: 100, max: 10_000, jitter: 0.2 } },
        timeout: { attemptMs: 60_000, callMs: 180_000, stageMs: 1_800_000 },
        restart: { periodMs: 3_600_000, onExhausted: 'fail' },
        circuit: { failureThreshold: 5, openMs: 30_000, maxProbes: 3, successThreshold: 2 },
        unknownOutcome: 'retry',
      })
      expect(profile.timeout).not.toHaveProperty('runMs')
      expect(profile.allowTierDowngrade).toBe(profile.name !== 'critical')
    }
  })
})

describe('defineProfile', () => {
  test('without options is balanced under another name', () => {
    expect({ ...defineProfile(), name: 'balanced' }).toEqual(builtInProfiles.balanced)
  })

  test('changes only what is given, and is plain JSON', () => {
    const profile = defineProfile({
      extends: 'critical',
      name: 'careful',
      retry: { max: 4, backoff: { base: '1s' } },
      timeout: { attempt: '5s', run: '1h' },
      circuit: { openTime: '1m' },
      restart: { intensity: 0, onExhausted: 'quarantine' },
      budget: { usd: 1, wallTime: '2m' },
      unknownOutcome: 'ask',
    })
    expect(profile).toEqual({
      ...builtInProfiles.critical,
      name: 'careful',
      retry: {
        max: 4,
        on: ['rate_limit', 'timeout'],
        backoff: { kind: 'exponential', base: 1000, max: 10_000, jitter: 0.2 },
      },
      timeout: { attemptMs: 5000, callMs: 180_000, stageMs: 1_800_000, runMs: 3_600_000 },
      circuit: { ...builtInProfiles.critical.circuit, openMs: 60_000 },
      restart: { intensity: 0, periodMs: 3_600_000, onExhausted: 'quarantine', livelockAfter: 10 },
      budget: { usd: 1, wallTimeMs: 120_000 },
      unknownOutcome: 'ask',
    })
    expect(JSON.parse(JSON.stringify(profile))).toEqual(profile)
    expect(resolveProfile({ stage: { profile: JSON.parse(JSON.stringify(profile)) } })).toEqual(profile)
  })

  test('can extend a profile of one’s own, and treats undefined as absent', () => {
    const base = defineProfile({ name: 'base', retry: { max: 9 } })
    expect(defineProfile({ extends: base, name: 'base', retry: undefined, failFast: undefined })).toEqual(base)
  })

  test.each([
    [{ retry: { maxx: 3 } }, /retry: unknown option 'maxx'; did you mean 'max'\?/],
    [{ failfast: true }, /unknown option 'failfast'; did you mean 'failFast'\?/],
    [{ restart: { intensty: 2 } }, /did you mean 'intensity'/],
    [{ extends: 'balance' }, /unknown profile 'balance'; did you mean 'balanced'/],
    [{ retry: { on: ['rate_limits'] } }, /retry\.on\.0/],
    [{ timeout: { call: 'soon' } }, /timeout\.call must be milliseconds/],
    [{ retry: { backoff: { base: 500, max: 100 } } }, /below its base/],
    [{ circuit: { openTime: 0 } }, /above 0 ms/],
  ])('refuses %j', (options, message) => {
    expect(() => defineProfile(options as never)).toThrow(OptionsError)
    expect(() => defineProfile(options as never)).toThrow(message)
  })
})

describe('resolveProfile', () => {
  const own = (name: string) => defineProfile({ name })
  const [a, b, c] = [own('a'), own('b'), own('c')]

  test('takes the nearest: stage profile, stage task, start, workflow profile, workflow task, balanced', () => {
    const all = { stage: { profile: a, task: 'code_review' }, start: b, workflow: { profile: c, task: 'summarize' } }
    expect(resolveProfile(all).name).toBe('a')
    expect(resolveProfile({ ...all, stage: { task: 'code_review' } }).name).toBe('critical')
    expect(resolveProfile({ ...all, stage: {} }).name).toBe('b')
    expect(resolveProfile({ workflow: all.workflow }).name).toBe('c')
    expect(resolveProfile({ workflow: { task: 'summarize' } }).name).toBe('tolerant')
    expect(resolveProfile({}).name).toBe('balanced')
  })

  test('knows every task of the table', () => {
    for (const [task, name] of Object.entries(taskProfiles)) expect(resolveProfile({ stage: { task } }).name).toBe(name)
  })

  test('takes names and tasks that the runtime adds', () => {
    const known = { profiles: { a }, tasks: { triage: 'a' } }
    expect(resolveProfile({ stage: { task: 'triage' } }, known)).toBe(a)
    expect(resolveProfile({ start: 'a' }, known)).toBe(a)
  })

  test.each([
    [{ stage: { profile: 'critcal' } }, /unknown profile 'critcal'; did you mean 'critical'/],
    [{ workflow: { task: 'sumarize' } }, /unknown task 'sumarize'; did you mean 'summarize'/],
    [{ start: { retry: { max: 1 } } }, /made by defineProfile/],
    [{ start: 'constructor' }, /unknown profile 'constructor'/],
  ])('refuses %j', (choice, message) => {
    expect(() => resolveProfile(choice)).toThrow(message)
  })
})
