/**
 * A workflow made of stages, as it is built: without types, which `define-workflow.ts` puts over it. It is immutable;
 * every rule about names, needs and options is checked by the call that breaks it. The machine is compiled on first use.
 */
import { z } from 'zod'
import { OptionsError } from '../errors.ts'
import { parseOptions, suggestion } from '../options.ts'
import { compileStages, maxRegions, tooManyRegions } from './compile.ts'
import {
  type AnyWorkflow,
  type Facts,
  type StageDefinition,
  type WorkflowDefinition,
  workflowBrand,
} from './definition.ts'
import { hashOfStages } from './hash.ts'
import { checkSignalName, checkStageName, checkWorkflowName } from './names.ts'
import type { StageContext } from './stage-context.ts'
import { type StageDraft, StageList } from './stage-list.ts'
import { parseMapOptions, parseStageOptions, profileOption, schemaOption } from './stage-options.ts'

const text = z.string('must be a text').min(1, 'must not be empty')

/** What is said about a workflow as a whole, whichever way it was written. */
export const workflowOptions = {
  name: text,
  version: text,
  input: schemaOption.optional(),
  task: text.optional(),
  profile: profileOption,
  signals: z.record(z.string(), schemaOption, 'must be an object of zod schemas by the name of the signal').optional(),
  description: z.string('must be a text').optional(),
}

const headerSchema = z.strictObject(workflowOptions)

type Header = Pick<
  WorkflowDefinition,
  'name' | 'version' | 'input' | 'task' | 'profile' | 'signals' | 'description' | 'output'
>

/** @throws OptionsError for what is common to all workflows: its name and the names of its signals */
export function checkHeader(header: Pick<Header, 'name' | 'signals'>, where: string): void {
  checkWorkflowName(header.name, where)
  for (const signal of Object.keys(header.signals)) checkSignalName(signal, `workflow '${header.name}'`)
}

export class BuiltWorkflow implements AnyWorkflow {
  readonly name: string
  readonly version: string
  readonly #header: Header
  readonly #stages: StageList
  /** Bound, so that it also works on an object that inherits from this one. */
  readonly [workflowBrand]: () => WorkflowDefinition

  private constructor(header: Header, stages: StageList) {
    this.name = header.name
    this.version = header.version
    this.#header = header
    this.#stages = stages
    let definition: WorkflowDefinition | undefined
    this[workflowBrand] = () => {
      definition ??= compile(header, stages)
      return definition
    }
    Object.freeze(this)
  }

  /** @throws OptionsError */
  static begin(options: unknown): BuiltWorkflow {
    const parsed = parseOptions(headerSchema, options, 'defineWorkflow')
    const header = { ...parsed, signals: parsed.signals ?? {} }
    checkHeader(header, 'defineWorkflow')
    return new BuiltWorkflow(header, new StageList())
  }

  stage(name: unknown, ...rest: readonly unknown[]): BuiltWorkflow {
    const where = this.#checkName(name)
    const [options, run] = optionsAndRun(rest, where)
    const { needs, settings } = parseStageOptions(options, where)
    return this.#add({
      ...settings,
      name: name as string,
      kind: 'stage',
      needs: this.#needs(needs, name as string),
      run,
    })
  }

  map(name: unknown, ...rest: readonly unknown[]): BuiltWorkflow {
    const where = this.#checkName(name)
    const [options, run] = optionsAndRun(rest, where)
    const { needs, settings, map } = parseMapOptions(options, where)
    return this.#add({
      ...settings,
      name: name as string,
      kind: 'map',
      needs: this.#needs(needs, name as string),
      run,
      map,
    })
  }

  output(output: unknown): BuiltWorkflow {
    if (typeof output !== 'function') {
      throw new OptionsError(`workflow '${this.name}': .output takes a function from results to the run's output`)
    }
    return new BuiltWorkflow({ ...this.#header, output: output as (facts: Facts) => unknown }, this.#stages)
  }

  #add(draft: StageDraft): BuiltWorkflow {
    checkWidth(draft, this.#stages, this.name)
    return new BuiltWorkflow(this.#header, this.#stages.with(draft))
  }

  #checkName(name: unknown): string {
    checkStageName(name, this.name)
    if (this.#stages.has(name)) {
      throw new OptionsError(`workflow '${this.name}' has a stage '${name}' already; give this one another name`, {
        stage: name,
      })
    }
    return `stage '${name}' of workflow '${this.name}'`
  }

  /** The needs that were declared, each once and each an earlier stage; else the stage before. */
  #needs(declared: readonly string[] | undefined, stage: string): readonly string[] {
    const before = this.#stages.last
    if (declared === undefined) return before ? [before.name] : []
    const where = `stage '${stage}' of workflow '${this.name}'`
    for (const [index, need] of declared.entries()) {
      if (need === stage) {
        throw new OptionsError(`${where} needs itself, which is a cycle; take '${stage}' out of its needs`, {
          stage,
          need,
        })
      }
      if (!this.#stages.has(need)) {
        const names = this.#stages.toArray().map(known => known.name)
        throw new OptionsError(
          `${where} needs '${need}', and no stage before it has that name${suggestion(need, names)}; ` +
            'a stage may need only earlier ones, so define that one first',
          { stage, need },
        )
      }
      if (declared.indexOf(need) !== index) {
        throw new OptionsError(`${where} names '${need}' twice in its needs; name it once`, { stage, need })
      }
    }
    return declared
  }
}

/** Stages that need the same begin at the same time, whatever comes after them: too many are refused where they are written. */
function checkWidth(draft: StageDraft, stages: StageList, workflow: string): void {
  const { needs } = draft
  // A chain, which is most of any workflow, has no two stages of the same needs, and is not to cost a look at each.
  if (needs.length === 1 && needs[0] === stages.last?.name) return
  const needsTheSame = (other: StageDraft): boolean =>
    other.needs.length === needs.length && needs.every(need => other.needs.includes(need))
  const siblings = stages.toArray().filter(needsTheSame)
  if (siblings.length < maxRegions) return
  throw tooManyRegions(workflow, siblings.length + 1, (siblings[0] as StageDraft).name)
}

function compile(header: Header, stages: StageList): WorkflowDefinition {
  const drafts = stages.toArray()
  if (drafts.length === 0) {
    throw new OptionsError(`workflow '${header.name}' has no stage; add one with .stage(name, run)`)
  }
  return {
    ...header,
    origin: 'built',
    hash: hashOfStages({ ...header, origin: 'built' }, drafts),
    machine: compileStages(header, drafts),
    stages: withAncestors(drafts),
  }
}

function optionsAndRun(rest: readonly unknown[], where: string): [unknown, (context: StageContext) => unknown] {
  const [first, second] = rest
  if (typeof first === 'function' && second !== undefined) {
    throw new OptionsError(`${where}: options come before the function, which is the last argument`)
  }
  const run = typeof first === 'function' ? first : second
  if (typeof run !== 'function') {
    throw new OptionsError(`${where} has no function to run; give it as the last argument`)
  }
  return [typeof first === 'function' || first === undefined ? {} : first, run as (context: StageContext) => unknown]
}

/** Ancestors are found when they are asked for: all of them together would be quadratic in a chain. */
function withAncestors(drafts: readonly StageDraft[]): Map<string, StageDefinition> {
  const stages = new Map<string, StageDefinition>()
  for (const draft of drafts) {
    let ancestors: readonly string[] | undefined
    stages.set(draft.name, {
      ...draft,
      get ancestors(): readonly string[] {
        ancestors ??= ancestorsOf(draft, stages)
        return ancestors
      },
    })
  }
  return stages
}

function ancestorsOf(draft: StageDraft, stages: ReadonlyMap<string, StageDefinition>): readonly string[] {
  const found = new Set<string>()
  const open = [...draft.needs]
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (found.has(name)) continue
    found.add(name)
    open.push(...(stages.get(name) as StageDefinition).needs)
  }
  return [...stages.keys()].filter(name => found.has(name))
}
