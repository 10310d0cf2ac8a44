/**
 * What makes a machine drawable and persistable: every action, guard, delay and actor has a name, every state says what
 * it is, every actor has an id of its own and both ways to end, and no transition swallows all events.
 */
import type { AnyStateMachine } from 'xstate'

interface TransitionConfig {
  readonly guard?: unknown
  readonly actions?: unknown
}

interface InvokeConfig {
  readonly id?: unknown
  readonly src?: unknown
  readonly onDone?: unknown
  readonly onError?: unknown
  readonly onSnapshot?: unknown
}

interface StateConfig {
  readonly description?: unknown
  readonly entry?: unknown
  readonly exit?: unknown
  readonly initial?: unknown
  readonly on?: Readonly<Record<string, unknown>>
  readonly after?: Readonly<Record<string, unknown>>
  readonly always?: unknown
  readonly onDone?: unknown
  readonly invoke?: unknown
  readonly states?: Readonly<Record<string, StateConfig>>
}

/** The names that `setup` gave. */
interface Named {
  readonly actions: readonly string[]
  readonly guards: readonly string[]
  readonly delays: readonly string[]
  readonly actors: readonly string[]
}

/** What is wrong with a machine, and with those that it invokes, as sentences; empty for a good one. */
export function faultsOf(machine: AnyStateMachine): string[] {
  return machinesIn(machine).flatMap(found => {
    const { actions, guards, delays, actors } = found.implementations
    const named: Named = {
      actions: Object.keys(actions),
      guards: Object.keys(guards),
      delays: Object.keys(delays),
      actors: Object.keys(actors),
    }
    return faultsOfState(found.config as StateConfig, found.id, named)
  })
}

function machinesIn(machine: AnyStateMachine, known: AnyStateMachine[] = []): AnyStateMachine[] {
  if (known.includes(machine)) return known
  known.push(machine)
  for (const logic of Object.values(machine.implementations.actors)) {
    if (logic !== null && typeof logic === 'object' && 'root' in logic) machinesIn(logic as AnyStateMachine, known)
  }
  return known
}

function faultsOfState(state: StateConfig, path: string, named: Named): string[] {
  const faults: string[] = []
  if (typeof state.description !== 'string' || state.description.trim() === '') faults.push(`${path}: no description`)
  faults.push(
    ...faultsOfActions(state.entry, `${path} entry`, named),
    ...faultsOfActions(state.exit, `${path} exit`, named),
  )
  for (const [event, transitions] of Object.entries(state.on ?? {})) {
    if (event === '*') faults.push(`${path}: a transition for every event ('*') would swallow crashes`)
    faults.push(...faultsOfTransitions(transitions, `${path} on ${event}`, named))
  }
  for (const [delay, transitions] of Object.entries(state.after ?? {})) {
    if (!named.delays.includes(delay)) faults.push(`${path}: delay ${delay} has no name in setup`)
    faults.push(...faultsOfTransitions(transitions, `${path} after ${delay}`, named))
  }
  faults.push(...faultsOfTransitions(state.always, `${path} always`, named))
  faults.push(...faultsOfTransitions(state.onDone, `${path} onDone`, named))
  if (typeof state.initial === 'object') faults.push(...faultsOfTransitions(state.initial, `${path} initial`, named))
  for (const invoke of listOf(state.invoke)) faults.push(...faultsOfInvoke(invoke as InvokeConfig, path, named))
  for (const [key, child] of Object.entries(state.states ?? {})) {
    faults.push(...faultsOfState(child, `${path}.${key}`, named))
  }
  return faults
}

function faultsOfInvoke(invoke: InvokeConfig, path: string, named: Named): string[] {
  const faults: string[] = []
  if (typeof invoke.src !== 'string') faults.push(`${path}: the src of an actor is no string`)
  else if (!named.actors.includes(invoke.src)) faults.push(`${path}: actor '${invoke.src}' has no name in setup`)
  if (typeof invoke.id !== 'string') faults.push(`${path}: an actor has no id`)
  for (const end of ['onDone', 'onError'] as const) {
    if (invoke[end] === undefined) faults.push(`${path}: an actor has no ${end}`)
    faults.push(...faultsOfTransitions(invoke[end], `${path} ${end}`, named))
  }
  faults.push(...faultsOfTransitions(invoke.onSnapshot, `${path} onSnapshot`, named))
  return faults
}

function faultsOfTransitions(transitions: unknown, where: string, named: Named): string[] {
  return listOf(transitions).flatMap(transition => {
    if (transition === null || typeof transition !== 'object') return []
    const { guard, actions } = transition as TransitionConfig
    const faults = faultsOfActions(actions, where, named)
    const fault = guard === undefined ? undefined : faultOfName(guard, 'guard', named.guards)
    return fault === undefined ? faults : [...faults, `${where}: ${fault}`]
  })
}

function faultsOfActions(actions: unknown, where: string, named: Named): string[] {
  return listOf(actions)
    .map(action => faultOfName(action, 'action', named.actions))
    .filter(fault => fault !== undefined)
    .map(fault => `${where}: ${fault}`)
}

/** A thing is named as `'name'` or `{ type: 'name', params }`. */
function faultOfName(thing: unknown, kind: string, names: readonly string[]): string | undefined {
  const name = typeof thing === 'object' && thing !== null ? (thing as { type?: unknown }).type : thing
  if (typeof name !== 'string') return `the ${kind} is written inline`
  return names.includes(name) ? undefined : `${kind} '${name}' has no name in setup`
}

const listOf = (value: unknown): readonly unknown[] =>
  value === undefined ? [] : Array.isArray(value) ? value : [value]
