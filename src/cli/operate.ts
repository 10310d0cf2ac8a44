/**
 * An operation on a run, given to whoever owns the store, or carried out by this process, which makes it durable and
 * lets go again: it never goes on with the run by itself.
 */
import { hostname, userInfo } from 'node:os'
import type {
  AnyWorkflow,
  Client,
  CommandAnswer,
  CommandArguments,
  CommandName,
  Run,
  RunReport,
  Runtime,
} from '../index.ts'
import { handOver } from './command-run.ts'
import { errorCodeOf } from './exit-codes.ts'
import { createWorkflowLoader } from './load-workflow.ts'
import { asOwner, beside } from './open-store.ts'
import type { Session } from './session.ts'
import { quoted } from './shell.ts'
import { workflowsOfRun } from './workflows-of-run.ts'

export interface OperationOutcome extends CommandAnswer {
  /** The process that took it; undefined where this one did. */
  readonly takenBy?: number | undefined
}

export interface Operation {
  readonly runId: string
  readonly name: CommandName
  readonly args: CommandArguments
  /** Carries it out here. */
  readonly here: (runtime: Runtime) => Promise<Run & { readonly plan?: CommandAnswer['plan'] }>
  /** The file of the workflow, if not that of the run. */
  readonly workflow?: string | undefined
  /** Whether the code of the run is needed for it. @default true */
  readonly needsWorkflow?: boolean
}

/** @throws RunNotFoundError; whatever refuses the operation */
export function operate(session: Session, operation: Operation): Promise<OperationOutcome> {
  return beside(session, async client => {
    const { runId, name, args } = operation
    const report = await client.get(runId)
    const taken = await handOver(client, runId, name, args)
    if (taken) return taken
    try {
      return await operateHere(session, client, report, operation)
    } catch (error) {
      // Somebody was faster and owns the store now: the operation is for them.
      const late = errorCodeOf(error) === 'store_owned' ? await handOver(client, runId, name, args) : undefined
      if (late) return late
      throw error
    }
  })
}

async function operateHere(
  session: Session,
  client: Client,
  report: RunReport,
  { here, workflow, needsWorkflow = true }: Operation,
): Promise<OperationOutcome> {
  const load = createWorkflowLoader()
  const workflows: readonly AnyWorkflow[] = !needsWorkflow
    ? []
    : workflow === undefined
      ? await workflowsOfRun(report, client, load)
      : (await load(workflow)).all
  return asOwner(session, { workflows }, async runtime => {
    const run = await here(runtime)
    return { id: run.id, status: await run.status(), plan: run.plan }
  })
}

/** Who is at the terminal, for the journal. */
export function operator(): string {
  try {
    return `${userInfo().username}@${hostname()}`
  } catch {
    return hostname()
  }
}

/** How the run stands now, and how to go on with one that nobody has. */
export function sayOperated(session: Session, { id, status, takenBy }: OperationOutcome): void {
  session.terminal.put(`run ${id} is ${status}${takenBy === undefined ? '' : ` (process ${takenBy} has it)`}`)
  if (takenBy === undefined && status !== 'cancelled')
    session.terminal.say(`go on with it: ${session.command(`resume ${quoted(id)}`)}`)
}
