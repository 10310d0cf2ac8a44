/**
 * Which states of a machine were entered and which of its transitions were taken, and which never. It is plain data with
 * the ids of XState's own state nodes, so a drawing can be coloured with it; as a text it says what is missing.
 */
import type { AnyMachineSnapshot, AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from 'xstate'
import { z } from 'zod'
import { OptionsError } from '../../errors.ts'
import { parseOptions } from '../../options.ts'
import { ensureMachine } from './machine-argument.ts'
import { MachineWorld, type Witness } from './machine-world.ts'
import { applyStep, type Trace } from './trace.ts'

export interface CoveredTransition {
  /** `paying --PAY [enough]--> paid`: where it starts, what makes it, under which guard, where it leads. */
  readonly name: string
  /** The id of the state node that it starts at. */
  readonly source: string
  readonly event: string
  /** The ids of the state nodes that it leads to; empty where it stays. */
  readonly targets: readonly string[]
}

export interface Covered<T> {
  readonly total: number
  readonly reached: readonly T[]
  readonly never: readonly T[]
}

export interface Coverage {
  /** The states by their paths, as `open.waiting`; of several machines with the machine's id before it. */
  readonly states: Covered<string>
  readonly transitions: Covered<CoveredTransition>
  /** What was never reached, for people. */
  toString(): string
  /** For a drawing: each state node and each transition by the ids of XState's own nodes, covered or not. */
  overlay(): CoverageOverlay
}

export interface CoverageOverlay {
  readonly states: readonly { readonly id: string; readonly covered: boolean }[]
  readonly transitions: readonly (CoveredTransition & { readonly covered: boolean })[]
}

/**
 * What the traces cover of the machine, each from its start.
 * @param traces lists of events, such as the `trace` of a check; `holdfast.crash` and `holdfast.time` stand for a crash
 * and for time that passes
 * @param options `input`: what the machine is started with
 * @throws OptionsError
 */
export function coverageOf(
  machine: AnyStateMachine,
  traces: readonly Trace[],
  options: { readonly input?: unknown } = {},
): Coverage {
  ensureMachine(machine, 'coverageOf')
  const { input } = parseOptions(z.strictObject({ input: z.unknown().optional() }), options, 'coverageOf options')
  if (!Array.isArray(traces) || !traces.every(Array.isArray)) {
    throw new OptionsError(
      'coverageOf: the traces must be a list of traces, each a list of events: coverageOf(machine, [trace])',
    )
  }
  const recorder = new CoverageRecorder([machine])
  for (const trace of traces as readonly Trace[]) {
    const world = new MachineWorld(machine, 'holdfast', recorder)
    start(world, input)
    for (const step of trace) applyStep(world, typeof step === 'string' ? { type: step } : step)
  }
  return recorder.coverage()
}

function start(world: MachineWorld, input: unknown): void {
  try {
    world.start(input)
  } catch (error) {
    throw new OptionsError(
      `coverageOf: the first transition threw ${error instanceof Error ? error.message : String(error)}; if the machine needs an input, give it as \`input\``,
      {},
      { cause: error },
    )
  }
}

/** Gathers over many walks; machines are told apart by their ids. */
export class CoverageRecorder implements Witness {
  readonly #machines: readonly AnyStateMachine[]
  readonly #states = new Map<string, { name: string; reached: boolean }>()
  readonly #transitions = new Map<string, { transition: CoveredTransition; reached: boolean }>()

  constructor(machines: readonly AnyStateMachine[]) {
    this.#machines = machines
    for (const machine of machines) this.#add(machine.root)
  }

  took(transition: AnyTransitionDefinition): void {
    const entry = this.#transitions.get(keyOf(transition))
    if (entry) entry.reached = true
  }

  entered(snapshot: AnyMachineSnapshot): void {
    for (const node of snapshot._nodes) {
      const entry = this.#states.get(node.id)
      if (entry) entry.reached = true
    }
  }

  coverage(): Coverage {
    const states = covered([...this.#states.values()].map(({ name, reached }) => ({ value: name, reached })))
    const transitions = covered(
      [...this.#transitions.values()].map(({ transition, reached }) => ({ value: transition, reached })),
    )
    const coverage = { states, transitions }
    // Beside the data, so that it stays the same as JSON.
    return Object.defineProperties(coverage, {
      toString: { value: () => textOf(coverage) },
      overlay: { value: () => this.#overlay() },
    }) as Coverage
  }

  #overlay(): CoverageOverlay {
    return {
      states: [...this.#states].map(([id, { reached }]) => ({ id, covered: reached })),
      transitions: [...this.#transitions.values()].map(({ transition, reached }) => ({
        ...transition,
        covered: reached,
      })),
    }
  }

  #add(node: AnyStateNode): void {
    if (node.path.length > 0 && node.type !== 'history') {
      this.#states.set(node.id, { name: this.#nameOf(node), reached: false })
    }
    for (const transition of transitionsOf(node)) {
      this.#transitions.set(keyOf(transition), { transition: this.#describe(transition), reached: false })
    }
    for (const child of Object.values(node.states)) this.#add(child)
  }

  #describe(transition: AnyTransitionDefinition): CoveredTransition {
    const targets = transition.target ?? []
    const source = transition.source as AnyStateNode
    const to = targets.length === 0 ? '(stays)' : targets.map(target => this.#nameOf(target)).join(', ')
    const guard = guardName(transition.guard)
    const when = `${eventText(transition.eventType)}${guard === undefined ? '' : ` [${guard}]`}`
    return {
      name: `${this.#nameOf(source)} --${when}--> ${to}`,
      source: source.id,
      event: transition.eventType,
      targets: targets.map(({ id }) => id),
    }
  }

  #nameOf(node: AnyStateNode): string {
    const path = node.path.length === 0 ? '(root)' : node.path.join('.')
    return this.#machines.length === 1 ? path : `${node.machine.id}: ${path}`
  }
}

/** An event of XState's own in the words of the machine: `after 1000`, `done(load)`; others as they are. */
export function eventText(type: string): string {
  if (type === '') return 'always'
  const after = /^xstate\.after\.([^.]+)\./.exec(type)
  if (after) return `after ${after[1]}`
  const end = /^xstate\.(done|error|snapshot)\.(?:(?:actor|state)\.)?(.*)$/.exec(type)
  return end ? `${end[1]}(${end[2]})` : type
}

const transitionsOf = (node: AnyStateNode): AnyTransitionDefinition[] => [
  ...[...node.transitions.values()].flat(),
  ...(node.always ?? []),
]

/** The same for the same place in the definition, whichever copy of the machine took it. */
function keyOf(transition: AnyTransitionDefinition): string {
  const { eventType } = transition
  const source = transition.source as AnyStateNode
  const alike = eventType === '' ? (source.always ?? []) : (source.transitions.get(eventType) ?? [])
  return JSON.stringify([source.id, eventType, alike.indexOf(transition as never)])
}

function guardName(guard: unknown): string | undefined {
  if (guard === undefined) return undefined
  if (typeof guard === 'string') return guard
  const { type, name } = Object(guard) as { type?: unknown; name?: unknown }
  return typeof type === 'string' ? type : typeof name === 'string' && name !== '' ? name : 'guard'
}

function covered<T>(entries: readonly { readonly value: T; readonly reached: boolean }[]): Covered<T> {
  return {
    total: entries.length,
    reached: entries.filter(({ reached }) => reached).map(({ value }) => value),
    never: entries.filter(({ reached }) => !reached).map(({ value }) => value),
  }
}

function textOf({ states, transitions }: Pick<Coverage, 'states' | 'transitions'>): string {
  const lines = [
    `${states.reached.length} of ${states.total} states, ${transitions.reached.length} of ${transitions.total} transitions`,
    ...states.never.map(name => `  never entered: ${name}`),
    ...transitions.never.map(({ name }) => `  never taken: ${name}`),
  ]
  return lines.join('\n')
}
