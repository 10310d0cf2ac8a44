/**
 * How a run of a machine of one's own goes over to a newer definition: `migrate` turns the snapshot of the machine into
 * one of the new. What it gives is looked at before anything is written: a snapshot with a state or an actor that the
 * new machine does not have, or none at all, leaves the run as it was, waiting for a definition that fits.
 */
import type { AnyStateMachine } from 'xstate'
import { SnapshotError } from '../../errors.ts'
import type { DefinitionMark, JsonText, RunRow, StoredRun } from '../../store/store.ts'
import type { WorkflowDefinition } from '../../workflow/definition.ts'
import { encodeJson } from '../../workflow/results.ts'

export interface Migration {
  readonly from: DefinitionMark
  readonly to: DefinitionMark
}

interface SavedActor {
  readonly snapshot: SavedSnapshot
  readonly src?: unknown
}

interface SavedSnapshot {
  readonly status?: unknown
  readonly value?: unknown
  readonly children?: Readonly<Record<string, SavedActor>>
}

/** The stored run under the definition that it goes on with; `migration` where that is another than it had. */
export function migrated(
  stored: StoredRun,
  definition: WorkflowDefinition,
): { readonly stored: StoredRun; readonly migration?: Migration } {
  const { run } = stored
  const { version, hash: definitionHash } = definition
  if (run.definitionHash === definitionHash && run.version === version) return { stored }
  const to = { version, definitionHash }
  const from = { version: run.version, definitionHash: run.definitionHash }
  const snapshot = run.snapshot === null ? null : migratedSnapshot(run, run.snapshot, definition)
  return { stored: { ...stored, run: { ...run, ...to, snapshot } }, migration: { from, to } }
}

/** The machine of the user's is one actor of the run; where it has ended already there is nothing to turn. */
function migratedSnapshot(run: RunRow, text: JsonText, definition: WorkflowDefinition): JsonText {
  const saved = JSON.parse(text) as SavedSnapshot
  const flow = saved.children?.flow
  if (flow?.snapshot.status !== 'active') return text
  const { machine, migrate, name } = definition
  try {
    const from = { version: run.version, hash: run.definitionHash }
    const turned = JSON.parse(encodeJson(migrate?.(flow.snapshot, from), 'what it returned') ?? 'null') as unknown
    refuseUnfit(turned, machine, 'the snapshot')
    return JSON.stringify({ ...saved, children: { ...saved.children, flow: { ...flow, snapshot: turned } } })
  } catch (cause) {
    const { message } = (cause ?? {}) as { message?: unknown }
    throw new SnapshotError(
      `run ${run.id} could not be migrated from version ${run.version} of workflow '${name}' to version ${definition.version}: ${String(message ?? cause)}; mend \`migrate\`, or give the definition it was begun with`,
      { code: 'workflow_changed', runId: run.id, workflow: name },
      { cause },
    )
  }
}

/** XState finds a state that is not there only when it restores, and an actor that is not there never. */
function refuseUnfit(saved: unknown, machine: AnyStateMachine, what: string): void {
  const { value, children = {}, status } = (saved ?? {}) as SavedSnapshot
  if (value === undefined || typeof status !== 'string')
    throw new Error(`${what} that \`migrate\` returned is none of an XState machine: it has no value or no status`)
  machine.resolveState({ value, context: {} } as never)
  for (const [id, { src, snapshot }] of Object.entries(children)) {
    const logic = typeof src === 'string' ? (machine.implementations.actors as Record<string, unknown>)[src] : undefined
    if (logic === undefined)
      throw new Error(`${what} has an actor '${id}' of '${String(src)}', which the machine does not have`)
    if (isMachine(logic) && snapshot.status === 'active') refuseUnfit(snapshot, logic, `the snapshot of actor '${id}'`)
  }
}

const isMachine = (logic: unknown): logic is AnyStateMachine =>
  typeof (logic as Partial<AnyStateMachine>).resolveState === 'function'
