/**
 * The life of a run. It invokes the flow of its workflow (the compiled stages, or a machine of the user's own), and
 * decides what an operator's command, a deadline or the end of the flow means for the run. The flow stays alive while
 * the run is paused or waits; leaving `open` stops it and all its stages.
 */
import { assign, createMachine, setup } from 'xstate'
import { z } from 'zod'

export const workflowContextSchema = z.object({
  runId: z.string(),
  workflow: z.string(),
  /** Why it was cancelled or paused, as the operator said. */
  reason: z.string().nullable(),
})

export type WorkflowMachineContext = z.infer<typeof workflowContextSchema>

export interface WorkflowMachineInput {
  readonly runId: string
  readonly workflow: string
}

export type WorkflowMachineEvent =
  | { type: 'WAIT_BEGUN' }
  | { type: 'WAIT_ENDED' }
  | { type: 'PAUSE'; reason: string | null }
  | { type: 'RESUME' }
  | { type: 'CANCEL'; reason: string | null }
  | { type: 'RECOVER' }
  | { type: 'RECOVERED' }
  | { type: 'COMPLETE' }
  | { type: 'FAIL' }
  | { type: 'QUARANTINE' }
  | { type: 'EXHAUST_BUDGET' }
  | { type: 'COMPENSATED' }

export const workflowMachine = setup({
  types: {} as {
    context: WorkflowMachineContext
    events: WorkflowMachineEvent
    input: WorkflowMachineInput
    tags: 'active' | 'waiting' | 'succeeded' | 'failed'
  },
  actors: {
    /** Drawn as a box: the runtime gives the machine of the workflow. */
    flow: createMachine({ id: 'flow', description: 'The stages of the workflow, or a machine of the user.' }),
  },
  actions: {
    /** Asks for the verdict on a flow that has ended: its output, or why it failed. */
    conclude: () => {},
    /** Asks for the compensations of the stages that had succeeded, last one first. */
    compensate: () => {},
    /** Asks that the functions that are running be stopped; they start again after RESUME. */
    suspendStages: () => {},
    /** Asks that every stage goes on where it was. */
    resumeStages: () => {},
    rememberReason: assign({ reason: ({ event }) => ('reason' in event ? event.reason : null) }),
    clearReason: assign({ reason: null }),
  },
}).createMachine({
  id: 'workflow',
  description: 'The life of a run, from its start to its end.',
  context: ({ input }) => ({ runId: input.runId, workflow: input.workflow, reason: null }),
  initial: 'open',
  states: {
    open: {
      description: 'The flow is alive.',
      initial: 'running',
      invoke: {
        id: 'flow',
        src: 'flow',
        onDone: { target: 'concluding', description: 'The flow came to an end, good or bad.' },
        onError: { target: 'concluding', description: 'The flow broke.' },
      },
      on: {
        CANCEL: { target: 'cancelling', actions: 'rememberReason' },
        FAIL: { target: 'failed', description: 'The run passed its deadline.' },
        EXHAUST_BUDGET: 'budgetExceeded',
        QUARANTINE: 'quarantined',
      },
      states: {
        running: {
          description: 'At least one stage works.',
          tags: ['active'],
          on: {
            WAIT_BEGUN: 'waiting',
            PAUSE: { target: 'paused', actions: ['rememberReason', 'suspendStages'] },
            RECOVER: 'recovering',
          },
        },
        waiting: {
          description: 'Nothing works: everything waits for a timer, a signal or a child run.',
          tags: ['waiting'],
          on: {
            WAIT_ENDED: 'running',
            PAUSE: { target: 'paused', actions: ['rememberReason', 'suspendStages'] },
            RECOVER: 'recovering',
          },
        },
        recovering: {
          description: 'The run was restored from the store; its stages are being told to go on.',
          tags: ['active'],
          entry: 'resumeStages',
          on: { RECOVERED: 'running', RECOVER: { target: 'recovering', reenter: true } },
        },
        paused: {
          description: 'An operator holds the run; what was running starts again when it is resumed.',
          tags: ['waiting'],
          on: { RESUME: { target: 'recovering', actions: 'clearReason' } },
        },
      },
    },
    concluding: {
      description: 'The flow has ended: its output is computed, or its failure judged.',
      tags: ['active'],
      entry: 'conclude',
      on: {
        COMPLETE: 'completed',
        FAIL: 'failed',
        QUARANTINE: 'quarantined',
        EXHAUST_BUDGET: 'budgetExceeded',
        CANCEL: {
          target: 'cancelling',
          actions: 'rememberReason',
          description: 'Rebuilt while it was being cancelled: what is recorded of the flow ended at once.',
        },
      },
    },
    cancelling: {
      description: 'Every stage was stopped; the compensations run, last stage first.',
      tags: ['active'],
      entry: 'compensate',
      on: {
        COMPENSATED: 'cancelled',
        RECOVER: { target: 'cancelling', reenter: true },
      },
    },
    completed: { type: 'final', description: 'The run gave its output.', tags: ['succeeded'] },
    cancelled: { type: 'final', description: 'The run was cancelled and its compensations have run.' },
    failed: { type: 'final', description: 'A stage failed for good, or the time was up.', tags: ['failed'] },
    quarantined: { type: 'final', description: 'The run was set aside with its evidence.', tags: ['failed'] },
    budgetExceeded: { type: 'final', description: 'The budget does not allow more.', tags: ['failed'] },
  },
})
