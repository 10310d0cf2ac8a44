import { describe, expect, it } from 'vitest'
import { readProfileOverrides } from '../../../src/config/environment.ts'
import { defineProfile } from '../../../src/resilience/define-profile.ts'
import { effectiveProfile, type OverrideSource } from '../../../src/resilience/effective-profile.ts'
import { withOverrides } from '../../../src/resilience/profile-overrides.ts'
import { builtInProfiles } from '../../../src/resilience/profiles.ts'

const sources = (of: string): OverrideSource['sources'] => ({
  maxRetries: `${of} retries`,
  timeoutMultiplier: `${of} times`,
})
const effectiveValue = (name: string, ...given: Parameters<typeof effectiveProfile>) =>
  effectiveProfile(...given).values.find(value => value.name === name)

describe('the effective values of a profile', () => {
  it('are those of the profile that a task has, each with the profile that gave it', () => {
    const parent = defineProfile({ name: 'parent', extends: 'critical', retry: { max: 4 } })
    const mine = defineProfile({
      name: 'mine',
      extends: parent,
      timeout: { stage: '1h' },
      causes: { auth: 'escalate' },
    })
    const known = { profiles: { mine }, tasks: { special: 'mine' } }
    expect(effectiveProfile('special', known)).toMatchObject({
      task: 'special',
      profile: 'mine',
      source: 'the tasks of the runtime',
    })
    expect(effectiveValue('timeout.stage', 'special', known)).toMatchObject({
      value: 3_600_000,
      source: "defineProfile 'mine'",
    })
    expect(effectiveValue('causes', 'special', known)).toMatchObject({ source: "defineProfile 'mine'" })
    expect(effectiveValue('retry.max', 'special', known)).toMatchObject({ value: 4, source: "defineProfile 'parent'" })
    expect(effectiveValue('retry.on', 'special', known)).toMatchObject({ source: "built-in profile 'critical'" })
  })

  it('are those of a flag before those of the environment before those of the profile', () => {
    const flag = { overrides: { maxRetries: 9 }, sources: sources('flag') }
    const environment = { overrides: { maxRetries: 8, timeoutMultiplier: 2 }, sources: sources('environment') }
    expect(effectiveValue('retry.max', 'balanced', {}, [flag, environment])).toMatchObject({
      value: 9,
      source: 'flag retries',
    })
    expect(effectiveValue('retry.max', 'balanced', {}, [environment])).toMatchObject({
      value: 8,
      source: 'environment retries',
    })
    expect(effectiveValue('timeout.call', 'balanced', {}, [flag, environment])).toMatchObject({
      value: 360_000,
      source: "built-in profile 'balanced' × environment times",
    })
  })

  it('of a name that is neither a task nor a profile are refused', () => {
    expect(() => effectiveProfile('sumarize')).toThrow(/did you mean 'summarize'/)
    expect(() => effectiveProfile('toString')).toThrow(/no task and no profile/)
  })
})

describe('overrides of every profile', () => {
  it('leave a profile as it is where they say nothing, and never make a timeout nothing', () => {
    expect(withOverrides(builtInProfiles.critical, {})).toBe(builtInProfiles.critical)
    expect(withOverrides(builtInProfiles.critical, { timeoutMultiplier: 1e-9 }).timeout).toEqual({
      attemptMs: 1,
      callMs: 1,
      stageMs: 1,
    })
  })

  it('come from the environment, where an empty variable is absent and a wrong one is refused by its name', () => {
    expect(readProfileOverrides({})).toEqual({})
    expect(readProfileOverrides({ HOLDFAST_MAX_RETRIES: '', HOLDFAST_TIMEOUT_MULTIPLIER: ' ' })).toEqual({})
    expect(readProfileOverrides({ HOLDFAST_MAX_RETRIES: '0', HOLDFAST_TIMEOUT_MULTIPLIER: '0.5' })).toEqual({
      maxRetries: 0,
      timeoutMultiplier: 0.5,
    })
    for (const wrong of ['-1', '1.5', 'many', 'Infinity'])
      expect(() => readProfileOverrides({ HOLDFAST_MAX_RETRIES: wrong })).toThrow(/HOLDFAST_MAX_RETRIES must be/)
    for (const wrong of ['0', '-2', 'NaN'])
      expect(() => readProfileOverrides({ HOLDFAST_TIMEOUT_MULTIPLIER: wrong })).toThrow(/HOLDFAST_TIMEOUT_MULTIPLIER/)
  })
})
