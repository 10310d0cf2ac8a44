/**
 * A machine as a Mermaid state diagram, made from its definition alone. Composite states hold their inner states; a
 * transition that a composite state makes into itself begins at the dot inside it, since Mermaid cannot draw an arrow
 * from a state to its own inside; one that changes no state is a loop.
 */
import type { AnyStateMachine, AnyStateNode } from 'xstate'

interface Transition {
  readonly eventType: string
  readonly target?: readonly AnyStateNode[] | undefined
  readonly guard?: unknown
  readonly actions: readonly unknown[]
}

export function drawMachine(machine: AnyStateMachine): string {
  return ['stateDiagram-v2', ...drawInside(machine.root as AnyStateNode, '  ')].join('\n')
}

const idOf = (node: AnyStateNode): string => node.path.join('_').replaceAll(/\W/g, '_')

/** What is drawn inside a state: its inner states, where it begins, and the arrows between them. */
function drawInside(parent: AnyStateNode, indent: string): string[] {
  const states = Object.values(parent.states) as AnyStateNode[]
  const isParallel = parent.type === 'parallel'
  const lines: string[] = []
  if (!isParallel && states.length > 0) lines.push(`${indent}[*] --> ${idOf(initialOf(parent))}`)
  for (const [index, state] of states.entries()) {
    if (isParallel && index > 0) lines.push(`${indent}--`)
    lines.push(...drawState(state, indent))
  }
  for (const transition of transitionsOf(parent)) {
    for (const target of transition.target ?? []) {
      if (target.parent !== parent) continue
      lines.push(`${indent}[*] --> ${idOf(target)}${labelOf(transition)}`)
    }
  }
  return lines
}

function drawState(state: AnyStateNode, indent: string): string[] {
  const id = idOf(state)
  const lines = [`${indent}state "${titleOf(state)}" as ${id}`]
  if (Object.keys(state.states).length > 0) {
    lines.push(`${indent}state ${id} {`, ...drawInside(state, `${indent}  `), `${indent}}`)
  }
  for (const transition of transitionsOf(state)) {
    const targets = transition.target ?? [state]
    for (const target of targets) {
      if (target.parent !== state) lines.push(`${indent}${id} --> ${idOf(target)}${labelOf(transition)}`)
    }
  }
  if (state.type === 'final') lines.push(`${indent}${id} --> [*]`)
  return lines
}

/** The name of a state with what it does on entry and exit. */
function titleOf({ key, entry, exit }: AnyStateNode): string {
  const onEntry = entry.length === 0 ? '' : ` · on entry ${entry.map(nameOf).join(', ')}`
  const onExit = exit.length === 0 ? '' : ` · on exit ${exit.map(nameOf).join(', ')}`
  return `${key}${onEntry}${onExit}`
}

const initialOf = (node: AnyStateNode): AnyStateNode => node.initial?.target?.[0] as unknown as AnyStateNode

function transitionsOf(node: AnyStateNode): Transition[] {
  return [...node.transitions.values(), node.always ?? []].flat() as unknown as Transition[]
}

/** ` : EVENT [guard] / actions`, as much of it as there is. */
function labelOf({ eventType, guard, actions }: Transition): string {
  const parts = [
    eventName(eventType),
    guard === undefined ? '' : `[${nameOf(guard)}]`,
    actions.length === 0 ? '' : `/ ${actions.map(nameOf).join(', ')}`,
  ].filter(part => part !== '')
  return parts.length === 0 ? '' : ` : ${parts.join(' ')}`
}

/** XState's own events in words: `xstate.done.actor.flow` is `flow is done`. */
function eventName(type: string): string {
  const ended = /^xstate\.(done|error)\.(actor|state)\.(.+)$/.exec(type)
  if (!ended) return type
  const who = ended[3] === '*' ? 'an actor' : ended[3]
  return ended[1] === 'done' ? `${who} is done` : `${who} failed`
}

function nameOf(thing: unknown): string {
  return typeof thing === 'string' ? thing : String((thing as { type?: unknown }).type)
}
