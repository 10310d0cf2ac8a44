/**
 * `holdfast simulate <workflow>`: runs of it in a simulated world in which everything fails, seed after seed. Nothing of
 * the real world is touched: no store, no model, no network. A violation ends with 1 and the line that does it again.
 */
import { type Command, Option } from 'commander'
import { findBundled } from '../../bundled/index.ts'
import { OptionsError } from '../../index.ts'
import type { SeedReport, SimulateOptions, SimulationResult } from '../../testing.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { importWorld } from '../import-world.ts'
import { createWorkflowLoader } from '../load-workflow.ts'
import { collected, parseCount, parseInput } from '../parse-flags.ts'
import { replayInSimulator } from '../replay-in-simulator.ts'
import type { Session } from '../session.ts'
import { quoted } from '../shell.ts'
import type { Does } from './command.ts'

interface SimulateFlags {
  readonly seeds?: string
  readonly faults?: string
  readonly replay?: string
  readonly input?: string
  readonly standIn?: readonly string[]
  readonly world?: string
}

const usualSeeds = 100

export function addSimulate(program: Command, does: Does): void {
  program
    .command('simulate')
    .argument('<workflow>', 'a file that default-exports a workflow, or the name of a bundled one')
    .description('try a workflow in a simulated world in which everything fails')
    .addOption(new Option('--seeds <n>', `how many seeds (${usualSeeds})`).conflicts('replay'))
    .option('--faults <profile>', 'what fails: none, crashes, disk, providers, clock, owners, operators or all', 'all')
    .option(
      '--replay <seed>',
      'only this seed, with all that happens in it; or the id of a run: that run again, with the faults of --chaos',
    )
    .option('--input <json>', "the input: JSON, '@file', or '-'; without it by chance, of the workflow's schema")
    .option(
      '--stand-in <stages>',
      'stages that need the real world, with commas: data of their `output` schema stands in for them',
      collected,
    )
    .option(
      '--world <file>',
      'a file that default-exports what there is in the simulation: `files`, `programs`, `answers`, `stages`, `signals`, `input`, `invariants` (a bundled workflow has a world of its own)',
    )
    .action(does<SimulateFlags>(run))
}

async function run(session: Session, [name = '']: readonly string[], flags: SimulateFlags): Promise<ExitCode> {
  if (flags.replay !== undefined && !isSeed(flags.replay)) {
    return replayInSimulator(session, (await createWorkflowLoader()(name)).workflow, flags.replay)
  }
  const seeds = flags.replay === undefined ? countOf(flags.seeds) : [Number(flags.replay)]
  const input = flags.input === undefined ? {} : { input: await parseInput({ input: flags.input }) }
  const { workflow } = await createWorkflowLoader()(name)
  // Loaded when it is asked for: no other command needs it.
  const { simulate, stagesWithOutput } = await import('../../testing.ts')
  const standIns = standInsOf(stagesWithOutput(workflow), flags.standIn)
  const world = await worldOf(name, flags.world)
  const total = typeof seeds === 'number' ? seeds : seeds.length
  const result = await simulate(workflow, {
    ...world,
    seeds,
    faults: flags.faults,
    stages: { ...world.stages, ...Object.fromEntries(standIns.map(stage => [stage, true])) },
    onSeed: progress(session, total),
    ...input,
  })
  session.terminal.pin([])
  const replay = result.seed === undefined ? undefined : replayCommand(session, name, result.seed, flags)
  tell(session, result, replay)
  return result.ok ? exitCodes.done : exitCodes.failed
}

function tell({ json, terminal }: Session, result: SimulationResult, replay: string | undefined): void {
  if (json) {
    const { report: _, journal: __, ...data } = result
    terminal.put(JSON.stringify({ ...data, ...(replay === undefined ? {} : { replay }) }, null, 2))
    return
  }
  // The line of the library is for a program; a person here types a command.
  terminal.put(
    replay === undefined ? result.report : result.report.replace(`again: ${result.replay}`, `again: ${replay}`),
  )
}

/** On a terminal a line that is redrawn, else one for each tenth of the seeds. */
function progress({ terminal }: Session, total: number): (seed: SeedReport) => void {
  let done = 0
  let simulatedMs = 0
  return ({ ok, simulatedMs: more }) => {
    done++
    simulatedMs += more
    const line = `${done} of ${total} seeds, ${(simulatedMs / 3_600_000).toFixed(1)} simulated hours${ok ? '' : ', and a violation'}`
    if (terminal.isLive) terminal.pin([line])
    else if (!ok || done === total || done % Math.max(1, Math.ceil(total / 10)) === 0) terminal.say(line)
  }
}

function replayCommand(
  session: Session,
  name: string,
  seed: number,
  { faults, input, standIn, world }: SimulateFlags,
): string {
  const flags = [
    ...(faults === undefined || faults === 'all' ? [] : [`--faults ${faults}`]),
    ...(input === undefined ? [] : [`--input ${quoted(input)}`]),
    ...(standIn ?? []).map(stages => `--stand-in ${stages}`),
    ...(world === undefined ? [] : [`--world ${quoted(world)}`]),
  ]
  return session.command(['simulate', quoted(name), '--replay', String(seed), ...flags].join(' '))
}

const countOf = (given: string | undefined): number => (given === undefined ? usualSeeds : parseCount(given, '--seeds'))

const isSeed = (text: string): boolean => text.trim() !== '' && Number.isInteger(Number(text))

/** What the file says that there is; of a workflow that ships, its own world. */
async function worldOf(name: string, file: string | undefined): Promise<SimulateOptions> {
  if (file !== undefined) return importWorld(file)
  if (!findBundled(name)) return {}
  const { bundledWorld } = await import('../../testing.ts')
  return bundledWorld(name)
}

function standInsOf(known: readonly string[], given: readonly string[] | undefined): readonly string[] {
  if (given === undefined) return []
  const asked = given.flatMap(text => text.split(',')).map(text => text.trim())
  const other = asked.find(stage => !known.includes(stage))
  if (other === undefined) return asked
  throw new OptionsError(
    `--stand-in: stage '${other}' has no \`output\` schema of which data could be made${known.length > 0 ? `; ${known.join(', ')} have one` : ''}`,
  )
}
