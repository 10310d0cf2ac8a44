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
import { PureMachine } from '../support/pure-machine.ts'
import { propertyRuns, propertyTimeoutMs } from '../support/supervised-worker.ts'

vi.setConfig({ testTimeout: propertyTimeoutMs })

const kinds = ['rate_limit', 'server_error', 'timeout', 'connection', 'unknown', 'auth', 'no_provider', 'wait_timeout']
/** What another start of the same code cannot mend. */
const isPermanent = ({ type, kind }: StageFailure): boolean =>
  ['validation', 'config', 'cancelled'].includes(type) ||
  ['auth', 'no_provider', 'content_filter', 'wait_timeout'].includes(kind ?? '')

const policies: fc.Arbitrary<StagePolicy> = fc.record({
  maxRetries: fc.nat(3),
  retryOn: fc.subarray(['rate_limit', 'server_error', 'timeout', 'connection']),
  remedies: fc.subarray(['clean', 'reload']),
  restart: fc.constantFrom('transient' as const, 'temporary' as const),
  intensity: fc.nat(3),
  periodMs: fc.integer({ min: 1, max: 100 }),
  onExhausted: fc.constantFrom('fail' as const, 'quarantine' as const),
  fallback: fc.boolean(),
  optional: fc.boolean(),
  preflight: fc.boolean(),
})

const failures: fc.Arbitrary<StageFailure> = fc.record({
  error: fc.record({ name: fc.constant('Error'), message: fc.string({ maxLength: 5 }) }),
  type: fc.constantFrom('provider', 'timeout', 'runtime', 'validation', 'budget', 'cancelled'),
  kind: fc.option(fc.constantFrom(...kinds, 'content_filter'), { nil: null }),
  exhausted: fc.boolean(),
})

const failing = failures.map(failure => ({ ...failure, type: 'provider', kind: 'server_error', exhausted: false }))

interface Failed {
  readonly failure: StageFailure
  readonly at: number
  readonly delayMs: number
  readonly restartBudgetLeft: boolean
}

type Phase = 'preflight' | 'working' | 'waiting' | 'backingOff' | 'restarting' | 'remedying' | 'fallingBack' | 'ended'

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
  readonly restartedAt: number[] = []
  failure: StageFailure | null = null
  dueAt: number | null = null
  rule: string | undefined
  readonly policy: StagePolicy

  constructor(policy: StagePolicy) {
    this.policy = policy
    this.phase = policy.preflight ? 'preflight' : 'working'
  }

  fail({ failure, at, delayMs, restartBudgetLeft }: Failed, remembers: boolean): void {
    if (remembers) this.failure = failure
    this.rule = this.decide(this.failure as StageFailure, at, restartBudgetLeft)
    if (this.rule === 'retry' || this.rule === 'restart') {
      this.attempts++
      this.dueAt = at + delayMs
    }
    if (this.rule === 'retry') this.retries++
    if (this.rule === 'restart') {
      this.retries = 0
      this.incarnations++
      this.restartedAt.push(at)
    }
    const phases = { retry: 'backingOff', restart: 'restarting', remedy: 'remedying', fallback: 'fallingBack' } as const
    const phase = phases[this.rule as keyof typeof phases]
    if (phase) this.phase = phase
    else
      this.end({ budget: 'out_of_budget', degrade: 'degraded', quarantine: 'quarantined', fail: 'failed' }[this.rule])
  }

  decide(failure: StageFailure, at: number, restartBudgetLeft: boolean): string {
    const { policy } = this
    if (failure.type === 'budget') return 'budget'
    if (!failure.exhausted && policy.retryOn.includes(failure.kind ?? '') && this.retries < policy.maxRetries)
      return 'retry'
    if (this.remedies < policy.remedies.length) return 'remedy'
    const recent = this.restartedAt.filter(time => at - time <= policy.periodMs).length
    if (policy.restart === 'transient' && !isPermanent(failure) && recent < policy.intensity)
      return restartBudgetLeft ? 'restart' : 'budget'
    return policy.fallback ? 'fallback' : this.#last()
  }

  loseFallback(failure: StageFailure): void {
    this.failure = failure
    this.end({ degrade: 'degraded', quarantine: 'quarantined', fail: 'failed' }[this.#last()])
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

type StageCommand = fc.Command<StageModel, PureMachine>

/** One event: what it does to the model in the phases where it counts; in every other it must change nothing. */
function event(
  type: StageMachineEvent['type'],
  phases: readonly Phase[],
  effect: (model: StageModel) => void,
  rest: object = {},
  stepMs = 0,
): StageCommand {
  return {
    check: () => true,
    toString: () => `${type} ${JSON.stringify({ ...rest, stepMs })}`,
    run(model, machine) {
      model.now += stepMs
      const { phase: before } = model
      const counts = phases.includes(before)
      const stateBefore = machine.state
      model.rule = undefined
      if (counts) effect(model)
      machine.send({ type, ...rest, ...('failure' in rest ? { at: model.now } : {}) } as never)
      agree(model, machine)
      if (!counts) {
        expect(machine.state).toEqual(stateBefore)
        expect(machine.requests).toEqual([])
      }
      const explained = machine.requests.filter(request => request.type === 'explainDecision')
      const rules = model.rule === undefined || model.rule === 'budget' ? [] : [{ rule: model.rule }]
      expect(explained.map(request => request.params)).toEqual(rules)
      const begins = counts && model.phase === 'working' && type !== 'WAIT_ENDED'
      expect(machine.requests.filter(request => request.type === 'startAttempt')).toHaveLength(begins ? 1 : 0)
      const delays = model.rule === 'retry' || model.rule === 'restart' ? 1 : 0
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
    dueAt: model.dueAt,
  })
  expect(model.retries).toBeLessThanOrEqual(policy.maxRetries)
  expect(model.remedies).toBeLessThanOrEqual(policy.remedies.length)
  for (const from of model.restartedAt) {
    const within = model.restartedAt.filter(time => time >= from && time <= from + policy.periodMs)
    expect(within.length).toBeLessThanOrEqual(policy.intensity)
  }
}

const running: readonly Phase[] = ['working', 'waiting']
const stepMs = fc.integer({ min: 0, max: 60 })
const failed = fc.record({
  failure: fc.oneof(failures, failing),
  delayMs: fc.nat(50),
  restartBudgetLeft: fc.oneof({ weight: 5, arbitrary: fc.constant(true) }, fc.constant(false)),
})

const failedEvent = (
  type: 'ATTEMPT_FAILED' | 'PREFLIGHT_FAILED' | 'REMEDY_FAILED',
  phases: readonly Phase[],
): fc.Arbitrary<StageCommand> =>
  fc.tuple(failed, stepMs).map(([facts, step]) =>
    event(
      type,
      phases,
      model => {
        if (type === 'REMEDY_FAILED') model.remedies++
        model.fail({ ...facts, at: model.now }, type !== 'REMEDY_FAILED')
      },
      facts,
      step,
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
  fc.constant(event('DELAY_PASSED', ['backingOff', 'restarting'], model => model.begin(false))),
  fc.constant(event('DELAY_PASSED', ['backingOff', 'restarting'], model => model.begin(false))),
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

const admitted = (policy: StagePolicy, admission: 'run' | 'skip' | 'refuse' = 'run', failure?: StageFailure) =>
  new PureMachine(stageMachine, stageContextSchema, { stage: 's', policy, admission, failure })

/** Sends what the stage asked for, as a runtime whose every effect fails in this way, until it has ended. */
function failOn(machine: PureMachine, failure: StageFailure): string[] {
  const rules: string[] = []
  const facts = { failure, at: 0, delayMs: 0, restartBudgetLeft: true }
  const answers: Record<string, object> = {
    preflight: { type: 'PREFLIGHT_FAILED', ...facts },
    backingOff: { type: 'DELAY_PASSED' },
    restarting: { type: 'DELAY_PASSED' },
    remedying: { type: 'REMEDY_FAILED', ...facts },
    fallingBack: { type: 'FALLBACK_FAILED', failure },
  }
  for (let events = 0; !machine.isDone; events++) {
    expect(events).toBeLessThan(100)
    const { value } = machine
    machine.send((answers[value as string] ?? { type: 'ATTEMPT_FAILED', ...facts }) as { type: string })
    const explained = machine.requests.find(request => request.type === 'explainDecision')
    if (explained) rules.push((explained.params as { rule: string }).rule)
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
        const restarts = policy.restart === 'transient' ? intensity : 0
        const end = optional ? 'degrade' : onExhausted
        expect(failOn(machine, failure)).toEqual([
          ...retries,
          ...remedies.map(() => 'remedy'),
          ...Array.from({ length: restarts }, () => ['restart', ...retries]).flat(),
          ...(policy.fallback ? ['fallback'] : [end]),
        ])
        const outcomes = { degrade: 'degraded', fail: 'failed', quarantine: 'quarantined' }
        expect(machine.output).toMatchObject({ outcome: outcomes[end], failure })
        expect(machine.context).toMatchObject({ attempt: 1 + retries.length * (1 + restarts) + restarts })
      }),
      { numRuns: propertyRuns },
    )
  })

  it('never restarts what another start cannot mend, nor repeats a wait whose timeout is recorded', () => {
    const permanent = failures.filter(isPermanent)
    fc.assert(
      fc.property(policies, permanent, (policy, failure) => {
        const machine = admitted({ ...policy, preflight: false })
        const rules = failOn(machine, failure)
        expect(rules).not.toContain('restart')
        if (failure.kind === 'wait_timeout') expect(rules).not.toContain('retry')
        expect(machine.context).toMatchObject({ incarnation: 1 })
      }),
      { numRuns: propertyRuns },
    )
  })

  it('gives restarts back only after the period, so that no window of that length holds more than the intensity', () => {
    const fallen = { error: { name: 'Error', message: '' }, type: 'runtime', kind: 'unknown', exhausted: false }
    fc.assert(
      fc.property(
        policies,
        fc.array(stepMs, { minLength: 5, maxLength: 40 }),
        fc.boolean(),
        (policy, gaps, crashes) => {
          const { intensity, periodMs } = policy
          const plain = { ...policy, remedies: [], restart: 'transient' as const, preflight: false }
          const machine = admitted(plain)
          const restartedAt: number[] = []
          let at = 0
          for (const gap of gaps) {
            at += gap
            const counted = restartedAt.filter(time => at - time <= periodMs).length
            machine.send({ type: 'ATTEMPT_FAILED', failure: fallen, at, delayMs: 0, restartBudgetLeft: true } as never)
            expect(machine.value === 'restarting').toBe(counted < intensity)
            if (machine.value !== 'restarting') return
            restartedAt.push(at)
            if (crashes) machine.restore()
            machine.send({ type: 'DELAY_PASSED' })
          }
        },
      ),
      { numRuns: propertyRuns },
    )
  })

  it('gives no restart back when the clock steps back', () => {
    const fallen = { error: { name: 'Error', message: '' }, type: 'runtime', kind: 'unknown', exhausted: false }
    fc.assert(
      fc.property(policies, fc.integer({ min: 1, max: 1000 }), (policy, backMs) => {
        const { intensity } = policy
        const machine = admitted({ ...policy, remedies: [], restart: 'transient', preflight: false })
        let restarts = 0
        for (let n = 0; n <= intensity; n++) {
          const at = 1_000_000 - n * backMs
          machine.send({ type: 'ATTEMPT_FAILED', failure: fallen, at, delayMs: 0, restartBudgetLeft: true } as never)
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
        const facts = { failure, at: 0, delayMs: 0, restartBudgetLeft: true }
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
