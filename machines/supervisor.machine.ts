/**
 * A supervisor's decisions: whether a child that ended is started again, with which siblings and after how long, when
 * the restarts are too many, and when the end of a significant child ends the supervisor. The rules are those of the
 * `supervisor` of Erlang/OTP 26. The machine starts and stops nothing and lists no children: the facts about the child
 * concerned, the time and one unit of chance arrive in the event, and the answer is `context.decision`, as data.
 */
import { assign, setup } from 'xstate'
import { z } from 'zod'
import { backoffDelayMs } from '../src/time/backoff.ts'
import { countWithin, emptySlidingCount, slidingCountSchema, withOneMore } from '../src/time/sliding-count.ts'

export const supervisorBackoffSchema = z.object({
  kind: z.enum(['exponential', 'linear', 'fixed', 'decorrelated']),
  base: z.number(),
  max: z.number(),
  jitter: z.number(),
  /** A child that ran for so long begins again at the first delay. */
  resetAfterMs: z.number(),
})

const countersSchema = z.object({
  /** Restarts within the period, the one in question included. */
  restarts: z.number(),
  intensity: z.number(),
  periodMs: z.number(),
})

/** The numbers a decision was made from. */
export type RestartCounters = z.infer<typeof countersSchema>

const decisionSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('restart'),
    id: z.string(),
    rule: z.enum(['permanent', 'transient-abnormal', 'start-failed']),
    counters: countersSchema,
    /** Who is stopped and started: the child alone, every child, or the child and those after it. */
    scope: z.enum(['child', 'all', 'rest']),
    delayMs: z.number(),
    /** Failures in a row, this one included; the next fact about this child brings it back. */
    failures: z.number(),
  }),
  z.object({
    kind: z.literal('leave'),
    id: z.string(),
    rule: z.enum(['temporary', 'transient-normal']),
    counters: countersSchema,
  }),
  z.object({
    kind: z.literal('auto-shutdown'),
    id: z.string(),
    rule: z.enum(['any-significant', 'all-significant']),
    counters: countersSchema,
  }),
  z.object({ kind: z.literal('escalate'), id: z.string(), rule: z.literal('intensity'), counters: countersSchema }),
])

/** What follows from the last fact. */
export type SupervisorDecision = z.infer<typeof decisionSchema>

export const supervisorContextSchema = z.object({
  strategy: z.enum(['one-for-one', 'one-for-all', 'rest-for-one']),
  intensity: z.number(),
  periodMs: z.number(),
  autoShutdown: z.enum(['never', 'any-significant', 'all-significant']),
  backoff: supervisorBackoffSchema.nullable(),
  /** When the restarts of the period were decided, in `elapsedMs`: at most intensity + 1 in all. */
  window: slidingCountSchema,
  /** Time that has passed as far as the facts tell; a clock that steps back adds nothing and takes nothing. */
  elapsedMs: z.number(),
  lastSeenAt: z.number().nullable(),
  /** Restarts that were decided since the supervisor started. */
  totalRestarts: z.number(),
  decision: decisionSchema.nullable(),
  /** Why the supervisor stops or has stopped. */
  outcome: z.enum(['shutdown', 'intensity', 'auto-shutdown', 'start-failed']).nullable(),
})

export type SupervisorMachineContext = z.infer<typeof supervisorContextSchema>

export type SupervisorMachineInput = Pick<
  SupervisorMachineContext,
  'strategy' | 'intensity' | 'periodMs' | 'autoShutdown' | 'backoff'
>

/** What a restart decision needs to know about time, chance and the child's past. */
interface FailureFacts {
  readonly id: string
  /** The clock's time, ms. */
  readonly at: number
  /** Chance in [0, 1), for jitter. */
  readonly unit: number
  /** Failures in a row before this one. */
  readonly failures: number
  /** The delay of the child's last restart, ms; 0 where there was none. */
  readonly previousDelayMs: number
}

export interface ChildExitedEvent extends FailureFacts {
  readonly type: 'CHILD_EXITED'
  readonly restart: 'permanent' | 'transient' | 'temporary'
  readonly significant: boolean
  readonly reason: 'normal' | 'abnormal' | 'shutdown'
  /** How long the incarnation ran, ms. */
  readonly ranMs: number
  /** Whether another significant child runs or is being restarted. */
  readonly otherSignificant: boolean
}

export interface StartFailedEvent extends FailureFacts {
  readonly type: 'START_FAILED'
}

export type SupervisorMachineEvent =
  | { readonly type: 'START' }
  | { readonly type: 'CHILDREN_STARTED' }
  | ChildExitedEvent
  | StartFailedEvent
  | { readonly type: 'RESTARTS_SETTLED' }
  | { readonly type: 'STOP' }
  | { readonly type: 'CHILDREN_STOPPED' }

type Facts = { context: SupervisorMachineContext; event: SupervisorMachineEvent }

const isFailure = (event: SupervisorMachineEvent): event is ChildExitedEvent | StartFailedEvent =>
  event.type === 'CHILD_EXITED' || event.type === 'START_FAILED'

const elapsedAt = (context: SupervisorMachineContext, at: number): number =>
  context.elapsedMs + (context.lastSeenAt === null ? 0 : Math.max(0, at - context.lastSeenAt))

/** The restarts within the period with one more now; one whose age is exactly the period counts. */
const restartsWithOneMore = (context: SupervisorMachineContext, at: number): number =>
  countWithin(context.window, elapsedAt(context, at), context.periodMs) + 1

/** The counters after the event was counted, or without it where it asks for no restart. */
const countersOf = ({ window, intensity, periodMs }: SupervisorMachineContext): RestartCounters => ({
  restarts: window.total,
  intensity,
  periodMs,
})

/** The context with the restart counted that the event asks for, within the intensity or beyond it. */
function countRestart(context: SupervisorMachineContext, { at }: FailureFacts): SupervisorMachineContext {
  const elapsedMs = elapsedAt(context, at)
  return { ...context, window: withOneMore(context.window, elapsedMs, context.periodMs), elapsedMs, lastSeenAt: at }
}

function restartWanted({ event }: Facts): boolean {
  if (event.type !== 'CHILD_EXITED') return event.type === 'START_FAILED'
  return event.restart === 'permanent' || (event.restart === 'transient' && event.reason === 'abnormal')
}

function unitsLeft({ context, event }: Facts): boolean {
  return isFailure(event) && restartsWithOneMore(context, event.at) <= context.intensity
}

function restartDecision(
  context: SupervisorMachineContext,
  event: ChildExitedEvent | StartFailedEvent,
): SupervisorDecision {
  const stable =
    event.type === 'CHILD_EXITED' && context.backoff !== null && event.ranMs >= context.backoff.resetAfterMs
  const failures = stable ? 0 : event.failures
  const previousDelayMs = stable || event.previousDelayMs === 0 ? undefined : event.previousDelayMs
  const strategies = { 'one-for-one': 'child', 'one-for-all': 'all', 'rest-for-one': 'rest' } as const
  return {
    kind: 'restart',
    id: event.id,
    rule:
      event.type === 'START_FAILED'
        ? 'start-failed'
        : event.restart === 'permanent'
          ? 'permanent'
          : 'transient-abnormal',
    counters: countersOf(context),
    scope: strategies[context.strategy],
    delayMs: context.backoff === null ? 0 : backoffDelayMs(context.backoff, failures, event.unit, previousDelayMs),
    failures: failures + 1,
  }
}

export const supervisorMachine = setup({
  types: {} as {
    context: SupervisorMachineContext
    events: SupervisorMachineEvent
    input: SupervisorMachineInput
    tags: 'starting' | 'healthy' | 'degraded' | 'stopping' | 'stopped'
  },
  guards: {
    restartAllowed: facts => restartWanted(facts) && unitsLeft(facts),
    restartExceedsIntensity: facts => restartWanted(facts) && !unitsLeft(facts),
    significanceEndsIt: ({ context, event }) =>
      event.type === 'CHILD_EXITED' &&
      event.significant &&
      (context.autoShutdown === 'any-significant' ||
        (context.autoShutdown === 'all-significant' && !event.otherSignificant)),
  },
  actions: {
    decideRestart: assign(({ context, event }) => {
      if (!isFailure(event)) return {}
      const counted = countRestart(context, event)
      const totalRestarts = context.totalRestarts + 1
      return { ...counted, totalRestarts, decision: restartDecision(counted, event) }
    }),
    decideEscalation: assign(({ context, event }) => {
      if (!isFailure(event)) return {}
      const counted = countRestart(context, event)
      const decision: SupervisorDecision = {
        kind: 'escalate',
        id: event.id,
        rule: 'intensity',
        counters: countersOf(counted),
      }
      return { ...counted, decision, outcome: 'intensity' }
    }),
    decideAutoShutdown: assign({
      outcome: 'auto-shutdown',
      decision: ({ context, event }) =>
        isFailure(event) && context.autoShutdown !== 'never'
          ? {
              kind: 'auto-shutdown',
              id: event.id,
              rule: context.autoShutdown,
              counters: countersOf(context),
            }
          : null,
    }),
    decideToLeave: assign({
      decision: ({ context, event }) =>
        event.type === 'CHILD_EXITED'
          ? {
              kind: 'leave',
              id: event.id,
              rule: event.restart === 'temporary' ? 'temporary' : 'transient-normal',
              counters: countersOf(context),
            }
          : null,
    }),
    noteStartFailed: assign({ outcome: 'start-failed' }),
    noteShutdown: assign({ outcome: 'shutdown' }),
  },
}).createMachine({
  id: 'supervisor',
  description: 'What happens when children end.',
  context: ({ input }) => ({
    strategy: input.strategy,
    intensity: input.intensity,
    periodMs: input.periodMs,
    autoShutdown: input.autoShutdown,
    backoff: input.backoff,
    window: emptySlidingCount,
    elapsedMs: 0,
    lastSeenAt: null,
    totalRestarts: 0,
    decision: null,
    outcome: null,
  }),
  initial: 'idle',
  states: {
    idle: {
      description: 'No child has been started.',
      tags: ['stopped'],
      on: {
        START: 'starting',
        STOP: { target: 'stopped', actions: 'noteShutdown' },
      },
    },
    starting: {
      description: 'The children start in the order of their specs; one that fails fails the supervisor.',
      tags: ['starting'],
      on: {
        CHILDREN_STARTED: 'running',
        START_FAILED: { target: 'stopping', actions: 'noteStartFailed' },
      },
    },
    running: {
      description: 'The end of a child is judged as it comes.',
      initial: 'steady',
      on: {
        CHILD_EXITED: [
          { guard: 'restartAllowed', target: '.restarting', actions: 'decideRestart' },
          { guard: 'restartExceedsIntensity', target: 'stopping', actions: 'decideEscalation' },
          { guard: 'significanceEndsIt', target: 'stopping', actions: 'decideAutoShutdown' },
          { actions: 'decideToLeave' },
        ],
        START_FAILED: [
          { guard: 'restartAllowed', target: '.restarting', actions: 'decideRestart' },
          { target: 'stopping', actions: 'decideEscalation' },
        ],
        STOP: { target: 'stopping', actions: 'noteShutdown' },
      },
      states: {
        steady: {
          description: 'No restart is due.',
          tags: ['healthy'],
        },
        restarting: {
          description: 'At least one child waits for its restart.',
          tags: ['degraded'],
          on: {
            RESTARTS_SETTLED: 'steady',
            CHILD_EXITED: { guard: 'restartAllowed', actions: 'decideRestart' },
            START_FAILED: { guard: 'restartAllowed', actions: 'decideRestart' },
          },
        },
      },
    },
    stopping: {
      description: 'The children are stopped, the last one first; nothing is restarted.',
      tags: ['stopping'],
      on: { CHILDREN_STOPPED: 'stopped' },
    },
    stopped: {
      description: 'No child is left; the outcome says why.',
      tags: ['stopped'],
      type: 'final',
    },
  },
})
