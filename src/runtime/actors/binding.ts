/**
 * Binds the machine of a workflow to the runtime, once a definition: stages and maps get logic that reports to the run
 * they belong to, and what the machine of the run asks for is carried out by it. The run is found by the actor system,
 * of which each run has one of its own.
 */
import type { AnyActorLogic, AnyActorRef, AnyActorScope, AnyStateMachine } from 'xstate'
import { workflowMachine } from '../../../machines/workflow.machine.ts'
import type { WorkflowDefinition } from '../../workflow/definition.ts'
import { stageOf } from '../../workflow/stage-actor.ts'
import type { SupervisedRun } from '../run/live.ts'
import { overriding } from '../stage/overriding.ts'
import { bindMap } from './bound-map.ts'
import { type BoundStages, bindStages } from './bound-stage.ts'
import { rememberSteps } from './remembered-steps.ts'

export interface Binding {
  /** The root logic of a run; all that is not its own is made once a definition. */
  logicOf(run: SupervisedRun): AnyActorLogic
}

/**
 * @param isWatched whether somebody is told of the inspection events of XState
 * @param attached told of the root actor of a run before anything happens in it
 */
export function createBinding(
  isWatched: () => boolean,
  attached: (scope: AnyActorScope, run: SupervisedRun) => void,
): Binding {
  const runs = new WeakMap<object, SupervisedRun>()
  const bound = new WeakMap<WorkflowDefinition, AnyActorLogic>()
  const runOf = (actor: AnyActorRef): SupervisedRun => runs.get(actor.system) as SupervisedRun
  const stages = bindStages(runOf, isWatched)
  const map = bindMap(runOf, stages.stageOrItem)

  const withInput = (flow: AnyStateMachine): AnyStateMachine =>
    overriding(flow, {
      getInitialSnapshot: (scope: AnyActorScope) =>
        flow.getInitialSnapshot(scope as never, runOf(scope.self).input as never),
    })

  /** Begins from the snapshot of the run where it has one. */
  const ofRun = (life: AnyStateMachine): AnyActorLogic =>
    overriding(life, {
      getInitialSnapshot(this: { readonly run: SupervisedRun }, scope: AnyActorScope) {
        const { run } = this
        runs.set(scope.system, run)
        run.attach(scope.self)
        attached(scope, run)
        const { savedSnapshot } = run
        return savedSnapshot === undefined
          ? life.getInitialSnapshot(scope as never, { runId: run.id, workflow: run.definition.name })
          : life.restoreSnapshot(savedSnapshot as never, scope as never)
      },
    })

  const bind = (definition: WorkflowDefinition): AnyActorLogic => {
    const flow =
      definition.origin === 'machine'
        ? withInput(bindOwn(definition.machine, stages))
        : rememberSteps(definition.machine.provide({ actors: { stage: stages.stageOrItem, map } } as never), isWatched)
    const life = workflowMachine.provide({
      actors: { flow: flow as never },
      actions: {
        conclude: ({ self, event }) => {
          const run = runOf(self)
          run.atOnce(() => run.conclude(event as { output?: unknown; error?: unknown }))
        },
        compensate: ({ self }) => runOf(self).compensate(),
        suspendStages: ({ self }) => runOf(self).suspendStages(),
        resumeStages: ({ self }) => {
          const run = runOf(self)
          run.atOnce(() => run.resumeStages())
        },
      },
    })
    return ofRun(rememberSteps(life as unknown as AnyStateMachine, isWatched))
  }

  return {
    logicOf(run) {
      let logic = bound.get(run.definition)
      if (!logic) {
        logic = bind(run.definition)
        bound.set(run.definition, logic)
      }
      return Object.assign(Object.create(logic) as AnyActorLogic, { run })
    },
  }
}

/** The user's machine with its stages bound, in the machines within it too. */
function bindOwn(machine: AnyStateMachine, stages: BoundStages, path = ''): AnyStateMachine {
  const actors: Record<string, AnyActorLogic> = {}
  for (const [name, logic] of Object.entries(machine.implementations.actors as Record<string, AnyActorLogic>)) {
    const stage = stageOf(logic)
    const source = path === '' ? name : `${path}/${name}`
    actors[name] = stage ? stages.ownStage(stage, source) : isMachine(logic) ? bindOwn(logic, stages, source) : logic
  }
  return machine.provide({ actors } as never)
}

const isMachine = (logic: unknown): logic is AnyStateMachine =>
  logic !== null && typeof logic === 'object' && '__xstatenode' in logic
