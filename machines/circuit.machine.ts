/**
 * A circuit breaker. It moves only on edges: what counts the calls outside tells it that a threshold is reached, it
 * opens and calls are refused; once the open time is over it lets a bounded number of probes through, of which enough successes close it and one failure
 * opens it again. Time comes in events (`at`), so it holds no timer and can be restored anywhere. A result names the
 * period in which its call began: one that comes late, from before the last change of state, changes nothing. A probe
 * that is never heard of again is overdue after the half-open time and opens the circuit, so it cannot be stuck. The
 * open time may grow from one opening to the next, up to a bound, and is the first one again after a calm while.
 */
import { assign, setup } from 'xstate'
import { z } from 'zod'

const stateName = z.enum(['closed', 'open', 'half-open', 'isolated'])

export type CircuitState = z.infer<typeof stateName>

const settings = z.object({
  openMs: z.number().positive(),
  maxProbes: z.int().min(1),
  successThreshold: z.int().min(1),
  halfOpenMs: z.number().positive(),
  /** Absent: every opening takes `openMs`. */
  growth: z
    .object({ factor: z.number().min(1), longestMs: z.number().positive(), calmMs: z.number().min(0) })
    .optional(),
})

/** Why a circuit changed its state last. */
export const circuitReasons = [
  'none',
  'failures',
  'failure ratio',
  'slow calls',
  'open time over',
  'probes succeeded',
  'probe failed',
  'probe overdue',
  'operator',
] as const

export type CircuitReason = (typeof circuitReasons)[number]

const probe = z.object({ permit: z.int(), since: z.number() })

/** What a circuit remembers: JSON data. */
export const circuitContext = z.object({
  settings,
  /** One more at each change of state; results carry the period in which their call began. */
  period: z.int().min(0),
  /** When the circuit came into its state, ms. */
  since: z.number(),
  /** Why it came into its state. */
  reason: z.enum(circuitReasons),
  /** When an open circuit admits probes, ms; 0 while it is not open. */
  probesFrom: z.number(),
  probes: z.array(probe),
  probeSuccesses: z.int().min(0),
  /** Times that it opened; `trips` are those from closed. */
  opens: z.int().min(0),
  trips: z.int().min(0),
  /** Openings without a calm while between them; they make the open time grow. */
  openStreak: z.int().min(0),
  /** How long the last open period that has ended was. */
  lastOpenMs: z.number(),
  /** Of the periods that have ended; the current one is still running since `since`. */
  timeInStateMs: z.object({ closed: z.number(), open: z.number(), 'half-open': z.number(), isolated: z.number() }),
})

export type CircuitContext = z.infer<typeof circuitContext>

export type CircuitEvent =
  | { readonly type: 'FAILURES_REACHED'; readonly at: number; readonly period: number }
  | { readonly type: 'FAILURE_RATIO_REACHED'; readonly at: number; readonly period: number }
  | { readonly type: 'SLOW_RATIO_REACHED'; readonly at: number; readonly period: number }
  | { readonly type: 'OPEN_TIME_PASSED'; readonly at: number }
  | { readonly type: 'PROBE_STARTED'; readonly at: number; readonly permit: number }
  | { readonly type: 'PROBE_SUCCEEDED'; readonly at: number; readonly permit: number; readonly period: number }
  | { readonly type: 'PROBE_FAILED'; readonly at: number; readonly permit: number; readonly period: number }
  | { readonly type: 'PROBE_RELEASED'; readonly at: number; readonly permit: number; readonly period: number }
  | { readonly type: 'PROBE_OVERDUE'; readonly at: number }
  | { readonly type: 'PROCESS_RESTORED'; readonly at: number }
  /** The clock shows an earlier time than before: what is left of every period stays what it was. */
  | { readonly type: 'CLOCK_SET_BACK'; readonly at: number; readonly byMs: number }
  | { readonly type: 'RESET'; readonly at: number }
  | { readonly type: 'ISOLATE'; readonly at: number }

export interface CircuitInput {
  readonly settings: z.infer<typeof settings>
  readonly at: number
}

interface Move {
  readonly from: CircuitState
  readonly to: CircuitState
  readonly reason: CircuitReason
}

/** Growth beyond so many openings is cut off, so that the power stays a number. */
const longestStreak = 64

/** The context after a change of state: the old period is booked, and nothing of it is carried into the new one. */
function moved(context: CircuitContext, at: number, { from, to, reason }: Move): CircuitContext {
  const elapsed = Math.max(0, at - context.since)
  const streak = streakAfter(context, elapsed, { from, to, reason })
  return {
    ...context,
    period: context.period + 1,
    since: Math.max(at, context.since),
    reason,
    probesFrom: to === 'open' ? at + openMsAfter(context.settings, streak) : 0,
    probes: [],
    probeSuccesses: 0,
    opens: context.opens + (to === 'open' ? 1 : 0),
    trips: context.trips + (from === 'closed' && to === 'open' ? 1 : 0),
    openStreak: streak,
    lastOpenMs: from === 'open' ? elapsed : context.lastOpenMs,
    timeInStateMs: { ...context.timeInStateMs, [from]: context.timeInStateMs[from] + elapsed },
  }
}

/** An operator who resets it, and a calm while in closed, make the next opening the first one again. */
function streakAfter({ settings, openStreak }: CircuitContext, elapsedMs: number, { from, to }: Move): number {
  if (to === 'open') {
    const calm = from === 'closed' && elapsedMs >= (settings.growth?.calmMs ?? 0)
    return Math.min(longestStreak, (calm ? 0 : openStreak) + 1)
  }
  return to === 'closed' && from !== 'half-open' ? 0 : openStreak
}

function openMsAfter({ openMs, growth }: CircuitContext['settings'], streak: number): number {
  return growth === undefined ? openMs : Math.min(growth.longestMs, openMs * growth.factor ** (streak - 1))
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
    forgetOpenings: assign({ openStreak: 0 }),
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
    moveTimesBack: assign(({ context, event }) => {
      const byMs = 'byMs' in event ? event.byMs : 0
      return {
        since: context.since - byMs,
        probesFrom: context.probesFrom === 0 ? 0 : context.probesFrom - byMs,
        probes: context.probes.map(one => ({ ...one, since: one.since - byMs })),
      }
    }),
    recordMove: assign(({ context, event }, move: Move) => moved(context, event.at, move)),
  },
}).createMachine({
  id: 'circuit',
  description: 'Refuses calls to what is known to be broken, and finds out when it is whole again.',
  context: ({ input }) => ({
    settings: input.settings,
    period: 0,
    since: input.at,
    reason: 'none' as const,
    probesFrom: 0,
    probes: [],
    probeSuccesses: 0,
    opens: 0,
    trips: 0,
    openStreak: 0,
    lastOpenMs: 0,
    timeInStateMs: { closed: 0, open: 0, 'half-open': 0, isolated: 0 },
  }),
  initial: 'closed',
  on: {
    CLOCK_SET_BACK: { actions: 'moveTimesBack' },
  },
  states: {
    closed: {
      description: 'Calls pass, and are counted outside: consecutive failures, failed and slow ones of the last calls.',
      tags: ['healthy'],
      on: {
        FAILURES_REACHED: {
          guard: 'isOfThisPeriod',
          target: 'open',
          actions: { type: 'recordMove', params: { from: 'closed', to: 'open', reason: 'failures' } },
        },
        FAILURE_RATIO_REACHED: {
          guard: 'isOfThisPeriod',
          target: 'open',
          actions: { type: 'recordMove', params: { from: 'closed', to: 'open', reason: 'failure ratio' } },
        },
        SLOW_RATIO_REACHED: {
          guard: 'isOfThisPeriod',
          target: 'open',
          actions: { type: 'recordMove', params: { from: 'closed', to: 'open', reason: 'slow calls' } },
        },
        RESET: { actions: 'forgetOpenings' },
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
