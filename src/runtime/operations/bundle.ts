/**
 * A run as one redacted file, to be shown to somebody else: its row, journal, ledger and signals. Read back, it is a
 * run of another store that can be looked at, explained and forked, and that never goes on. The form has a version;
 * one that is newer is refused.
 */
import { z } from 'zod'
import { HoldfastError, RunNotFoundError, ValidationError } from '../../errors.ts'
import { describeIssue } from '../../options.ts'
import {
  isEnded,
  type JournalRow,
  type LedgerRow,
  type RunRow,
  type RunState,
  type RunStatus,
  type RunWrite,
  runStatuses,
  type Store,
  type StoredRun,
} from '../../store/store.ts'
import { checkName } from '../names.ts'
import type { KeptOptions } from '../run/kept-options.ts'
import { recall } from '../run/recall.ts'
import { buildRunResult } from '../run/run-result.ts'
import { createRedactor } from './redact.ts'
import { createRows } from './reopen.ts'

const formatName = 'holdfast-bundle'
const formatVersion = 1

const json = z.string()
const rowSchema = z.object({
  seq: z.int().min(1),
  at: z.number(),
  type: z.string(),
  schemaVersion: z.int(),
  stage: z.string().optional(),
  attempt: z.number().optional(),
  incarnation: z.number().optional(),
  data: json,
})
const ledgerSchema = z.object({
  stage: z.string(),
  key: z.string(),
  kind: z.enum(['call', 'step', 'sleep', 'signal', 'child']),
  state: z.enum(['intended', 'succeeded', 'failed', 'unknown', 'superseded']),
  data: json,
})
const runSchema = z.object({
  id: z.string().min(1),
  workflow: z.string().min(1),
  version: z.string(),
  definitionHash: z.string(),
  source: z.string().optional(),
  input: json,
  options: json,
  tags: z.array(z.string()),
  createdAt: z.number(),
  status: z.enum(runStatuses),
  snapshot: json.nullable(),
  seq: z.int().min(1),
  updatedAt: z.number(),
  endedAt: z.number().nullable(),
  counters: json,
  outcome: json.nullable(),
})
const bundleSchema = z.object({
  format: z.literal(formatName, 'this is no bundle of Holdfast'),
  formatVersion: z.int().min(1),
  exportedAt: z.number(),
  redacted: z.number(),
  run: runSchema,
  journal: z.array(rowSchema),
  ledger: z.array(ledgerSchema),
})

/** A run as data for a file. */
export type Bundle = z.infer<typeof bundleSchema>

/**
 * @param secrets values to be taken out wherever they occur, besides what looks like a secret
 * @throws RunNotFoundError
 */
export async function bundleOf(
  store: Store,
  runId: string,
  { secrets, now }: { readonly secrets: readonly string[]; readonly now: number },
): Promise<Bundle> {
  const run = await store.readRun(runId)
  if (!run) throw new RunNotFoundError(runId)
  const redactor = createRedactor(secrets)
  const { redact, redactText } = redactor
  const rows: JournalRow[] = []
  for (let after = 0; after < run.seq; ) {
    const page = await store.readJournal(runId, { after, limit: 1000 })
    if (page.length === 0) break
    for (const row of page) if (row.seq <= run.seq) rows.push({ ...row, data: redactText(row.data) })
    after = page.at(-1)?.seq ?? run.seq
  }
  const ledger = (await store.readLedger(runId)).map((row): LedgerRow => ({ ...row, data: redactText(row.data) }))
  const { parent: _parent, ...row } = run
  return {
    format: formatName,
    formatVersion,
    exportedAt: now,
    run: {
      ...row,
      tags: redact([...row.tags]),
      input: redactText(row.input),
      options: redactText(row.options),
      snapshot: row.snapshot === null ? null : redactText(row.snapshot),
      counters: redactText(row.counters),
      outcome: row.outcome === null ? null : redactText(row.outcome),
    },
    journal: rows,
    ledger,
    redacted: redactor.count,
  }
}

/** @throws ValidationError for what is no bundle; HoldfastError `store_newer` for one of a newer form */
export function parseBundle(text: string, file: string): Bundle {
  let data: unknown
  try {
    data = JSON.parse(text)
  } catch (error) {
    throw new ValidationError(`${file} is no bundle: ${(error as Error).message}`, { file }, { cause: error })
  }
  const { format, formatVersion: version } = (data ?? {}) as { format?: unknown; formatVersion?: unknown }
  if (format === formatName && typeof version === 'number' && version > formatVersion) {
    throw new HoldfastError(
      'store_newer',
      `${file} is a bundle of form ${version}, and this Holdfast knows forms up to ${formatVersion}; update Holdfast`,
      { file, version },
    )
  }
  const parsed = bundleSchema.safeParse(data)
  if (!parsed.success) {
    throw new ValidationError(`${file} is no bundle: ${describeIssue(parsed.error.issues[0] as z.core.$ZodIssue)}`, {
      file,
    })
  }
  const { run, journal } = parsed.data
  const isDense = journal.length === run.seq && journal.every((row, index) => row.seq === index + 1)
  if (!isDense) throw new ValidationError(`${file} is no whole bundle: its journal has a gap`, { file })
  refuseBadTexts(parsed.data, file)
  return parsed.data
}

function refuseBadTexts({ run, journal, ledger }: Bundle, file: string): void {
  const texts = [run.options, run.counters, run.outcome, run.snapshot, run.input === '' ? null : run.input]
  try {
    for (const text of [...texts, ...[...journal, ...ledger].map(({ data }) => data)])
      if (text !== null) JSON.parse(text)
  } catch (error) {
    throw new ValidationError(`${file} is no bundle: a text in it is no JSON`, { file }, { cause: error })
  }
}

/** The write that makes the bundle a run of this store. Timers and signals stay behind: nothing goes on. */
export function imported({ run, journal, ledger, exportedAt }: Bundle, id: string, now: number): RunWrite {
  const options: KeptOptions = {
    ...(JSON.parse(run.options) as KeptOptions),
    imported: { at: now, status: run.status },
  }
  const { status, snapshot, seq, updatedAt, endedAt, counters, outcome, id: _id, ...spec } = run
  const create = { ...spec, options: JSON.stringify(options) }
  const told = createRows(seq, now)
  told.add('run.imported', { status, exportedAt })
  const state: RunState = {
    status: isEnded(status) ? status : 'quarantined',
    snapshot,
    seq: seq + told.rows.length,
    updatedAt,
    endedAt: endedAt ?? exportedAt,
    counters,
    outcome: outcome ?? JSON.stringify(interrupted({ ...run, id }, journal, ledger, exportedAt)),
  }
  return { runId: checkName(id, 'the id of a run'), create, state, journal: [...journal, ...told.rows], ledger }
}

/** What there is of a result, of a run that had not ended when it was written down. */
function interrupted(
  run: RunRow,
  journal: readonly JournalRow[],
  ledger: readonly LedgerRow[],
  exportedAt: number,
): object {
  const stored: StoredRun = { run, journal, ledger, timers: [], signals: [] }
  const { workflow: name, version, status } = run
  return buildRunResult(
    {
      id: run.id,
      memory: recall(stored),
      definition: { name, version },
      spec: { createdAt: run.createdAt },
      failure: {
        status: 'quarantined',
        error: { name: 'HoldfastError', code: 'run_imported', message: wasOpen(status) },
      },
    },
    'quarantined',
    undefined,
    exportedAt,
  )
}

const wasOpen = (status: RunStatus): string => `the run was imported from a bundle; it was ${status} when that was made`
