/**
 * One monitor: it examines one thing (git, node, the disk) when asked and says how it stands. Several failures in a row
 * make a degraded thing failed; one success makes it healthy. The examination itself is the runtime's.
 */
import { assign, setup } from 'xstate'
import { z } from 'zod'

export const healthContextSchema = z.object({
  name: z.string(),
  /** A critical one that fails also fails the preflight. */
  critical: z.boolean(),
  failures: z.number(),
  failuresUntilFailed: z.number(),
  message: z.string(),
  latencyMs: z.number().nullable(),
  lastCheckAt: z.number().nullable(),
})

export type HealthMachineContext = z.infer<typeof healthContextSchema>

export interface HealthMachineInput {
  readonly name: string
  readonly critical: boolean
  /** Failures in a row that make it failed; a critical monitor takes 1. */
  readonly failuresUntilFailed: number
}

export type HealthMachineEvent =
  | { type: 'EXAMINE' }
  /** The examination was stopped before it found anything. */
  | { type: 'STOPPED' }
  | { type: 'FOUND_HEALTHY'; message: string; latencyMs: number; at: number }
  | { type: 'FOUND_UNHEALTHY'; message: string; latencyMs: number; at: number }

export const healthMonitorMachine = setup({
  types: {} as {
    context: HealthMachineContext
    events: HealthMachineEvent
    input: HealthMachineInput
    tags: 'healthy' | 'degraded' | 'failed' | 'examining'
  },
  guards: {
    failedOften: ({ context }) => context.failures + 1 >= context.failuresUntilFailed,
  },
  actions: {
    examine: () => {},
    rememberSuccess: assign({
      failures: 0,
      message: ({ context, event }) => ('message' in event ? event.message : context.message),
      latencyMs: ({ context, event }) => ('latencyMs' in event ? event.latencyMs : context.latencyMs),
      lastCheckAt: ({ context, event }) => ('at' in event ? event.at : context.lastCheckAt),
    }),
    rememberFailure: assign({
      failures: ({ context }) => context.failures + 1,
      message: ({ context, event }) => ('message' in event ? event.message : context.message),
      latencyMs: ({ context, event }) => ('latencyMs' in event ? event.latencyMs : context.latencyMs),
      lastCheckAt: ({ context, event }) => ('at' in event ? event.at : context.lastCheckAt),
    }),
  },
}).createMachine({
  id: 'health-monitor',
  description: 'How one thing that runs depend on stands.',
  context: ({ input }) => ({
    name: input.name,
    critical: input.critical,
    failures: 0,
    failuresUntilFailed: input.failuresUntilFailed,
    message: 'not examined yet',
    latencyMs: null,
    lastCheckAt: null,
  }),
  initial: 'unknown',
  states: {
    unknown: { description: 'Not examined yet, or the last examination was stopped.', on: { EXAMINE: 'examining' } },
    examining: {
      description: 'An examination is under way; another request joins it.',
      tags: ['examining'],
      entry: 'examine',
      on: {
        STOPPED: 'unknown',
        FOUND_HEALTHY: { target: 'healthy', actions: 'rememberSuccess' },
        FOUND_UNHEALTHY: [
          { guard: 'failedOften', target: 'failed', actions: 'rememberFailure' },
          { target: 'degraded', actions: 'rememberFailure' },
        ],
      },
    },
    healthy: { description: 'The last examination found nothing.', tags: ['healthy'], on: { EXAMINE: 'examining' } },
    degraded: {
      description: 'The last examination found a fault; not often enough to call it failed.',
      tags: ['degraded'],
      on: { EXAMINE: 'examining' },
    },
    failed: {
      description: 'As many examinations in a row as allowed found a fault.',
      tags: ['failed'],
      on: { EXAMINE: 'examining' },
    },
  },
})
