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
import { candidatesFor } from '../../resilience/candidates.ts'
import { choiceOf, type KnownProfiles, type ResolvedProfile } from '../../resilience/profiles.ts'
import { type AnyWorkflow, definitionOf, isWorkflow, type StageDefinition } from '../../workflow/definition.ts'
import type { Budget, StartOptions } from '../api.ts'
import { keptInput } from '../run/run-input.ts'
import { resolveStartOptions } from '../runtime-options.ts'
import { createStageRules } from '../stage/stage-rules.ts'
import { type BoundedStage, mostItems, type StageBound, stageBound, totalBound } from './static-bound.ts'

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
  /** Requests that one model call can become at most: tries at each model that may answer it. */
  readonly requestsPerCall: number
}

export interface RunPlan {
  readonly workflow: string
  readonly version: string
  readonly description?: string | undefined
  readonly stages: readonly PlannedStage[]
  /** Of the run; `unknown` where a machine of one's own may start a stage any number of times. A map counts 10,000 items. */
  readonly bound: StageBound | 'unknown'
  /** The most that it can cost and ask. Code decides how many calls it makes, so only a budget or free providers bound it. */
  readonly cost: { readonly usd: number | 'unknown'; readonly requests: number | 'unknown' }
  readonly runTimeoutMs?: number | undefined
  readonly budget?: Budget | undefined
}

export interface PlanOptions extends Pick<StartOptions, 'profile' | 'budget' | 'maxRetries' | 'timeoutMultiplier'> {
  /** Checked as a start would check it. */
  readonly input?: unknown
  /** As given to `createRuntime`. */
  readonly profiles?: Readonly<Record<string, object>> | undefined
  readonly tasks?: Readonly<Record<string, string>> | undefined
  readonly providers?: readonly Provider[] | undefined
}

const anything = z.unknown().optional()
/** What the values may be is said by the start, and by `createRuntime`. */
const schema = z.strictObject({
  input: anything,
  profile: anything,
  budget: anything,
  maxRetries: anything,
  timeoutMultiplier: anything,
  profiles: anything,
  tasks: anything,
  providers: anything,
})

/** @throws OptionsError; ValidationError for an input that is not of the form that the workflow declares */
export function planOf(workflow: AnyWorkflow, given: PlanOptions = {}): RunPlan {
  if (!isWorkflow(workflow)) throw new OptionsError('planOf: the first argument must be a workflow')
  parseOptions(schema, given, 'planOf')
  const definition = definitionOf(workflow)
  if (Object.hasOwn(given, 'input')) keptInput(definition, given.input)
  const { profile: start, budget, maxRetries, timeoutMultiplier } = given
  const known: KnownProfiles = { profiles: given.profiles as KnownProfiles['profiles'], tasks: given.tasks }
  const usual = readProfileOverrides()
  const { kept } = resolveStartOptions(
    { profile: start, budget, maxRetries, timeoutMultiplier },
    { now: 0, profiles: known, budget: undefined, overrides: usual, workflow: definition },
  )
  const rulesOf = createStageRules(known, { ...usual, ...kept.overrides })
  const providers = given.providers ?? [offline()]
  const stages = [...definition.stages.values()].map((stage): PlannedStage => {
    const rules = rulesOf(definition, stage, start)
    const task = stage.task ?? definition.task ?? 'general'
    return {
      ...factsOf(stage),
      task,
      profile: rules.profile.name,
      profileFrom: choiceOf({ stage, start, workflow: definition }),
      timeoutMs: rules.timeoutMs,
      callTimeoutMs: rules.profile.timeout.callMs,
      onExhausted: rules.policy.onExhausted,
      bound: stageBound(rules),
      requestsPerCall: requestsPerCall(task, rules.profile, providers),
    }
  })
  // The deadline of a run that starts at 0.
  const runMs = kept.deadlineAt
  const isFree = providers.every(({ id }) => id === 'offline')
  return {
    workflow: definition.name,
    version: definition.version,
    ...(definition.description === undefined ? {} : { description: definition.description }),
    stages,
    bound: definition.origin === 'machine' ? 'unknown' : totalBound(stages.map(counted), budget?.restarts),
    cost: { usd: isFree ? 0 : (budget?.usd ?? 'unknown'), requests: budget?.calls ?? 'unknown' },
    ...(runMs === undefined ? {} : { runTimeoutMs: runMs }),
    ...(budget === undefined ? {} : { budget }),
  }
}

const counted = ({ kind, bound }: PlannedStage): BoundedStage => ({ bound, count: kind === 'map' ? mostItems : 1 })

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

function requestsPerCall(task: string, profile: ResolvedProfile, providers: readonly Provider[]): number {
  return candidatesFor({ task }, providers, profile).inOrder.length * (1 + profile.retry.max)
}
