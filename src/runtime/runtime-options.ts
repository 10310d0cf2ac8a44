/** The options of `createRuntime` and `start`, parsed once: inside only the resolved form travels. */

import { resolve } from 'node:path'
import { z } from 'zod'
import { readProfileOverrides } from '../config/environment.ts'
import { OptionsError } from '../errors.ts'
import type { HealthCheck } from '../health/check.ts'
import { parseOptions } from '../options.ts'
import type { Provider } from '../providers/provider.ts'
import { type ModelEntry, parseModelEntries } from '../providers/registry.ts'
import { type KnownProfiles, profileOf, resolveProfile } from '../resilience/profile-choice.ts'
import { type ProfileOverrides, withOverrides } from '../resilience/profile-overrides.ts'
import type { ResolvedProfile } from '../resilience/profiles.ts'
import { memoryStore } from '../store/memory-store.ts'
import { sqliteStore } from '../store/sqlite-store.ts'
import type { Store } from '../store/store.ts'
import { type Clock, systemClock } from '../time/clock.ts'
import { type Duration, toMs } from '../time/duration.ts'
import { createIds, type Ids } from '../time/ids.ts'
import { type Random, systemRandom } from '../time/random.ts'
import { type AnyWorkflow, isWorkflow, type WorkflowDefinition } from '../workflow/definition.ts'
import type { Budget, InspectListener, Logger, Remedy, RuntimeOptions, StartOptions } from './api.ts'
import { providersFromEnvironment } from './calls/environment-providers.ts'
import type { Chaos } from './chaos.ts'
import { type RetentionPolicy, retentionPolicy } from './operations/retention.ts'
import type { KeptOptions } from './run/kept-options.ts'

const duration = z.custom<Duration>(value => typeof value === 'number' || typeof value === 'string', {
  error: "must be milliseconds or a text such as '30s'",
})
const amount = z.number().min(0)

const budgetSchema = z.strictObject({
  usd: amount.optional(),
  tokens: amount.optional(),
  calls: amount.optional(),
  restarts: amount.optional(),
  wallTime: duration.optional(),
})

const workflow = z.custom<AnyWorkflow>(isWorkflow, {
  // What an import of a TypeScript file gives in a package whose modules are CommonJS, as they are unless told.
  error: ({ input }) =>
    isWorkflow((input as { readonly default?: unknown } | null)?.default)
      ? 'is a CommonJS module that holds a workflow: put "type": "module" into package.json'
      : 'must be a workflow, made by defineWorkflow or workflowFromMachine',
})
const object = <T>(methods: readonly string[], what: string) =>
  z.custom<T>(
    value =>
      value !== null &&
      typeof value === 'object' &&
      methods.every(method => typeof (value as Record<string, unknown>)[method] === 'function'),
    { error: `must be ${what}, with ${methods.map(method => `${method}()`).join(', ')}` },
  )
const aFunction = <T>() => z.custom<T>(value => typeof value === 'function', { error: 'must be a function' })

const isResolvedProfile = (value: unknown): boolean =>
  value !== null && typeof value === 'object' && 'retry' in value && 'timeout' in value && 'restart' in value

const runtimeSchema = z.strictObject({
  store: z
    .union([z.string().min(1), object<Store>(['claim', 'commit', 'load'], 'a path or a store')], {
      error: 'must be a path or a store',
    })
    .optional(),
  workflows: z.array(workflow).optional(),
  providers: z.array(object<Provider>(['generate'], 'a provider')).optional(),
  models: z.array(z.custom<ModelEntry>(value => value !== null && typeof value === 'object')).optional(),
  profiles: z
    .record(z.string(), z.custom<ResolvedProfile>(isResolvedProfile, { error: 'must be made by defineProfile' }))
    .optional(),
  tasks: z.record(z.string(), z.string()).optional(),
  health: z.strictObject({ checks: z.array(object<HealthCheck>(['check'], 'a health check')).optional() }).optional(),
  remedies: z.record(z.string(), aFunction<Remedy>()).optional(),
  retention: z
    .strictObject({
      completed: duration.optional(),
      cancelled: duration.optional(),
      failed: duration.optional(),
      quarantined: duration.optional(),
      budget_exceeded: duration.optional(),
      commands: duration.optional(),
    })
    .optional(),
  budget: budgetSchema.optional(),
  concurrency: z.strictObject({ runs: z.int().min(1).optional(), stages: z.int().min(1).optional() }).optional(),
  logger: z
    .union([z.literal(false), z.custom<object>(value => value !== null && typeof value === 'object')])
    .optional(),
  mode: z.enum(['full', 'minimal']).optional(),
  inspect: z
    .union([z.literal(false), aFunction<InspectListener>()], {
      error: 'must be false or a function that is told of XState’s inspection events',
    })
    .optional(),
  clock: object<Clock>(['now', 'setTimeout', 'clearTimeout'], 'a clock').optional(),
  random: aFunction<Random>().optional(),
  ids: object<Ids>(['run'], 'a source of ids').optional(),
  recover: z.boolean().optional(),
  chaos: object<Chaos>(['store', 'provider', 'clock', 'faultAt', 'strike'], 'made by `chaos`').optional(),
})

const startSchema = z.strictObject({
  id: z
    .string()
    .min(1)
    .max(200)
    .regex(/^\P{Cc}+$/u, 'must have no control characters')
    .optional(),
  tags: z.array(z.string().min(1)).optional(),
  profile: z.union([z.string(), z.custom<object>(value => value !== null && typeof value === 'object')]).optional(),
  budget: budgetSchema.optional(),
  deadline: z.union([duration, z.date()], "must be milliseconds, a text such as '30s', or a Date").optional(),
  priority: z.number().optional(),
  maxRetries: z.int().min(0).optional(),
  timeoutMultiplier: z.number().positive().optional(),
  local: z.boolean().optional(),
  cwd: z.string().optional(),
})

export interface ResolvedOptions {
  readonly store: Store
  readonly workflows: readonly AnyWorkflow[]
  readonly providers: readonly Provider[]
  readonly models: readonly ModelEntry[]
  /** What the names of files beside the store begin with; undefined for a store that is no file. */
  readonly besideStore: string | undefined
  readonly profiles: KnownProfiles
  /** What the environment changes in every profile. */
  readonly overrides: ProfileOverrides
  readonly checks: readonly HealthCheck[]
  readonly remedies: Readonly<Record<string, Remedy>>
  readonly retention: RetentionPolicy
  readonly budget: Budget | undefined
  readonly runPlaces: number
  readonly stagePlaces: number
  readonly log: Logger
  readonly minimal: boolean
  readonly inspect: InspectListener | undefined
  readonly clock: Clock
  readonly random: Random
  readonly ids: Ids
  readonly recover: boolean
  readonly chaos: Chaos | undefined
}

/** @throws OptionsError that names the option and the mend */
export async function resolveRuntimeOptions(given: RuntimeOptions): Promise<ResolvedOptions> {
  const options = parseOptions(runtimeSchema, given, 'createRuntime')
  const { chaos } = options
  const trueClock = options.clock ?? systemClock
  const clock = chaos ? chaos.clock(trueClock) : trueClock
  const store = storeOf(options.store ?? usualStore)
  const providers = options.providers ?? providersFromEnvironment(clock)
  const random = options.random ?? systemRandom
  const known: KnownProfiles = { profiles: options.profiles, tasks: options.tasks }
  for (const [task, profile] of Object.entries(options.tasks ?? {})) {
    checkProfile(profile, known, `createRuntime: tasks.${task}`)
  }
  if (options.budget?.wallTime !== undefined) toMs(options.budget.wallTime, 'createRuntime: budget.wallTime')
  const log = await loggerOf(options.logger)
  return {
    store: chaos ? chaos.store(store) : store,
    workflows: options.workflows ?? [],
    providers: chaos ? providers.map(provider => chaos.provider(provider)) : providers,
    models: parseModelEntries(options.models ?? []),
    besideStore: besideStore(options.store ?? usualStore),
    profiles: known,
    overrides: readProfileOverrides(),
    checks: options.health?.checks ?? [],
    remedies: options.remedies ?? {},
    retention: retentionPolicy(options.retention),
    budget: options.budget,
    runPlaces: options.concurrency?.runs ?? 1000,
    stagePlaces: options.concurrency?.stages ?? 256,
    log,
    minimal: options.mode === 'minimal',
    inspect: options.inspect || undefined,
    clock,
    random,
    ids: options.ids ?? createIds(clock, random),
    recover: options.recover ?? true,
    chaos,
  }
}

/** What a start is given that says nothing. */
export const noStartOptions: StartOptions = Object.freeze({})

export interface ResolvedStart {
  readonly id: string | undefined
  readonly tags: readonly string[]
  readonly kept: KeptOptions
  /** The file that exports the workflow. */
  readonly source?: string | undefined
}

/** @throws OptionsError */
export function resolveStartOptions(
  given: StartOptions,
  context: {
    now: number
    profiles: KnownProfiles
    budget: Budget | undefined
    overrides?: ProfileOverrides | undefined
    source?: string | undefined
    workflow: Pick<WorkflowDefinition, 'profile' | 'task'>
  },
): ResolvedStart {
  const options = given === noStartOptions ? {} : parseOptions(startSchema, given, 'start')
  if (options.profile !== undefined) checkProfile(options.profile, context.profiles, 'start: profile')
  const overrides = ownOverrides(options)
  const ofProfile = withOverrides(
    resolveProfile({ start: options.profile, workflow: context.workflow }, context.profiles),
    { ...context.overrides, ...overrides },
  )
  const budget = options.budget ?? context.budget
  const wallTimeMs = budget ? budget.wallTime && toMs(budget.wallTime, 'budget.wallTime') : ofProfile.budget?.wallTimeMs
  const deadline = options.deadline ?? ofProfile.timeout.runMs
  return {
    id: options.id,
    source: context.source,
    tags: options.tags ?? [],
    kept: {
      ...(options.profile === undefined ? {} : { profile: options.profile }),
      ...(budget === undefined ? {} : { budget }),
      ...(deadline === undefined ? {} : { deadlineAt: pointInTime(deadline, context.now) }),
      ...(wallTimeMs === undefined ? {} : { wallTimeUntil: context.now + wallTimeMs }),
      ...(overrides === undefined ? {} : { overrides }),
      ...(options.priority === undefined ? {} : { priority: options.priority }),
      cwd: options.cwd ?? process.cwd(),
    },
  }
}

/** A number is a time from now, unless that were 31 years or more: then it is ms since the epoch. */
function pointInTime(deadline: Duration | Date, now: number): number {
  const isPoint = deadline instanceof Date || (typeof deadline === 'number' && deadline >= 1e12)
  return isPoint ? Number(deadline) : now + toMs(deadline, 'deadline')
}

/** What the start itself says, without what it leaves to the runtime. */
function ownOverrides({ maxRetries, timeoutMultiplier, local }: ProfileOverrides): ProfileOverrides | undefined {
  if (maxRetries === undefined && timeoutMultiplier === undefined && !local) return undefined
  return {
    ...(maxRetries === undefined ? {} : { maxRetries }),
    ...(timeoutMultiplier === undefined ? {} : { timeoutMultiplier }),
    ...(local ? { local } : {}),
  }
}

const usualStore = '.holdfast/holdfast.db'

/** `/x/holdfast` for a store in `/x/holdfast.db`. */
export function besideStore(store: string | Store): string | undefined {
  return typeof store === 'string' && store !== ':memory:' ? resolve(store).replace(/\.db$/, '') : undefined
}

/** A store by its path; `':memory:'` lives as long as the process. */
export function storeOf(store: string | Store): Store {
  if (typeof store !== 'string') return store
  return store === ':memory:' ? memoryStore() : sqliteStore(store)
}

function checkProfile(profile: string | object, known: KnownProfiles, where: string): void {
  try {
    profileOf(profile, known)
  } catch (error) {
    throw new OptionsError(`${where}: ${error instanceof Error ? error.message : String(error)}`, {}, { cause: error })
  }
}

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} }

/** `pino` is loaded by those alone who log with it: it is a tenth of what a command waits for before it begins. */
async function loggerOf(given: object | false | undefined): Promise<Logger> {
  if (given === false) return silent
  const methods = (given ?? {}) as Partial<Logger>
  if (methods.info && methods.warn && methods.error && methods.debug) return harmless(given as Logger)
  const { pino } = await import('pino')
  if (given === undefined) return harmless(pino({ level: 'warn' }, pino.destination(2)) as unknown as Logger)
  return harmless(pino(given) as unknown as Logger)
}

/** A logger that throws harms nobody: logging is optional, and nothing optional can fail a run. */
function harmless(logger: Logger): Logger {
  const safe =
    (level: keyof Logger) =>
    (data: object, message: string): void => {
      try {
        logger[level](data, message)
      } catch {
        // There is nowhere left to say so.
      }
    }
  return { debug: safe('debug'), info: safe('info'), warn: safe('warn'), error: safe('error') }
}
