/** What `simulate` is given: what to run, in which world, under which faults, and what must hold. */
import { z } from 'zod'
import type { ModelRequest } from '../../providers/provider.ts'
import type { Budget, Run, Runtime } from '../../runtime/api.ts'
import type { Random } from '../../time/random.ts'
import type { AnyWorkflow } from '../../workflow/definition.ts'
import type { Faults } from './fault-profile.ts'
import type { RunInvariant, SimulatedRuntimeOptions } from './scenario.ts'
import type { SeedReport } from './simulation-result.ts'
import type { StandIns } from './stage-watch.ts'
import type { Programs } from './world/programs.ts'
import type { Files } from './world/simulated-world.ts'

/** Opens a runtime in the simulated world: `createRuntime({ ...world, workflows: [watch(mine)] })`. */
export type RuntimeFactory = (
  world: SimulatedRuntimeOptions,
  tools: {
    /** The workflow with its stages watched; without it, what they do by themselves is not found. */
    readonly watch: (workflow: AnyWorkflow) => AnyWorkflow
  },
) => Promise<Runtime> | Runtime

export interface SimulateOptions {
  /** How many seeds (1, 2, 3 …), or which. @default 100 */
  readonly seeds?: number | readonly number[] | undefined
  /**
   * A fault profile (`none crashes disk providers clock owners operators all`), or rates from 0 to 1 by kind of fault.
   * @default 'all'
   */
  readonly faults?: Faults | undefined
  /** What must hold of every run at its end: by name, or as a list. `false` or an error says that it does not. */
  readonly invariants?: Readonly<Record<string, RunInvariant>> | readonly RunInvariant[] | undefined
  /** The input of the runs, or a function of chance that makes one. @default by chance, of the workflow's schema */
  readonly input?: unknown
  /** The payloads of signals, or functions of chance that make one, by name. @default by chance, of their schemas */
  readonly signals?: Readonly<Record<string, unknown>> | undefined
  /** What the models answer: a text, an object of the schema, or a function of the request. @default by chance */
  readonly answers?: string | object | ((request: ModelRequest, random: Random) => unknown) | undefined
  /** Stand-ins for stages that need the real world: functions, or what they return, by the name of the stage. */
  readonly stages?: StandIns | undefined
  /** What stages find on the disk: texts or bytes by path, or a function of chance. @default a stage that asks is refused */
  readonly files?: Files | undefined
  /**
   * What stages start as child processes: by name, or one function for all. A function is given the call; what it returns
   * is how the program ends, a text what it prints. @default a stage that starts one is refused
   */
  readonly programs?: Programs | undefined
  readonly budget?: Budget | undefined
  /** Runs of each seed. @default 1 to 3, by chance */
  readonly runs?: number | undefined
  /** With a runtime factory: starts a run, or finds it by its id, and gives its handle. */
  readonly start?: ((runtime: Runtime, given: { readonly random: Random }) => Promise<Run<never>>) | undefined
  /** Of how many seeds it is tried that a second time gives the same journal. @default 5 */
  readonly replays?: number | undefined
  /** Told of each seed. */
  readonly onSeed?: ((seed: SeedReport) => void) | undefined
}

export const optionsSchema = z.strictObject({
  seeds: z
    .union([z.int().min(1), z.array(z.int()).min(1)], { error: 'must be a number, or a list of seeds' })
    .optional(),
  faults: z.union([z.string(), z.looseObject({})], { error: 'must be a fault profile, or rates by kind' }).optional(),
  invariants: z
    .custom<SimulateOptions['invariants']>(areFunctions, { error: 'must be functions, by name or in a list' })
    .optional(),
  input: z.unknown().optional(),
  signals: z.record(z.string(), z.unknown()).optional(),
  answers: z.custom<SimulateOptions['answers']>(() => true).optional(),
  stages: z.record(z.string(), z.unknown()).optional(),
  files: z
    .custom<Files>(value => isObject(value) || typeof value === 'function', 'must be texts by path, or a function')
    .optional(),
  programs: z
    .custom<Programs>(value => isObject(value) || typeof value === 'function', 'must be functions by name, or one')
    .optional(),
  budget: z.custom<Budget>(isObject, 'must be a budget').optional(),
  runs: z.int().min(1).max(100).optional(),
  start: z.custom<SimulateOptions['start']>(value => typeof value === 'function', 'must be a function').optional(),
  replays: z.int().min(0).optional(),
  onSeed: z.custom<SimulateOptions['onSeed']>(value => typeof value === 'function', 'must be a function').optional(),
})

function isObject(value: unknown): value is object {
  return value !== null && typeof value === 'object'
}

function areFunctions(value: unknown): boolean {
  return isObject(value) && Object.values(value).every(one => typeof one === 'function')
}

export type Settings = z.output<typeof optionsSchema>
