/**
 * A map: one stage an item that was found at run time. It keeps at most `concurrency` items alive, drops each when it
 * has ended, and is done when all have ended. An item that fails for good fails the map, and the others are cancelled;
 * an item that is optional or has a fallback never fails. The machine knows items by number; their keys are the runtime's.
 */
import { assign, enqueueActions, setup } from 'xstate'
import { z } from 'zod'
import { type StageFailure, type StageMachineOutput, stageMachine } from './stage.machine.ts'

export const mapContextSchema = z.object({
  stage: z.string(),
  admission: z.enum(['run', 'skip', 'refuse']),
  optional: z.boolean(),
  concurrency: z.number(),
  total: z.number(),
  /** The number of the next item to start. */
  next: z.number(),
  live: z.number(),
  failure: z.custom<StageFailure>().nullable(),
})

export type MapMachineContext = z.infer<typeof mapContextSchema>

export interface MapMachineInput {
  readonly stage: string
  readonly admission: 'run' | 'skip' | 'refuse'
  readonly optional: boolean
  readonly concurrency: number
  readonly failure?: StageFailure | undefined
}

export type MapMachineEvent =
  | { type: 'MAP_OPENED'; total: number }
  | { type: 'MAP_REFUSED'; failure: StageFailure }
  | { type: 'xstate.done.actor.*'; actorId: string; output: StageMachineOutput }
  | { type: 'xstate.error.actor.*'; actorId: string; error: unknown }

export const mapMachine = setup({
  types: {} as {
    context: MapMachineContext
    events: MapMachineEvent
    input: MapMachineInput
    output: StageMachineOutput
    children: Record<string, 'stage'>
    tags: 'active' | 'succeeded' | 'failed'
  },
  actors: { stage: stageMachine },
  guards: {
    skipped: ({ context }) => context.admission === 'skip',
    refused: ({ context }) => context.admission === 'refuse',
    optionalMap: ({ context }) => context.optional,
    allEnded: ({ context }) => context.next >= context.total && context.live === 0,
  },
  actions: {
    /** Asks for the items: they are found once and committed before the first of them starts. */
    findItems: () => {},
    rememberTotal: assign({ total: ({ event }) => (event.type === 'MAP_OPENED' ? event.total : 0) }),
    rememberFailure: assign({
      failure: ({ context, event }) => ('failure' in event ? event.failure : context.failure),
    }),
    startItems: enqueueActions(({ context, enqueue }) => {
      const started = Math.min(context.concurrency - context.live, context.total - context.next)
      for (let i = 0; i < started; i++) {
        const item = context.next + i
        enqueue.spawnChild('stage', {
          id: `${context.stage}[${item}]`,
          input: { stage: context.stage, item } as never,
        })
      }
      enqueue.assign({ next: context.next + started, live: context.live + started })
    }),
    dropItem: enqueueActions(({ context, event, enqueue }) => {
      if ('actorId' in event) enqueue.stopChild(event.actorId)
      enqueue.assign({ live: context.live - 1 })
    }),
  },
}).createMachine({
  id: 'map',
  description: 'One stage an item that was found at run time.',
  context: ({ input }) => ({
    stage: input.stage,
    admission: input.admission,
    optional: input.optional,
    concurrency: input.concurrency,
    total: 0,
    next: 0,
    live: 0,
    failure: input.failure ?? null,
  }),
  initial: 'admitting',
  states: {
    admitting: {
      description: 'Whether the map runs at all was decided when it was created.',
      always: [
        { guard: 'skipped', target: 'skipped', description: '`when` said no.' },
        { guard: 'refused', target: 'refusing', description: '`when` threw.' },
        { target: 'opening' },
      ],
    },
    opening: {
      description: '`over` says which items there are.',
      tags: ['active'],
      entry: 'findItems',
      on: {
        MAP_OPENED: { target: 'working', actions: 'rememberTotal' },
        MAP_REFUSED: { target: 'refusing', actions: 'rememberFailure' },
      },
    },
    working: {
      description: 'Items run, at most `concurrency` at a time.',
      entry: 'startItems',
      always: { guard: 'allEnded', target: 'succeeded' },
      on: {
        'xstate.done.actor.*': { actions: ['dropItem', 'startItems'] },
        'xstate.error.actor.*': { target: 'failed' },
      },
    },
    refusing: {
      description: 'There are no items to run: `when` or `over` threw, or gave what is no list of items.',
      always: [{ guard: 'optionalMap', target: 'degraded' }, { target: 'failed' }],
    },
    succeeded: {
      type: 'final',
      description: 'Every item has ended.',
      tags: ['succeeded'],
      output: { outcome: 'succeeded' },
    },
    degraded: {
      type: 'final',
      description: 'The map is optional and was lost as a whole.',
      tags: ['failed'],
      output: ({ context }) => ({ outcome: 'degraded', failure: context.failure }),
    },
    skipped: { type: 'final', description: '`when` said that it is not needed.', output: { outcome: 'skipped' } },
    failed: {
      type: 'final',
      description: 'An item failed for good, so the others are cancelled.',
      tags: ['failed'],
      output: ({ context }) => ({ outcome: 'failed', failure: context.failure }),
    },
  },
  output: ({ event }) => event.output as StageMachineOutput,
})
