/** What may be said about a stage, parsed once: strict keys, durations in milliseconds, defaults filled in. */
import { z } from 'zod'
import { parseOptions } from '../options.ts'
import { type Duration, toMs } from '../time/duration.ts'
import type { MapDefinition } from './definition.ts'
import type { StageDraft } from './stage-list.ts'

const defaultConcurrency = 10
const maxConcurrency = 100

const name = z.string('must be a text').min(1, 'must not be empty')
const duration = z.union([z.number(), z.string()], "must be milliseconds or a text such as '30s' or '10m'").optional()
const concurrencyRule = `must be a whole number from 1 to ${maxConcurrency}`

// biome-ignore lint/suspicious/noExplicitAny: the parameters of user functions are typed where the user writes them
type AnyFunction = (...args: any[]) => any

const isFunction = (value: unknown): boolean => typeof value === 'function'
const requiredFunction = z.custom<AnyFunction>(isFunction, 'must be a function')
const optionalFunction = requiredFunction.optional()

export const profileOption = z
  .union(
    [name, z.custom<object>(value => value !== null && typeof value === 'object')],
    'must be the name of a profile or what defineProfile returned',
  )
  .optional()

/** A zod schema, of whichever copy of zod. */
export const schemaOption = z.custom<z.ZodType>(
  value => value !== null && typeof value === 'object' && isFunction((value as { safeParse?: unknown }).safeParse),
  'must be a zod schema',
)

const shared = {
  task: name.optional(),
  profile: profileOption,
  timeout: duration,
  warnAfter: duration,
  preflight: z.boolean('must be true or false').optional(),
  optional: z.boolean('must be true or false').optional(),
  fallback: optionalFunction,
  remedies: z.array(name, 'must be a list of names').optional(),
  compensate: optionalFunction,
  restart: z.enum(['transient', 'temporary'], "must be 'transient' or 'temporary'").optional(),
  output: schemaOption.optional(),
  description: z.string('must be a text').optional(),
}

const flow = { needs: z.array(name, 'must be a list of stage names').optional(), when: optionalFunction }

const stageOptions = z.strictObject({ ...flow, ...shared })

const mapOptions = z.strictObject({
  ...flow,
  ...shared,
  over: requiredFunction,
  key: optionalFunction,
  concurrency: z
    .number(concurrencyRule)
    .int(concurrencyRule)
    .min(1, concurrencyRule)
    .max(maxConcurrency, concurrencyRule)
    .optional(),
})

const actorOptions = z.strictObject({ ...shared, input: schemaOption.optional() })

type ParsedShared = z.output<typeof actorOptions>

/** The options of a stage without its name, needs and function. */
export type StageSettings = Omit<StageDraft, 'name' | 'kind' | 'needs' | 'run' | 'map'>

interface FlowSettings {
  readonly needs: readonly string[] | undefined
  readonly settings: StageSettings
}

/** @throws OptionsError */
export function parseStageOptions(value: unknown, where: string): FlowSettings {
  const { needs, when, ...rest } = parseOptions(stageOptions, value, where)
  return { needs, settings: { ...settingsOf(rest, where), when } }
}

/** @throws OptionsError */
export function parseMapOptions(value: unknown, where: string): FlowSettings & { readonly map: MapDefinition } {
  const { needs, when, over, key, concurrency, ...rest } = parseOptions(mapOptions, value, where)
  return {
    needs,
    settings: { ...settingsOf(rest, where), when },
    map: { over, key: key ?? ((_item, index) => index), concurrency: concurrency ?? defaultConcurrency },
  }
}

/** @throws OptionsError */
export function parseActorOptions(value: unknown, where: string): StageSettings {
  return settingsOf(parseOptions(actorOptions, value, where), where)
}

function settingsOf({ timeout, warnAfter, ...options }: ParsedShared, where: string): StageSettings {
  return {
    ...options,
    timeoutMs: optionalMs(timeout, `${where}: timeout`),
    warnAfterMs: optionalMs(warnAfter, `${where}: warnAfter`),
    preflight: options.preflight ?? false,
    optional: options.optional ?? false,
    remedies: options.remedies ?? [],
    restart: options.restart ?? 'transient',
  }
}

const optionalMs = (value: Duration | undefined, where: string): number | undefined =>
  value === undefined ? undefined : toMs(value, where)
