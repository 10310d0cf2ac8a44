/** The options of a check of a machine, parsed once. */
import type { Arbitrary } from 'fast-check'
import type { AnyStateMachine, SnapshotFrom } from 'xstate'
import { type ZodType, z } from 'zod'
import { parseOptions } from '../../options.ts'
import { arbitraryOf, type EventForms } from './event-types.ts'
import type { Persistence } from './machine-world.ts'
import { namedInvariants } from './named-invariants.ts'
import type { Invariant, NamedInvariants } from './twins.ts'
import type { Outputs } from './walk.ts'

export interface CheckOptions<TMachine extends AnyStateMachine = AnyStateMachine> {
  /** By name, or as a list of functions. Each is asked in every state: `false` or an error says that it is broken. */
  readonly invariants?:
    | Readonly<Record<string, Invariant<SnapshotFrom<TMachine>>>>
    | readonly Invariant<SnapshotFrom<TMachine>>[]
    | undefined
  /** How many walks (their seeds are 1, 2, 3 …), or the seeds. @default 100 */
  readonly seeds?: number | readonly number[] | undefined
  /** Steps of one walk. @default 40 */
  readonly maxSteps?: number | undefined
  /** What the machine is started with. */
  readonly input?: unknown
  /** What events carry, by type: a zod schema or a fast-check arbitrary of an object. @default `setup({ schemas })` */
  readonly events?: EventForms | undefined
  /** What invoked actors give, by the id of the invoke or the actor's name; one without never ends well in a walk. */
  readonly outputs?: Readonly<Record<string, ZodType | Arbitrary<unknown>>> | undefined
  /**
   * What a crash leaves: with `'xstate'` what XState's snapshot holds, without what was scheduled; with `'holdfast'`
   * what Holdfast's runtime keeps, which is that too. @default 'xstate'
   */
  readonly persistence?: Persistence | undefined
}

export interface CheckSettings {
  readonly invariants: NamedInvariants
  readonly seeds: Iterable<number>
  readonly maxSteps: number
  readonly input: unknown
  readonly events: EventForms
  readonly outputs: Outputs
  readonly persistence: Persistence
  /** The names of the options that were given and cannot be written down. */
  readonly given: readonly string[]
}

export const defaultMaxSteps = 40

const anObject = <T>() =>
  z.custom<T>(value => value !== null && typeof value === 'object', { error: 'must be an object' })
const invariant = z.custom<Invariant<never>>(value => typeof value === 'function', { error: 'must be a function' })

const optionsSchema = z.strictObject({
  invariants: z
    .union([z.array(invariant), z.record(z.string(), invariant)], { error: 'must be functions, by name or in a list' })
    .optional(),
  seeds: z
    .union([z.int().min(1), z.array(z.int()).min(1)], { error: 'must be a number of walks, or a list of seeds' })
    .optional(),
  maxSteps: z.int().min(1).optional(),
  input: z.unknown().optional(),
  events: anObject<EventForms>().optional(),
  outputs: anObject<Readonly<Record<string, ZodType | Arbitrary<unknown>>>>().optional(),
  persistence: z.enum(['xstate', 'holdfast']).optional(),
})

/** @throws OptionsError */
export function parseCheckOptions(given: CheckOptions, where: string): CheckSettings {
  const {
    invariants = [],
    seeds = 100,
    maxSteps = defaultMaxSteps,
    outputs = {},
    ...rest
  } = parseOptions(optionsSchema, given, where)
  return {
    invariants: namedInvariants(invariants, where),
    seeds: typeof seeds === 'number' ? Array.from({ length: seeds }, (_, index) => index + 1) : seeds,
    maxSteps,
    input: rest.input,
    events: rest.events ?? {},
    outputs: Object.fromEntries(
      Object.entries(outputs).map(([name, form]) => [name, arbitraryOf(form, `outputs.${name}`)]),
    ),
    persistence: rest.persistence ?? 'xstate',
    given: (['invariants', 'events', 'outputs'] as const).filter(name => given[name] !== undefined),
  }
}
