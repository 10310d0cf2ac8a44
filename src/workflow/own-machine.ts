/**
 * A workflow that is an XState machine of the user's own. It runs on the same engine as a built one: the machine is
 * kept as it is, its stages are what `stageActor` made for its `setup({ actors })`, and its events are its signals.
 */
import type { AnyStateMachine, InputFrom, OutputFrom } from 'xstate'
import { z } from 'zod'
import { parseOptions } from '../options.ts'
import { checkHeader, workflowOptions } from './built-workflow.ts'
import { type StageDefinition, type WorkflowDefinition, workflowBrand } from './definition.ts'
import { hashOfMachine } from './hash.ts'
import type { Jsonify } from './jsonify.ts'
import { checkMachines } from './machine-checks.ts'
import { stageOf } from './stage-actor.ts'
import type { Schemas } from './typed-options.ts'
import type { Workflow } from './typed-workflow.ts'

type MigrateFunction = (snapshot: unknown, from: { version: string; hash: string }) => unknown

const optionsSchema = z.strictObject({
  ...workflowOptions,
  machine: z.custom<unknown>(value => value !== undefined, 'is missing; it must be an XState v5 machine'),
  migrate: z.custom<MigrateFunction>(value => typeof value === 'function', 'must be a function').optional(),
})

export interface MachineWorkflowOptions<TMachine extends AnyStateMachine, TInput extends z.ZodType = z.ZodType> {
  /** Letters, digits, `_`, `-` and `.`. Runs are found by it. */
  readonly name: string
  readonly version: string
  /** Any XState v5 machine with an id; its actors are named in `setup({ actors })`. */
  readonly machine: TMachine
  /** Checks the input when a run is started. Without it the machine's own type of input holds, unchecked. */
  readonly input?: TInput | undefined
  readonly task?: string | undefined
  readonly profile?: string | object | undefined
  /** Forms of the payloads of events that come as signals. */
  readonly signals?: Schemas | undefined
  readonly description?: string | undefined
  /** Turns a snapshot of an older definition into one of this. */
  readonly migrate?: MigrateFunction | undefined
}

type MachineInput<TMachine extends AnyStateMachine, TInput extends z.ZodType> = [TInput] extends [never]
  ? InputFrom<TMachine>
  : z.input<TInput>

/**
 * A workflow from a machine.
 * @throws OptionsError for a machine that could not be restored: without an id, with actors that have no name
 */
export function workflowFromMachine<TMachine extends AnyStateMachine, TInput extends z.ZodType = never>(
  options: MachineWorkflowOptions<TMachine, TInput>,
): Workflow<MachineInput<TMachine, TInput>, Jsonify<OutputFrom<TMachine>>> {
  const { machine, migrate, ...parsed } = parseOptions(optionsSchema, options, 'workflowFromMachine')
  const header = { ...parsed, signals: parsed.signals ?? {} }
  checkHeader(header, 'workflowFromMachine')
  const machines = checkMachines(machine, `workflow '${header.name}'`)
  const stages = stagesOf(machines)
  const definition: WorkflowDefinition = {
    ...header,
    origin: 'machine',
    hash: hashOfMachine({ ...header, origin: 'machine' }, machines, stages),
    machine: machine as AnyStateMachine,
    stages,
    migrate,
  }
  return { name: header.name, version: header.version, [workflowBrand]: () => definition }
}

/** By source name; those of a machine inside by `child/source`. */
function stagesOf(machines: ReadonlyMap<string, AnyStateMachine>): Map<string, StageDefinition> {
  const stages = new Map<string, StageDefinition>()
  for (const [path, machine] of machines) {
    for (const [source, logic] of Object.entries(machine.implementations.actors ?? {})) {
      const stage = stageOf(logic)
      if (stage) stages.set(path === '' ? source : `${path}/${source}`, stage)
    }
  }
  return stages
}
