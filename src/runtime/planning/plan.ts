/**
 * The plan of a workflow: what would run, under which profile and timeouts, and how much of it at the very most. It is
 * worked out from the definition alone and starts nothing; `run --dry-run` prints it.
 */
import { z } from 'zod'
import { readProfileOverrides } from '../../config/environment.ts'
import { OptionsError } from '../../errors.ts'
import { parseOptions } from '../../options.ts'
import { offline } from '../../providers/offline.ts'
import type { Provider } from '../../providers/provider.ts'
import type { ModelCatalogue } from '../../resilience/model-catalogue.ts'
import { choiceOf, type KnownProfiles } from '../../resilience/profile-choice.ts'
import {
  type AnyWorkflow,
  definitionOf,
  isWorkflow,
  type StageDefinition,
  type WorkflowDefinition,
} from '../../workflow/definition.ts'
import type { Budget, StartOptions } from '../api.ts'
import { keptInput } from '../run/run-input.ts'
import { resolveStartOptions } from '../runtime-options.ts'
import { createStageRules, type StageRules } from '../stage/stage-rules.ts'
import { asksModel, placesThatAsk } from './spending.ts'
import { type BoundedStage, mostItems, type StageBound, stageBound, totalBound } from './static-bound.ts'
import { costBound, type RunCostBound, type StageCost, type StageText, stageCost } from './worst-case-cost.ts'

export interface PlannedStage {
  readonly name: string
  readonly kind: 'stage' | 'map'
  readonly needs: readonly string[]
  readonly task: string
  readonly profile: string
  /** What decided the profile: the stage, its task, the start, the workflow, its task, or the default. */
  readonly profileFrom: string
  readonly timeoutMs: number
  readonly callTimeoutMs: number
  readonly warnAfterMs?: number | undefined
  /** Of a map: how many items are alive at once. */
  readonly concurrency?: number | undefined
  readonly optional: boolean
  readonly fallback: boolean
  readonly preflight: boolean
  readonly remedies: readonly string[]
  readonly compensate: boolean
  readonly onExhausted: 'fail' | 'quarantine'
  /** Of the stage, or of each item. */
  readonly bound: StageBound
  /** Requests that one model call can become at most: tries at each model that may answer it, and a repair. */
  readonly requestsPerCall: number
  /** Of all its items; absent where it asks no model. */
  readonly cost?: StageCost | undefined
}

export interface RunPlan {
  readonly workflow: string
  readonly version: string
  readonly description?: string | undefined
  readonly stages: readonly PlannedStage[]
  /** Of the run; `unknown` where a machine of one's own may start a stage any number of times. A map of unknown length counts 10,000 items. */
  readonly bound: StageBound | 'unknown'
  readonly cost: RunCostBound
  readonly runTimeoutMs?: number | undefined
  readonly budget?: Budget | undefined
}

export interface PlanOptions
  extends Pick<StartOptions, 'profile' | 'budget' | 'maxRetries' | 'timeoutMultiplier' | 'local'> {
  /** Checked as a start would check it. */
  readonly input?: unknown
  /** As given to `createRuntime`. */
  readonly profiles?: Readonly<Record<string, object>> | undefined
  readonly tasks?: Readonly<Record<string, string>> | undefined
  readonly providers?: readonly Provider[] | undefined
  /** What is known of the models, as `createRegistry` gives it. @default nothing: then no paid model has a price */
  readonly catalogue?: ModelCatalogue | undefined
  /** What stages send, by name, where that is known before the run. */
  readonly texts?: Readonly<Record<string, StageText>> | undefined
}

const anything = z.unknown().optional()
/** What the values may be is said by the start, and by `createRuntime`. */
const schema = z.strictObject({
  input: anything,
  profile: anything,
  budget: anything,
  maxRetries: anything,
  timeoutMultiplier: anything,
  local: anything,
  profiles: anything,
  tasks: anything,
  providers: anything,
  catalogue: anything,
  texts: anything,
})

/** @throws OptionsError; ValidationError for an input that is not of the form that the workflow declares */
export function planOf(workflow: AnyWorkflow, given: PlanOptions = {}): RunPlan {
  if (!isWorkflow(workflow)) throw new OptionsError('planOf: the first argument must be a workflow')
  parseOptions(schema, given, 'planOf')
  const definition = definitionOf(workflow)
  if (Object.hasOwn(given, 'input')) keptInput(definition, given.input)
  const { profile: start, budget, maxRetries, timeoutMultiplier, local } = given
  const known: KnownProfiles = { profiles: given.profiles as KnownProfiles['profiles'], tasks: given.tasks }
  const usual = readProfileOverrides()
  const { kept } = resolveStartOptions(
    { profile: start, budget, maxRetries, timeoutMultiplier, local },
    { now: 0, profiles: known, budget: undefined, overrides: usual, workflow: definition },
  )
  const rulesOf = createStageRules(known, { ...usual, ...kept.overrides })
  const costOf = costsOf(definition, given)
  const stages = [...definition.stages.values()].map((stage): PlannedStage => {
    const rules = rulesOf(definition, stage, start)
    const bound = stageBound(rules)
    const cost = costOf(stage, rules, bound)
    const isCosted = asksModel(stage, definition)
    return {
      ...factsOf(stage),
      task: taskOf(stage, definition),
      profile: rules.profile.name,
      profileFrom: choiceOf({ stage, start, workflow: definition }),
      timeoutMs: rules.timeoutMs,
      callTimeoutMs: rules.profile.timeout.callMs,
      onExhausted: rules.policy.onExhausted,
      bound,
      requestsPerCall: cost.models.reduce((sum, { requests }) => sum + requests, 0),
      ...(isCosted ? { cost } : {}),
    }
  })
  // The deadline of a run that starts at 0.
  const runMs = kept.deadlineAt
  const endless = definition.origin === 'machine'
  const guessedItems = stages.filter(({ kind, name }) => kind === 'map' && itemsOf(name, given) === mostItems)
  return {
    workflow: definition.name,
    version: definition.version,
    ...(definition.description === undefined ? {} : { description: definition.description }),
    stages,
    bound: endless
      ? 'unknown'
      : totalBound(
          stages.map(stage => counted(stage, given)),
          budget?.restarts,
        ),
    cost: costBound(
      stages.flatMap(({ name, cost }) => (cost === undefined ? [] : [{ name, cost }])),
      { budget, endless, guessedItems: guessedItems.filter(({ cost }) => cost).map(({ name }) => name) },
    ),
    ...(runMs === undefined ? {} : { runTimeoutMs: runMs }),
    ...(budget === undefined ? {} : { budget }),
  }
}

const counted = ({ name, kind, bound }: PlannedStage, options: PlanOptions): BoundedStage => ({
  bound,
  count: kind === 'map' ? itemsOf(name, options) : 1,
})

const taskOf = (stage: StageDefinition, { task }: WorkflowDefinition): string => stage.task ?? task ?? 'general'

const itemsOf = (name: string, { texts }: PlanOptions): number => texts?.[name]?.items ?? mostItems

/** How to work out what a stage of this workflow can cost. */
function costsOf(definition: WorkflowDefinition, options: PlanOptions) {
  const { providers = [offline()], catalogue, budget, texts } = options
  return (stage: StageDefinition, { profile }: StageRules, { executions }: StageBound): StageCost => {
    const items = stage.kind === 'map' ? itemsOf(stage.name, options) : 1
    const task = taskOf(stage, definition)
    const callsPerStart = Math.max(1, placesThatAsk(stage))
    const costed = { task, profile, executions, callsPerStart, items, text: texts?.[stage.name] }
    return stageCost(costed, { providers, catalogue, budget })
  }
}

function factsOf(stage: StageDefinition) {
  const { name, kind, needs, warnAfterMs, map, optional, fallback, preflight, remedies, compensate } = stage
  return {
    name,
    kind,
    needs,
    ...(warnAfterMs === undefined ? {} : { warnAfterMs }),
    ...(map === undefined ? {} : { concurrency: map.concurrency }),
    optional,
    fallback: fallback !== undefined,
    preflight,
    remedies,
    compensate: compensate !== undefined,
  }
}
