/** What every function here takes first: a machine, and not an actor or the configuration of one. */
import type { AnyStateMachine } from 'xstate'
import { OptionsError } from '../../errors.ts'

/** @throws OptionsError that says what it is instead, where that is plain */
export function ensureMachine(value: unknown, where: string): asserts value is AnyStateMachine {
  const given = Object(value) as Record<string, unknown>
  if (typeof given.getInitialSnapshot === 'function' && typeof given.getStateNodeById === 'function') return
  const mend =
    typeof given.send === 'function'
      ? 'is an actor; give the machine that it was made of'
      : 'states' in given || 'initial' in given
        ? 'is a configuration; give what setup({ … }).createMachine(…) returns'
        : 'must be an XState v5 machine, made by setup({ … }).createMachine(…)'
  throw new OptionsError(`${where}: the first argument ${mend}`)
}
