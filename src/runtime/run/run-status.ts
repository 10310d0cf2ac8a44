/** The status of a run: what its machine says, and whether all that it does is wait. */
import { isEnded, type RunStatus } from '../../store/store.ts'
import { type EndingRun, finish } from './run-end.ts'

/** Takes over what the machines have come to, once they are at rest within a dispatch. */
export function followStatus(run: EndingRun): void {
  if (!run.root || isEnded(run.status)) return
  const snapshot = run.root.getSnapshot() as { status: string; value: unknown; error?: unknown }
  if (snapshot.status === 'error') return run.broken(snapshot.error)
  const status = statusOf(snapshot.value)
  if (isEnded(status)) return finish(run, status)
  run.status = status
  if (status !== 'running' && status !== 'waiting') return
  const waits = run.services.waitsOf(run)
  if ((waits !== undefined) === (status === 'waiting')) return
  run.status = waits === undefined ? 'running' : 'waiting'
  run.journal(waits === undefined ? 'run.active' : 'run.waiting', waits === undefined ? {} : { for: waits })
  run.send({ type: waits === undefined ? 'WAIT_ENDED' : 'WAIT_BEGUN' })
}

function statusOf(value: unknown): RunStatus {
  if (typeof value === 'object' && value !== null) return (value as { open: RunStatus }).open
  if (value === 'concluding') return 'running'
  return (value === 'budgetExceeded' ? 'budget_exceeded' : value) as RunStatus
}
