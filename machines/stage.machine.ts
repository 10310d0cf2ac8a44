/**
 * One stage of a run, or one item of a map: from its admission to its end. The machine decides what happens after a
 * failure, in the order of the contract: attempts by profile, remedies, what its cause asks for (a wait, a restart
 * within the intensity, a stop), fallback, optional, and what the profile says for the end. It starts nothing itself:
 * the named actions without effect are requests that the runtime carries out, and time and chance arrive in the events.
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
  /** What the profile does about such a cause, once attempts and remedies are used up. */
  answer: z.enum(['restart', 'wait', 'stop', 'change_plan', 'escalate']),
  /** How long the other side asks to be left alone, ms; null where it does not say. */
  retryAfterMs: z.number().nullable(),
  /** Equal for failures that are alike: a hash of the stage's input and of what went wrong. */
  signature: z.string(),
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
  /** Restarts and waits in a row for the same failure in the same state, before it is a livelock. */
  livelockAfter: z.number(),
  onExhausted: z.enum(['fail', 'quarantine']),
  fallback: z.boolean(),
  optional: z.boolean(),
  preflight: z.boolean(),
})

/** What the profile and the stage's options allow: fixed while the stage is in memory. */
export type StagePolicy = z.infer<typeof policySchema>

/** Why a stage is given up: the last word on each of the ways to go on. */
export const stageReasons = [
  'refused',
  'cause',
  'escalated',
  'livelock',
  'temporary',
  'intensity',
  'budget',
  'fallback_failed',
] as const

export type StageReason = (typeof stageReasons)[number]

/** Every rule that a stage's machine decides by. */
export type StageRule =
  | 'retry'
  | 'remedy'
  | 'wait'
  | 'restart'
  | 'change_plan'
  | 'livelock'
  | 'budget'
  | 'fallback'
  | 'degrade'
  | 'quarantine'
  | 'fail'

export const stageContextSchema = z.object({
  stage: z.string(),
  policy: policySchema,
  admission: z.enum(['run', 'skip', 'refuse']),
  attempt: z.number(),
  incarnation: z.number(),
  retries: z.number(),
  /** Restarts in all. */
  restarts: z.number(),
  /** Restarts that count against the intensity: when they were, and how far the stage had come. */
  spent: z.array(z.object({ at: z.number(), progress: z.number() })),
  /** Waits for a cause to pass, in all. */
  waits: z.number(),
  remediesTried: z.number(),
  failure: failureSchema.nullable(),
  /** The last failure that led to a restart or a wait, and how often in a row it did so without progress. */
  alike: z.object({ signature: z.string(), progress: z.number(), times: z.number() }).nullable(),
  /** The rule of the last decision to go on. */
  rule: z.enum(['retry', 'remedy', 'wait', 'restart', 'change_plan']).nullable(),
  /** Why the function is not started again. */
  because: z.enum(stageReasons).nullable(),
  /** When the pending retry, restart or end of a wait is due, ms since the epoch. */
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

export type StageCounts = Pick<StageMachineContext, 'attempt' | 'incarnation' | 'retries' | 'restarts' | 'spent'>

interface Failed {
  readonly failure: StageFailure
  /** When it failed, ms since the epoch. */
  readonly at: number
  /** The delay before another try, should there be one, in ms: computed from the backoff with injected chance. */
  readonly delayMs: number
  /** Whether the budget of the run allows one more restart. */
  readonly restartBudgetLeft: boolean
  /** How far the stage has come in this run: it grows with each new entry of its ledger and with `progress()`. */
  readonly progress: number
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

const failedAt = (event: StageMachineEvent): number => ('at' in event ? event.at : 0)
const progressAt = (event: StageMachineEvent): number => ('progress' in event ? event.progress : 0)

/** What the other side asks for replaces the backoff. */
const dueAfter = ({ failure }: StageMachineContext, event: StageMachineEvent): number =>
  failedAt(event) + (failure?.retryAfterMs || ('delayMs' in event ? event.delayMs : 0))

/**
 * A restart counts until its period has passed and the stage has come further since. A clock that steps back gives none
 * back: what seems to lie ahead counts as recent.
 */
const countedRestarts = ({ spent, policy }: StageMachineContext, event: StageMachineEvent) =>
  spent.filter(({ at, progress }) => failedAt(event) - at <= policy.periodMs || progressAt(event) <= progress)

const comesBack = ({ policy, failure }: StageMachineContext): boolean =>
  policy.restart === 'transient' && ['restart', 'wait', 'change_plan'].includes(failure?.answer ?? '')

const restartsLeft = (context: StageMachineContext, event: StageMachineEvent): boolean =>
  comesBack(context) &&
  context.failure?.answer !== 'wait' &&
  countedRestarts(context, event).length < context.policy.intensity

/** Waits are alike whatever is waited for, so that two causes in turn are not waited for without an end. */
const signatureOf = ({ failure }: StageMachineContext): string =>
  failure?.answer === 'wait' ? 'wait' : (failure?.signature ?? '')

const sameAgain = (context: StageMachineContext, event: StageMachineEvent): boolean =>
  context.alike?.signature === signatureOf(context) && progressAt(event) <= context.alike.progress

const alikeNow = (context: StageMachineContext, event: StageMachineEvent): StageMachineContext['alike'] => ({
  signature: signatureOf(context),
  progress: progressAt(event),
  times: sameAgain(context, event) ? (context.alike?.times ?? 0) + 1 : 1,
})

const livelocked = (context: StageMachineContext, event: StageMachineEvent): boolean =>
  comesBack(context) && sameAgain(context, event) && (context.alike?.times ?? 0) >= context.policy.livelockAfter

/** Why nothing starts the function again. */
function reasonOf(context: StageMachineContext, event: StageMachineEvent): StageReason {
  if (context.admission === 'refuse') return 'refused'
  if (event.type === 'FALLBACK_FAILED') return 'fallback_failed'
  if (context.failure?.type === 'budget') return 'budget'
  if (context.failure?.answer === 'escalate') return 'escalated'
  if (context.failure?.answer === 'stop') return 'cause'
  if (context.policy.restart === 'temporary') return 'temporary'
  if (livelocked(context, event)) return 'livelock'
  return restartsLeft(context, event) ? 'budget' : 'intensity'
}

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
    escalated: ({ context }) => context.failure?.answer === 'escalate',
    livelocked: ({ context, event }) => livelocked(context, event),
    waitHelps: ({ context }) => comesBack(context) && context.failure?.answer === 'wait',
    restartsLeft: ({ context, event }) => restartsLeft(context, event),
    planChangeHelps: ({ context, event }) => restartsLeft(context, event) && context.failure?.answer === 'change_plan',
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
    explainDecision: (_, _params: { rule: StageRule }) => {},
    rememberFailure: assign({
      failure: ({ context, event }) => ('failure' in event ? event.failure : context.failure),
    }),
    countRetry: assign({
      attempt: ({ context }) => context.attempt + 1,
      retries: ({ context }) => context.retries + 1,
      rule: 'retry',
      dueAt: ({ context, event }) => dueAfter(context, event),
    }),
    noteRemedy: assign({ rule: 'remedy' }),
    countRemedy: assign({ remediesTried: ({ context }) => context.remediesTried + 1 }),
    countAttempt: assign({ attempt: ({ context }) => context.attempt + 1 }),
    countRestart: assign({
      attempt: ({ context }) => context.attempt + 1,
      incarnation: ({ context }) => context.incarnation + 1,
      retries: 0,
      restarts: ({ context }) => context.restarts + 1,
      spent: ({ context, event }) => [
        ...countedRestarts(context, event),
        { at: failedAt(event), progress: progressAt(event) },
      ],
      alike: ({ context, event }) => alikeNow(context, event),
      rule: ({ context }) => (context.failure?.answer === 'change_plan' ? 'change_plan' : 'restart'),
      dueAt: ({ context, event }) => dueAfter(context, event),
    }),
    /** A wait costs no restart and is no new attempt. */
    countWait: assign({
      incarnation: ({ context }) => context.incarnation + 1,
      waits: ({ context }) => context.waits + 1,
      alike: ({ context, event }) => alikeNow(context, event),
      rule: 'wait',
      dueAt: ({ context, event }) => dueAfter(context, event),
    }),
    rememberReason: assign({ because: ({ context, event }) => reasonOf(context, event) }),
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
    restarts: input.begun?.restarts ?? 0,
    spent: input.begun?.spent ?? [],
    waits: 0,
    remediesTried: 0,
    failure: input.failure ?? null,
    alike: null,
    rule: null,
    because: null,
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
        {
          guard: 'refused',
          target: 'givingUp',
          actions: 'rememberReason',
          description: '`when` threw, or the input is not of its form.',
        },
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
        {
          guard: 'outOfBudget',
          target: 'outOfBudget',
          actions: ['rememberReason', { type: 'explainDecision', params: { rule: 'budget' } }],
        },
        {
          guard: 'attemptsLeft',
          target: 'backingOff',
          actions: ['countRetry', { type: 'explainDecision', params: { rule: 'retry' } }],
          description: 'The profile repeats failures of this kind.',
        },
        {
          guard: 'escalated',
          target: 'losing',
          actions: 'rememberReason',
          description: 'Nothing in this stage is to answer for such a cause: no remedy, no fallback.',
        },
        {
          guard: 'remedyLeft',
          target: 'remedying',
          actions: ['noteRemedy', { type: 'explainDecision', params: { rule: 'remedy' } }],
        },
        {
          guard: 'livelocked',
          target: 'givingUp',
          actions: ['rememberReason', { type: 'explainDecision', params: { rule: 'livelock' } }],
          description: 'The same failure in the same state, again and again.',
        },
        {
          guard: 'waitHelps',
          target: 'parked',
          actions: ['countWait', { type: 'explainDecision', params: { rule: 'wait' } }],
          description: 'The cause passes by itself, as a rate limit does; no restart is spent on it.',
        },
        {
          guard: 'restartBudgetSpent',
          target: 'outOfBudget',
          actions: ['rememberReason', { type: 'explainDecision', params: { rule: 'budget' } }],
          description: 'It would be restarted, and the budget of the run does not allow it.',
        },
        {
          guard: 'planChangeHelps',
          target: 'restarting',
          actions: ['countRestart', { type: 'explainDecision', params: { rule: 'change_plan' } }],
          description: 'The function starts again and is told what was wrong with the answer.',
        },
        {
          guard: 'restartsLeft',
          target: 'restarting',
          actions: ['countRestart', { type: 'explainDecision', params: { rule: 'restart' } }],
          description: 'Fewer restarts count than the intensity allows.',
        },
        { target: 'givingUp', actions: 'rememberReason' },
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
        { target: 'losing' },
      ],
    },
    losing: {
      description: 'There will be no result: how the stage ends is what the profile says.',
      always: [
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
    parked: {
      description:
        'The cause of the failure passes by itself: the function starts again at `dueAt`, which is in the store.',
      tags: ['delayed', 'waiting'],
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
        FALLBACK_FAILED: { target: 'fallbackLost', actions: ['rememberFailure', 'rememberReason'] },
        RECOVERED: { target: 'fallingBack', reenter: true },
      },
    },
    fallbackLost: {
      description: 'The fallback failed too.',
      always: [
        {
          guard: 'optionalStage',
          target: 'degraded',
          actions: [{ type: 'explainDecision', params: { rule: 'degrade' } }],
        },
        { target: 'losing' },
      ],
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
