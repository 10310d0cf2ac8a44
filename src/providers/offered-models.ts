/**
 * The models of a provider as a user writes them: names, or names with a tier and what is known of them, or one name a
 * tier. A bare name that is a known model of that provider has its tier, any other is `capable`.
 */
import { z } from 'zod'
import { OptionsError } from '../errors.ts'
import { knownModels } from './known-models.ts'
import type { Model, Tier } from './provider.ts'
import { modelFieldsSchema, modelPriceSchema } from './registry.ts'

export type ModelOption = string | (Omit<Model, 'tier'> & { readonly tier?: Tier | undefined })
export type ModelsOption = readonly ModelOption[] | { readonly [T in Tier]?: ModelOption | undefined }

const modelOption = z.union([
  z.string().min(1),
  z.strictObject({ id: z.string().min(1), ...modelFieldsSchema, price: modelPriceSchema.optional() }),
])

export const modelsSchema = z.union(
  [
    z.array(modelOption).min(1),
    z.strictObject({
      cheap: modelOption.optional(),
      capable: modelOption.optional(),
      premium: modelOption.optional(),
    }),
  ],
  { error: "must be a list of models, each a name or { id, tier?, price? … }, or { cheap: 'name', capable: … }" },
)

/** @throws OptionsError where there is none, or one twice */
export function offeredModels(given: ModelsOption, provider: string, where: string): readonly Model[] {
  const models = Array.isArray(given)
    ? (given as readonly ModelOption[]).map(option => modelOf(option, provider))
    : Object.entries(given as Partial<Record<Tier, ModelOption>>).flatMap(([tier, option]) =>
        option === undefined ? [] : [modelOf(option, provider, tier as Tier)],
      )
  if (models.length === 0) throw new OptionsError(`${where}: models is empty; name at least one`)
  const names = models.map(({ id, tier }) => `${id} ${tier}`)
  const twice = names.find((name, at) => names.indexOf(name) !== at)
  if (twice !== undefined) throw new OptionsError(`${where}: models has '${twice.split(' ')[0]}' twice`)
  return models
}

function modelOf(option: ModelOption, provider: string, ofTier?: Tier): Model {
  const { id, tier, ...rest } = typeof option === 'string' ? { id: option } : option
  const known = knownModels.find(other => other.provider === provider && other.id === id)
  const { provider: _, deprecated: __, ...facts } = known ?? { provider }
  return { ...facts, ...rest, id, tier: tier ?? ofTier ?? known?.tier ?? 'capable' }
}
