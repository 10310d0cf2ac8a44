/**
 * A command about one run, given to whoever has it: the live owner of the store through the store, or, where there is
 * none, a runtime of this process that takes the run up for that and lets go of it again.
 */
import type { Client, CommandAnswer, CommandArguments, CommandName, Run, RunReport } from '../index.ts'
import { errorCodeOf } from './exit-codes.ts'
import { createWorkflowLoader } from './load-workflow.ts'
import { asOwner, beside } from './open-store.ts'
import type { Session } from './session.ts'
import { workflowsOfRun } from './workflows-of-run.ts'

export interface CommandOutcome extends CommandAnswer {
  /** The process that took it; undefined where this one did. */
  readonly takenBy?: number | undefined
}

/** The commands that apply to a run that has not ended. */
export type OpenRunCommand = 'cancel' | 'pause' | 'resume' | 'signal'

/** @throws RunNotFoundError; HoldfastError `run_not_open run_imported owner_silent` and whatever refuses the command */
export function commandRun(
  session: Session,
  runId: string,
  name: OpenRunCommand,
  args: CommandArguments,
): Promise<CommandOutcome> {
  return beside(session, async client => {
    const report = await client.getOpen(runId)
    return (await handOver(client, runId, name, args)) ?? takeOver(session, client, report, name, args)
  })
}

/** Undefined where no live process owns the store. */
export async function handOver(
  client: Client,
  runId: string,
  name: CommandName,
  args: CommandArguments,
): Promise<CommandOutcome | undefined> {
  const owner = await client.owner()
  if (!owner) return undefined
  return { ...(await client.command(runId, name, args)), takenBy: owner.pid }
}

async function takeOver(
  session: Session,
  client: Client,
  report: RunReport,
  name: OpenRunCommand,
  args: CommandArguments,
): Promise<CommandOutcome> {
  const workflows = await workflowsOfRun(report, client, createWorkflowLoader())
  try {
    return await asOwner(session, { workflows }, async runtime => {
      const run = await runtime.get(report.id)
      await carryOut(run, name, args)
      return { id: run.id, status: await run.status() }
    })
  } catch (error) {
    // Somebody was faster and owns the store now: the command is for them.
    const taken = errorCodeOf(error) === 'store_owned' ? await handOver(client, report.id, name, args) : undefined
    if (taken) return taken
    throw error
  }
}

async function carryOut(
  run: Run,
  name: OpenRunCommand,
  { reason, name: signal = '', payload }: CommandArguments,
): Promise<void> {
  if (name === 'pause') return run.pause(reason)
  if (name === 'resume') return run.resume()
  if (name === 'signal') return run.signal(signal, payload)
  await run.cancel(reason)
  await run.result()
}
