/**
 * Deletes ended runs from a store file, inside the transaction of the caller. Candidates are looked for among the runs
 * that were created before the time in question, oldest first; the children of a run are those that its ledger names,
 * so neither needs an index that every write would pay for.
 */
import type { SqliteDatabase } from './sqlite-driver.ts'
import { endedStatuses, type PurgeFilter } from './store.ts'

interface Member {
  readonly row: number
  readonly runId: string
  readonly status: string
}

/** Candidates that are looked at in one query. */
const page = 500

export function purgeRuns(database: SqliteDatabase, { status, endedBefore, limit }: PurgeFilter): string[] {
  const candidates = database.prepare(
    `SELECT r.id AS row, r.run_id AS runId, s.status FROM runs r JOIN run_states s ON s.run = r.id
      WHERE r.created_at < ? AND r.id > ? AND s.status IN (SELECT value FROM json_each(?)) AND s.ended_at < ?
        AND (r.parent_run_id IS NULL OR NOT EXISTS (SELECT 1 FROM runs p WHERE p.run_id = r.parent_run_id))
      ORDER BY r.id LIMIT ?`,
  )
  const familyOf = createFamilies(database)
  const purged: Member[] = []
  let roots = 0
  for (let after = 0; roots < limit; ) {
    const found = candidates.all(endedBefore, after, JSON.stringify(status), endedBefore, page) as Member[]
    for (const candidate of found) {
      after = candidate.row
      const family = roots < limit ? familyOf(candidate) : []
      if (family.length === 0 || !family.every(member => isEnded(member.status))) continue
      purged.push(...family)
      roots++
    }
    if (found.length < page) break
  }
  const deletions = ['journal', 'ledger', 'timers', 'signals', 'run_states'].map(table =>
    database.prepare(`DELETE FROM ${table} WHERE run = ?`),
  )
  const deleteRun = database.prepare('DELETE FROM runs WHERE id = ?')
  for (const { row } of purged) {
    for (const deletion of deletions) deletion.run(row)
    deleteRun.run(row)
  }
  return purged.map(({ runId }) => runId)
}

/** A run with its descendants. */
function createFamilies(database: SqliteDatabase): (member: Member) => Member[] {
  const children = database.prepare(
    `SELECT r.id AS row, r.run_id AS runId, s.status FROM ledger l
      JOIN runs r ON r.run_id = json_extract(l.data, '$.id') JOIN run_states s ON s.run = r.id
      WHERE l.run = ? AND l.kind = 'child' AND r.parent_run_id = ?`,
  )
  const familyOf = (member: Member, seen = new Set<number>()): Member[] => {
    if (seen.has(member.row)) return []
    seen.add(member.row)
    const own = children.all(member.row, member.runId) as Member[]
    return [member, ...own.flatMap(child => familyOf(child, seen))]
  }
  return member => familyOf(member)
}

const isEnded = (status: string): boolean => (endedStatuses as readonly string[]).includes(status)
