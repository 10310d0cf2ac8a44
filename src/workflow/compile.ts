/**
 * Stages as one XState machine. A chain becomes sequential states; what is truly parallel becomes regions that the
 * parallel state's `onDone` joins; a part of the graph that has no such join becomes regions that wait for what they
 * need. The machine says only which stage runs when: the runtime provides the logic of the two actors, `stage` and
 * `map`, and results stay outside its context.
 */
import { type AnyStateMachine, assign, fromPromise, setup } from 'xstate'
import { OptionsError } from '../errors.ts'
import { decompose, type Flow, type NetMember } from './series-parallel.ts'
import type { StageDraft } from './stage-list.ts'

/** More regions than this in one parallel state cost too much an event. */
export const maxRegions = 100

export const tooManyRegions = (workflow: string, count: number, first: string): OptionsError =>
  new OptionsError(
    `workflow '${workflow}': ${count} stages would run in parallel from '${first}' on, more than ${maxRegions}; ` +
      'use one .map over the items, which runs any number of them with bounded concurrency',
    { stage: first },
  )

interface FlowContext {
  /** The stages that have ended, as far as others of a net wait for them. */
  readonly done: Readonly<Record<string, true>>
  readonly failure: { readonly stage: string } | null
}

interface NamedWorkflow {
  readonly name: string
  readonly version: string
  readonly description?: string | undefined
}

type State = Record<string, unknown>
type States = Record<string, State>

const doneKey = '(done)'
const failedKey = '(failed)'

const needsRuntime = fromPromise<unknown, { stage: string }>(({ input }) =>
  Promise.reject(
    new OptionsError(`stage '${input.stage}' runs inside createRuntime; the bare machine has no functions`),
  ),
)

const flowSetup = setup({
  types: {} as { context: FlowContext; output: { stage: string } | undefined },
  actors: { stage: needsRuntime, map: needsRuntime },
  actions: {
    markDone: assign({
      done: ({ context }, params: { stage: string }) => ({ ...context.done, [params.stage]: true as const }),
    }),
    recordFailure: assign({ failure: (_, params: { stage: string }) => ({ stage: params.stage }) }),
  },
  guards: {
    needsMet: ({ context }, params: { needs: readonly string[] }) =>
      params.needs.every(need => context.done[need] === true),
  },
})

/** @throws OptionsError when more than 100 stages would be parallel in one place */
export function compileStages(workflow: NamedWorkflow, stages: readonly StageDraft[]): AnyStateMachine {
  const states = new FlowStates(workflow.name, stages)
  return flowSetup.createMachine({
    id: workflow.name,
    version: workflow.version,
    description: workflow.description ?? `The stages of workflow '${workflow.name}'.`,
    context: { done: {}, failure: null },
    output: ({ context }: { context: FlowContext }) => context.failure ?? undefined,
    ...states.root(),
  } as never) as unknown as AnyStateMachine
}

/** Makes the states of a flow; counts its forks and nets to name them. */
class FlowStates {
  readonly #workflow: string
  readonly #stages: readonly StageDraft[]
  #forks = 0
  #nets = 0

  constructor(workflow: string, stages: readonly StageDraft[]) {
    this.#workflow = workflow
    this.#stages = stages
  }

  root(): State {
    const indexes = new Map(this.#stages.map((stage, index) => [stage.name, index]))
    const flow = decompose(this.#stages.map(stage => stage.needs.map(need => indexes.get(need) as number)))
    const { initial, states } = this.#sequence(flow, doneKey)
    states[doneKey] = { type: 'final', description: 'Every stage has ended.' }
    states[failedKey] = { id: failedKey, type: 'final', description: 'A stage failed, and with it the run.' }
    return { initial, states }
  }

  /** The parts of a series one after the other, the last of them leading to `end`. */
  #sequence(flow: Flow, end: string): { initial: string; states: States } {
    const parts = flow.kind === 'series' ? flow.parts : [flow]
    const keys = parts.map(part => this.#keyOf(part))
    const states: States = {}
    for (const [index, part] of parts.entries()) {
      states[keys[index] as string] = this.#stateOf(part, keys[index + 1] ?? end)
    }
    return { initial: keys[0] as string, states }
  }

  #keyOf(flow: Flow): string {
    if (flow.kind === 'stage') return this.#stage(flow.stage).name
    return flow.kind === 'net' ? `(net ${++this.#nets})` : `(fork ${++this.#forks})`
  }

  #stateOf(flow: Flow, next: string): State {
    if (flow.kind === 'stage') return this.#stageState(flow.stage, next, false)
    const regions =
      flow.kind === 'net'
        ? flow.members.map(member => this.#waitingRegion(member))
        : (flow as Flow & { kind: 'parallel' }).branches.map(branch => this.#region(branch))
    if (regions.length > maxRegions) {
      throw tooManyRegions(this.#workflow, regions.length, (regions[0] as [string, State])[0])
    }
    return {
      type: 'parallel',
      description:
        flow.kind === 'net'
          ? 'Stages that start each as soon as what they need has ended.'
          : `${regions.length} branches run in parallel, and all of them must end.`,
      states: Object.fromEntries(regions),
      onDone: { target: next },
    }
  }

  /** A branch of a fork; it is known by its first stage. */
  #region(flow: Flow): [string, State] {
    if (flow.kind === 'stage') {
      const { name } = this.#stage(flow.stage)
      return [
        name,
        {
          description: `The branch of stage '${name}'.`,
          initial: 'running',
          states: {
            running: this.#stageState(flow.stage, 'done', false),
            done: endOf(name),
          },
        },
      ]
    }
    const name = this.#stage(firstStage(flow)).name
    const { initial, states } = this.#sequence(flow, doneKey)
    states[doneKey] = endOf(name)
    return [name, { description: `The branch that begins with stage '${name}'.`, initial, states }]
  }

  /** A member of a net: it waits for its needs, and its last stage says that it is done. */
  #waitingRegion(member: NetMember): [string, State] {
    const names = member.stages.map(stage => this.#stage(stage).name)
    const needs = member.needs.map(stage => this.#stage(stage).name)
    const name = names[0] as string
    const keys = names.length === 1 ? ['running'] : names
    const done = names.length === 1 ? 'done' : doneKey
    const waiting = names.length === 1 ? 'waiting' : '(waiting)'
    const states: States = {}
    if (needs.length > 0) {
      states[waiting] = {
        description: `Waits for ${needs.map(need => `'${need}'`).join(', ')}.`,
        always: { target: keys[0], guard: { type: 'needsMet', params: { needs } } },
      }
    }
    for (const [index, stage] of member.stages.entries()) {
      const isLast = index === member.stages.length - 1
      states[keys[index] as string] = this.#stageState(stage, isLast ? done : (keys[index + 1] as string), isLast)
    }
    states[done] = endOf(name)
    return [
      name,
      { description: `The branch of stage '${name}'.`, initial: needs.length > 0 ? waiting : keys[0], states },
    ]
  }

  #stageState(index: number, next: string, marksDone: boolean): State {
    const { name, kind, description } = this.#stage(index)
    return {
      description: description ?? (kind === 'map' ? `Runs '${name}' for every item.` : `Runs stage '${name}'.`),
      tags: kind === 'map' ? ['stage', 'map'] : ['stage'],
      invoke: {
        src: kind,
        id: name,
        input: { stage: name },
        onDone: marksDone ? { target: next, actions: { type: 'markDone', params: { stage: name } } } : { target: next },
        onError: { target: `#${failedKey}`, actions: { type: 'recordFailure', params: { stage: name } } },
      },
    }
  }

  #stage(index: number): StageDraft {
    return this.#stages[index] as StageDraft
  }
}

const endOf = (name: string): State => ({ type: 'final', description: `The branch of stage '${name}' has ended.` })

function firstStage(flow: Flow): number {
  switch (flow.kind) {
    case 'stage':
      return flow.stage
    case 'series':
      return firstStage(flow.parts[0] as Flow)
    case 'parallel':
      return firstStage(flow.branches[0] as Flow)
    case 'net':
      return flow.members[0]?.stages[0] as number
  }
}
