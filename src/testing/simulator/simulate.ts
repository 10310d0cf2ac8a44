/**
 * `simulate`: a workflow on the real runtime under everything that can go wrong, seed after seed, until a guarantee or an
 * invariant of the user's breaks. Any seed can be replayed: it gives the same journals, byte for byte.
 */
import type { AnyStateMachine } from 'xstate'
import { mapMachine } from '../../../machines/map.machine.ts'
import { stageMachine } from '../../../machines/stage.machine.ts'
import { workflowMachine } from '../../../machines/workflow.machine.ts'
import { OptionsError } from '../../errors.ts'
import { parseOptions } from '../../options.ts'
import { createRuntime } from '../../runtime/create-runtime.ts'
import { type AnyWorkflow, definitionOf, isWorkflow } from '../../workflow/definition.ts'
import { absentRemedies } from '../absent-remedies.ts'
import { fastCheckFor } from '../fast-check.ts'
import { CoverageRecorder } from '../machine/coverage.ts'
import { namedInvariants } from '../machine/named-invariants.ts'
import { type FaultRates, type Faults, resolveFaults } from './fault-profile.ts'
import type { Broken } from './guarantee-table.ts'
import { closeOutsideWorld } from './outside-world.ts'
import type { OutsideUse } from './place.ts'
import { reportOf } from './report.ts'
import { createSamples } from './samples.ts'
import type { RunInvariant, Scenario, SeedOutcome } from './scenario.ts'
import { optionsSchema, type RuntimeFactory, type Settings, type SimulateOptions } from './simulate-options.ts'
import type { Turns } from './simulated-time.ts'
import { Simulation } from './simulation.ts'
import type { SeedReport, SimulationResult } from './simulation-result.ts'

/** Seeds from the first on of which the coverage is taken, and one of so many after them: to look costs time. */
const inspected = 20
const inspectedOf = 10

/**
 * Simulates a workflow, or what a factory opens.
 * @throws OptionsError for options that it does not know, and for stages and signals that there are not
 */
export async function simulate(
  target: AnyWorkflow | RuntimeFactory,
  options: SimulateOptions = {},
): Promise<SimulationResult> {
  const settings = parseOptions(optionsSchema, options, 'simulate options')
  const faults = resolveFaults(settings.faults as Faults | undefined, 'simulate: faults')
  if (!isWorkflow(target) && typeof target !== 'function') {
    throw new OptionsError(
      'simulate: the first argument must be a workflow, made by defineWorkflow or workflowFromMachine, or a function that opens a runtime',
    )
  }
  expectMakerOfData(settings)
  const simulations = new Simulations(target, settings, faults, options)
  const world = closeOutsideWorld()
  try {
    return await simulations.run(world)
  } finally {
    world.release()
  }
}

/** Said at once: in the middle it would be a failure of the simulated process. */
function expectMakerOfData({ stages = {} }: Settings): void {
  const [made] = Object.entries(stages).find(([, standIn]) => standIn === true) ?? []
  if (made !== undefined) fastCheckFor(`stages.${made}`)
}

class Simulations {
  readonly #settings: Settings
  readonly #faults: FaultRates
  readonly #given: SimulateOptions
  readonly #scenario: Scenario
  readonly #coverage: CoverageRecorder
  readonly #reports: SeedReport[] = []
  readonly #outside = new Map<string, OutsideUse>()
  readonly #name: string

  constructor(target: AnyWorkflow | RuntimeFactory, settings: Settings, faults: FaultRates, given: SimulateOptions) {
    this.#settings = settings
    this.#faults = faults
    this.#given = given
    const machines: AnyStateMachine[] = [workflowMachine, stageMachine, mapMachine]
    if (isWorkflow(target)) machines.unshift(definitionOf(target).machine)
    this.#coverage = new CoverageRecorder(machines)
    this.#name = isWorkflow(target) ? target.name : target.name || 'runtime'
    this.#scenario = {
      ...(isWorkflow(target) ? scenarioOf(target, settings) : scenarioOfFactory(target, settings)),
      standIns: settings.stages ?? {},
      files: settings.files,
      programs: settings.programs,
      answers: answersOf(settings.answers),
      faults,
      invariants: namedInvariants<RunInvariant>(settings.invariants ?? [], 'simulate'),
      inspect: false,
    }
  }

  async run(turns: Turns): Promise<SimulationResult> {
    const { seeds = 100, replays = 5 } = this.#settings
    const all = typeof seeds === 'number' ? Array.from({ length: seeds }, (_, index) => index + 1) : seeds
    let journal = ''
    for (const [index, seed] of all.entries()) {
      const isInspected = index < inspected || index % inspectedOf === 0
      const scenario: Scenario = isInspected ? { ...this.#scenario, inspect: this.#inspect } : this.#scenario
      const outcome = await new Simulation(scenario, seed, turns).run()
      const again = index < replays ? await new Simulation(this.#scenario, seed, turns).run() : undefined
      const broken = [...outcome.broken, ...differences(outcome, again)]
      for (const use of outcome.outside) this.#outside.set(`${use.stage} ${use.what}`, use)
      this.#told(outcome, broken.length === 0)
      journal = outcome.journal
      if (broken.length > 0) return this.#result(journal, outcome, broken)
    }
    return this.#result(journal)
  }

  #told({ seed, runs, lives, simulatedMs, recoveryMs, digest }: SeedOutcome, ok: boolean): void {
    const outcomes: Record<string, number> = {}
    for (const { status } of runs) outcomes[status] = (outcomes[status] ?? 0) + 1
    const sum = (of: (result: NonNullable<SeedOutcome['runs'][number]['result']>) => number): number =>
      runs.reduce((total, { result }) => total + (result ? of(result) : 0), 0)
    const report: SeedReport = {
      seed,
      ok,
      outcomes,
      spentUsd: sum(({ cost }) => (cost.usd === 'unknown' ? 0 : cost.usd)),
      attempts: sum(({ attempts }) => attempts),
      restarts: sum(({ restarts }) => restarts),
      lives,
      simulatedMs,
      ...(recoveryMs === undefined ? {} : { recoveryMs }),
      digest,
    }
    this.#reports.push(report)
    this.#settings.onSeed?.(report)
  }

  #result(journal: string, failed?: SeedOutcome, broken: readonly Broken[] = []): SimulationResult {
    const [violation] = broken
    const result = {
      ok: failed === undefined,
      ...(failed ? { seed: failed.seed, violation, trace: failed.trace, replay: this.#replay(failed.seed) } : {}),
      violations: broken,
      journal,
      seeds: this.#reports,
      outside: [...this.#outside.values()],
      coverage: this.#coverage.coverage(),
      simulatedHours: this.#reports.reduce((sum, { simulatedMs }) => sum + simulatedMs, 0) / 3_600_000,
    }
    return { ...result, report: reportOf(this.#name, result) }
  }

  #replay(seed: number): string {
    const { faults } = this.#given
    const functions = (
      ['invariants', 'signals', 'answers', 'stages', 'files', 'programs', 'input', 'start'] as const
    ).filter(name => this.#given[name] !== undefined)
    const options = [
      `seeds: [${seed}]`,
      ...(faults === undefined
        ? []
        : [`faults: ${typeof faults === 'string' ? `'${faults}'` : JSON.stringify(this.#faults)}`]),
      ...(this.#settings.runs === undefined ? [] : [`runs: ${this.#settings.runs}`]),
      ...functions,
    ]
    return `simulate(${this.#name.replace(/\W/g, '_')}, { ${options.join(', ')} })`
  }

  readonly #inspect = (event: { readonly type: string }): void => {
    if (event.type !== '@xstate.microstep') return
    const { _transitions, snapshot } = event as unknown as { _transitions: never[]; snapshot: { _nodes?: unknown } }
    for (const transition of _transitions) this.#coverage.took(transition)
    if (snapshot._nodes) this.#coverage.entered(snapshot as never)
  }
}

/** The runs of one workflow, with what they need from chance or from the user. */
function scenarioOf(workflow: AnyWorkflow, settings: Settings): Pick<Scenario, 'open' | 'begin' | 'signal'> {
  const definition = definitionOf(workflow)
  for (const name of Object.keys(settings.stages ?? {})) {
    if (!definition.stages.has(name)) {
      const known = [...definition.stages.keys()].join(', ')
      throw new OptionsError(`simulate: stages.${name}: workflow '${workflow.name}' has no such stage; it has ${known}`)
    }
  }
  const samples = createSamples(definition, {
    input: settings.input,
    hasInput: 'input' in settings,
    signals: settings.signals ?? {},
  })
  return {
    open: (options, watch, children) => {
      const workflows = [watch(workflow), ...children]
      return createRuntime({ ...options, workflows, remedies: absentRemedies(workflows) })
    },
    begin: (runtime, { random, watch }) => {
      const count = settings.runs ?? 1 + Math.floor(random() * 3)
      const starts = Array.from({ length: count }, (_, index) =>
        runtime.start(watch(workflow) as never, samples.input(random) as never, {
          id: `run-${index + 1}`,
          cwd: '/simulated',
          ...(settings.budget === undefined ? {} : { budget: settings.budget }),
        }),
      )
      return Promise.all(starts)
    },
    signal: (name, random) => samples.signal(name, random),
  }
}

/** The stages of a workflow that data of their own schema can stand in for: those with `output`. */
export const stagesWithOutput = (workflow: AnyWorkflow): readonly string[] =>
  [...definitionOf(workflow).stages.values()].filter(({ output }) => output !== undefined).map(({ name }) => name)

function scenarioOfFactory(factory: RuntimeFactory, settings: Settings): Pick<Scenario, 'open' | 'begin' | 'signal'> {
  const { start } = settings
  const samples = createSamples(undefined, { input: undefined, hasInput: false, signals: settings.signals ?? {} })
  return {
    open: async (options, watch) => factory(options, { watch }),
    begin: async (runtime, { random }) => {
      if (start) return [await start(runtime, { random })]
      const { items } = await runtime.list({ limit: 1000 })
      return Promise.all(items.filter(({ parent }) => parent === undefined).map(({ id }) => runtime.get(id)))
    },
    signal: (name, random) => samples.signal(name, random),
  }
}

function answersOf(given: SimulateOptions['answers']): Scenario['answers'] {
  if (given === undefined) return undefined
  return typeof given === 'function' ? (given as Scenario['answers']) : () => given
}

/** What a second time gave that the first did not. */
function differences(first: SeedOutcome, second: SeedOutcome | undefined): Broken[] {
  if (!second || first.digest === second.digest) return []
  const before = first.journal.split('\n')
  const after = second.journal.split('\n')
  const at = before.findIndex((line, index) => line !== after[index])
  const place = differsAt(before[at] ?? '', after[at] ?? '')
  const shown = (line: string | undefined): string =>
    line === undefined ? 'nothing' : `${place > 100 ? '… ' : ''}${line.slice(Math.max(0, place - 100), place + 200)}`
  const row = (before[at] ?? after[at]) as string | undefined
  const stage = row === undefined ? undefined : (JSON.parse(row) as { stage?: string }).stage
  return [
    {
      invariant: 'same seed, same journal',
      message: `the second time row ${at + 1} of the journals is another${stage === undefined ? '' : `, of stage '${stage}'`}: what it does depends on something outside of the simulation (a variable of its module, a file, time that was read when it was loaded). First: ${shown(before[at])} Then: ${shown(after[at])}`,
    },
  ]
}

/** Where two texts begin to differ. */
function differsAt(one: string, other: string): number {
  let place = 0
  while (place < one.length && one[place] === other[place]) place++
  return place
}
