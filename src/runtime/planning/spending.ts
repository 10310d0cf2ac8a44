/**
 * What a run of a workflow may spend, before it is started: which of its stages ask a model, which models they would ask
 * first, what these cost. A stage asks a model where it has a task, or where its function speaks of `model`; not where
 * its function plainly takes other things alone. How much text they are given is known only to who knows the workflow.
 */
import type { Provider } from '../../providers/provider.ts'
import { type Candidate, candidatesFor } from '../../resilience/candidates.ts'
import type { ModelCatalogue } from '../../resilience/model-catalogue.ts'
import { type KnownProfiles, resolveProfile } from '../../resilience/profile-choice.ts'
import {
  type AnyWorkflow,
  definitionOf,
  type StageDefinition,
  type WorkflowDefinition,
} from '../../workflow/definition.ts'
import type { Budget } from '../api.ts'

export interface PlannedModel {
  readonly stage: string
  readonly task: string
  readonly provider: string
  readonly model: string
  /** USD for 10^6 tokens in and out; `'unknown'` where nobody knows. */
  readonly price: { readonly input: number; readonly output: number } | 'unknown'
}

export interface SpendingPlan {
  /** What each stage that asks a model would ask first; those only that cost something. */
  readonly models: readonly PlannedModel[]
  /** Those of them whose price nobody knows. */
  readonly unpriced: readonly PlannedModel[]
  /** The budget that the profile of the run brings along, where nobody gives one. */
  readonly profileBudget: Budget | undefined
}

export interface SpendingContext {
  readonly providers: readonly Provider[]
  readonly catalogue: ModelCatalogue
  /** Of `start` or `--profile`. */
  readonly profile?: string | undefined
  /** Only providers of this machine are asked: then nobody is paid. */
  readonly local?: boolean | undefined
  readonly known?: KnownProfiles | undefined
}

export function planSpending(workflow: AnyWorkflow, context: SpendingContext): SpendingPlan {
  const definition = definitionOf(workflow)
  const models = (context.local ? [] : [...definition.stages.values()])
    .filter(stage => asksModel(stage, definition))
    .flatMap(stage => firstOf(stage, definition, context))
    .filter(({ price }) => price === 'unknown' || price.input > 0 || price.output > 0)
  const { profile: start, known } = context
  const { wallTimeMs, ...amounts } = resolveProfile({ start, workflow: definition }, known).budget ?? {}
  const profileBudget = wallTimeMs === undefined ? amounts : { ...amounts, wallTime: wallTimeMs }
  return {
    models,
    unpriced: models.filter(({ price }) => price === 'unknown'),
    profileBudget: Object.keys(profileBudget).length === 0 ? undefined : profileBudget,
  }
}

/** USD for so many tokens at the dearest of the planned models; `'unknown'` where one has no price. */
export function estimatedUsd({ models }: SpendingPlan, inputTokens: number, outputTokens: number): number | 'unknown' {
  let dearest = 0
  for (const { price } of models) {
    if (price === 'unknown') return 'unknown'
    dearest = Math.max(dearest, (inputTokens * price.input + outputTokens * price.output) / 1_000_000)
  }
  return dearest
}

/** Whether a stage asks a model, as far as can be seen from outside of its function. */
export function asksModel(stage: StageDefinition, { task }: WorkflowDefinition): boolean {
  const source = Function.prototype.toString.call(stage.run)
  const taken = /^(?:async\s*)?(?:function\s*\w*\s*)?\(\s*(?:\)|\{([^{}]*)\}\s*\))/.exec(source)
  const takesPlainly = taken !== null && !taken[1]?.includes('...')
  if (takesPlainly && !/\bmodel\b/.test(taken[1] ?? '')) return false
  return stage.task !== undefined || task !== undefined || /\bmodel\b/.test(source)
}

/** How many places in its function ask a model, as far as can be seen from outside: what it calls may ask, too. */
export function placesThatAsk(stage: StageDefinition): number {
  const source = Function.prototype.toString.call(stage.run)
  return source.match(/\bmodel\s*\??\.\s*(?:generate|stream)\s*\(/g)?.length ?? 0
}

function firstOf(stage: StageDefinition, definition: WorkflowDefinition, context: SpendingContext): PlannedModel[] {
  const { providers, catalogue, known, profile: start } = context
  const profile = resolveProfile({ stage, start, workflow: definition }, known)
  const task = stage.task ?? definition.task ?? 'general'
  const [first] = candidatesFor({ task }, providers, profile, { catalogue }).inOrder
  return first === undefined ? [] : [planned(stage.name, task, first)]
}

function planned(stage: string, task: string, { provider, model, facts }: Candidate): PlannedModel {
  const price =
    facts === undefined || facts.price === 'unknown'
      ? 'unknown'
      : { input: facts.price.inputUsdPerMTok, output: facts.price.outputUsdPerMTok }
  return { stage, task, provider: provider.id, model: model ?? provider.id, price }
}
