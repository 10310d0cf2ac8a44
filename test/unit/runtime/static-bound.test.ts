import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import {
  type StageFailure,
  type StagePolicy,
  stageContextSchema,
  stageMachine,
} from '../../../machines/stage.machine.ts'
import { ProviderError } from '../../../src/errors.ts'
import { type Causes, causeAnswers } from '../../../src/resilience/causes.ts'
import { defineProfile } from '../../../src/resilience/define-profile.ts'
import { failureKinds } from '../../../src/resilience/kinds.ts'
import { planOf } from '../../../src/runtime/planning/plan.ts'
import { stageBound, totalBound } from '../../../src/runtime/planning/static-bound.ts'
import { defineWorkflow } from '../../../src/workflow/define-workflow.ts'
import { PureMachine } from '../../support/pure-machine.ts'
import { createWorld, settle } from '../../support/runtime-world.ts'
import { propertyRuns, propertyTimeoutMs } from '../../support/supervised-worker.ts'

vi.setConfig({ testTimeout: propertyTimeoutMs })

const policies: fc.Arbitrary<StagePolicy> = fc.record({
  maxRetries: fc.nat(3),
  retryOn: fc.constantFrom([], ['server_error']),
  remedies: fc.subarray(['clean', 'reload']),
  restart: fc.constantFrom('transient' as const, 'temporary' as const),
  intensity: fc.nat(3),
  periodMs: fc.constant(1),
  livelockAfter: fc.integer({ min: 1, max: 4 }),
  onExhausted: fc.constant('fail' as const),
  fallback: fc.boolean(),
  optional: fc.boolean(),
  preflight: fc.constant(false),
})

const failure = (parts: Partial<StageFailure>): StageFailure => ({
  error: { name: 'Error', message: '' },
  type: 'provider',
  kind: 'server_error',
  exhausted: true,
  answer: 'restart',
  retryAfterMs: null,
  signature: 'a',
  ...parts,
})

/** Lets the function fail as `choose` says, long after each period and without progress, and counts its starts. */
function failOn(policy: StagePolicy, choose: (n: number, machine: PureMachine) => StageFailure) {
  const machine = new PureMachine(stageMachine, stageContextSchema, { stage: 's', policy, admission: 'run' })
  let executions = 1
  for (let n = 0; !machine.isDone && machine.value !== 'fallingBack'; n++) {
    const facts = { failure: choose(n, machine), at: n * 1000, delayMs: 0, restartBudgetLeft: true, progress: 0 }
    machine.send({ type: 'ATTEMPT_FAILED', ...facts } as never)
    machine.send({ type: machine.value === 'remedying' ? 'REMEDY_APPLIED' : 'DELAY_PASSED' })
    executions += machine.requests.filter(({ type }) => type === 'startAttempt').length
  }
  const { attempt, restarts, waits } = machine.context as { attempt: number; restarts: number; waits: number }
  return { attempts: attempt, restarts, waits, executions }
}

/** What a failure can do to a stage at the worst: it waits while it may, is retried while it may, then restarts. */
function worst(policy: StagePolicy, n: number, machine: PureMachine): StageFailure {
  const { retries, alike, remediesTried } = machine.context as never as {
    retries: number
    alike: { signature: string; times: number } | null
    remediesTried: number
  }
  if (policy.retryOn.length > 0 && retries < policy.maxRetries) return failure({ exhausted: false })
  if (remediesTried < policy.remedies.length) return failure({})
  const waited = alike?.signature === 'wait' ? alike.times : 0
  if (waited < policy.livelockAfter) return failure({ answer: 'wait' })
  return failure({ signature: `other ${n}` })
}

describe('the static bound of a stage', () => {
  it('is never exceeded, however the stage fails, and is reached by the worst', () => {
    const choices = fc.array(
      fc.record({
        kind: fc.constantFrom('server_error', 'unknown'),
        exhausted: fc.boolean(),
        answer: fc.constantFrom(...causeAnswers),
        signature: fc.constantFrom('a', 'b'),
      }),
      { minLength: 1, maxLength: 8 },
    )
    fc.assert(
      fc.property(policies, choices, (policy, chosen) => {
        const { retries: _, ...bound } = stageBound({ policy, profile: defineProfile() })
        const any = failOn(policy, n => failure(chosen[n % chosen.length] as Partial<StageFailure>))
        for (const [name, most] of Object.entries(bound))
          expect(any[name as keyof typeof any], name).toBeLessThanOrEqual(most)
        expect(failOn(policy, (n, machine) => worst(policy, n, machine))).toEqual(bound)
      }),
      { numRuns: propertyRuns * 2 },
    )
  })

  it('counts no restart and no wait where no cause asks for one', () => {
    const all = (answer: 'wait' | 'stop'): Causes => Object.fromEntries(failureKinds.map(kind => [kind, answer]))
    const policy = { ...({} as StagePolicy), maxRetries: 0, retryOn: [], remedies: [], restart: 'transient' as const }
    const given = { ...policy, intensity: 3, livelockAfter: 10 }
    expect(stageBound({ policy: given, profile: defineProfile({ causes: all('stop') }) })).toMatchObject({
      attempts: 1,
      executions: 1,
    })
    expect(stageBound({ policy: given, profile: defineProfile({ causes: all('wait') }) })).toMatchObject({
      attempts: 1,
      restarts: 0,
      waits: 10,
    })
  })

  it('holds for a whole run: the sum of its stages, and no more restarts than its budget has', () => {
    const bound = stageBound({
      policy: {
        ...({} as StagePolicy),
        maxRetries: 2,
        retryOn: ['timeout'],
        remedies: [],
        restart: 'transient',
        intensity: 3,
        livelockAfter: 10,
      },
      profile: defineProfile(),
    })
    expect(bound).toEqual({ attempts: 12, retries: 8, restarts: 3, waits: 40, executions: 52 })
    expect(
      totalBound([
        { bound, count: 1 },
        { bound, count: 2 },
      ]),
    ).toEqual({
      attempts: 36,
      retries: 24,
      restarts: 9,
      waits: 120,
      executions: 156,
    })
    expect(
      totalBound(
        [
          { bound, count: 1 },
          { bound, count: 2 },
        ],
        1,
      ),
    ).toMatchObject({ restarts: 1, attempts: 12 })
  })
})

describe('the plan of a workflow', () => {
  const failing = (options: { profile?: object; task?: string } = {}) =>
    defineWorkflow({ name: 'w', version: '1', ...options })
      .stage('a', () => 1)
      .stage('b', { timeout: '2m', optional: true, restart: 'temporary' }, () => 2)
      .map('c', { over: () => [1], concurrency: 3, task: 'summarize', needs: ['a'] }, () => 3)

  it('says of each stage its profile, where that is from, its timeouts and its bound', () => {
    const plan = planOf(failing({ task: 'code_review' }), { timeoutMultiplier: 2, maxRetries: 0 })
    expect(plan.stages).toMatchObject([
      {
        name: 'a',
        needs: [],
        profile: 'critical',
        profileFrom: "the workflow's task 'code_review'",
        timeoutMs: 3_600_000,
      },
      { name: 'b', timeoutMs: 240_000, optional: true, bound: { attempts: 1, restarts: 0, waits: 0 } },
      { name: 'c', kind: 'map', concurrency: 3, profile: 'tolerant', profileFrom: "the stage's task 'summarize'" },
    ])
    expect(plan.stages[2]?.bound).toMatchObject({ attempts: 4, restarts: 3 })
    expect(plan.bound).toMatchObject({ attempts: 2 + 1 + 4 * 10_000 })
    expect(plan.cost).toMatchObject({ usd: 0, requests: 0 })
  })

  it('refuses what the start would refuse', () => {
    expect(() => planOf(failing(), { profile: 'balancd' })).toThrow(/did you mean 'balanced'/)
    expect(() => planOf(failing(), { budget: { uds: 1 } as never })).toThrow(/did you mean 'usd'/)
    expect(() => planOf({} as never)).toThrow(/must be a workflow/)
  })

  it('is kept by a run that fails always: it has just as many attempts', async () => {
    const world = createWorld()
    const runtime = await world.open()
    const profile = defineProfile({ retry: { max: 2 }, restart: { intensity: 2 } })
    const workflow = defineWorkflow({ name: 'w', version: '1', profile }).stage('a', () => {
      throw new ProviderError('down', { kind: 'server_error' })
    })
    const result = await settle(world.clock, (await runtime.start(workflow)).result())
    const { bound } = planOf(workflow)
    expect(bound).toMatchObject({ attempts: 9, restarts: 2 })
    expect(result).toMatchObject({ success: false, attempts: 9, restarts: 2 })
    await runtime.close()
  })
})

describe('overrides', () => {
  it('of a start change retries and timeouts of every profile, also after the process has died', async () => {
    const world = createWorld()
    const workflow = defineWorkflow({ name: 'w', version: '1' })
      .stage('slow', { timeout: '1m', restart: 'temporary', optional: true }, ({ sleep, incarnation }) =>
        incarnation < 2 ? sleep('30s') : new Promise(() => {}),
      )
      .stage('down', { restart: 'temporary' }, () => {
        throw new ProviderError('down', { kind: 'server_error' })
      })
    const first = await world.open({ workflows: [workflow] })
    const { id } = await first.start(workflow, undefined, { maxRetries: 5, timeoutMultiplier: 3 })
    await world.clock.advance('5s')
    await first.close()
    const second = await world.open({ workflows: [workflow] })
    const began = world.clock.now()
    const result = await settle(world.clock, (await second.get(id)).result(), 100)
    expect(result).toMatchObject({ success: false, error: { stage: 'down', attempt: 6 } })
    // `slow` is a timeout, which is retried: six attempts of three minutes each.
    expect(result.performance.stages.slow?.attempts).toBe(6)
    expect(world.clock.now() - began).toBeGreaterThanOrEqual(6 * 180_000)
    expect(world.clock.now() - began).toBeLessThan(6 * 180_000 + 60_000)
    await second.close()
  })
})
