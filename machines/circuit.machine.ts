/**
 * A circuit breaker. Closed, it counts consecutive failures; at the threshold it opens and calls are refused; once the
 * open time is over it lets a bounded number of probes through, of which enough successes close it and one failure
 * opens it again. Time comes in events (`at`), so it holds no timer and can be restored anywhere. A result names the
 * period in which its call began: one that comes late, from before the last change of state, changes nothing. A probe
 * that is never heard of again is overdue after the half-open time and opens the circuit, so it cannot be stuck.
 */
import { assign, setup } from 'xstate'
import { z } from 'zod'

const stateName = z.enum(['closed', 'open', 'half-open', 'isolated'])

export type CircuitState = z.infer<typeof stateName>

const settings = z.object({
  failureThreshold: z.int().min(1),
  openMs: z.number().positive(),
  maxProbes: z.int().min(1),
  successThreshold: z.int().min(1),
  halfOpenMs: z.number().positive(),
})

const transition = z.object({ from: stateName, to: stateName, at: z.number(), reason: z.string() })

export type CircuitTransition = z.infer<typeof transition>

const probe = z.object({ permit: z.int(), since: z.number() })

/** What a circuit remembers: JSON data. */
export const circuitContext = z.object({
  settings,
  /** Consecutive failures while closed. */
  failureCount: z.int().min(0),
  /** One more at each change of state; results carry the period in which their call began. */
  period: z.int().min(0),
  /** When the circuit came into its state, ms. */
  since: z.number(),
  /** When an open circuit admits probes, ms; 0 while it is not open. */
  probesFrom: z.number(),
  probes: z.array(probe),
  probeSuccesses: z.int().min(0),
  /** Times that it opened; `trips` are those from closed. */
  opens: z.int().min(0),
  trips: z.int().min(0),
  /** How long the last open period that has ended was. */
  lastOpenMs: z.number(),
  /** Of the periods that have ended; the current one is still running since `since`. */
  timeInStateMs: z.object({ closed: z.number(), open: z.number(), 'half-open': z.number(), isolated: z.number() }),
  /** The last 100. */
  transitions: z.array(transition).max(100),
})

export type CircuitContext = z.infer<typeof circuitContext>

export type CircuitEvent =
  | { readonly type: 'CALL_SUCCEEDED'; readonly at: number; readonly period: number }
  | { readonly type: 'CALL_FAILED'; readonly at: number; readonly period: number }
  | { readonly type: 'OPEN_TIME_PASSED'; readonly at: number }
  | { readonly type: 'PROBE_STARTED'; readonly at: number; readonly permit: number }
  | { readonly type: 'PROBE_SUCCEEDED'; readonly at: number; readonly permit: number; readonly period: number }
  | { readonly type: 'PROBE_FAILED'; readonly at: number; readonly permit: number; readonly period: number }
  | { readonly type: 'PROBE_RELEASED'; readonly at: number; readonly permit: number; readonly period: number }
  | { readonly type: 'PROBE_OVERDUE'; readonly at: number }
  | { readonly type: 'PROCESS_RESTORED'; readonly at: number }
  | { readonly type: 'RESET'; readonly at: number }
  | { readonly type: 'ISOLATE'; readonly at: number }

export interface CircuitInput {
  readonly settings: z.infer<typeof settings>
  readonly at: number
}

interface Move {
  readonly from: CircuitState
  readonly to: CircuitState
  readonly reason: string
}

const mostTransitions = 100

/** The context after a change of state: the old period is booked, and nothing of it is carried into the new one. */
function moved(context: CircuitContext, at: number, { from, to, reason }: Move): CircuitContext {
  const elapsed = Math.max(0, at - context.since)
  return {
    ...context,
    failureCount: 0,
    period: context.period + 1,
    since: Math.max(at, context.since),
    probesFrom: to === 'open' ? at + context.settings.openMs : 0,
    probes: [],
    probeSuccesses: 0,
    opens: context.opens + (to === 'open' ? 1 : 0),
    trips: context.trips + (from === 'closed' && to === 'open' ? 1 : 0),
    lastOpenMs: from === 'open' ? elapsed : context.lastOpenMs,
    timeInStateMs: { ...context.timeInStateMs, [from]: context.timeInStateMs[from] + elapsed },
    transitions: [...context.transitions, { from, to, at, reason }].slice(-mostTransitions),
  }
}

const knows = (context: CircuitContext, event: CircuitEvent): boolean =>
  'permit' in event &&
  'period' in event &&
  event.period === context.period &&
  context.probes.some(({ permit }) => permit === event.permit)

/** When the oldest probe under way is overdue; undefined where there is none. */
export function probeOverdueAt(context: CircuitContext): number | undefined {
  const oldest = context.probes[0]
  return oldest === undefined ? undefined : oldest.since + context.settings.halfOpenMs
}

export const circuitMachine = setup({
  types: {
    context: {} as CircuitContext,
    events: {} as CircuitEvent,
    input: {} as CircuitInput,
  },
  guards: {
    isOfThisPeriod: ({ context, event }) => 'period' in event && event.period === context.period,
    reachesThreshold: ({ context, event }) =>
      'period' in event &&
      event.period === context.period &&
      context.failureCount + 1 >= context.settings.failureThreshold,
    openTimeIsOver: ({ context, event }) => event.at >= context.probesFrom,
    probeIsFree: ({ context, event }) =>
      'permit' in event &&
      context.probes.length < context.settings.maxProbes &&
      !context.probes.some(({ permit }) => permit === event.permit),
    isProbeUnderWay: ({ context, event }) => knows(context, event),
    isLastSuccessNeeded: ({ context, event }) =>
      knows(context, event) && context.probeSuccesses + 1 >= context.settings.successThreshold,
    probeIsOverdue: ({ context, event }) => {
      const overdueAt = probeOverdueAt(context)
      return overdueAt !== undefined && event.at >= overdueAt
    },
  },
  actions: {
    countFailure: assign({ failureCount: ({ context }) => context.failureCount + 1 }),
    clearFailures: assign({ failureCount: 0 }),
    admitProbe: assign({
      probes: ({ context, event }) =>
        'permit' in event ? [...context.probes, { permit: event.permit, since: event.at }] : context.probes,
    }),
    releaseProbe: assign({
      probes: ({ context, event }) =>
        'permit' in event ? context.probes.filter(({ permit }) => permit !== event.permit) : context.probes,
    }),
    releaseProbes: assign({ probes: () => [] }),
    countProbeSuccess: assign({ probeSuccesses: ({ context }) => context.probeSuccesses + 1 }),
    recordMove: assign(({ context, event }, move: Move) => moved(context, event.at, move)),
  },
}).createMachine({
  id: 'circuit',
  description: 'Refuses calls to what is known to be broken, and finds out when it is whole again.',
  context: ({ input }) => ({
    settings: input.settings,
    failureCount: 0,
    period: 0,
    since: input.at,
    probesFrom: 0,
    probes: [],
    probeSuccesses: 0,
    opens: 0,
    trips: 0,
    lastOpenMs: 0,
    timeInStateMs: { closed: 0, open: 0, 'half-open': 0, isolated: 0 },
    transitions: [],
  }),
  initial: 'closed',
  states: {
    closed: {
      description: 'Calls pass. Consecutive failures are counted; a success clears them.',
      tags: ['healthy'],
      on: {
        CALL_SUCCEEDED: { guard: 'isOfThisPeriod', actions: 'clearFailures' },
        CALL_FAILED: [
          {
            guard: 'reachesThreshold',
            target: 'open',
            actions: { type: 'recordMove', params: { from: 'closed', to: 'open', reason: 'failures' } },
          },
          { guard: 'isOfThisPeriod', actions: 'countFailure' },
        ],
        RESET: { actions: 'clearFailures' },
        ISOLATE: {
          target: 'isolated',
          actions: { type: 'recordMove', params: { from: 'closed', to: 'isolated', reason: 'operator' } },
        },
      },
    },
    open: {
      description: 'Calls are refused until the open time is over.',
      tags: ['failing'],
      on: {
        OPEN_TIME_PASSED: {
          guard: 'openTimeIsOver',
          target: 'half-open',
          actions: { type: 'recordMove', params: { from: 'open', to: 'half-open', reason: 'open time over' } },
        },
        RESET: {
          target: 'closed',
          actions: { type: 'recordMove', params: { from: 'open', to: 'closed', reason: 'operator' } },
        },
        ISOLATE: {
          target: 'isolated',
          actions: { type: 'recordMove', params: { from: 'open', to: 'isolated', reason: 'operator' } },
        },
      },
    },
    'half-open': {
      description: 'A bounded number of probes may pass: enough successes close it, one failure opens it again.',
      tags: ['recovering'],
      on: {
        PROBE_STARTED: { guard: 'probeIsFree', actions: 'admitProbe' },
        PROBE_SUCCEEDED: [
          {
            guard: 'isLastSuccessNeeded',
            target: 'closed',
            actions: { type: 'recordMove', params: { from: 'half-open', to: 'closed', reason: 'probes succeeded' } },
          },
          { guard: 'isProbeUnderWay', actions: ['releaseProbe', 'countProbeSuccess'] },
        ],
        PROBE_FAILED: {
          guard: 'isProbeUnderWay',
          target: 'open',
          actions: { type: 'recordMove', params: { from: 'half-open', to: 'open', reason: 'probe failed' } },
        },
        PROBE_RELEASED: { guard: 'isProbeUnderWay', actions: 'releaseProbe' },
        PROBE_OVERDUE: {
          guard: 'probeIsOverdue',
          target: 'open',
          actions: { type: 'recordMove', params: { from: 'half-open', to: 'open', reason: 'probe overdue' } },
        },
        PROCESS_RESTORED: { actions: 'releaseProbes' },
        RESET: {
          target: 'closed',
          actions: { type: 'recordMove', params: { from: 'half-open', to: 'closed', reason: 'operator' } },
        },
        ISOLATE: {
          target: 'isolated',
          actions: { type: 'recordMove', params: { from: 'half-open', to: 'isolated', reason: 'operator' } },
        },
      },
    },
    isolated: {
      description: 'An operator has taken it out: calls are refused until it is reset.',
      tags: ['isolated'],
      on: {
        RESET: {
          target: 'closed',
          actions: { type: 'recordMove', params: { from: 'isolated', to: 'closed', reason: 'operator' } },
        },
      },
    },
  },
})
