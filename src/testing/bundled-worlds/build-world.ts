/**
 * The world of `build`: a plan of commands that work, fail, or fail at first, and a shell that does as they say. Which of
 * them ran, when and with which key is then held against the plan.
 */
import type { Random } from '../../time/random.ts'
import type { SimulatedRun } from '../simulator/scenario.ts'
import type { ProgramCall, ProgramEnd, ProgramRun } from '../simulator/world/programs.ts'
import { expectEqual, outputOf, upTo } from './invented.ts'
import type { BundledWorld } from './world.ts'

const directory = '/simulated/project'
const planFile = `${directory}/plan.md`

interface Command {
  readonly run: string
  readonly goesOn: boolean
}

function files(random: Random): Record<string, string> {
  const blocks = Array.from({ length: 1 + upTo(6, random) }, (_, number) => {
    const verb = random() < 0.7 ? 'make' : random() < 0.6 ? 'flicker' : 'break'
    const goesOn = random() < (verb === 'break' ? 0.6 : 0.2) ? ' continueOnError' : ''
    const retries = random() < 0.5 ? ` retries=${upTo(3, random)}` : ''
    return `\`\`\`sh timeout=10m${retries}${goesOn}\n${verb} part-${number}\n\`\`\``
  })
  return { [planFile]: `# The parts\n\n${blocks.join('\n\n')}\n` }
}

function shell({ args, random }: ProgramCall): ProgramEnd {
  const line = args.at(-1) ?? ''
  const fails = line.startsWith('break') || (line.startsWith('flicker') && random() < 0.5)
  return fails ? { exitCode: 1, stderr: `cannot ${line}\n` } : { stdout: `${line} is done\n` }
}

/** The plan, as the file has it. */
const commandsOf = ({ files: all }: SimulatedRun): readonly Command[] =>
  [...(all[planFile] ?? '').matchAll(/```sh([^\n]*)\n(.*)\n```/g)].map(([, settings = '', run = '']) => ({
    run,
    goesOn: settings.includes('continueOnError'),
  }))

const lineOf = ({ args }: ProgramRun): string => args.at(-1) ?? ''

/** One after the other: none before the one above it has ended well, or has failed and may. */
function inTheirOrder(run: SimulatedRun): void {
  const commands = commandsOf(run)
  const ended = new Map<string, ProgramRun>()
  for (const started of run.programs) {
    const place = commands.findIndex(({ run: line }) => line === lineOf(started))
    if (place < 0) throw new Error(`'${lineOf(started)}' is not in the plan`)
    for (const { run: line, goesOn } of commands.slice(0, place)) {
      const before = ended.get(line)
      if (!before) throw new Error(`'${lineOf(started)}' began, and '${line}' before it was not run`)
      if (before.isHeard && before.exitCode !== 0 && !goesOn)
        throw new Error(`'${lineOf(started)}' began after '${line}' had failed`)
      if (before.isHeard && (before.endedAt ?? Infinity) > started.startedAt)
        throw new Error(`'${lineOf(started)}' began while '${line}' was running`)
    }
    const later = commands.slice(place + 1).find(({ run: line }) => ended.has(line))
    if (later) throw new Error(`'${lineOf(started)}' ran once more after '${later.run}'`)
    ended.set(lineOf(started), started)
  }
}

/** Each command has a key of its own, the same however often it is tried. */
function byTheirKeys(run: SimulatedRun): void {
  const keys = new Map<string, string>()
  for (const started of run.programs) {
    const key = String(started.env.HOLDFAST_IDEMPOTENCY_KEY)
    const known = keys.get(lineOf(started)) ?? key
    if (known !== key) throw new Error(`'${lineOf(started)}' was given ${known}, and then ${key}`)
    keys.set(lineOf(started), key)
  }
  if (new Set(keys.values()).size !== keys.size) throw new Error('two commands were given the same key')
}

function toldAsTheyEnded(run: SimulatedRun): void {
  const output = outputOf<{ readonly commands: readonly { readonly title: string; readonly status: string }[] }>(run)
  if (!output) return
  const commands = commandsOf(run)
  const last = new Map(run.programs.map(started => [lineOf(started), started]))
  const expected = commands.map(({ run: line }) => (last.get(line)?.exitCode === 0 ? 'succeeded' : 'failed'))
  expectEqual(
    output.commands.map(({ status }) => status),
    expected,
    'the commands are told as',
  )
}

export const buildWorld: BundledWorld = {
  input: { path: directory },
  files,
  programs: { sh: shell },
  invariants: {
    'commands run in the order of the plan, none again after the next': inTheirOrder,
    'a command has one key': byTheirKeys,
    'each command is told as it ended': toldAsTheyEnded,
  },
}
