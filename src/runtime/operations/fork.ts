/**
 * A fork: a new run that begins in the middle of another. The results of the stages before are copied, so they are
 * neither run nor paid again; what runs again, and what it cost the last time, is said before anything starts. The
 * other run is only read. A fork of stages goes on after their order in the definition; a fork of a machine of one's
 * own begins at the machine's start, and each stage that ended before `from` had begun is answered with its result.
 */
import { RunConflictError } from '../../errors.ts'
import type { JournalRow, NewRun, RunWrite, StoredRun, TimerRow } from '../../store/store.ts'
import type { WorkflowDefinition } from '../../workflow/definition.ts'
import type { TimerPurpose } from '../commits/timer-purpose.ts'
import type { KeptOptions } from '../run/kept-options.ts'
import { recall } from '../run/recall.ts'
import { keptInput, rawInput } from '../run/run-input.ts'
import type { RunMemory } from '../run/run-memory.ts'
import { downstreamOf } from './downstream.ts'
import { refuseUnknown } from './overrides.ts'
import { createRows } from './reopen.ts'
import { type RerunCost, rerunCost } from './rerun-cost.ts'

/** What a fork takes over, what it runs again, and what that cost in the run that it comes from. */
export interface ForkPlan {
  readonly runId: string
  readonly from: string
  /** Stages and items whose results are taken over. */
  readonly copied: readonly string[]
  /** Stages that run again, or for the first time. */
  readonly rerun: readonly string[]
  /** What of them is known from the other run. */
  readonly cost: RerunCost
}

export interface ForkFacts {
  /** With the journal rows that `forkedTypes` and the memory of a run need. */
  readonly stored: StoredRun
  /** The one that the fork runs under. */
  readonly definition: WorkflowDefinition
  /** The file that exports its workflow. */
  readonly source?: string | undefined
  readonly now: number
}

export interface ForkRequest {
  readonly id: string
  readonly from: string
  /** Absent: the input of the other run. */
  readonly input?: unknown
}

const ends = ['stage.succeeded', 'stage.fell_back', 'stage.degraded', 'stage.skipped']

/** @throws OptionsError for a stage that there is not; ValidationError for an input that does not fit */
export function forked(
  facts: ForkFacts,
  { id, from, input: edited }: ForkRequest,
): { write: RunWrite; plan: ForkPlan } {
  const { stored, definition, now } = facts
  const { run } = stored
  const memory = recall(stored)
  refuseUnknown(definition, memory, from)
  const copied = copiedStages(facts, memory, from)
  const rerun = rerunStages(definition, memory, copied)
  const plan = { runId: run.id, from, copied: [...copied], rerun, cost: rerunCost(stored, memory, rerun) }
  const input = edited === undefined ? rawInput(run.input) : edited
  const options = forkedOptions(JSON.parse(run.options) as KeptOptions, memory, run.createdAt, now)
  const create: NewRun = {
    workflow: definition.name,
    version: definition.version,
    definitionHash: definition.hash,
    source: facts.source,
    input: keptInput(definition, input),
    options: JSON.stringify(options),
    tags: run.tags,
    createdAt: now,
  }
  const rows = createRows(0, now)
  rows.add('run.started', { workflow: create.workflow, version: create.version, profile: options.profile ?? null })
  rows.add('run.forked', plan)
  for (const row of copiedRows(stored.journal, memory, copied))
    rows.addText(row.type as 'stage.succeeded', row.data, row.stage)
  const state = {
    status: 'pending',
    snapshot: null,
    seq: rows.rows.length,
    updatedAt: now,
    endedAt: null,
    counters: '{}',
    outcome: null,
  } as const
  return { write: { runId: id, create, state, journal: rows.rows, setTimers: timersOf(options) }, plan }
}

function copiedStages({ stored, definition }: ForkFacts, memory: RunMemory, from: string): ReadonlySet<string> {
  if (definition.origin === 'machine') return endedBefore(stored.journal, from)
  const again = new Set(downstreamOf(definition, memory, from).again)
  const copied = new Set<string>()
  for (const [name, { outcome }] of memory.stages) {
    const isKnown = definition.stages.has(name) || name.includes('[')
    if (isKnown && !again.has(name) && outcome !== null && ends.includes(`stage.${outcome}`)) copied.add(name)
  }
  refuseMissing(definition, copied, from)
  return copied
}

/** The definition may be a newer one: what `from` needs must be there all the same. */
function refuseMissing(definition: WorkflowDefinition, copied: ReadonlySet<string>, from: string): void {
  const open = from.indexOf('[')
  const { ancestors = [] } = definition.stages.get(open < 0 ? from : from.slice(0, open)) ?? {}
  const missing = ancestors.find(name => !copied.has(name))
  if (missing === undefined) return
  throw new RunConflictError(
    `stage '${from}' needs '${missing}', which has no result in this run; fork from '${missing}' or from a stage before it`,
    { stage: from, missing },
  )
}

/** By the journal: a machine's order is known only by what happened. */
function endedBefore(journal: readonly JournalRow[], from: string): ReadonlySet<string> {
  const begun = journal.find(row => row.type === 'stage.started' && row.stage === from)?.seq ?? 0
  const before = journal.filter(row => row.seq < begun && ends.includes(row.type))
  return new Set(before.map(row => row.stage as string))
}

function rerunStages(definition: WorkflowDefinition, memory: RunMemory, copied: ReadonlySet<string>): string[] {
  const names = definition.origin === 'built' ? [...definition.stages.keys()] : [...memory.stages.keys()]
  const items = [...memory.maps].flatMap(([map, { keys }]) =>
    copied.has(map) || ![...copied].some(name => name.startsWith(`${map}[`)) ? [] : keys.map(key => `${map}[${key}]`),
  )
  return [...names, ...items].filter(name => !copied.has(name))
}

/** The last end of each copied stage, and the items of the maps of which something is copied, in their order. */
function copiedRows(
  journal: readonly JournalRow[],
  memory: RunMemory,
  copied: ReadonlySet<string>,
): readonly JournalRow[] {
  const maps = new Set([...copied].map(name => name.slice(0, Math.max(0, name.indexOf('[')))))
  const last = new Map<string, JournalRow>()
  for (const row of journal) {
    const stage = row.stage as string
    if (row.type === 'map.opened' && memory.maps.has(stage) && (copied.has(stage) || maps.has(stage)))
      last.set(`opened ${stage}`, row)
    if (ends.includes(row.type) && copied.has(stage)) last.set(`ended ${stage}`, row)
  }
  return [...last.values()].sort((a, b) => a.seq - b.seq)
}

/** A deadline is as far from the fork as it was from the start of the other run. */
function forkedOptions(options: KeptOptions, { amended }: RunMemory, createdAt: number, now: number): KeptOptions {
  const { deadlineAt, wallTimeUntil, onParentClose: _parent, imported: _imported, ...rest } = options
  return {
    ...rest,
    ...(amended.budget === undefined ? {} : { budget: { ...rest.budget, ...amended.budget } }),
    ...(deadlineAt === undefined ? {} : { deadlineAt: now + deadlineAt - createdAt }),
    ...(wallTimeUntil === undefined ? {} : { wallTimeUntil: now + wallTimeUntil - createdAt }),
  }
}

function timersOf({ deadlineAt, wallTimeUntil }: KeptOptions): TimerRow[] {
  const timer = (key: string, dueAt: number, purpose: TimerPurpose): TimerRow => ({
    key,
    dueAt,
    data: JSON.stringify(purpose),
  })
  return [
    ...(deadlineAt === undefined ? [] : [timer('run:deadline', deadlineAt, { kind: 'deadline' })]),
    ...(wallTimeUntil === undefined ? [] : [timer('run:wallTime', wallTimeUntil, { kind: 'wallTime' })]),
  ]
}
