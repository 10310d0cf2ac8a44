/**
 * A machine that works each of its steps out once. XState works a transition out anew for every actor and every event,
 * though for most of ours it is a constant of the state and the type of the event; here it is remembered and carried
 * out again. What the step asks for is asked of each actor, in XState's order. While somebody watches through XState's
 * inspection, nothing is remembered, since a watcher is told of the working out.
 */
import {
  type AnyActorRef,
  type AnyActorScope,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  createActor,
  type EventObject,
} from 'xstate'
import { overriding } from '../stage/overriding.ts'
import { beginningOf, type Operation, type Step, stepOf } from './step-of.ts'

/** More steps than this are not remembered: regions multiply the states of a machine. */
const mostSteps = 4096

export function rememberSteps<TMachine extends AnyStateMachine>(machine: TMachine, isWatched: () => boolean): TMachine {
  const steps = createSteps()
  let beginning: { readonly step: Step | undefined } | undefined
  const { context } = machine.config as { context?: unknown }
  return overriding(machine, {
    getInitialSnapshot(scope: AnyActorScope, input: unknown) {
      if (isWatched() || (beginning && !beginning.step)) return machine.getInitialSnapshot(scope, input as never)
      if (!beginning) {
        const first = machine.getInitialSnapshot(scope, input as never) as AnyMachineSnapshot
        beginning = { step: beginningOf(machine, first) }
        return first
      }
      const given = typeof context === 'function' ? context({ input, self: scope.self }) : (context ?? {})
      return replay(beginning.step as Step, given, {}, { type: 'xstate.init', input }, scope)
    },
    transition(snapshot: AnyMachineSnapshot, event: EventObject, scope: AnyActorScope) {
      if (isWatched() || event.type === 'xstate.stop' || snapshot.status !== 'active')
        return machine.transition(snapshot as never, event as never, scope)
      const known = steps.find(snapshot.value, event.type)
      if (known !== undefined && known !== 'differs' && canReplay(known, snapshot))
        return replay(known, snapshot.context, snapshot.children, event, scope)
      const next = machine.transition(snapshot as never, event as never, scope) as AnyMachineSnapshot
      if (known === undefined && !steps.isFull())
        steps.keep(snapshot.value, event.type, stepOf(snapshot, event, next) ?? 'differs')
      return next
    },
  })
}

type StateValue = AnyMachineSnapshot['value']

/** By state and type of the event; `differs`: it is not the same each time. */
interface Steps {
  find(state: StateValue, type: string): Step | 'differs' | undefined
  isFull(): boolean
  keep(state: StateValue, type: string, step: Step | 'differs'): void
}

/** Two maps instead of one key of both names, which would be a new text for each event. */
function createSteps(): Steps {
  const byState = new Map<string, Map<string, Step | 'differs'>>()
  /** A snapshot that was replayed shares its value with the one before it. */
  const byValue = new WeakMap<object, Map<string, Step | 'differs'>>()
  let kept = 0
  const ofState = (state: StateValue): Map<string, Step | 'differs'> | undefined => {
    if (typeof state === 'string') return byState.get(state)
    const known = byValue.get(state)
    if (known) return known
    const found = byState.get(JSON.stringify(state))
    if (found) byValue.set(state, found)
    return found
  }
  return {
    find: (state, type) => ofState(state)?.get(type),
    isFull: () => kept >= mostSteps,
    keep(state, type, step) {
      kept++
      const steps = ofState(state) ?? new Map<string, Step | 'differs'>()
      steps.set(type, step)
      byState.set(typeof state === 'string' ? state : JSON.stringify(state), steps)
    },
  }
}

/** Whom the step lets go must have ended by itself, and a machine that ends must leave nobody behind. */
function canReplay(step: Step, { children }: AnyMachineSnapshot): boolean {
  for (const id of step.letsGo) {
    const status = children[id]?.getSnapshot().status
    if (status !== 'done' && status !== 'error') return false
  }
  return !step.end || Object.keys(children).length === step.letsGo.length
}

function replay(
  step: Step,
  context: unknown,
  before: AnyMachineSnapshot['children'],
  event: EventObject & { readonly input?: unknown },
  scope: AnyActorScope,
): AnyMachineSnapshot {
  const children = step.changesChildren ? remaining(before, step.letsGo) : before
  const info = { context, event, self: scope.self, system: scope.system }
  for (const operation of step.operations) carryOut(operation, children, info, scope)
  const next = { ...step.template, context, children }
  if (step.end) next.output = outputOf(step.end, context, event, scope.self)
  return next as AnyMachineSnapshot
}

/** A copy without some: to delete from one would make it slow to read. */
function remaining(
  children: AnyMachineSnapshot['children'],
  letGo: readonly string[],
): Record<string, AnyActorRef | undefined> {
  const copy: Record<string, AnyActorRef | undefined> = {}
  for (const id in children) if (!letGo.includes(id)) copy[id] = children[id]
  return copy
}

function carryOut(
  operation: Operation,
  children: Record<string, AnyActorRef | undefined>,
  info: { readonly context: unknown; readonly event: EventObject; readonly self: AnyActorRef },
  scope: AnyActorScope,
): void {
  if (operation.kind === 'act') {
    const { type, params, exec } = operation
    scope.actionExecutor({ type, params, exec, info } as never)
  } else {
    const { id, src, logic, input } = operation
    const given = typeof input === 'function' ? input(info) : input
    const child = createActor(logic, { id, src, parent: scope.self, syncSnapshot: false, input: given } as never)
    children[id] = child
    scope.actionExecutor({ type: 'xstate.spawnChild', exec: () => scope.defer(() => child.start()) } as never)
  }
}

/** As the end of a machine is worked out: the final state's output reaches the machine's own in an event. */
function outputOf(end: NonNullable<Step['end']>, context: unknown, event: EventObject, self: AnyActorRef): unknown {
  const { output } = end.node.machine.root as { output?: unknown }
  if (output === undefined) return undefined
  const done = { type: end.doneType, output: resolved(end.node.output, context, event, self) }
  return resolved(output, context, done, self)
}

const resolved = (output: unknown, context: unknown, event: EventObject, self: AnyActorRef): unknown =>
  typeof output === 'function' ? output({ context, event, self }) : output
