/**
 * What must not be in a store file: pages that contradict each other, rows of runs that are not there, journals with a
 * gap, recorded effects that the journal does not know, and texts that are no JSON. It only reads.
 */
import type { SqliteDatabase } from './sqlite-driver.ts'
import type { StoreFinding } from './store.ts'

/** At most so many of each kind are told. */
const mostOfAKind = 100

interface Check {
  readonly kind: StoreFinding['kind']
  /** Gives `runId`, or null, and `message`. */
  readonly sql: string
}

const tablesOfRuns = ['run_states', 'journal', 'ledger', 'timers', 'signals']

const checks: readonly Check[] = [
  ...tablesOfRuns.map(
    (table): Check => ({
      kind: 'orphan',
      sql: `SELECT NULL AS runId, count(*) || ' rows of ${table} belong to run number ' || run || ', which is not there' AS message
        FROM ${table} WHERE run NOT IN (SELECT id FROM runs) GROUP BY run`,
    }),
  ),
  {
    kind: 'orphan',
    sql: `SELECT run_id AS runId, 'the run has no state' AS message FROM runs WHERE id NOT IN (SELECT run FROM run_states)`,
  },
  {
    kind: 'journal',
    sql: `SELECT r.run_id AS runId, 'the journal has ' || coalesce(j.rows, 0) || ' rows up to number ' ||
          coalesce(j.last, 0) || ', and its run says ' || s.seq AS message
        FROM run_states s JOIN runs r ON r.id = s.run
        LEFT JOIN (SELECT run, count(*) AS rows, max(seq) AS last, min(seq) AS first FROM journal GROUP BY run) j
          ON j.run = s.run
        WHERE coalesce(j.rows, 0) <> s.seq OR coalesce(j.last, 0) <> s.seq OR (j.rows > 0 AND j.first <> 1)`,
  },
  {
    kind: 'journal',
    sql: `SELECT r.run_id AS runId, 'event ' || j.seq || ' of the journal is no JSON' AS message
        FROM journal j JOIN runs r ON r.id = j.run WHERE NOT json_valid(j.data)`,
  },
  {
    kind: 'ledger',
    sql: `SELECT r.run_id AS runId, 'the ledger has ' || l.kind || ' ' || l.key || ' of stage ' || l.stage ||
          ' as succeeded, and the journal does not say so' AS message
        FROM ledger l JOIN runs r ON r.id = l.run
        WHERE l.state = 'succeeded' AND l.kind IN ('step', 'call') AND NOT EXISTS (
          SELECT 1 FROM journal j WHERE j.run = l.run AND j.stage = l.stage
            AND j.type = l.kind || '.succeeded' AND json_valid(j.data) AND json_extract(j.data, '$.key') = l.key)`,
  },
  {
    kind: 'ledger',
    sql: `SELECT r.run_id AS runId, 'entry ' || l.key || ' of stage ' || l.stage || ' in the ledger is no JSON' AS message
        FROM ledger l JOIN runs r ON r.id = l.run WHERE NOT json_valid(l.data)`,
  },
  {
    kind: 'snapshot',
    sql: `SELECT r.run_id AS runId, 'its snapshot is no JSON' AS message FROM run_states s JOIN runs r ON r.id = s.run
        WHERE s.snapshot IS NOT NULL AND NOT json_valid(s.snapshot)`,
  },
  {
    kind: 'snapshot',
    sql: `SELECT r.run_id AS runId, 'its counters or its result are no JSON' AS message
        FROM run_states s JOIN runs r ON r.id = s.run
        WHERE NOT json_valid(s.counters) OR (s.outcome IS NOT NULL AND NOT json_valid(s.outcome))`,
  },
]

export function findingsIn(database: SqliteDatabase): StoreFinding[] {
  const damage = integrityOf(database)
  // Where the pages themselves are wrong, what queries say of their rows is worth nothing.
  if (damage.length > 0) return damage
  return checks.flatMap(({ kind, sql }) =>
    (database.prepare(`${sql} LIMIT ${mostOfAKind}`).all() as { runId: string | null; message: string }[]).map(
      ({ runId, message }) => ({ kind, ...(runId === null ? {} : { runId }), message }),
    ),
  )
}

function integrityOf(database: SqliteDatabase): StoreFinding[] {
  const told = database.prepare(`PRAGMA integrity_check(${mostOfAKind})`).all() as { integrity_check: string }[]
  return told
    .map(row => row.integrity_check)
    .filter(message => message !== 'ok')
    .map(message => ({ kind: 'integrity', message }))
}
