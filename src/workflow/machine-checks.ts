/**
 * What a machine of one's own must be to survive a restart: an XState v5 machine with an id, whose actors all have a
 * name in `setup({ actors })`, and that leaves XState's own event names alone. Everything is refused when the workflow
 * is defined, because XState itself notices an inline actor only after a snapshot has been through JSON, and an unknown
 * one never.
 */
import type { AnyStateMachine, AnyStateNode } from 'xstate'
import { OptionsError } from '../errors.ts'
import { suggestion } from '../options.ts'
import { checkSignalName } from './names.ts'

/**
 * The machine and those that it invokes by name, each by its path: '' for the machine itself, `child/grandchild`.
 * @throws OptionsError that says where and how to mend it
 */
export function checkMachines(machine: unknown, where: string): ReadonlyMap<string, AnyStateMachine> {
  if (!isMachine(machine)) {
    throw new OptionsError(
      `${where}: machine must be an XState v5 machine, as setup({ … }).createMachine({ … }) returns it`,
    )
  }
  const machines = new Map<string, AnyStateMachine>()
  collect(machine, '', machines)
  for (const [path, found] of machines) {
    checkMachine(found, path === '' ? where : `${where}: machine '${path}'`)
  }
  return machines
}

function isMachine(value: unknown): value is AnyStateMachine {
  if (value === null || typeof value !== 'object') return false
  const machine = value as Partial<AnyStateMachine>
  return (
    typeof machine.getPersistedSnapshot === 'function' &&
    typeof machine.provide === 'function' &&
    machine.implementations !== undefined &&
    machine.root !== undefined
  )
}

/** A machine that is reached twice is kept once, under its first path, so recursion ends. */
function collect(machine: AnyStateMachine, path: string, machines: Map<string, AnyStateMachine>): void {
  if ([...machines.values()].includes(machine)) return
  machines.set(path, machine)
  for (const [source, logic] of Object.entries(machine.implementations.actors ?? {})) {
    if (isMachine(logic)) collect(logic, path === '' ? source : `${path}/${source}`, machines)
  }
}

function checkMachine(machine: AnyStateMachine, where: string): void {
  const { id } = machine.config
  if (typeof id !== 'string' || id === '') {
    throw new OptionsError(`${where}: the machine needs an id, because timers and snapshots refer to it; add id: '…'`)
  }
  const sources = Object.keys(machine.implementations.actors ?? {})
  for (const node of nodesOf(machine.root as AnyStateNode)) checkNode(node, sources, where)
}

function* nodesOf(node: AnyStateNode): Generator<AnyStateNode> {
  yield node
  for (const child of Object.values(node.states)) yield* nodesOf(child as AnyStateNode)
}

function checkNode(node: AnyStateNode, sources: readonly string[], where: string): void {
  const place = `${where}, state '${node.id}'`
  for (const invoke of listOf(node.config.invoke)) checkSource((invoke as { src?: unknown }).src, sources, place)
  for (const action of actionsOf(node)) {
    if (isSpawn(action)) checkSource(action.src, sources, place)
  }
  for (const event of Object.keys(node.config.on ?? {})) {
    if (!isOwnOfXState(event) && event.startsWith('xstate')) checkSignalName(event, place)
  }
}

function checkSource(source: unknown, sources: readonly string[], place: string): void {
  if (typeof source !== 'string') {
    throw new OptionsError(
      `${place} has an actor whose src is no name, and such a one cannot be restored; ` +
        "give it a name in setup({ actors: { fetchUser: … } }) and write src: 'fetchUser'",
    )
  }
  if (!sources.includes(source)) {
    throw new OptionsError(`${place}: setup({ actors }) has no actor '${source}'${suggestion(source, sources)}`)
  }
}

/** Every action that the state names or contains, on entry, exit and its transitions. */
function actionsOf(node: AnyStateNode): readonly unknown[] {
  const transitions = [...node.transitions.values(), node.always ?? []].flat()
  return [...node.entry, ...node.exit, ...transitions.flatMap(transition => transition.actions as readonly unknown[])]
}

function isSpawn(action: unknown): action is { src: unknown } {
  return typeof action === 'function' && (action as { type?: unknown }).type === 'xstate.spawnChild'
}

const isOwnOfXState = (event: string): boolean => /^xstate\.(done|error|after)\./.test(event)

const listOf = (value: unknown): readonly unknown[] =>
  value === undefined ? [] : Array.isArray(value) ? value : [value]
