/** `holdfast run <workflow>`: starts a run and stays with it, or leaves it to a process of its own. */
import { type Command, Option } from 'commander'
import { preview } from '../../bundled/index.ts'
import {
  type Client,
  createIds,
  type PlanOptions,
  planOf,
  type Runtime,
  systemClock,
  systemRandom,
} from '../../index.ts'
import { chaosOf } from '../chaos-flag.ts'
import { conduct } from '../conduct.ts'
import { announcement, startDetached, unheard } from '../detach.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { setOff } from '../foreground.ts'
import { createWorkflowLoader, type LoadedWorkflow } from '../load-workflow.ts'
import { asOwner, beside } from '../open-store.ts'
import { collected, overridesOf, parseBudget } from '../parse-flags.ts'
import { planLines } from '../print-plan.ts'
import { runInput } from '../run-input.ts'
import type { Session } from '../session.ts'
import { type SpendingNotice, sayNotice, spendingNotice } from '../spending-notice.ts'
import type { Does } from './command.ts'

interface RunFlags {
  readonly input?: string
  readonly path?: string
  readonly id?: string
  readonly profile?: string
  readonly mode?: 'full' | 'minimal'
  readonly budget?: readonly string[]
  readonly tag?: readonly string[]
  readonly watch?: boolean
  readonly detach?: boolean
  readonly strict?: boolean
  readonly maxRetries?: string
  readonly timeoutMultiplier?: string
  readonly local?: boolean
  readonly dryRun?: boolean
  readonly chaos?: string
  /** For the process of a detached run: it says on stdout when its start is durable. */
  readonly announce?: boolean
}

export function addRun(program: Command, does: Does): void {
  program
    .command('run')
    .argument('<workflow>', 'a file that default-exports a workflow, or the name of a bundled one')
    .description('start a run and stay with it until it ends')
    .option('--input <json>', "the input: JSON, '@file', or '-' for stdin")
    .option('--path <dir>', "the input's `path`, as an absolute path")
    .option('--id <id>', 'the id of the run; the same id is the same run')
    .option('--profile <name>', 'the resilience profile of its stages: critical, balanced or tolerant')
    .addOption(
      new Option('--mode <mode>', 'minimal: without health monitors and degradation').choices(['full', 'minimal']),
    )
    .option('--budget <currency=amount>', 'the most that it may use, as usd=1,calls=10 (repeatable)', collected)
    .option('--max-retries <n>', 'tries after the first, in every profile (HOLDFAST_MAX_RETRIES)')
    .option('--timeout-multiplier <factor>', 'every timeout times this (HOLDFAST_TIMEOUT_MULTIPLIER)')
    .option('--local', 'ask no model but those of this machine: nothing leaves it, and nobody is paid')
    .addOption(
      new Option('--dry-run', 'print the plan and what it can take at the most, and start nothing').conflicts([
        'detach',
        'watch',
        'chaos',
      ]),
    )
    .option('--tag <tag>', 'a tag to find it by (repeatable)', collected)
    .addOption(new Option('--watch', 'stay although it waits for a signal').conflicts('detach'))
    .option('--detach', 'leave it to a process of its own, and print its id')
    .option('--strict', 'exit 6 for any degradation')
    .option(
      '--chaos <profile>',
      'in development: inject faults of this profile (crashes, disk, providers, clock, owners, operators, all), as profile@seed the same again',
    )
    .addOption(new Option('--announce').hideHelp())
    .action(does<RunFlags>((session, args, flags) => run(flags.announce ? unheard(session) : session, args, flags)))
}

async function run(session: Session, [name = '']: readonly string[], flags: RunFlags): Promise<ExitCode> {
  // All that can be wrong with what was asked is found before the store is touched.
  const given = parseBudget(flags.budget)
  const { input, cwd } = await runInput(name, flags)
  const overrides = overridesOf(flags)
  const loaded = await createWorkflowLoader()(name)
  const id = flags.id ?? createIds(systemClock, systemRandom).run(loaded.workflow.name)
  const chaos = await chaosOf(session, flags.chaos, { workflow: name, id })
  const previewed = await preview(name, input)
  const { profile, local } = flags
  const notice = await spendingNotice(loaded.workflow, input, { budget: given, profile, local })
  if (flags.dryRun) return showPlan(session, loaded, notice, previewed, { input, profile, ...overrides })
  const { budget } = notice
  sayNotice(session, notice)
  if (flags.detach) return startDetached(session, { name, id, input, flags: { ...flags, ...chaos?.flags } })
  return beside(session, async client => {
    const known = flags.id === undefined ? false : await isUnfinished(client, flags.id)
    const others = await unfinishedBut(client, id)
    const { mode } = flags
    return asOwner(session, { workflows: loaded.all, mode, chaos: chaos?.chaos }, async runtime => {
      const start = {
        id,
        budget,
        profile,
        tags: flags.tag,
        cwd,
        ...overrides,
      }
      const started = await setOff(session, [id], () => begin(runtime, loaded, input, start))
      if (flags.announce) session.terminal.put(announcement(id, await started.status()))
      sayUnfinished(session, others)
      if (known) {
        session.terminal.say(`run ${id} is unfinished; going on with it`)
        await started.resume()
      }
      const { watch = false, strict = false } = flags
      return conduct({ session, runtime, client, run: started, watch, strict })
    })
  }).finally(() => chaos?.sayEnd())
}

function showPlan(
  session: Session,
  { workflow }: LoadedWorkflow,
  { budget, models, estimate, refusal }: SpendingNotice,
  previewed: readonly string[],
  options: PlanOptions,
): ExitCode {
  const known = models && { providers: models.providers, catalogue: models.registry }
  const plan = planOf(workflow, { ...options, ...known, budget, texts: estimate?.stages })
  if (session.json) session.terminal.put(JSON.stringify(plan, null, 2))
  else for (const line of [...previewed, ...planLines(plan)]) session.terminal.put(line)
  if (refusal) session.terminal.say(`a start would be refused: ${refusal.message}`)
  return exitCodes.done
}

const begin = (
  runtime: Runtime,
  { workflow }: LoadedWorkflow,
  input: unknown,
  options: Parameters<Runtime['start']>[2],
) => runtime.start(workflow, input, options)

async function isUnfinished(client: Client, id: string): Promise<boolean> {
  return (await client.unfinished()).includes(id)
}

/** How many runs wait for somebody to go on with them; the children of the run itself are its own affair. */
async function unfinishedBut(client: Client, id: string): Promise<number> {
  return (await client.unfinished()).filter(other => other !== id && !other.startsWith(`${id}.`)).length
}

/** Runs of earlier are not taken up unasked: they may do what nobody expects now. */
function sayUnfinished(session: Session, count: number): void {
  if (count === 0) return
  session.terminal.say(
    `${count === 1 ? '1 unfinished run' : `${count} unfinished runs`} from earlier: ${session.command('recover')}`,
  )
}
