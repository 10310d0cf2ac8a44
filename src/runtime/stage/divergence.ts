/**
 * Whether an execution asked what the earlier ones of its stage had asked. A recorded step or call that nobody asks for
 * any more was paid for and is not used: the code has changed, or asks by chance. The journal says so; nothing fails.
 */
import type { Attempt } from '../run/live.ts'

/** The function has succeeded: says which recorded steps and calls it did without. */
export function noteDivergence(attempt: Attempt): void {
  if (attempt.number === 1 && attempt.incarnation === 1) return
  const { stage } = attempt
  const { run } = stage
  const unasked: string[] = []
  for (const row of run.memory.ledger.values()) {
    const isPaid = (row.kind === 'step' || row.kind === 'call') && row.state === 'succeeded'
    if (isPaid && row.stage === stage.name && !attempt.asked.has(row.key)) unasked.push(row.key)
  }
  if (unasked.length > 0) run.journal('ledger.diverged', { unasked }, stage.where(attempt))
}
