/**
 * Which recorded effects a reopened run asks anew. What succeeded is given again, unless it is asked anew on purpose; a
 * wait that timed out, and a child that ended badly, were answers too, but not ones to be heard again. What is
 * superseded stays in the ledger and stays booked until the same is asked again.
 */
import { isEnded, type LedgerRow, type RunRow } from '../../store/store.ts'
import type { RunMemory } from '../run/run-memory.ts'

export interface Anew {
  /** The stages that run again. */
  readonly again: readonly string[]
  /** Those of them whose every effect is asked anew. */
  readonly all: readonly string[]
  readonly children: ReadonlyMap<string, RunRow>
}

/** The entries as they are to be written. An item that ended well beside a failed one keeps what it asked. */
export function supersededEntries(memory: RunMemory, { again, all, children }: Anew): LedgerRow[] {
  const superseded: LedgerRow[] = []
  const [isAgain, isOnPurpose] = [new Set(again), new Set(all)]
  for (const row of memory.ledger.values()) {
    if (row.state === 'superseded') continue
    const onPurpose = isOnPurpose.has(row.stage)
    if (!onPurpose && !isAgain.has(row.stage)) continue
    const child = row.kind === 'child' ? children.get((JSON.parse(row.data) as { id: string }).id) : undefined
    if (!onPurpose && !isWorthless(row, child)) continue
    // What was cancelled is final, and what is to be done anew is another child: the next has another id.
    const another = row.kind === 'child' && (onPurpose || child?.status === 'cancelled')
    superseded.push({
      ...row,
      state: 'superseded',
      data: another ? JSON.stringify({ ...(JSON.parse(row.data) as object), another: true }) : row.data,
    })
  }
  return superseded
}

function isWorthless(row: LedgerRow, child: RunRow | undefined): boolean {
  if (row.kind === 'signal') return row.state === 'failed'
  if (row.kind !== 'child') return false
  const { result } = JSON.parse(row.data) as { result?: { success: boolean } }
  return result ? !result.success : child !== undefined && isEnded(child.status) && child.status !== 'completed'
}
