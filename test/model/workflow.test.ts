/**
 * The machine of a run against a model: an operator's commands, the end of the flow and crashes in any order. What is
 * paused stays paused, what is cancelled ends as cancelled, and an end is an end.
 */
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import type { ActorLogic, EventObject, Snapshot } from 'xstate'
import { type WorkflowMachineEvent, workflowContextSchema, workflowMachine } from '../../machines/workflow.machine.ts'
import { PureMachine } from '../support/pure-machine.ts'
import { propertyRuns, propertyTimeoutMs } from '../support/supervised-worker.ts'

vi.setConfig({ testTimeout: propertyTimeoutMs })

/** A flow that does nothing by itself: the test says when it ends. */
const held: ActorLogic<Snapshot<unknown>, EventObject> = {
  transition: snapshot => snapshot,
  getInitialSnapshot: () => ({ status: 'active', output: undefined, error: undefined }),
  getPersistedSnapshot: snapshot => snapshot,
}
const machine = workflowMachine.provide({ actors: { flow: held as never } })

type Phase =
  | 'running'
  | 'waiting'
  | 'recovering'
  | 'paused'
  | 'concluding'
  | 'cancelling'
  | 'completed'
  | 'cancelled'
  | 'failed'
  | 'quarantined'
  | 'budgetExceeded'

interface RunModel {
  phase: Phase
  reason: string | null
}

type EventType = WorkflowMachineEvent['type'] | 'FLOW_DONE' | 'FLOW_BROKEN'

const open: readonly Phase[] = ['running', 'waiting', 'recovering', 'paused']
const working: readonly Phase[] = ['running', 'waiting']

/** Where each event counts, and where it leads; everywhere else it changes nothing. */
const rules: readonly { readonly on: EventType; readonly from: readonly Phase[]; readonly to: Phase }[] = [
  { on: 'WAIT_BEGUN', from: ['running'], to: 'waiting' },
  { on: 'WAIT_ENDED', from: ['waiting'], to: 'running' },
  { on: 'PAUSE', from: working, to: 'paused' },
  { on: 'RESUME', from: ['paused'], to: 'recovering' },
  { on: 'RECOVER', from: ['running', 'waiting', 'recovering'], to: 'recovering' },
  { on: 'RECOVER', from: ['cancelling'], to: 'cancelling' },
  { on: 'RECOVERED', from: ['recovering'], to: 'running' },
  { on: 'CANCEL', from: [...open, 'concluding'], to: 'cancelling' },
  { on: 'COMPENSATED', from: ['cancelling'], to: 'cancelled' },
  { on: 'COMPLETE', from: ['concluding'], to: 'completed' },
  { on: 'FAIL', from: [...open, 'concluding'], to: 'failed' },
  { on: 'QUARANTINE', from: [...open, 'concluding'], to: 'quarantined' },
  { on: 'EXHAUST_BUDGET', from: [...open, 'concluding'], to: 'budgetExceeded' },
  { on: 'FLOW_DONE', from: open, to: 'concluding' },
  { on: 'FLOW_BROKEN', from: open, to: 'concluding' },
]

/** What entering a phase by an event asks of the runtime. */
const asks: Partial<Record<string, string>> = {
  'PAUSE→paused': 'suspendStages',
  'RESUME→recovering': 'resumeStages',
  'RECOVER→recovering': 'resumeStages',
  'CANCEL→cancelling': 'compensate',
  'RECOVER→cancelling': 'compensate',
  'FLOW_DONE→concluding': 'conclude',
  'FLOW_BROKEN→concluding': 'conclude',
}

function sent(type: EventType, reason: string | null): { type: string } {
  const done = { type: 'xstate.done.actor.flow', output: undefined, actorId: 'flow' }
  const broken = { type: 'xstate.error.actor.flow', error: new Error('broken'), actorId: 'flow' }
  return type === 'FLOW_DONE' ? done : type === 'FLOW_BROKEN' ? broken : ({ type, reason } as { type: string })
}

function agree(model: RunModel, run: PureMachine): void {
  const isOpen = open.includes(model.phase)
  expect(run.value).toEqual(isOpen ? { open: model.phase } : model.phase)
  expect(run.isDone).toBe(!isOpen && model.phase !== 'concluding' && model.phase !== 'cancelling')
  expect(run.context).toEqual({ runId: 'r', workflow: 'w', reason: model.reason })
  // The flow lives exactly as long as the run is open: a run that is over has no stage that works on.
  expect(run.children).toEqual(isOpen ? ['flow'] : [])
}

type RunCommand = fc.Command<RunModel, PureMachine>

const event = (type: EventType, reason: string | null = null): RunCommand => ({
  check: () => true,
  toString: () => type,
  run(model, run) {
    // XState delivers nothing of a flow that it has stopped.
    if (type.startsWith('FLOW_') && !open.includes(model.phase)) return
    const before = run.state
    const rule = rules.find(({ on, from }) => on === type && from.includes(model.phase))
    run.send(sent(type, reason))
    if (!rule) {
      expect(run.state).toEqual(before)
      expect(run.requests).toEqual([])
      return
    }
    model.phase = rule.to
    if (type === 'PAUSE' || type === 'CANCEL') model.reason = reason
    if (type === 'RESUME') model.reason = null
    agree(model, run)
    const asked = asks[`${type}→${rule.to}`]
    expect(run.requests.map(request => request.type)).toEqual(asked ? [asked] : [])
  },
})

const crash: RunCommand = {
  check: () => true,
  toString: () => 'CRASH+RESTORE',
  run(model, run) {
    run.restore()
    agree(model, run)
  },
}

const reasons = fc.option(fc.constantFrom('lunch', 'too dear'), { nil: null })
const only = (...types: EventType[]): fc.Arbitrary<RunCommand>[] => types.map(type => fc.constant(event(type)))
const mild = [
  ...only('WAIT_BEGUN', 'WAIT_ENDED', 'RESUME', 'RESUME', 'RECOVER', 'RECOVERED', 'RECOVERED', 'COMPENSATED'),
  reasons.map(reason => event('PAUSE', reason)),
  fc.constant(crash),
]
const grave = [
  ...only('COMPLETE', 'FAIL', 'QUARANTINE', 'EXHAUST_BUDGET', 'FLOW_DONE', 'FLOW_BROKEN'),
  reasons.map(reason => event('CANCEL', reason)),
]
const anything = fc.commands([...mild, fc.oneof(...grave)], { maxCommands: 60 })

const create = () => new PureMachine(machine, workflowContextSchema, { runId: 'r', workflow: 'w' })

function follow(sequence: Iterable<RunCommand>, lead: readonly EventType[], phase: Phase): PureMachine {
  const run = create()
  const model: RunModel = { phase: 'running', reason: null }
  for (const type of lead) event(type).run(model, run)
  expect(model.phase).toBe(phase)
  fc.modelRun(() => ({ model, real: run }), sequence)
  return run
}

const ends = ['completed', 'cancelled', 'failed', 'quarantined', 'budgetExceeded']

describe('the machine of a run', () => {
  it('goes where the operator, the flow and the clock lead it, and nowhere else, crashes included', () => {
    fc.assert(
      fc.property(anything, sequence => {
        follow(sequence, [], 'running')
      }),
      { numRuns: propertyRuns * 3 },
    )
  })

  it('stays paused over everything but a resume, a cancel, the end of its flow and what ends a run', () => {
    const inert = only('WAIT_BEGUN', 'WAIT_ENDED', 'RECOVER', 'RECOVERED', 'COMPENSATED', 'COMPLETE', 'PAUSE')
    fc.assert(
      fc.property(fc.commands([...inert, fc.constant(crash)], { maxCommands: 30 }), sequence => {
        expect(follow(sequence, ['PAUSE'], 'paused').value).toEqual({ open: 'paused' })
      }),
      { numRuns: propertyRuns },
    )
  })

  it('ends as cancelled, once it was cancelled, and only when the compensations have run', () => {
    fc.assert(
      fc.property(anything, sequence => {
        const run = follow(sequence, ['CANCEL'], 'cancelling')
        expect(['cancelling', 'cancelled']).toContain(run.value)
        run.send({ type: 'COMPENSATED' })
        expect(run.value).toBe('cancelled')
      }),
      { numRuns: propertyRuns },
    )
  })

  it('never leaves an end', () => {
    const leads: readonly (readonly [readonly EventType[], Phase])[] = [
      [['FLOW_DONE', 'COMPLETE'], 'completed'],
      [['CANCEL', 'COMPENSATED'], 'cancelled'],
      [['FAIL'], 'failed'],
      [['QUARANTINE'], 'quarantined'],
      [['EXHAUST_BUDGET'], 'budgetExceeded'],
    ]
    fc.assert(
      fc.property(fc.constantFrom(...leads), anything, ([lead, end], sequence) => {
        expect(follow(sequence, lead, end).value).toBe(end)
        expect(ends).toContain(end)
      }),
      { numRuns: propertyRuns },
    )
  })

  it('can always be brought to an end by a cancel or by the end of its flow', () => {
    fc.assert(
      fc.property(anything, fc.boolean(), (sequence, cancels) => {
        const run = follow(sequence, [], 'running')
        const isOpen = typeof run.value === 'object'
        if (isOpen) run.send(sent(cancels ? 'CANCEL' : 'FLOW_DONE', null))
        if (run.value === 'concluding') run.send({ type: 'COMPLETE' })
        if (run.value === 'cancelling') run.send({ type: 'COMPENSATED' })
        expect(ends).toContain(run.value)
      }),
      { numRuns: propertyRuns },
    )
  })
})
