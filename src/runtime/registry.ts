/** The workflows that a runtime knows, by name and version. */
import { OptionsError, SnapshotError } from '../errors.ts'
import { suggestion } from '../options.ts'
import { type KnownProfiles, resolveProfile } from '../resilience/profile-choice.ts'
import type { RunRow } from '../store/store.ts'
import { type AnyWorkflow, definitionOf, sourceOf, type WorkflowDefinition } from '../workflow/definition.ts'

export interface Registry {
  /** True if it was not known before. @throws OptionsError when it names a profile, a task or a remedy that nobody knows */
  add(workflow: AnyWorkflow): boolean
  /** The definition that a stored run goes on with. @throws SnapshotError `workflow_unknown workflow_changed` */
  definitionFor(run: RunRow): WorkflowDefinition
  /** The definition that a fork of the run begins under: its own where it is known, else the latest. @throws SnapshotError `workflow_unknown` */
  definitionForFork(run: RunRow): WorkflowDefinition
  /** The file that exports the workflow, where that is known. */
  sourceOf(definition: WorkflowDefinition): string | undefined
}

/** What the names in a definition may stand for. */
export interface KnownNames {
  readonly profiles: KnownProfiles
  readonly remedies: Readonly<Record<string, unknown>>
}

export function createRegistry(workflows: readonly AnyWorkflow[], names: KnownNames): Registry {
  const byName = new Map<string, WorkflowDefinition[]>()
  const sources = new WeakMap<WorkflowDefinition, string>()

  const add = (workflow: AnyWorkflow): boolean => {
    const definition = definitionOf(workflow)
    const source = sourceOf(workflow)
    if (source !== undefined) sources.set(definition, source)
    const known = byName.get(definition.name) ?? []
    // As with every start but the first: it has been checked, stage by stage.
    if (known[0] === definition) return false
    checkNames(definition, names)
    if (known.some(other => isSame(other, definition))) {
      // The same definition, given again: its functions may be of a newer load of the file.
      byName.set(definition.name, [definition, ...known.filter(other => !isSame(other, definition))])
      return false
    }
    byName.set(definition.name, [definition, ...known])
    return true
  }

  for (const workflow of workflows) add(workflow)

  const find = (run: RunRow): { same: WorkflowDefinition | undefined; latest: WorkflowDefinition } => {
    const known = byName.get(run.workflow) ?? []
    const same = known.find(({ hash, version }) => hash === run.definitionHash && version === run.version)
    const latest = known[0]
    if (latest) return { same, latest }
    throw new SnapshotError(
      `run ${run.id} is of workflow '${run.workflow}', which this runtime was not given; add it to createRuntime({ workflows })`,
      { code: 'workflow_unknown', runId: run.id, workflow: run.workflow },
    )
  }

  return {
    add,
    sourceOf: definition => sources.get(definition),
    definitionForFork(run) {
      const { same, latest } = find(run)
      return same ?? latest
    },
    definitionFor(run) {
      const { same, latest } = find(run)
      if (same) return same
      if (latest.migrate) return latest
      throw new SnapshotError(
        `run ${run.id} was begun with another definition of workflow '${run.workflow}' (version ${run.version}, ${run.definitionHash}; known is version ${latest.version}, ${latest.hash}); give that definition too, or a \`migrate\` function`,
        { code: 'workflow_changed', runId: run.id, workflow: run.workflow },
      )
    },
  }
}

/** Names are checked before anything is started, not when the stage that has them is reached. */
function checkNames(definition: WorkflowDefinition, { profiles, remedies }: KnownNames): void {
  resolveProfile({ workflow: definition }, profiles)
  for (const stage of definition.stages.values()) {
    resolveProfile({ stage, workflow: definition }, profiles)
    const unknown = stage.remedies.find(name => !Object.hasOwn(remedies, name))
    if (unknown === undefined) continue
    throw new OptionsError(
      `stage '${stage.name}' of workflow '${definition.name}': there is no remedy '${unknown}'${suggestion(unknown, Object.keys(remedies))}; give it to createRuntime({ remedies })`,
      { stage: stage.name, remedy: unknown },
    )
  }
}

const isSame = (a: WorkflowDefinition, b: WorkflowDefinition): boolean => a.hash === b.hash && a.version === b.version
