/**
 * A machine that takes the steps which stay in their state without XState's interpreter. XState still chooses the
 * transition, guards and all; where that has no target and only assigns, the machine's own assignments are applied and
 * nothing else is worked out. Every other step is XState's. A supervisor makes one such step for
 * each failure of a storm. While somebody watched through XState's inspection it would miss these steps: the machine of
 * a supervisor is never inspected.
 */
import type { AnyActorScope, AnyMachineSnapshot, AnyStateMachine, EventObject } from 'xstate'

type Transition = ReturnType<AnyStateMachine['getTransitionData']>[number]
type Value = (facts: { readonly context: unknown; readonly event: EventObject }) => unknown

/** What an `assign` is given: a function to a part of the context, or one for each key. */
type Assignment = Value | Readonly<Record<string, unknown>>

export function withStepsInPlace<TMachine extends AnyStateMachine>(machine: TMachine): TMachine {
  // An eventless transition may follow any change of the context; a machine with one is left to XState.
  if (hasEventless(machine.root)) return machine
  const known = new Map<Transition, readonly Assignment[] | undefined>()

  function assignmentsOf(transition: Transition): readonly Assignment[] | undefined {
    if (!known.has(transition)) known.set(transition, assignmentsInPlace(machine, transition))
    return known.get(transition)
  }

  function transition(snapshot: AnyMachineSnapshot, event: EventObject, scope: AnyActorScope): AnyMachineSnapshot {
    if (snapshot.status === 'active' && !event.type.startsWith('xstate.')) {
      const chosen = machine.getTransitionData(snapshot as never, event as never)
      const assignments = chosen.length === 1 ? assignmentsOf(chosen[0] as Transition) : undefined
      if (assignments) return { ...snapshot, context: assigned(snapshot.context, event, assignments) }
    }
    return machine.transition(snapshot as never, event as never, scope) as AnyMachineSnapshot
  }

  return Object.create(machine, { transition: { value: transition, enumerable: true } })
}

function hasEventless(state: AnyStateMachine['root']): boolean {
  return (state.always?.length ?? 0) > 0 || Object.values(state.states).some(hasEventless)
}

/** The assignments of a transition that does nothing but assign; undefined where it does more. */
function assignmentsInPlace(machine: AnyStateMachine, transition: Transition): readonly Assignment[] | undefined {
  if (transition.target !== undefined || transition.reenter) return undefined
  const assignments: Assignment[] = []
  for (const action of transition.actions) {
    if (typeof action !== 'string') return undefined
    const named = machine.implementations.actions[action] as { type?: string; assignment?: Assignment } | undefined
    if (named?.type !== 'xstate.assign' || named.assignment === undefined) return undefined
    assignments.push(named.assignment)
  }
  return assignments
}

/** As in XState each assignment sees what the one before left, and all keys of one see the same. */
function assigned(before: object, event: EventObject, assignments: readonly Assignment[]): object {
  let context = before
  for (const assignment of assignments) {
    const facts = { context, event }
    const change = typeof assignment === 'function' ? assignment(facts) : valuesOf(assignment, facts)
    context = Object.assign({}, context, change)
  }
  return context
}

function valuesOf(assignment: Exclude<Assignment, Value>, facts: Parameters<Value>[0]): Record<string, unknown> {
  const values: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(assignment)) {
    values[key] = typeof value === 'function' ? value(facts) : value
  }
  return values
}
