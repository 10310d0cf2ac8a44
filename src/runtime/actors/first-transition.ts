/**
 * The first transition of a machine, worked out once and cloned for each actor. XState works it out anew every time,
 * though it is a pure function of the input; for inputs that take the same way only the context differs. What the way
 * asked for is asked again of each actor.
 */
import type { AnyActorScope, AnyMachineSnapshot, AnyStateMachine } from 'xstate'

interface Requested {
  readonly type: string
  readonly params: unknown
  readonly exec: ((info: unknown, params: unknown) => void) | undefined
}

/**
 * @param example an input that takes the way; every input that is given later must take the same
 * @throws Error where actions on the way change the context: then it cannot be cloned
 */
export function createFirstTransition(
  machine: AnyStateMachine,
  example: object,
): (scope: AnyActorScope, input: object) => AnyMachineSnapshot {
  const requested: Requested[] = []
  const contextOf = machine.config.context as (given: { input: object }) => object
  const nobody = {
    self: {},
    system: { _sendInspectionEvent() {} },
    defer() {},
    actionExecutor: ({ type, params, exec }: Requested) => requested.push({ type, params, exec }),
  }
  const template = machine.getInitialSnapshot(nobody as never, example)
  if (JSON.stringify(template.context) !== JSON.stringify(contextOf({ input: example }))) {
    throw new Error(`the first transition of machine '${machine.id}' changes its context, so it cannot be cloned`)
  }
  return (scope, input) => {
    const context = contextOf({ input })
    const info = { context, event: { type: 'xstate.init', input }, self: scope.self, system: scope.system }
    for (const { type, params, exec } of requested) scope.actionExecutor({ type, params, exec, info } as never)
    return { ...template, context, children: {} } as AnyMachineSnapshot
  }
}
