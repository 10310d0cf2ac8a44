/**
 * Whether the models that a runtime would be given make sense: what may be wrong with each of them, and whether there is
 * a model of the usual tier for every task. It asks nobody; `pingModels` does.
 */
import { checkModels, type ModelFinding } from '../../providers/model-checks.ts'
import type { Provider } from '../../providers/provider.ts'
import type { ModelInfo, ModelRegistry } from '../../providers/registry.ts'
import { taskProfiles } from '../../resilience/profiles.ts'
import { tierOfTask } from '../../resilience/task-tiers.ts'

/** Errors would make calls fail or their cost wrong, and come first; warnings are good to know. */
export function validateModels(
  providers: readonly Provider[],
  registry: ModelRegistry,
  nowMs: number,
): readonly ModelFinding[] {
  const models = registry.list()
  const offered = models.filter(model => model.offered)
  return [
    ...checkModels({ models, providers: providers.map(({ id }) => id), tasks: {}, nowMs }),
    ...uncoveredTasks(providers, offered),
  ]
}

/** A warning and no error: the usual tier is a wish, and another is asked where it is not there. */
function uncoveredTasks(providers: readonly Provider[], offered: readonly ModelInfo[]): ModelFinding[] {
  return Object.keys(taskProfiles).flatMap((task): ModelFinding[] => {
    const able = providers.filter(provider => provider.accepts?.(task) ?? true)
    const models = offered.filter(({ provider }) => able.some(({ id }) => id === provider))
    const tier = tierOfTask(task)
    const undecided = able.some(provider => provider.models.length === 0)
    if (undecided || models.some(model => model.tier === tier)) return []
    const message =
      models.length === 0
        ? `no model does the task '${task}'; set OPENAI_API_KEY or ANTHROPIC_API_KEY, or give providers`
        : `the task '${task}' wants a ${tier} model, and there is none; another tier is asked`
    return [{ level: 'warning', code: 'task_without_model', task, message }]
  })
}
