/** A run of the store as a recording, its children included, with the workflow that it is to be replayed with. */
import { secretValues } from '../config/secret-values.ts'
import type { AnyWorkflow, Bundle, Client } from '../index.ts'
import type { MadeRecording } from '../testing.ts'
import { createWorkflowLoader } from './load-workflow.ts'
import { workflowsOfRun } from './workflows-of-run.ts'

export interface RecordingOfRun extends MadeRecording {
  readonly redacted: number
}

/** @throws RunNotFoundError */
export async function recordingOfRun(client: Client, runId: string): Promise<RecordingOfRun> {
  const bundles: Bundle[] = []
  const gather = async (id: string): Promise<void> => {
    const bundle = await client.bundle(id, { secrets: secretValues() })
    bundles.push(bundle)
    for (const { type, data } of bundle.journal) {
      if (type !== 'child.started') continue
      const { childId } = JSON.parse(data) as { childId: string }
      if (!bundles.some(({ run }) => run.id === childId)) await gather(childId).catch(() => {})
    }
  }
  await gather(runId)
  const { recordingOf } = await import('../testing.ts')
  return { ...recordingOf(bundles), redacted: bundles.reduce((sum, { redacted }) => sum + redacted, 0) }
}

/** The workflow of the run as it is now: of the file that is named, or of where the run came from. */
export async function workflowOfRun(
  client: Client,
  runId: string,
  file: string | undefined,
): Promise<{ readonly workflow: AnyWorkflow; readonly source: string | undefined }> {
  const report = await client.get(runId)
  const load = createWorkflowLoader()
  const all = file === undefined ? await workflowsOfRun(report, client, load) : (await load(file)).all
  const workflow = all.find(({ name }) => name === report.workflow) ?? (all[0] as AnyWorkflow)
  return { workflow, source: file ?? report.source }
}
