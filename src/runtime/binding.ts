/**
 * Binds the machine of a workflow to the runtime, once a definition: stages and maps get logic that reports to the run
 * they belong to, and the machines' named requests are carried out by it. The run is found by the actor system, of
 * which each run has one of its own.
 */
import {
  type AnyActorLogic,
  type AnyActorRef,
  type AnyActorScope,
  type AnyStateMachine,
  isMachineSnapshot,
} from 'xstate'
import { mapMachine } from '../../machines/map.machine.ts'
import {
  type StageFailure,
  type StageMachineContext,
  type StageMachineOutput,
  stageMachine,
} from '../../machines/stage.machine.ts'
import { workflowMachine } from '../../machines/workflow.machine.ts'
import { decodeError, encodeError } from '../errors.ts'
import type { StageDefinition, WorkflowDefinition } from '../workflow/definition.ts'
import { stageOf } from '../workflow/stage-actor.ts'
import { admit } from './admission.ts'
import { describeFailure } from './failure.ts'
import type { LiveRun } from './live-run.ts'
import { LiveStage } from './live-stage.ts'
import { openMap } from './maps.ts'

export interface Binding {
  /** The root logic of runs of this definition; made once. */
  logicOf(definition: WorkflowDefinition): AnyStateMachine
  /** Runs under this actor system belong to `run`. */
  attach(system: object, run: LiveRun): void
}

interface ActionArguments {
  readonly self: AnyActorRef
  readonly context: unknown
  readonly event: { readonly type: string; readonly output?: unknown; readonly error?: unknown }
}

export function createBinding(): Binding {
  const runs = new WeakMap<object, LiveRun>()
  const bound = new WeakMap<WorkflowDefinition, AnyStateMachine>()
  const runOf = (actor: { system: object }): LiveRun => runs.get(actor.system) as LiveRun
  const liveStage = ({ self }: ActionArguments): LiveStage | undefined => runOf(self).stages.get(self)
  const contextOf = ({ context }: ActionArguments): StageMachineContext => context as StageMachineContext

  const boundStage = stageMachine.provide({
    actions: {
      startAttempt: args => liveStage(args)?.startAttempt(contextOf(args)),
      runPreflight: args => liveStage(args)?.runPreflight(),
      applyRemedy: args => liveStage(args)?.applyRemedy(contextOf(args)),
      runFallback: args => liveStage(args)?.runFallback(contextOf(args)),
      setDelay: args => liveStage(args)?.setDelay(contextOf(args)),
      explainDecision: (args, { rule }) => liveStage(args)?.explainDecision(rule, contextOf(args)),
    },
  })

  /** The logic of a stage: its machine, which is admitted by the run and whose end is written down by it. */
  const stageLogic = (
    find: (run: LiveRun, self: AnyActorRef, input: unknown) => LiveStage,
    restore: (run: LiveRun, self: AnyActorRef, name: string) => LiveStage,
  ): AnyActorLogic => {
    const finish = (scope: AnyActorScope, next: EndedSnapshot): unknown => {
      if (next.status !== 'done') return next
      const run = runOf(scope.self)
      const stage = run.stages.get(scope.self)
      if (!stage) return next
      const { outcome, failure } = next.output as StageMachineOutput
      const error = stage.ended(outcome, failure)
      if (error) return { ...next, status: 'error', output: undefined, error }
      return { ...next, output: run.definition.origin === 'machine' ? stage.output : undefined }
    }
    return overriding(boundStage, {
      getInitialSnapshot(scope: AnyActorScope, input: unknown) {
        const run = runOf(scope.self)
        const stage = find(run, scope.self, input)
        run.stages.set(scope.self, stage)
        run.journal('stage.started', startedData(run, stage), { stage: stage.name })
        const { admission, failure } = admit(run, stage.definition, stage.item !== undefined, stage)
        return finish(
          scope,
          boundStage.getInitialSnapshot(scope as never, {
            stage: stage.name,
            policy: stage.policy,
            admission,
            failure,
          }),
        )
      },
      restoreSnapshot(snapshot: { context: StageMachineContext; status: string }, scope: AnyActorScope) {
        const run = runOf(scope.self)
        if (snapshot.status === 'active') run.stages.set(scope.self, restore(run, scope.self, snapshot.context.stage))
        return boundStage.restoreSnapshot(snapshot as never, scope as never)
      },
      transition(snapshot: never, event: { type: string }, scope: AnyActorScope) {
        if (event.type === 'xstate.stop') stopped(runOf(scope.self), scope.self)
        return finish(scope, boundStage.transition(snapshot, event as never, scope as never))
      },
    })
  }

  const stageOrItem = stageLogic(
    (run, self, input) => {
      const { stage: name, item } = input as { stage: string; item?: number }
      const definition = run.definition.stages.get(name) as StageDefinition
      const map = item === undefined ? undefined : run.memory.maps.get(name)
      const place = map && item !== undefined ? { map, index: item } : undefined
      const full = place ? `${name}[${place.map.keys[place.index]}]` : name
      return new LiveStage(run, self, definition, full, place, run.input)
    },
    (run, self, name) => {
      const place = run.itemPlace(name)
      const definition = run.definition.stages.get(place ? name.slice(0, name.indexOf('[')) : name) as StageDefinition
      return new LiveStage(run, self, definition, name, place, run.input)
    },
  )

  const ownStage = (definition: StageDefinition): AnyActorLogic =>
    stageLogic(
      (run, self, input) => {
        const times = run.memory.occurrences.get(self.id) ?? 0
        const name = times === 0 ? self.id : `${self.id}#${times + 1}`
        return new LiveStage(run, self, { ...definition, name }, name, undefined, input)
      },
      (run, self, name) => new LiveStage(run, self, { ...definition, name }, name, undefined, run.stageInput(name)),
    )

  const boundMap = mapMachine.provide({
    actors: { stage: stageOrItem as never },
    actions: {
      findItems: args => {
        const run = runOf(args.self)
        const { stage } = args.context
        run.atOnce(() => args.self.send(openMap(run, stage)))
      },
    },
  })

  const map = overriding(boundMap, {
    getInitialSnapshot(scope: AnyActorScope, input: unknown) {
      const run = runOf(scope.self)
      const { stage: name } = input as { stage: string }
      const definition = run.definition.stages.get(name) as StageDefinition
      run.journal('stage.started', {}, { stage: name })
      const { admission, failure } = admit(run, definition, false)
      const machineInput = {
        stage: name,
        admission,
        optional: definition.optional,
        concurrency: definition.map?.concurrency ?? 1,
        failure,
      }
      return finishMap(runOf(scope.self), name, boundMap.getInitialSnapshot(scope as never, machineInput))
    },
    transition(
      snapshot: { context: { stage: string } },
      event: { type: string; error?: unknown },
      scope: AnyActorScope,
    ) {
      if (event.type === 'xstate.stop') return boundMap.transition(snapshot as never, event as never, scope as never)
      const failure = event.type.startsWith('xstate.error.actor.') ? describeFailure(event.error) : undefined
      return finishMap(
        runOf(scope.self),
        snapshot.context.stage,
        boundMap.transition(snapshot as never, event as never, scope as never),
        failure,
      )
    },
  })

  /** The user's machine with its stages bound, in machines within it too. */
  const bindOwn = (machine: AnyStateMachine): AnyStateMachine => {
    const actors: Record<string, AnyActorLogic> = {}
    for (const [name, logic] of Object.entries(machine.implementations.actors as Record<string, AnyActorLogic>)) {
      const stage = stageOf(logic)
      actors[name] = stage ? ownStage(stage) : isMachine(logic) ? bindOwn(logic) : logic
    }
    return machine.provide({ actors } as never)
  }

  const bind = (definition: WorkflowDefinition): AnyStateMachine => {
    const flow: AnyStateMachine =
      definition.origin === 'machine'
        ? bindOwn(definition.machine)
        : definition.machine.provide({ actors: { stage: stageOrItem, map } } as never)
    const withInput = overriding(flow, {
      getInitialSnapshot: (scope: AnyActorScope) =>
        flow.getInitialSnapshot(scope as never, runOf(scope.self).input as never),
    })
    return workflowMachine.provide({
      actors: { flow: withInput as never },
      actions: {
        conclude: args => {
          const run = runOf(args.self)
          const { output, error } = args.event as { output?: unknown; error?: unknown }
          run.atOnce(() => run.conclude({ output, error }))
        },
        compensate: args => runOf(args.self).compensate(),
        suspendStages: args => runOf(args.self).suspendStages(),
        resumeStages: args => {
          const run = runOf(args.self)
          run.atOnce(() => run.resumeStages())
        },
      },
    }) as unknown as AnyStateMachine
  }

  return {
    logicOf(definition) {
      const known = bound.get(definition)
      if (known) return known
      const made = bind(definition)
      bound.set(definition, made)
      return made
    },
    attach: (system, run) => {
      runs.set(system, run)
    },
  }
}

/** What the journal says of a stage's beginning; the input of one's own machine's stage is needed after a restart. */
function startedData(run: LiveRun, stage: LiveStage): object {
  if (stage.item) return { index: stage.item.index }
  return run.definition.origin === 'machine' && stage.input !== undefined ? { input: stage.input } : {}
}

interface EndedSnapshot {
  readonly status: string
  readonly output?: unknown
}

/** The map has ended: writes it down, and makes of a failed one an actor that ended with an error. */
function finishMap(run: LiveRun, name: string, next: EndedSnapshot, itemFailure?: StageFailure): unknown {
  if (next.status !== 'done') return next
  const { outcome, failure = itemFailure } = next.output as StageMachineOutput
  const why = failure ?? itemFailure
  if (outcome === 'succeeded') run.journal('stage.succeeded', {}, { stage: name })
  else if (outcome === 'skipped') run.journal('stage.skipped', {}, { stage: name })
  else if (outcome === 'degraded') {
    run.journal('stage.degraded', { error: why?.error }, { stage: name })
    run.noteDegraded({ stage: name, reason: why?.error.message ?? 'the map was lost' })
  } else {
    const error = (why?.error ?? encodeError(new Error(`map '${name}' failed`))) as ReturnType<typeof encodeError>
    run.journal('stage.failed', { error }, { stage: name })
    run.fail({ status: 'failed', error, stage: name })
    return { ...next, status: 'error', output: undefined, error: decodeError(error) }
  }
  return { ...next, output: undefined }
}

/** XState has stopped the actor: its function is stopped too. */
function stopped(run: LiveRun, self: AnyActorRef): void {
  const stage = run.stages.get(self)
  if (!stage || run.detached) return
  run.stages.delete(self)
  stage.abandon(run.stopReason(stage.name))
  run.timers.clear(`delay:${stage.name}`)
  run.journal('stage.stopped', {}, { stage: stage.name })
}

/** `base` with some of its methods replaced; everything else is found through the prototype. */
function overriding<TLogic extends AnyActorLogic>(base: TLogic, methods: Record<string, unknown>): TLogic {
  return Object.create(
    base,
    Object.fromEntries(Object.entries(methods).map(([name, value]) => [name, { value, enumerable: true }])),
  )
}

const isMachine = (logic: unknown): logic is AnyStateMachine =>
  logic !== null && typeof logic === 'object' && '__xstatenode' in logic && !isMachineSnapshot(logic)
