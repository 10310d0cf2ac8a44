/**
 * The workflows that are needed to go on with a run: those of the file that it came from, the bundled one of its name,
 * or, for a child that was started by code, those that the file of its parent exports.
 */
import { findBundled } from '../bundled/index.ts'
import { type AnyWorkflow, type Client, HoldfastError, type RunReport } from '../index.ts'
import type { WorkflowLoader } from './load-workflow.ts'

/** @throws HoldfastError `workflow_unknown workflow_not_found workflow_invalid` */
export async function workflowsOfRun(
  report: RunReport,
  client: Client,
  load: WorkflowLoader,
): Promise<readonly AnyWorkflow[]> {
  if (report.source !== undefined) return (await load(report.source)).all
  const bundled = findBundled(report.workflow)
  if (bundled) return [bundled]
  if (report.parent !== undefined) {
    const ofParent = await workflowsOfRun(await client.get(report.parent), client, load)
    if (ofParent.some(({ name }) => name === report.workflow)) return ofParent
    throw unknown(
      report,
      `run ${report.id} is a child of workflow '${report.workflow}', which only the code of its parent ${report.parent} has: go on with the parent (resume --watch) and try again while it runs, or export '${report.workflow}' from the parent's file`,
    )
  }
  throw unknown(
    report,
    `run ${report.id} is of workflow '${report.workflow}', which was given in code and not by a file: only the program that has it can go on with the run`,
  )
}

const unknown = ({ id, workflow }: RunReport, message: string): HoldfastError =>
  new HoldfastError('workflow_unknown', message, { runId: id, workflow })
