/**
 * How much of the system works: healthy, degraded (with the components and reasons), or offline. `degrade()` of a
 * stage, a lost optional stage and a failed monitor all come here, and go again when the component has recovered.
 */
import { assign, setup } from 'xstate'
import { z } from 'zod'

const entrySchema = z.object({
  /** The component, or the run and stage, that works less well. */
  component: z.string(),
  reason: z.string(),
  level: z.enum(['degraded', 'offline']),
  since: z.number(),
})

export type DegradationEntry = z.infer<typeof entrySchema>

export const degradationContextSchema = z.object({
  current: z.array(entrySchema),
  /** What has been recovered from, newest last. */
  recovered: z.array(entrySchema.extend({ until: z.number() })),
})

export type DegradationMachineContext = z.infer<typeof degradationContextSchema>

export type DegradationMachineEvent =
  | ({ type: 'DEGRADED' } & Omit<DegradationEntry, 'since'> & { at: number })
  | { type: 'RECOVERED'; component: string; at: number }

/** Entries that are kept of what is past. */
const historyKept = 100
/** Components that are listed at once; more of them change nothing. */
const currentKept = 1000

const without = (entries: readonly DegradationEntry[], component: string): DegradationEntry[] =>
  entries.filter(entry => entry.component !== component)

export const degradationMachine = setup({
  types: {} as {
    context: DegradationMachineContext
    events: DegradationMachineEvent
    tags: 'healthy' | 'degraded' | 'failed'
  },
  guards: {
    nothingDegraded: ({ context }) => context.current.length === 0,
    somethingOffline: ({ context }) => context.current.some(entry => entry.level === 'offline'),
  },
  actions: {
    addEntry: assign({
      current: ({ context, event }) => {
        const others = without(context.current, event.component)
        if (event.type !== 'DEGRADED' || others.length >= currentKept) return context.current
        const { component, reason, level, at } = event
        return [...others, { component, reason, level, since: at }]
      },
    }),
    removeEntry: assign({
      current: ({ context, event }) => without(context.current, event.component),
      recovered: ({ context, event }) =>
        [
          ...context.recovered,
          ...context.current
            .filter(entry => entry.component === event.component)
            .map(entry => ({ ...entry, until: event.at })),
        ].slice(-historyKept),
    }),
  },
}).createMachine({
  id: 'degradation',
  description: 'How much of the system works.',
  context: { current: [], recovered: [] },
  initial: 'healthy',
  states: {
    healthy: {
      description: 'Everything works.',
      tags: ['healthy'],
      on: { DEGRADED: { target: 'weighing', actions: 'addEntry' } },
    },
    degraded: {
      description: 'Something works less well; runs go on.',
      tags: ['degraded'],
      on: {
        DEGRADED: { target: 'weighing', actions: 'addEntry' },
        RECOVERED: { target: 'weighing', actions: 'removeEntry' },
      },
    },
    offline: {
      description: 'Something that runs need is gone; reading still works.',
      tags: ['failed'],
      on: {
        DEGRADED: { target: 'weighing', actions: 'addEntry' },
        RECOVERED: { target: 'weighing', actions: 'removeEntry' },
      },
    },
    weighing: {
      description: 'What is degraded decides the level, at once.',
      always: [
        { guard: 'nothingDegraded', target: 'healthy' },
        { guard: 'somethingOffline', target: 'offline' },
        { target: 'degraded' },
      ],
    },
  },
})
