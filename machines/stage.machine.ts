/**
 * One stage of a run, or one item of a map: from its admission to its end. The machine decides what happens after a
 * failure, in the order of the contract: attempts by profile, remedies, restart within the intensity, fallback,
 * optional, and what the profile says for the end. It starts nothing itself: the named actions without effect are
 * requests that the runtime carries out, and time and chance arrive in the events.
 */
import { assign, setup } from 'xstate'
import { z } from 'zod'

const failureSchema = z.object({
  /** The thrown error as data, without stacks. */
  error: z.object({ name: z.string(), message: z.string() }).loose(),
  type: z.string(),
  kind: z.string().nullable(),
  /** The model call inside has used up its own attempts, so the stage does not repeat them. */
  exhausted: z.boolean(),
})

/** Why an attempt failed, as far as it decides what follows. */
export type StageFailure = z.infer<typeof failureSchema>

const policySchema = z.object({
  maxRetries: z.number(),
  retryOn: z.array(z.string()),
  remedies: z.array(z.string()),
  restart: z.enum(['transient', 'temporary']),
  intensity: z.number(),
  periodMs: z.number(),
  onExhausted: z.enum(['fail', 'quarantine']),
  fallback: z.boolean(),
  optional: z.boolean(),
  preflight: z.boolean(),
})

/** What the profile and the stage's options allow: fixed while the stage is in memory. */
export type StagePolicy = z.infer<typeof policySchema>

export const stageContextSchema = z.object({
  stage: z.string(),
  policy: policySchema,
  admission: z.enum(['run', 'skip', 'refuse']),
  attempt: z.number(),
  incarnation: z.number(),
  retries: z.number(),
  restartTimes: z.array(z.number()),
  remediesTried: z.number(),
  failure: failureSchema.nullable(),
  /** When the pending retry or restart is due, ms since the epoch. */
  dueAt: z.number().nullable(),
})

export type StageMachineContext = z.infer<typeof stageContextSchema>

export interface StageMachineInput {
  readonly stage: string
  readonly policy: StagePolicy
  readonly admission: 'run' | 'skip' | 'refuse'
  readonly failure?: StageFailure | undefined
  /** What had been counted of it, where it begins anew after its snapshot was lost. */
  readonly begun?: StageCounts | undefined
}

export type StageCounts = Pick<StageMachineContext, 'attempt' | 'incarnation' | 'retries' | 'restartTimes'>

interface Failed {
  readonly failure: StageFailure
  /** When it failed, ms since the epoch. */
  readonly at: number
  /** The delay before another try, should there be one, in ms: computed from the backoff with injected chance. */
  readonly delayMs: number
  /** Whether the budget of the run allows one more restart. */
  readonly restartBudgetLeft: boolean
}

export type StageMachineEvent =
  | { type: 'ATTEMPT_SUCCEEDED'; output?: unknown }
  | ({ type: 'ATTEMPT_FAILED' } & Failed)
  | { type: 'WAIT_BEGUN' }
  | { type: 'WAIT_ENDED' }
  | { type: 'PREFLIGHT_PASSED' }
  | ({ type: 'PREFLIGHT_FAILED' } & Failed)
  | { type: 'REMEDY_APPLIED' }
  | ({ type: 'REMEDY_FAILED' } & Failed)
  | { type: 'DELAY_PASSED' }
  | { type: 'FALLBACK_SUCCEEDED'; output?: unknown }
  | { type: 'FALLBACK_FAILED'; failure: StageFailure }
  | { type: 'RECOVERED' }
  | { type: 'SETTLED'; as: 'succeeded' | 'skipped'; output?: unknown }

/** Which end the stage came to. */
export type StageOutcome =
  | 'succeeded'
  | 'fell_back'
  | 'degraded'
  | 'skipped'
  | 'failed'
  | 'quarantined'
  | 'out_of_budget'

export interface StageMachineOutput {
  readonly outcome: StageOutcome
  readonly value?: unknown
  readonly failure?: StageFailure | null | undefined
}

/** Failures that another start of the same code cannot mend. */
const permanentTypes: readonly string[] = ['validation', 'config', 'cancelled']
const permanentKinds: readonly string[] = [
  'auth',
  'permission',
  'region_blocked',
  'quota_exhausted',
  'invalid_request',
  'context_length',
  'payload_too_large',
  'request_too_large_for_tier',
  'model_not_found',
  'content_filter',
  'no_provider',
  'wait_timeout',
]

/** A clock that steps back gives no restart back: what seems to lie ahead counts as recent. */
const recentRestarts = (times: readonly number[], now: number, periodMs: number): number[] =>
  times.filter(time => now - time <= periodMs)

const failedAt = (event: StageMachineEvent): number => ('at' in event ? event.at : 0)
const delayOf = (event: StageMachineEvent): number => ('delayMs' in event ? event.delayMs : 0)

const restartsLeft = (context: StageMachineContext, event: StageMachineEvent): boolean =>
  context.policy.restart === 'transient' &&
  context.failure !== null &&
  !permanentTypes.includes(context.failure.type) &&
  !permanentKinds.includes(context.failure.kind ?? '') &&
  recentRestarts(context.restartTimes, failedAt(event), context.policy.periodMs).length < context.policy.intensity

export const stageMachine = setup({
  types: {} as {
    context: StageMachineContext
    events: StageMachineEvent
    input: StageMachineInput
    output: StageMachineOutput
    tags: 'active' | 'waiting' | 'delayed' | 'succeeded' | 'failed'
  },
  guards: {
    settledAsSkipped: ({ event }) => event.type === 'SETTLED' && event.as === 'skipped',
    skipped: ({ context }) => context.admission === 'skip',
    refused: ({ context }) => context.admission === 'refuse',
    preflightWanted: ({ context }) => context.policy.preflight,
    outOfBudget: ({ context }) => context.failure?.type === 'budget',
    attemptsLeft: ({ context }) =>
      context.failure !== null &&
      !context.failure.exhausted &&
      context.failure.kind !== null &&
      context.policy.retryOn.includes(context.failure.kind) &&
      context.retries < context.policy.maxRetries,
    remedyLeft: ({ context }) => context.remediesTried < context.policy.remedies.length,
    restartsLeft: ({ context, event }) => restartsLeft(context, event),
    restartBudgetSpent: ({ context, event }) =>
      restartsLeft(context, event) && 'restartBudgetLeft' in event && !event.restartBudgetLeft,
    fallbackGiven: ({ context }) => context.policy.fallback,
    optionalStage: ({ context }) => context.policy.optional,
    quarantineWanted: ({ context }) => context.policy.onExhausted === 'quarantine',
  },
  actions: {
    startAttempt: () => {},
    runPreflight: () => {},
    applyRemedy: () => {},
    runFallback: () => {},
    setDelay: () => {},
    /** Tells the journal which rule decided. */
    explainDecision: (
      _,
      _params: { rule: 'retry' | 'remedy' | 'restart' | 'fallback' | 'degrade' | 'fail' | 'quarantine' },
    ) => {},
    rememberFailure: assign({
      failure: ({ context, event }) => ('failure' in event ? event.failure : context.failure),
    }),
    countRetry: assign({
      attempt: ({ context }) => context.attempt + 1,
      retries: ({ context }) => context.retries + 1,
      dueAt: ({ event }) => failedAt(event) + delayOf(event),
    }),
    countRemedy: assign({ remediesTried: ({ context }) => context.remediesTried + 1 }),
    countAttempt: assign({ attempt: ({ context }) => context.attempt + 1 }),
    countRestart: assign({
      attempt: ({ context }) => context.attempt + 1,
      incarnation: ({ context }) => context.incarnation + 1,
      retries: 0,
      restartTimes: ({ context, event }) => [
        ...recentRestarts(context.restartTimes, failedAt(event), context.policy.periodMs),
        failedAt(event),
      ],
      dueAt: ({ event }) => failedAt(event) + delayOf(event),
    }),
    countIncarnation: assign({ incarnation: ({ context }) => context.incarnation + 1 }),
    clearDelay: assign({ dueAt: null }),
  },
}).createMachine({
  id: 'stage',
  description: 'One stage of a run, from its admission to its end.',
  context: ({ input }) => ({
    stage: input.stage,
    policy: input.policy,
    admission: input.admission,
    attempt: input.begun?.attempt ?? 1,
    incarnation: input.begun?.incarnation ?? 1,
    retries: input.begun?.retries ?? 0,
    restartTimes: input.begun?.restartTimes ?? [],
    remediesTried: 0,
    failure: input.failure ?? null,
    dueAt: null,
  }),
  initial: 'admitting',
  on: {
    SETTLED: [
      { guard: 'settledAsSkipped', target: '.skipped', description: 'An operator says that it is not needed.' },
      { target: '.succeeded', description: 'Its result was recorded from outside: by an operator, or earlier.' },
    ],
  },
  states: {
    admitting: {
      description: 'Whether the stage runs at all was decided when it was created.',
      always: [
        { guard: 'skipped', target: 'skipped', description: '`when` said no.' },
        { guard: 'refused', target: 'givingUp', description: '`when` threw, or the input is not of its form.' },
        { guard: 'preflightWanted', target: 'preflight' },
        { target: 'running', actions: 'startAttempt' },
      ],
    },
    preflight: {
      description: 'The health monitors examine the ground before the work starts.',
      tags: ['active'],
      entry: 'runPreflight',
      on: {
        PREFLIGHT_PASSED: { target: 'running', actions: 'startAttempt' },
        PREFLIGHT_FAILED: { target: 'deciding', actions: 'rememberFailure' },
        RECOVERED: { target: 'preflight', reenter: true, actions: 'countIncarnation' },
      },
    },
    running: {
      description: 'The function of the stage works, so its time counts.',
      tags: ['active'],
      on: {
        ATTEMPT_SUCCEEDED: 'succeeded',
        ATTEMPT_FAILED: { target: 'deciding', actions: 'rememberFailure' },
        WAIT_BEGUN: 'waiting',
        RECOVERED: { actions: ['countIncarnation', 'startAttempt'] },
      },
    },
    waiting: {
      description: 'All that the function does is wait for a timer, a signal or a child run.',
      tags: ['waiting'],
      on: {
        ATTEMPT_SUCCEEDED: 'succeeded',
        ATTEMPT_FAILED: { target: 'deciding', actions: 'rememberFailure' },
        WAIT_ENDED: 'running',
        RECOVERED: { target: 'running', actions: ['countIncarnation', 'startAttempt'] },
      },
    },
    deciding: {
      description: 'An attempt failed: what follows is decided at once, in the order of the contract.',
      always: [
        { guard: 'outOfBudget', target: 'outOfBudget' },
        {
          guard: 'attemptsLeft',
          target: 'backingOff',
          actions: ['countRetry', { type: 'explainDecision', params: { rule: 'retry' } }],
          description: 'The profile repeats failures of this kind.',
        },
        {
          guard: 'remedyLeft',
          target: 'remedying',
          actions: [{ type: 'explainDecision', params: { rule: 'remedy' } }],
        },
        {
          guard: 'restartBudgetSpent',
          target: 'outOfBudget',
          description: 'It would be restarted, and the budget of the run does not allow it.',
        },
        {
          guard: 'restartsLeft',
          target: 'restarting',
          actions: ['countRestart', { type: 'explainDecision', params: { rule: 'restart' } }],
          description: 'Fewer restarts than the intensity allows within the period.',
        },
        { target: 'givingUp' },
      ],
    },
    givingUp: {
      description: 'The function is not run any more: what stands in for its result is decided at once.',
      always: [
        {
          guard: 'fallbackGiven',
          target: 'fallingBack',
          actions: [{ type: 'explainDecision', params: { rule: 'fallback' } }],
        },
        {
          guard: 'optionalStage',
          target: 'degraded',
          actions: [{ type: 'explainDecision', params: { rule: 'degrade' } }],
        },
        {
          guard: 'quarantineWanted',
          target: 'quarantined',
          actions: [{ type: 'explainDecision', params: { rule: 'quarantine' } }],
        },
        { target: 'failed', actions: [{ type: 'explainDecision', params: { rule: 'fail' } }] },
      ],
    },
    backingOff: {
      description: 'The next attempt is due at `dueAt`; the time is kept in the store.',
      tags: ['delayed'],
      entry: 'setDelay',
      exit: 'clearDelay',
      on: {
        DELAY_PASSED: [
          { guard: 'preflightWanted', target: 'preflight', description: 'The ground is examined before each attempt.' },
          { target: 'running', actions: 'startAttempt' },
        ],
      },
    },
    restarting: {
      description: 'A new incarnation is due at `dueAt`; the time is kept in the store.',
      tags: ['delayed'],
      entry: 'setDelay',
      exit: 'clearDelay',
      on: {
        DELAY_PASSED: [
          { guard: 'preflightWanted', target: 'preflight', description: 'The ground is examined before each attempt.' },
          { target: 'running', actions: 'startAttempt' },
        ],
      },
    },
    remedying: {
      description: 'A named recovery action is being applied; each is tried once.',
      tags: ['active'],
      entry: 'applyRemedy',
      on: {
        REMEDY_APPLIED: [
          { guard: 'preflightWanted', target: 'preflight', actions: ['countRemedy', 'countAttempt'] },
          { target: 'running', actions: ['countRemedy', 'countAttempt', 'startAttempt'] },
        ],
        REMEDY_FAILED: { target: 'deciding', actions: 'countRemedy' },
        RECOVERED: { target: 'remedying', reenter: true },
      },
    },
    fallingBack: {
      description: 'The fallback of the stage is asked for a value.',
      tags: ['active'],
      entry: 'runFallback',
      on: {
        FALLBACK_SUCCEEDED: 'fellBack',
        FALLBACK_FAILED: [
          { guard: 'optionalStage', target: 'degraded', actions: 'rememberFailure' },
          { guard: 'quarantineWanted', target: 'quarantined', actions: 'rememberFailure' },
          { target: 'failed', actions: 'rememberFailure' },
        ],
        RECOVERED: { target: 'fallingBack', reenter: true },
      },
    },
    succeeded: {
      type: 'final',
      description: 'The function returned and its result is recorded.',
      tags: ['succeeded'],
      output: ({ event }) => ({ outcome: 'succeeded', value: outputOf(event) }),
    },
    fellBack: {
      type: 'final',
      description: 'The fallback gave the result.',
      tags: ['succeeded'],
      output: ({ context, event }) => ({ outcome: 'fell_back', value: outputOf(event), failure: context.failure }),
    },
    degraded: {
      type: 'final',
      description: 'The stage is optional and was lost.',
      tags: ['failed'],
      output: ({ context }) => ({ outcome: 'degraded', failure: context.failure }),
    },
    skipped: { type: 'final', description: '`when` said that it is not needed.', output: { outcome: 'skipped' } },
    failed: {
      type: 'final',
      description: 'Nothing was left to try.',
      tags: ['failed'],
      output: ({ context }) => ({ outcome: 'failed', failure: context.failure }),
    },
    quarantined: {
      type: 'final',
      description: 'Nothing was left to try, and the profile sets the run aside.',
      tags: ['failed'],
      output: ({ context }) => ({ outcome: 'quarantined', failure: context.failure }),
    },
    outOfBudget: {
      type: 'final',
      description: 'The budget of the run does not allow more.',
      tags: ['failed'],
      output: ({ context }) => ({ outcome: 'out_of_budget', failure: context.failure }),
    },
  },
  output: ({ event }) => event.output as StageMachineOutput,
})

function outputOf(event: StageMachineEvent): unknown {
  return 'output' in event ? event.output : undefined
}
