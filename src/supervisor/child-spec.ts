/**
 * Specs as users write them and as they are kept: parsed once, before any side effect, with every default filled in.
 * A spec is plain data but for its logic; a nested supervisor is a spec inside a child's `logic`.
 */
import type { ActorLogic, AnyActorLogic } from 'xstate'
import { z } from 'zod'
import { OptionsError } from '../errors.ts'
import { parseOptions } from '../options.ts'
import type { Clock } from '../time/clock.ts'
import { type Duration, toMs } from '../time/duration.ts'
import type { Random } from '../time/random.ts'
import type { SupervisorObserver } from './events.ts'

export type Strategy = 'one-for-one' | 'one-for-all' | 'rest-for-one'
export type Restart = 'permanent' | 'transient' | 'temporary'
export type AutoShutdown = 'never' | 'any-significant' | 'all-significant'
export type ChildType = 'worker' | 'supervisor'

/** A pause before each restart. */
export interface RestartBackoff {
  readonly kind: 'exponential' | 'linear' | 'fixed' | 'decorrelated'
  /** The first delay. @default '100ms' */
  readonly base?: Duration | undefined
  /** No delay is above it. @default '10s', or `base` where that is longer */
  readonly max?: Duration | undefined
  /** The share of a delay that chance may add or take, 0 to 1. @default 0 */
  readonly jitter?: number | undefined
  /** A child that ran for so long begins again at the first delay. @default `max` */
  readonly resetAfter?: Duration | undefined
}

export interface ChildSpec {
  /** Unique within the supervisor, without a slash. */
  readonly id: string
  /** XState actor logic, a supervisor spec, or a function that is called once for each start attempt. */
  readonly logic: AnyActorLogic | SupervisorSpec | (() => AnyActorLogic | 'ignore')
  /** What the actor gets as its input at every start. */
  readonly input?: unknown
  /** @default 'permanent' */
  readonly restart?: Restart | undefined
  /** How long the child may take to stop. @default 5000; 'infinity' for a supervisor */
  readonly shutdown?: Duration | 'brutal-kill' | 'infinity' | undefined
  /** Whether its own end can end the supervisor, by `autoShutdown`. @default false */
  readonly significant?: boolean | undefined
  /** @default 'supervisor' where `logic` is a supervisor spec, else 'worker' */
  readonly type?: ChildType | undefined
}

/** A supervisor as plain data. */
export interface SupervisorSpec {
  /** Who is restarted with a child that failed. @default 'one-for-one' */
  readonly strategy?: Strategy | undefined
  /** Restarts that are allowed within `period`; one more escalates. @default 3 */
  readonly intensity?: number | undefined
  /** @default 5000 */
  readonly period?: Duration | undefined
  /** @default 'never' */
  readonly autoShutdown?: AutoShutdown | undefined
  /** The most children, stopped ones included. @default no limit */
  readonly maxChildren?: number | undefined
  /** @default 'none' */
  readonly backoff?: 'none' | RestartBackoff | undefined
  readonly children?: readonly ChildSpec[] | undefined
  /** Sees every event of this supervisor and of those below it. What it throws is ignored. */
  readonly onEvent?: SupervisorObserver | undefined
}

export interface SupervisorOptions extends SupervisorSpec {
  /** @default 'supervisor' */
  readonly id?: string | undefined
  /** @default the system's clock */
  readonly clock?: Clock | undefined
  /** Chance in [0, 1), for jitter. @default the system's */
  readonly random?: Random | undefined
}

export type Logic =
  | { readonly kind: 'actor'; readonly logic: AnyActorLogic }
  | { readonly kind: 'function'; readonly create: () => unknown }
  | { readonly kind: 'supervisor'; readonly spec: ResolvedSupervisorSpec }

export interface ResolvedChildSpec {
  readonly id: string
  readonly logic: Logic
  readonly input: unknown
  readonly restart: Restart
  /** Milliseconds, or how else it is stopped. */
  readonly shutdown: number | 'brutal-kill' | 'infinity'
  readonly significant: boolean
  readonly type: ChildType
}

export interface ResolvedBackoff {
  readonly kind: RestartBackoff['kind']
  readonly base: number
  readonly max: number
  readonly jitter: number
  readonly resetAfterMs: number
}

export interface ResolvedSupervisorSpec {
  readonly strategy: Strategy
  readonly intensity: number
  readonly periodMs: number
  readonly autoShutdown: AutoShutdown
  readonly maxChildren: number
  readonly backoff: ResolvedBackoff | null
  readonly children: readonly ResolvedChildSpec[]
  readonly onEvent: SupervisorObserver | undefined
}

const durationSchema = z.union([z.number(), z.string()], { error: "must be milliseconds or a text such as '30s'" })

const countSchema = z.int('must be a whole number').min(0)

const backoffSchema = z.strictObject({
  kind: z.enum(['exponential', 'linear', 'fixed', 'decorrelated']),
  base: durationSchema.optional(),
  max: durationSchema.optional(),
  jitter: z.number().min(0).max(1).optional(),
  resetAfter: durationSchema.optional(),
})

const supervisorShape = {
  strategy: z.enum(['one-for-one', 'one-for-all', 'rest-for-one']).optional(),
  intensity: countSchema.optional(),
  period: durationSchema.optional(),
  autoShutdown: z.enum(['never', 'any-significant', 'all-significant']).optional(),
  maxChildren: countSchema.optional(),
  backoff: z.unknown().optional(),
  children: z.array(z.unknown()).optional(),
  onEvent: z.custom<SupervisorObserver>(value => typeof value === 'function', 'must be a function').optional(),
}

const supervisorSchema = z.strictObject(supervisorShape)

const optionsSchema = z.strictObject({
  ...supervisorShape,
  id: z.string().min(1).optional(),
  clock: z
    .custom<Clock>(
      value => hasMethods(value, 'now', 'setTimeout', 'clearTimeout'),
      'must have now(), setTimeout() and clearTimeout()',
    )
    .optional(),
  random: z.custom<Random>(value => typeof value === 'function', 'must be a function to [0, 1)').optional(),
})

const childSchema = z.strictObject({
  id: z
    .string()
    .min(1)
    .refine(id => !id.includes('/'), 'must have no slash'),
  logic: z.custom<unknown>(
    value => (typeof value === 'object' && value !== null) || typeof value === 'function',
    'must be actor logic, a supervisor spec, or a function that returns logic',
  ),
  input: z.unknown().optional(),
  restart: z.enum(['permanent', 'transient', 'temporary']).optional(),
  shutdown: durationSchema.optional(),
  significant: z.boolean().optional(),
  type: z.enum(['worker', 'supervisor']).optional(),
})

/** Supervisors within supervisors that are read; more of them are taken for a cycle. */
const deepestNesting = 64

/** @throws OptionsError */
export function parseSupervisorOptions(options: unknown): {
  readonly id: string
  readonly clock: Clock | undefined
  readonly random: Random | undefined
  readonly spec: ResolvedSupervisorSpec
} {
  const { id, clock, random, ...rest } = parseOptions(optionsSchema, options, 'createSupervisor options')
  const name = id ?? 'supervisor'
  return { id: name, clock, random, spec: resolveSupervisor(rest, `supervisor '${name}'`, 0) }
}

/** @throws OptionsError */
export function parseChildSpec(spec: unknown, autoShutdown: AutoShutdown, where: string, depth = 0): ResolvedChildSpec {
  const id = (spec as { id?: unknown } | null | undefined)?.id
  const place = typeof id === 'string' ? `${where} '${id}'` : where
  const parsed = parseOptions(childSchema, spec, place)
  const logic = parseLogic(parsed.logic, place, depth)
  const type = parsed.type ?? (logic.kind === 'supervisor' ? 'supervisor' : 'worker')
  const resolved: ResolvedChildSpec = {
    id: parsed.id,
    logic,
    input: parsed.input,
    restart: parsed.restart ?? 'permanent',
    shutdown: resolveShutdown(parsed.shutdown, type, place),
    significant: parsed.significant ?? false,
    type,
  }
  if (resolved.significant) refuseSignificance(resolved, autoShutdown, place)
  return resolved
}

/** What a function for logic returned, as logic. @throws OptionsError */
export function parseLogic(logic: unknown, where: string, depth = 0): Logic {
  if (isActorLogic(logic)) return { kind: 'actor', logic }
  if (typeof logic !== 'function') {
    return { kind: 'supervisor', spec: parseSupervisorSpec(logic, where, depth + 1) }
  }
  if (logic.constructor.name === 'AsyncFunction') {
    throw new OptionsError(`${where}: logic: an async function is not supported; return the logic, and wait inside it`)
  }
  return { kind: 'function', create: logic as () => unknown }
}

function isActorLogic(value: unknown): value is ActorLogic<never, never> & AnyActorLogic {
  return hasMethods(value, 'transition', 'getInitialSnapshot')
}

function parseSupervisorSpec(spec: unknown, where: string, depth: number): ResolvedSupervisorSpec {
  if (depth > deepestNesting) {
    throw new OptionsError(`${where}: supervisors are nested more than ${deepestNesting} deep`)
  }
  return resolveSupervisor(parseOptions(supervisorSchema, spec, where), where, depth)
}

function resolveSupervisor(
  parsed: z.output<typeof supervisorSchema>,
  where: string,
  depth: number,
): ResolvedSupervisorSpec {
  const autoShutdown = parsed.autoShutdown ?? 'never'
  const maxChildren = parsed.maxChildren ?? Number.POSITIVE_INFINITY
  const children = (parsed.children ?? []).map(child => parseChildSpec(child, autoShutdown, `${where}: child`, depth))
  const seen = new Set<string>()
  for (const { id } of children) {
    if (seen.has(id)) throw new OptionsError(`${where}: there are two children with the id '${id}'`, { id })
    seen.add(id)
  }
  if (children.length > maxChildren) {
    throw new OptionsError(`${where}: it has ${children.length} children, and maxChildren is ${maxChildren}`)
  }
  const periodMs = toMs(parsed.period ?? 5000, `${where}: period`)
  if (periodMs === 0) throw new OptionsError(`${where}: period must be longer than 0 ms`)
  return {
    strategy: parsed.strategy ?? 'one-for-one',
    intensity: parsed.intensity ?? 3,
    periodMs,
    autoShutdown,
    maxChildren,
    backoff: resolveBackoff(parsed.backoff, where),
    children,
    onEvent: parsed.onEvent,
  }
}

function resolveBackoff(backoff: unknown, where: string): ResolvedBackoff | null {
  if (backoff === undefined || backoff === 'none') return null
  const parsed = parseOptions(backoffSchema, backoff, `${where}: backoff`)
  const base = toMs(parsed.base ?? 100, `${where}: backoff.base`)
  const max = toMs(parsed.max ?? Math.max(base, 10_000), `${where}: backoff.max`)
  if (max < base) throw new OptionsError(`${where}: backoff.max (${max} ms) is below backoff.base (${base} ms)`)
  const resetAfterMs = toMs(parsed.resetAfter ?? max, `${where}: backoff.resetAfter`)
  return { kind: parsed.kind, base, max, jitter: parsed.jitter ?? 0, resetAfterMs }
}

function resolveShutdown(
  shutdown: number | string | undefined,
  type: ChildType,
  where: string,
): ResolvedChildSpec['shutdown'] {
  if (shutdown === undefined) return type === 'supervisor' ? 'infinity' : 5000
  if (shutdown === 'brutal-kill' || shutdown === 'infinity') return shutdown
  return toMs(shutdown, `${where}: shutdown`)
}

/** The two combinations that OTP refuses: nothing could come of them. */
function refuseSignificance(child: ResolvedChildSpec, autoShutdown: AutoShutdown, where: string): void {
  if (autoShutdown === 'never') {
    throw new OptionsError(`${where}: significant children need a supervisor whose autoShutdown is not 'never'`)
  }
  if (child.restart === 'permanent') {
    throw new OptionsError(`${where}: a significant child must be 'transient' or 'temporary', and is 'permanent'`)
  }
}

function hasMethods(value: unknown, ...names: string[]): boolean {
  if (typeof value !== 'object' || value === null) return false
  return names.every(name => typeof (value as Record<string, unknown>)[name] === 'function')
}
