/** `holdfast recover`: goes on with every unfinished run of the store, and stays until they have ended. */
import type { Command } from 'commander'
import type { AnyWorkflow, Client, RunReport, RunResult, Runtime } from '../../index.ts'
import { type ExitCode, exitCodeOfResult, exitCodes } from '../exit-codes.ts'
import { type ForegroundEnd, setOff, stayWith } from '../foreground.ts'
import { createWorkflowLoader } from '../load-workflow.ts'
import { asOwner, beside } from '../open-store.ts'
import { describeError } from '../print-error.ts'
import { sayWaits } from '../print-waits.ts'
import type { Session } from '../session.ts'
import { quoted } from '../shell.ts'
import { workflowsOfRun } from '../workflows-of-run.ts'
import type { Does } from './command.ts'

interface RecoverFlags {
  readonly watch?: boolean
  readonly strict?: boolean
}

interface Skipped {
  readonly id: string
  readonly reason: string
}

export function addRecover(program: Command, does: Does): void {
  program
    .command('recover')
    .description('go on with all unfinished runs, and stay until they have ended or wait for signals')
    .option('--watch', 'stay although they wait for signals')
    .option('--strict', 'exit 6 for any degradation')
    .action(does<RecoverFlags>((session, _args, flags) => beside(session, client => recover(session, client, flags))))
}

async function recover(session: Session, client: Client, flags: RecoverFlags): Promise<ExitCode> {
  const ids = await client.unfinished()
  if (ids.length === 0) return nothingToDo(session)
  const { workflows, missing } = await workflowsOf(client, ids)
  return asOwner(session, { workflows }, async runtime => {
    const report = await setOff(session, ids, () => runtime.recover())
    for (const id of ids) if (!report.recovered.includes(id)) session.guard.release(id)
    const skipped = report.skipped.map(({ id, reason }): Skipped => ({ id, reason: missing.get(id) ?? reason }))
    for (const id of report.recovered) session.terminal.say(`taken up ${id}`)
    const end = await follow(session, client, runtime, report.recovered, flags)
    return finish(session, client, { recovered: report.recovered, skipped, end, strict: flags.strict ?? false })
  })
}

function nothingToDo(session: Session): ExitCode {
  if (session.json) putRecovery(session, [], [], [], [])
  session.terminal.say('there are no unfinished runs')
  return exitCodes.done
}

/** The workflows of all unfinished runs, and for which runs there is none and why. */
async function workflowsOf(
  client: Client,
  ids: readonly string[],
): Promise<{ workflows: AnyWorkflow[]; missing: Map<string, string> }> {
  const load = createWorkflowLoader()
  const workflows = new Set<AnyWorkflow>()
  const missing = new Map<string, string>()
  for (const id of ids) {
    try {
      for (const workflow of await workflowsOfRun(await client.get(id), client, load)) workflows.add(workflow)
    } catch (error) {
      missing.set(id, describeError(error).message)
    }
  }
  return { workflows: [...workflows], missing }
}

async function follow(
  session: Session,
  client: Client,
  runtime: Runtime,
  ids: readonly string[],
  { watch = false }: RecoverFlags,
): Promise<ForegroundEnd> {
  const runs = await Promise.all(ids.map(id => runtime.get(id)))
  for (const run of runs) {
    run.result().then(
      ({ status, runId }) => session.terminal.say(`${status} ${runId}`),
      () => {},
    )
  }
  return stayWith({ session, runtime, client, runs, stays: watch, leavesPaused: true })
}

interface Recovery {
  readonly recovered: readonly string[]
  readonly skipped: readonly Skipped[]
  readonly end: ForegroundEnd
  readonly strict: boolean
}

async function finish(
  session: Session,
  client: Client,
  { recovered, end, strict, ...recovery }: Recovery,
): Promise<ExitCode> {
  const results = [...end.results.values()]
  const unfinished: RunReport[] = []
  for (const id of recovered) if (!end.results.has(id)) unfinished.push(await client.get(id))
  const skipped = await leftOut(client, recovery.skipped, unfinished)
  for (const { id, reason } of skipped) session.terminal.say(`skipped ${id}: ${reason}`)
  if (session.json) putRecovery(session, recovered, skipped, results, unfinished)
  if (end.stoppedBy !== undefined) {
    session.terminal.say(
      `${end.stoppedBy === 'SIGINT' ? 'interrupted' : 'terminated'}; go on with: ${session.command('recover')}`,
    )
    return end.stoppedBy === 'SIGINT' ? exitCodes.interrupted : exitCodes.terminated
  }
  for (const report of unfinished) {
    if (report.status === 'paused')
      session.terminal.say(`run ${report.id} is paused; go on with: ${session.command(`resume ${quoted(report.id)}`)}`)
    else sayWaits(session, report)
  }
  return worstOf(await codesOf(client, results, strict), skipped.length > 0, unfinished.length > 0)
}

/** Without the children that the code of their parent has taken up meanwhile: they have ended, or it waits for them. */
async function leftOut(
  client: Client,
  skipped: readonly Skipped[],
  unfinished: readonly RunReport[],
): Promise<Skipped[]> {
  const awaited = new Set(unfinished.flatMap(({ waitingFor }) => waitingFor.map(wait => wait.name)))
  const left: Skipped[] = []
  for (const run of skipped) {
    if (!awaited.has(run.id) && (await client.get(run.id)).endedAt === undefined) left.push(run)
  }
  return left
}

function putRecovery(
  session: Session,
  recovered: readonly string[],
  skipped: readonly Skipped[],
  results: readonly RunResult[],
  left: readonly RunReport[],
): void {
  const unfinished = left.map(({ id, status, waitingFor }) => ({ id, status, waitingFor }))
  session.terminal.put(JSON.stringify({ recovered, skipped, results, unfinished }, null, 2))
}

async function codesOf(client: Client, results: readonly RunResult[], strict: boolean): Promise<ExitCode[]> {
  const codes: ExitCode[] = []
  for (const result of results) codes.push(exitCodeOfResult(result, { lost: await lostStages(client, result), strict }))
  return codes
}

/** How many optional stages and items a run lost; read from its journal only where something degraded at all. */
async function lostStages(client: Client, { runId, degraded }: RunResult): Promise<number> {
  if (degraded.length === 0) return 0
  let lost = 0
  for await (const { type } of client.events(runId)) if (type === 'stage.degraded') lost++
  return lost
}

/** What failed or could not be taken up weighs most, then what still waits, then what was lost. */
function worstOf(codes: readonly ExitCode[], anySkipped: boolean, anyWaiting: boolean): ExitCode {
  if (anySkipped || codes.some(code => code === exitCodes.failed || code === exitCodes.timedOut))
    return exitCodes.failed
  if (anyWaiting) return exitCodes.waiting
  return codes.includes(exitCodes.lossy) ? exitCodes.lossy : exitCodes.done
}
