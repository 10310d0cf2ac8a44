/**
 * The workflows that are needed to go on with a run: those of the file that it came from, the bundled one of its name,
 * or, for a child that was started by code, those of its parent.
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
  if (report.parent !== undefined) return workflowsOfRun(await client.get(report.parent), client, load)
  throw new HoldfastError(
    'workflow_unknown',
    `run ${report.id} is of workflow '${report.workflow}', which was given in code and not by a file: only the program that has it can go on with the run`,
    { runId: report.id, workflow: report.workflow },
  )
}
