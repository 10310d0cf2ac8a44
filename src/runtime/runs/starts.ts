/**
 * Starts runs. One id is one run: who starts it again gets the same, taken up where an earlier process had begun it, and
 * who starts another under it is refused.
 */
import { RunConflictError } from '../../errors.ts'
import { isEnded, type NewRun, type Store } from '../../store/store.ts'
import type { Ids } from '../../time/ids.ts'
import { type AnyWorkflow, definitionOf, type WorkflowDefinition } from '../../workflow/definition.ts'
import { checkName } from '../names.ts'
import type { Registry } from '../registry.ts'
import type { RunServices } from '../run/live.ts'
import { ActorRun } from '../run/live-run.ts'
import { isSameInput, keptInput } from '../run/run-input.ts'
import type { ResolvedStart } from '../runtime-options.ts'
import type { Adoption } from './adoption.ts'
import type { Passivation } from './passivation.ts'
import { asleep, type RunsInMemory } from './runs-in-memory.ts'

export interface StartsParts {
  readonly store: Store
  readonly registry: Registry
  readonly services: RunServices
  readonly ids: Ids
  readonly memory: RunsInMemory
  readonly adoption: Adoption
  readonly passivation: Passivation
}

/** Generated ids that are tried before a start is refused. */
const mostDraws = 100

export class Starts {
  readonly #parts: StartsParts

  constructor(parts: StartsParts) {
    this.#parts = parts
  }

  /** Starts the run, or finds the one of that id; the start is durable when this resolves. */
  async start(workflow: AnyWorkflow, input: unknown, start: ResolvedStart, parent?: NewRun['parent']): Promise<string> {
    const { store, services, memory, adoption, passivation } = this.#parts
    memory.ensureOpen()
    const definition = definitionOf(workflow)
    this.#learn(workflow, definition, parent)
    const text = keptInput(definition, input)
    const id = start.id === undefined ? await this.freshId(definition.name) : checkName(start.id, 'the id of a run')
    const spec: NewRun = {
      workflow: definition.name,
      version: definition.version,
      definitionHash: definition.hash,
      source: start.source,
      input: text,
      options: JSON.stringify(start.kept),
      tags: start.tags,
      createdAt: services.clock.now(),
      parent,
    }
    if (start.id !== undefined) {
      await memory.starting.get(id)
      const live = memory.find(id)
      const row = live ? undefined : await store.readRun(id)
      const known = live?.spec ?? row
      if (known) {
        refuseOther(id, known, spec, definition)
        // Begun by an earlier process and not taken up yet: it goes on here.
        if (row && !isEnded(row.status) && !(passivation.wakesSleepers && asleep.includes(row.status)))
          await adoption.adopt(id).then(run => run.durable(), unlessEnded)
        return id
      }
      const begun = memory.starting.get(id)
      if (begun) {
        await begun
        return this.start(workflow, input, start, parent)
      }
    }
    const run = new ActorRun(id, definition, spec, services)
    const started = this.#begin(run)
    memory.starting.set(id, started)
    try {
      await started
    } finally {
      memory.starting.delete(id)
    }
    return id
  }

  /** An id that no run has: chance may draw one twice, and a seeded chance does in every new process. */
  async freshId(workflow: string): Promise<string> {
    const { ids, store, memory } = this.#parts
    for (let draws = 0; draws < mostDraws; draws++) {
      const id = checkName(ids.run(workflow), 'the id of a run')
      if (memory.has(id) || memory.starting.has(id)) continue
      if ((await store.readRun(id)) === undefined && !memory.starting.has(id)) return id
    }
    throw new RunConflictError(
      `${mostDraws} generated ids were all taken; give an id to start, or other \`ids\` to createRuntime`,
      { workflow },
    )
  }

  /** Makes the workflow known; what slept for want of it may go on. */
  #learn(workflow: AnyWorkflow, definition: WorkflowDefinition, parent: NewRun['parent']): void {
    const { registry, services, passivation } = this.#parts
    if (!registry.add(workflow)) return
    void services.baselines.learn({ workflow: definition.name, version: definition.version })
    passivation.workflowAdded()
    if (parent !== undefined) return
    services.log.warn(
      { workflow: definition.name },
      `workflow '${definition.name}' was not among createRuntime({ workflows }), so a recovery will not find its runs; add it there`,
    )
  }

  async #begin(run: ActorRun): Promise<void> {
    const { memory } = this.#parts
    memory.hold(run)
    const launch = memory.hasPlace()
    run.create(launch)
    if (!launch) memory.enqueue(run)
    await run.durable()
  }
}

/** Who only wants the run to go on does not mind that it has ended in the meantime. */
function unlessEnded(error: unknown): void {
  if ((error as { code?: string }).code !== 'run_not_open') throw error
}

/** One id is one run. @throws RunConflictError when another is asked for under it */
function refuseOther(id: string, known: NewRun, asked: NewRun, definition: WorkflowDefinition): void {
  if (known.workflow !== asked.workflow) {
    throw new RunConflictError(
      `run ${id} exists and is of workflow '${known.workflow}', not '${asked.workflow}'; choose another id`,
      { runId: id, workflow: known.workflow },
    )
  }
  if (!isSameInput(definition, known.input, asked.input)) {
    throw new RunConflictError(
      `run ${id} exists and was started with another input; choose another id, or start it with the same input`,
      { runId: id },
    )
  }
}
