/**
 * The stage machine against a model of the contract: whatever comes, in whatever order, with a crash and a restore
 * anywhere, it decides as the list "when a stage fails" says, and keeps its bounds.
 */
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import {
  type StageFailure,
  type StageMachineEvent,
  type StagePolicy,
  stageContextSchema,
  stageMachine,
} from '../../machines/stage.machine.ts'
import { causeAnswers } from '../../src/resilience/causes.ts'
import { PureMachine } from '../support/pure-machine.ts'
import { propertyRuns, propertyTimeoutMs } from '../support/supervised-worker.ts'

vi.setConfig({ testTimeout: propertyTimeoutMs })

const kinds = ['rate_limit', 'server_error', 'timeout', 'connection', 'unknown', 'auth', 'invalid_response']

const policies: fc.Arbitrary<StagePolicy> = fc.record({
  maxRetries: fc.nat(3),
  retryOn: fc.subarray(['rate_limit', 'server_error', 'timeout', 'connection']),
  remedies: fc.subarray(['clean', 'reload']),
  restart: fc.constantFrom('transient' as const, 'temporary' as const),
  intensity: fc.nat(3),
  periodMs: fc.integer({ min: 1, max: 100 }),
  livelockAfter: fc.integer({ min: 1, max: 4 }),
  onExhausted: fc.constantFrom('fail' as const, 'quarantine' as const),
  fallback: fc.boolean(),
  optional: fc.boolean(),
  preflight: fc.boolean(),
})

const failures: fc.Arbitrary<StageFailure> = fc.record({
  error: fc.record({ name: fc.constant('Error'), message: fc.string({ maxLength: 5 }) }),
  type: fc.constantFrom('provider', 'provider', 'timeout', 'runtime', 'budget'),
  kind: fc.option(fc.constantFrom(...kinds), { nil: null }),
  exhausted: fc.boolean(),
  answer: fc.constantFrom(...causeAnswers),
  retryAfterMs: fc.option(fc.nat(40), { nil: null }),
  signature: fc.constantFrom('a', 'b'),
})

const failing = failures.map(failure => ({
  ...failure,
  type: 'provider',
  kind: 'server_error',
  exhausted: false,
  answer: 'restart' as const,
}))
/** Nothing of the profile's attempts is for these: what their cause asks for decides. */
const comingBack = fc
  .tuple(failures, fc.constantFrom('restart' as const, 'wait' as const, 'change_plan' as const))
  .map(([failure, answer]) => ({ ...failure, type: 'provider', exhausted: true, answer }))

interface Failed {
  readonly failure: StageFailure
  readonly at: number
  readonly delayMs: number
  readonly restartBudgetLeft: boolean
  readonly progress: number
}

type Phase =
  | 'preflight'
  | 'working'
  | 'waiting'
  | 'backingOff'
  | 'restarting'
  | 'parked'
  | 'remedying'
  | 'fallingBack'
  | 'ended'

/** What has happened so far, told as the contract tells it; `history` keeps every restart there ever was. */
class StageModel {
  now = 1_000_000
  phase: Phase
  outcome: string | undefined
  attempts = 1
  incarnations = 1
  /** Starts of the function since the last restart, that came from a retry. */
  retries = 0
  remedies = 0
  /** Every restart there ever was. */
  readonly restarts: { at: number; progress: number }[] = []
  /** Every wait and restart there ever was, by what it was for and how far the stage had come. */
  readonly comebacks: { signature: string; progress: number }[] = []
  waits = 0
  progress = 0
  failure: StageFailure | null = null
  dueAt: number | null = null
  /** Of the last event, in order. */
  rules: string[] = []
  readonly policy: StagePolicy

  constructor(policy: StagePolicy) {
    this.policy = policy
    this.phase = policy.preflight ? 'preflight' : 'working'
  }

  fail(facts: Failed, remembers: boolean): void {
    if (remembers) this.failure = facts.failure
    const failure = this.failure as StageFailure
    this.rules = this.decide(failure, facts)
    const rule = this.rules.at(-1) as string
    if (['retry', 'wait', 'restart', 'change_plan'].includes(rule))
      this.dueAt = facts.at + (failure.retryAfterMs || facts.delayMs)
    if (rule === 'retry') {
      this.attempts++
      this.retries++
    }
    if (rule === 'restart' || rule === 'change_plan') {
      this.attempts++
      this.retries = 0
      this.incarnations++
      this.restarts.push({ at: facts.at, progress: facts.progress })
    }
    if (rule === 'wait') {
      this.waits++
      this.incarnations++
    }
    if (['wait', 'restart', 'change_plan'].includes(rule))
      this.comebacks.push({ signature: likeness(failure), progress: facts.progress })
    const phases: Record<string, Phase> = {
      retry: 'backingOff',
      restart: 'restarting',
      change_plan: 'restarting',
      wait: 'parked',
      remedy: 'remedying',
      fallback: 'fallingBack',
    }
    const phase = phases[rule]
    if (phase) this.phase = phase
    else this.end({ budget: 'out_of_budget', degrade: 'degraded', quarantine: 'quarantined', fail: 'failed' }[rule])
  }

  decide(failure: StageFailure, { at, progress, restartBudgetLeft }: Failed): string[] {
    const { policy } = this
    if (failure.type === 'budget') return ['budget']
    if (!failure.exhausted && policy.retryOn.includes(failure.kind ?? '') && this.retries < policy.maxRetries)
      return ['retry']
    if (failure.answer === 'escalate') return [policy.onExhausted]
    if (this.remedies < policy.remedies.length) return ['remedy']
    const givenUp = policy.fallback ? 'fallback' : this.#last()
    if (policy.restart === 'temporary' || failure.answer === 'stop') return [givenUp]
    if (this.inARow(likeness(failure), progress) >= policy.livelockAfter) return ['livelock', givenUp]
    if (failure.answer === 'wait') return ['wait']
    if (this.counted(at, progress) >= policy.intensity) return [givenUp]
    return [restartBudgetLeft ? failure.answer : 'budget']
  }

  /** Restarts that count: each does until its period has passed and the stage has come further. */
  counted(now: number, progress: number): number {
    return this.restarts.filter(restart => now - restart.at <= this.policy.periodMs || progress <= restart.progress)
      .length
  }

  /** How often the stage last came back for this, without a step further in between. */
  inARow(signature: string, progress: number): number {
    let times = 0
    let reached = progress
    for (const comeback of [...this.comebacks].reverse()) {
      if (comeback.signature !== signature || comeback.progress < reached) break
      reached = comeback.progress
      times++
    }
    return times
  }

  loseFallback(failure: StageFailure): void {
    this.failure = failure
    const last = this.#last()
    this.rules = [last]
    this.end({ degrade: 'degraded', quarantine: 'quarantined', fail: 'failed' }[last])
  }

  /** Another start, or the first one after the preflight: no function runs before the ground has been examined. */
  begin(isExamined: boolean): void {
    this.phase = this.policy.preflight && !isExamined ? 'preflight' : 'working'
    this.dueAt = null
  }

  end(outcome: string | undefined): void {
    this.phase = 'ended'
    this.outcome = outcome
    this.dueAt = null
  }

  #last(): 'degrade' | 'quarantine' | 'fail' {
    return this.policy.optional ? 'degrade' : this.policy.onExhausted === 'quarantine' ? 'quarantine' : 'fail'
  }
}

const likeness = ({ answer, signature }: StageFailure): string => (answer === 'wait' ? 'wait' : signature)

type StageCommand = fc.Command<StageModel, PureMachine>

/** One event: what it does to the model in the phases where it counts; in every other it must change nothing. */
function event(
  type: StageMachineEvent['type'],
  phases: readonly Phase[],
  effect: (model: StageModel) => void,
  rest: object = {},
  stepMs = 0,
  steps = 0,
): StageCommand {
  return {
    check: () => true,
    toString: () => `${type} ${JSON.stringify({ ...rest, stepMs })}`,
    run(model, machine) {
      model.now += stepMs
      model.progress += steps
      const { phase: before } = model
      const counts = phases.includes(before)
      const stateBefore = machine.state
      model.rules = []
      if (counts) effect(model)
      machine.send({
        type,
        ...rest,
        ...('failure' in rest ? { at: model.now, progress: model.progress } : {}),
      } as never)
      agree(model, machine)
      if (!counts) {
        expect(machine.state).toEqual(stateBefore)
        expect(machine.requests).toEqual([])
      }
      const explained = machine.requests.filter(request => request.type === 'explainDecision')
      expect(explained.map(request => request.params)).toEqual(model.rules.map(rule => ({ rule })))
      const begins = counts && model.phase === 'working' && type !== 'WAIT_ENDED'
      expect(machine.requests.filter(request => request.type === 'startAttempt')).toHaveLength(begins ? 1 : 0)
      const delays = ['retry', 'wait', 'restart', 'change_plan'].includes(model.rules.at(-1) ?? '') ? 1 : 0
      expect(machine.requests.filter(request => request.type === 'setDelay')).toHaveLength(delays)
    },
  }
}

const crash: StageCommand = {
  check: () => true,
  toString: () => 'CRASH+RESTORE',
  run: (model, machine) => {
    machine.restore()
    agree(model, machine)
  },
}

/** The machine is where the model is, and within the bounds of the policy. */
function agree(model: StageModel, machine: PureMachine): void {
  const { policy } = model
  const { value, context } = machine
  const ends: Record<string, string> = {
    succeeded: 'succeeded',
    fell_back: 'fellBack',
    degraded: 'degraded',
    failed: 'failed',
    quarantined: 'quarantined',
    out_of_budget: 'outOfBudget',
    skipped: 'skipped',
  }
  const expected =
    model.phase === 'ended' ? ends[model.outcome ?? ''] : model.phase === 'working' ? 'running' : model.phase
  expect(value).toEqual(expected)
  expect(machine.isDone).toBe(model.phase === 'ended')
  if (machine.isDone) {
    const lost = !['succeeded', 'fell_back', 'skipped'].includes(model.outcome ?? '')
    expect(machine.output).toMatchObject({ outcome: model.outcome, ...(lost ? { failure: model.failure } : {}) })
  }
  expect(context).toMatchObject({
    attempt: model.attempts,
    incarnation: model.incarnations,
    retries: model.retries,
    remediesTried: model.remedies,
    failure: model.failure,
    restarts: model.restarts.length,
    waits: model.waits,
    dueAt: model.dueAt,
  })
  expect((context.spent as unknown[]).length).toBeLessThanOrEqual(policy.intensity)
  expect(model.retries).toBeLessThanOrEqual(policy.maxRetries)
  expect(model.remedies).toBeLessThanOrEqual(policy.remedies.length)
  expectWithinIntensity(model.restarts, policy)
}

/** No period holds more restarts than the intensity, and none beyond it passes without a step further. */
function expectWithinIntensity(
  restarts: readonly { readonly at: number; readonly progress: number }[],
  { intensity, periodMs }: StagePolicy,
): void {
  restarts.forEach((last, index) => {
    const first = restarts[index - intensity]
    if (!first) return
    expect(last.at - first.at).toBeGreaterThan(periodMs)
    expect(last.progress).toBeGreaterThan(first.progress)
  })
}

const running: readonly Phase[] = ['working', 'waiting']
const stepMs = fc.integer({ min: 0, max: 60 })
const failed = fc.record({
  failure: fc.oneof(failures, failing, comingBack),
  delayMs: fc.nat(50),
  restartBudgetLeft: fc.oneof({ weight: 5, arbitrary: fc.constant(true) }, fc.constant(false)),
})

const failedEvent = (
  type: 'ATTEMPT_FAILED' | 'PREFLIGHT_FAILED' | 'REMEDY_FAILED',
  phases: readonly Phase[],
): fc.Arbitrary<StageCommand> =>
  fc.tuple(failed, stepMs, fc.nat(1)).map(([facts, step, steps]) =>
    event(
      type,
      phases,
      model => {
        if (type === 'REMEDY_FAILED') model.remedies++
        model.fail({ ...facts, at: model.now, progress: model.progress }, type !== 'REMEDY_FAILED')
      },
      facts,
      step,
      steps,
    ),
  )

const recovered = event('RECOVERED', ['preflight', 'working', 'waiting', 'remedying', 'fallingBack'], model => {
  if (model.phase === 'preflight' || running.includes(model.phase)) model.incarnations++
  if (model.phase === 'waiting') model.phase = 'working'
})

const commands: fc.Arbitrary<StageCommand>[] = [
  failedEvent('ATTEMPT_FAILED', running),
  failedEvent('ATTEMPT_FAILED', running),
  failedEvent('PREFLIGHT_FAILED', ['preflight']),
  failedEvent('REMEDY_FAILED', ['remedying']),
  fc.constant(event('DELAY_PASSED', ['backingOff', 'restarting', 'parked'], model => model.begin(false))),
  fc.constant(event('DELAY_PASSED', ['backingOff', 'restarting', 'parked'], model => model.begin(false))),
  fc.constant(event('ATTEMPT_SUCCEEDED', running, model => model.end('succeeded'))),
  fc.constant(
    event('WAIT_BEGUN', ['working'], model => {
      model.phase = 'waiting'
    }),
  ),
  fc.constant(
    event('WAIT_ENDED', ['waiting'], model => {
      model.phase = 'working'
    }),
  ),
  fc.constant(event('PREFLIGHT_PASSED', ['preflight'], model => model.begin(true))),
  fc.constant(
    event('REMEDY_APPLIED', ['remedying'], model => {
      model.remedies++
      model.attempts++
      model.begin(false)
    }),
  ),
  fc.constant(event('FALLBACK_SUCCEEDED', ['fallingBack'], model => model.end('fell_back'))),
  failures.map(failure => event('FALLBACK_FAILED', ['fallingBack'], model => model.loseFallback(failure), { failure })),
  fc.constant(recovered),
  fc.constant(crash),
]

const fallen: StageFailure = {
  error: { name: 'Error', message: '' },
  type: 'runtime',
  kind: 'unknown',
  exhausted: false,
  answer: 'restart',
  retryAfterMs: null,
  signature: 'a',
}

const admitted = (policy: StagePolicy, admission: 'run' | 'skip' | 'refuse' = 'run', failure?: StageFailure) =>
  new PureMachine(stageMachine, stageContextSchema, { stage: 's', policy, admission, failure })

/** Sends what the stage asked for, as a runtime whose every effect fails in this way, until it has ended. */
function failOn(machine: PureMachine, failure: StageFailure): string[] {
  const rules: string[] = []
  const facts = { failure, at: 0, delayMs: 0, restartBudgetLeft: true, progress: 0 }
  const answers: Record<string, object> = {
    preflight: { type: 'PREFLIGHT_FAILED', ...facts },
    backingOff: { type: 'DELAY_PASSED' },
    restarting: { type: 'DELAY_PASSED' },
    parked: { type: 'DELAY_PASSED' },
    remedying: { type: 'REMEDY_FAILED', ...facts },
    fallingBack: { type: 'FALLBACK_FAILED', failure },
  }
  for (let events = 0; !machine.isDone; events++) {
    expect(events).toBeLessThan(100)
    const { value } = machine
    machine.send((answers[value as string] ?? { type: 'ATTEMPT_FAILED', ...facts }) as { type: string })
    const explained = machine.requests.filter(request => request.type === 'explainDecision')
    rules.push(...explained.map(({ params }) => (params as { rule: string }).rule))
  }
  return rules
}

describe('the machine of a stage', () => {
  it('decides as the contract says, keeps its bounds, and goes on the same after a crash anywhere', () => {
    fc.assert(
      fc.property(policies, fc.commands(commands, { maxCommands: 60 }), (policy, sequence) => {
        fc.modelRun(() => ({ model: new StageModel(policy), real: admitted(policy) }), sequence)
      }),
      { numRuns: propertyRuns * 5 },
    )
  })

  it('tries, when nothing ever succeeds, in the order of the contract, and ends where the policy says', () => {
    fc.assert(
      fc.property(policies, failing, (policy, failure) => {
        const { retryOn, remedies, intensity, optional, onExhausted } = policy
        const machine = admitted({ ...policy, preflight: false })
        const retries = Array.from({ length: retryOn.includes('server_error') ? policy.maxRetries : 0 }, () => 'retry')
        const restarts = policy.restart === 'transient' ? Math.min(intensity, policy.livelockAfter) : 0
        const isLivelock = policy.restart === 'transient' && intensity >= policy.livelockAfter
        const end = optional ? 'degrade' : onExhausted
        expect(failOn(machine, failure)).toEqual([
          ...retries,
          ...remedies.map(() => 'remedy'),
          ...Array.from({ length: restarts }, () => ['restart', ...retries]).flat(),
          ...(isLivelock ? ['livelock'] : []),
          ...(policy.fallback ? ['fallback'] : []),
          end,
        ])
        const outcomes = { degrade: 'degraded', fail: 'failed', quarantine: 'quarantined' }
        expect(machine.output).toMatchObject({ outcome: outcomes[end], failure })
        expect(machine.context).toMatchObject({ attempt: 1 + retries.length * (1 + restarts) + restarts })
      }),
      { numRuns: propertyRuns },
    )
  })

  it('never starts again for a cause that says stop, and asks nothing of the stage for one that escalates', () => {
    fc.assert(
      fc.property(
        policies,
        failures.filter(({ type }) => type !== 'budget'),
        fc.constantFrom('stop' as const, 'escalate' as const),
        (policy, failure, answer) => {
          const machine = admitted({ ...policy, preflight: false })
          const rules = failOn(machine, { ...failure, exhausted: true, answer })
          expect(rules.filter(rule => ['retry', 'wait', 'restart', 'change_plan'].includes(rule))).toEqual([])
          expect(machine.context).toMatchObject({ incarnation: 1, attempt: 1 })
          if (answer === 'escalate') expect(rules).toEqual([policy.onExhausted])
        },
      ),
      { numRuns: propertyRuns },
    )
  })

  it('waits for a cause to pass without spending a restart or an attempt, for as long as the other side asks', () => {
    fc.assert(
      fc.property(policies, comingBack, fc.nat(1000), fc.nat(50), (policy, failure, retryAfterMs, delayMs) => {
        const machine = admitted({ ...policy, remedies: [], restart: 'transient', preflight: false, intensity: 0 })
        const limited = { ...failure, answer: 'wait' as const, retryAfterMs }
        for (let waits = 1; waits <= policy.livelockAfter; waits++) {
          const at = waits * 10_000
          const facts = { failure: limited, at, delayMs, restartBudgetLeft: false, progress: 0 }
          machine.send({ type: 'ATTEMPT_FAILED', ...facts } as never)
          expect(machine.value).toBe('parked')
          const dueAt = at + (retryAfterMs || delayMs)
          expect(machine.context).toMatchObject({ restarts: 0, spent: [], waits, attempt: 1, dueAt })
          machine.send({ type: 'DELAY_PASSED' })
        }
        expect(failOn(machine, limited)[0]).toBe('livelock')
      }),
      { numRuns: propertyRuns },
    )
  })

  it('counts a failure that comes again and again in the same state as a livelock, and one with progress never', () => {
    fc.assert(
      fc.property(policies, failing, fc.boolean(), fc.boolean(), (policy, failure, advances, crashes) => {
        const plain = { ...policy, remedies: [], restart: 'transient' as const, preflight: false, intensity: 1000 }
        const machine = admitted(plain)
        const seen: unknown[] = []
        for (let n = 0; n <= policy.livelockAfter && !machine.isDone; n++) {
          const progress = advances ? n : 0
          const fallen = { ...failure, exhausted: true }
          const facts = { failure: fallen, at: n, delayMs: 0, restartBudgetLeft: true, progress }
          machine.send({ type: 'ATTEMPT_FAILED', ...facts } as never)
          seen.push(machine.requests.find(({ type }) => type === 'explainDecision')?.params)
          if (crashes) machine.restore()
          machine.send({ type: 'DELAY_PASSED' })
        }
        const restarts = Array.from({ length: policy.livelockAfter }, () => ({ rule: 'restart' }))
        expect(seen).toEqual([...restarts, { rule: advances ? 'restart' : 'livelock' }])
        if (!advances) expect(machine.context).toMatchObject({ because: 'livelock' })
      }),
      { numRuns: propertyRuns },
    )
  })

  it('gives a restart back only when the period has passed and there was progress, also when processes die', () => {
    fc.assert(
      fc.property(
        policies,
        fc.array(fc.tuple(stepMs, fc.nat(1)), { minLength: 5, maxLength: 40 }),
        fc.boolean(),
        (policy, gaps, crashes) => {
          const { intensity, periodMs } = policy
          const machine = admitted({
            ...policy,
            remedies: [],
            restart: 'transient',
            preflight: false,
            livelockAfter: 99,
          })
          const restarts: { at: number; progress: number }[] = []
          let at = 0
          let progress = 0
          for (const [gap, steps] of gaps) {
            at += gap
            progress += steps
            const counted = restarts.filter(past => at - past.at <= periodMs || progress <= past.progress).length
            const facts = { failure: fallen, at, delayMs: 0, restartBudgetLeft: true, progress }
            machine.send({ type: 'ATTEMPT_FAILED', ...facts } as never)
            expect(machine.value === 'restarting').toBe(counted < intensity)
            if (machine.value !== 'restarting') return
            restarts.push({ at, progress })
            if (crashes) machine.restore()
            machine.send({ type: 'DELAY_PASSED' })
          }
        },
      ),
      { numRuns: propertyRuns },
    )
  })

  it('gives no restart back when the clock steps back', () => {
    fc.assert(
      fc.property(policies, fc.integer({ min: 1, max: 1000 }), (policy, backMs) => {
        const { intensity } = policy
        const machine = admitted({ ...policy, remedies: [], restart: 'transient', preflight: false, livelockAfter: 99 })
        let restarts = 0
        for (let n = 0; n <= intensity; n++) {
          const at = 1_000_000 - n * backMs
          const facts = { failure: fallen, at, delayMs: 0, restartBudgetLeft: true, progress: n }
          machine.send({ type: 'ATTEMPT_FAILED', ...facts } as never)
          if (machine.value === 'restarting') restarts++
          machine.send({ type: 'DELAY_PASSED' })
        }
        expect(restarts).toBe(intensity)
      }),
      { numRuns: propertyRuns },
    )
  })

  it('never runs a function that was not admitted', () => {
    fc.assert(
      fc.property(
        policies,
        failures,
        fc.constantFrom('skip' as const, 'refuse' as const),
        (policy, failure, admission) => {
          const machine = admitted(policy, admission, failure)
          for (let events = 0; !machine.isDone && events < 20; events++) {
            for (const type of ['DELAY_PASSED', 'REMEDY_APPLIED', 'FALLBACK_SUCCEEDED']) {
              machine.send({ type })
              expect(machine.requests.map(request => request.type)).not.toContain('startAttempt')
            }
          }
          expect(machine.isDone).toBe(true)
        },
      ),
      { numRuns: propertyRuns },
    )
  })

  it('never runs a function on ground whose preflight has not passed', () => {
    fc.assert(
      fc.property(policies, failures, (policy, failure) => {
        const machine = admitted({ ...policy, preflight: true })
        const facts = { failure, at: 0, delayMs: 0, restartBudgetLeft: true, progress: 0 }
        for (let events = 0; !machine.isDone && events < 20; events++) {
          const answers = [
            { type: 'PREFLIGHT_FAILED', ...facts },
            { type: 'DELAY_PASSED' },
            { type: 'REMEDY_APPLIED' },
            { type: 'FALLBACK_SUCCEEDED' },
          ]
          for (const answer of answers) {
            machine.send(answer)
            expect(machine.requests.map(request => request.type)).not.toContain('startAttempt')
          }
        }
      }),
      { numRuns: propertyRuns },
    )
  })
})
