/**
 * What one transition of a machine does, as data: which invoked actors it lets go, which actions it asks for, which
 * actors it invokes, and where it leads. It is only worked out for a transition that depends on nothing but the state
 * and the type of the event: no guard stood in its way, it leaves the context as it is, and it is over in one step.
 * Everything else is XState's to work out each time.
 */
import type { AnyActorLogic, AnyMachineSnapshot, AnyStateMachine, EventObject } from 'xstate'

/** A state of a machine, as far as it is read here. */
type StateNode = AnyStateMachine['root']
type Transitions = ReturnType<AnyStateMachine['getTransitionData']>
type Execute = (info: unknown, params: unknown) => void

export type Operation =
  | { readonly kind: 'act'; readonly type: string; readonly params: unknown; readonly exec: Execute | undefined }
  | {
      readonly kind: 'invoke'
      readonly id: string
      readonly src: string
      readonly logic: AnyActorLogic
      readonly input: unknown
    }

export interface Step {
  /** The ids of the actors that it lets go. */
  readonly letsGo: readonly string[]
  readonly operations: readonly Operation[]
  /** Whether it lets actors go or invokes some. */
  readonly changesChildren: boolean
  /** The snapshot that it led to; of the next one the context, the children and the output are its own. */
  readonly template: AnyMachineSnapshot
  /** How it ends the machine, if it does. */
  readonly end: End | undefined
}

export interface End {
  /** The final state. */
  readonly node: StateNode
  /** The type of the event in which its output reaches that of the machine. */
  readonly doneType: string
}

/** The step that led from `before` to `after` on an event of this type; undefined if it may differ another time. */
export function stepOf(before: AnyMachineSnapshot, event: EventObject, after: AnyMachineSnapshot): Step | undefined {
  const { machine } = before
  if (after.context !== before.context || (after.status !== 'active' && after.status !== 'done')) return undefined
  const transitions = machine.getTransitionData(before as never, event as never)
  if (transitions.length === 0 || before._nodes.some(node => mayChooseOtherwise(node, event.type))) return undefined
  if (transitions.some(transition => reenters(transition, before, after))) return undefined
  const exited = before._nodes.filter(node => !after._nodes.includes(node)).sort(lastFirst)
  const entered = after._nodes.filter(node => !before._nodes.includes(node)).sort(firstFirst)
  const end =
    after.status === 'done' ? entered.find(node => node.type === 'final' && node.parent === machine.root) : undefined
  if (after.status === 'done' && !end) return undefined
  if (!isOneStep(transitions, entered, after, end)) return undefined
  const letsGo = exited.flatMap(node => node.invoke.map(({ id }) => id))
  return stepFrom(machine, after, end, letsGo, [
    ...exited.flatMap(node => actionsOf(machine, node.exit)),
    ...transitions.flatMap(({ actions }) => actionsOf(machine, actions)),
    ...entered.flatMap(node => entryOf(machine, node)),
    ...(end ? [...after._nodes].sort(lastFirst).flatMap(node => actionsOf(machine, node.exit)) : []),
  ])
}

/** How the machine begins; undefined if it may begin otherwise another time. */
export function beginningOf(machine: AnyStateMachine, first: AnyMachineSnapshot): Step | undefined {
  if (first.status !== 'active' || !isOneStep([], first._nodes, first, undefined)) return undefined
  const isDirect = first._nodes.every(
    node => !node.initial || node.initial.target.every(target => first._nodes.includes(target)),
  )
  if (!isDirect) return undefined
  return stepFrom(
    machine,
    first,
    undefined,
    [],
    [...first._nodes].sort(firstFirst).flatMap(node => entryOf(machine, node)),
  )
}

function stepFrom(
  machine: AnyStateMachine,
  template: AnyMachineSnapshot,
  end: StateNode | undefined,
  letsGo: readonly string[],
  operations: readonly (Operation | undefined)[],
): Step | undefined {
  const known = operations.filter(operation => operation !== undefined)
  if (known.length < operations.length || hasHistory(machine.root)) return undefined
  const changesChildren = letsGo.length > 0 || known.some(({ kind }) => kind === 'invoke')
  return {
    letsGo,
    operations: known,
    changesChildren,
    template,
    end: end && { node: end, doneType: `xstate.done.state.${end.id}` },
  }
}

const firstFirst = (left: StateNode, right: StateNode): number => left.order - right.order
const lastFirst = (left: StateNode, right: StateNode): number => right.order - left.order

const hasHistory = (node: StateNode): boolean => node.type === 'history' || Object.values(node.states).some(hasHistory)

/** A guard, or a descriptor that takes many types: which transition is chosen may be another one next time. */
function mayChooseOtherwise(node: StateNode, type: string): boolean {
  for (const [descriptor, candidates] of node.transitions) {
    if (descriptor.includes('*')) return true
    if (descriptor === type && candidates.some(({ guard }) => guard !== undefined)) return true
  }
  return false
}

/** Leads back into a state that is active, or takes one beside its way out and in again. */
function reenters(transition: Transitions[number], before: AnyMachineSnapshot, after: AnyMachineSnapshot): boolean {
  const { source, target, reenter } = transition
  if (!target?.length) return false
  const [to] = target as [StateNode]
  if (reenter || target.length > 1 || before._nodes.includes(to)) return true
  const domain = isWithin(to, source) ? source : commonAncestor(source, to)
  return before._nodes.some(node => after._nodes.includes(node) && (!domain || isWithin(node, domain)))
}

function commonAncestor(one: StateNode, other: StateNode): StateNode | undefined {
  let above = one.parent
  while (above && !isWithin(other, above)) above = above.parent
  return above
}

function isWithin(node: StateNode, ancestor: StateNode): boolean {
  for (let above = node.parent; above; above = above.parent) if (above === ancestor) return true
  return false
}

/** Nothing follows by itself: no eventless transition, no event that the machine raises, no state passed through. */
function isOneStep(
  transitions: Transitions,
  entered: readonly StateNode[],
  after: AnyMachineSnapshot,
  end: StateNode | undefined,
): boolean {
  return (
    transitions.every(({ target }) => (target ?? []).every(to => after._nodes.includes(to))) &&
    after._nodes.every(node => !node.always?.length) &&
    entered.every(node => node.type !== 'final' || node === end)
  )
}

/** Each as an operation, or undefined for one that XState itself carries out (assign, raise, …) or that is no constant. */
function actionsOf(machine: AnyStateMachine, actions: readonly unknown[]): (Operation | undefined)[] {
  return actions.map(action => {
    const { type, params } = (typeof action === 'string' ? { type: action } : action) as {
      type?: string
      params?: unknown
    }
    const exec = type === undefined ? undefined : (machine.implementations.actions[type] as Execute | undefined)
    if (type === undefined || typeof exec !== 'function' || 'resolve' in exec || typeof params === 'function')
      return undefined
    return { kind: 'act', type, params, exec }
  })
}

function entryOf(machine: AnyStateMachine, node: StateNode): (Operation | undefined)[] {
  const invoked = node.invoke.map((invoke): Operation | undefined => {
    const { id, src, input, systemId, onSnapshot } = invoke as typeof invoke & { onSnapshot?: unknown }
    const logic =
      typeof src === 'string' ? (machine.implementations.actors[src] as AnyActorLogic | undefined) : undefined
    if (typeof src !== 'string' || !logic || systemId !== undefined || onSnapshot !== undefined) return undefined
    return { kind: 'invoke', id, src, logic, input }
  })
  return [...actionsOf(machine, node.entry), ...invoked, ...actionsOf(machine, node.initial?.actions ?? [])]
}
