/** The runs of a simulation after its end, as the disk has them, and what of them breaks a guarantee. */
import type { RunResult } from '../../runtime/api.ts'
import type { Guarantees } from './guarantees.ts'
import { journalFaults } from './journal-faults.ts'
import type { Scenario, SimulatedRun } from './scenario.ts'
import type { SimulatedDisk } from './simulated-disk.ts'
import type { SimulatedWorld } from './world/simulated-world.ts'

export async function simulatedRuns(
  disk: SimulatedDisk,
  world: SimulatedWorld,
  runIds: readonly string[],
): Promise<SimulatedRun[]> {
  const files = world.texts
  const runs: SimulatedRun[] = []
  for (const id of runIds) {
    const row = await disk.base.readRun(id)
    if (!row) continue
    const rows = await disk.journal(id)
    runs.push({
      id,
      workflow: row.workflow,
      input: row.input === '' ? undefined : JSON.parse(row.input),
      status: row.status,
      ...(row.outcome === null ? {} : { result: JSON.parse(row.outcome) as RunResult }),
      journal: rows.map(journalled => ({ ...journalled, data: JSON.parse(journalled.data) as unknown })),
      files,
      changes: world.changes.filter(({ runId }) => runId === id),
      programs: world.programs.filter(({ runId }) => runId === id),
    })
  }
  return runs
}

/** All journals as text, a row a line. The stacks of errors are left out: they tell of the files that run, and not of what happened. */
export function journalText(runs: readonly SimulatedRun[]): string {
  const rows = runs.flatMap(({ id, journal }) =>
    journal.map(row => JSON.stringify({ runId: id, ...row }, withoutStack)),
  )
  return rows.join('\n')
}

function withoutStack(_key: string, value: unknown): unknown {
  if (value === null || typeof value !== 'object') return value
  const { name, message, stack } = value as Record<string, unknown>
  if (typeof name !== 'string' || typeof message !== 'string' || typeof stack !== 'string') return value
  return { ...value, stack: undefined }
}

/** Holds a run against what its journal must be, its budget, and the invariants of the user. */
export async function examineRun(
  run: SimulatedRun,
  disk: SimulatedDisk,
  guarantees: Guarantees,
  invariants: Scenario['invariants'],
): Promise<void> {
  for (const { guarantee, message } of journalFaults(await disk.journal(run.id)))
    guarantees.fail(guarantee, message, run.id)
  const row = await disk.base.readRun(run.id)
  const { budget } = JSON.parse(row?.options ?? '{}') as { budget?: { calls?: number } }
  const cost = run.result?.cost
  if (cost && budget?.calls !== undefined && cost.calls > budget.calls)
    guarantees.fail('budget kept', `${cost.calls} calls, and ${budget.calls} were allowed`, run.id)
  for (const [name, invariant] of invariants) {
    try {
      const verdict = await invariant(run)
      if (verdict === false) guarantees.fail(name, `it is false of run ${run.id}, which is ${run.status}`, run.id)
    } catch (error) {
      guarantees.fail(name, error instanceof Error ? error.message : String(error), run.id)
    }
  }
}
