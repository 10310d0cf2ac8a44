/**
 * Makes a recording of a run from what its store holds, redacted as in a bundle. It goes to the first end of the run;
 * what cannot be replayed of it is said in words.
 */
import type { EncodedError } from '../../errors.ts'
import { chaosReason } from '../../runtime/chaos.ts'
import type { Bundle } from '../../runtime/operations/bundle.ts'
import { withoutStacks } from '../../runtime/stage/failure.ts'
import type { LedgerRow } from '../../store/store.ts'
import { parseFault } from '../chaos/fault.ts'
import type { RecordedFault } from '../chaos/fault-source.ts'
import { type JournalEntry, outcomeOf, untilEnd } from './outcome.ts'
import { recordedCalls } from './recorded-calls.ts'
import type { RecordedExecution, RecordedRun, RecordedStep, RunRecording } from './recording.ts'

export interface MadeRecording {
  readonly recording: RunRecording
  /** What of the run a replay does not do. */
  readonly limits: readonly string[]
}

/** @param bundles of the run, then of its children and theirs */
export function recordingOf(bundles: readonly Bundle[]): MadeRecording {
  const parts = bundles.map(partOf)
  const [root, main] = [bundles[0] as Bundle, parts[0] as Part]
  const models = new Map(parts.flatMap(part => part.models.map(one => [`${one.provider} ${one.model}`, one] as const)))
  const { run } = root
  const result = run.outcome === null ? undefined : (JSON.parse(run.outcome) as { output?: unknown })
  const recording: RunRecording = {
    format: 1,
    id: run.id,
    ...(run.input === '' ? {} : { input: JSON.parse(run.input) as unknown }),
    start: startOf(run),
    models: [...models.values()],
    runs: parts.map(part => part.recorded),
    faults: parts.flatMap(part => part.faults),
    outcome: outcomeOf(main.journal, { status: run.status, output: result?.output }),
  }
  return { recording, limits: [...new Set(bundles.flatMap((bundle, index) => limitsOf(bundle, parts[index] as Part)))] }
}

interface Part {
  readonly recorded: RecordedRun
  readonly journal: readonly JournalEntry[]
  readonly models: RunRecording['models']
  readonly faults: readonly RecordedFault[]
}

function partOf({ run, journal: rows, ledger }: Bundle): Part {
  const all = inTrueTime(rows.map(row => ({ ...row, data: JSON.parse(row.data) as Record<string, unknown> })))
  const journal = untilEnd(all)
  const { calls, models, cached } = recordedCalls(journal, ledger as readonly LedgerRow[])
  const { id, workflow, version } = run
  const recorded = {
    id,
    workflow,
    version,
    calls,
    steps: stepsOf(journal, ledger as readonly LedgerRow[]),
    waits: waitsOf(journal, ledger as readonly LedgerRow[]),
    events: eventsOf(journal, run.createdAt),
    executions: executionsOf(journal),
  }
  // A replay has nothing in its cache: what led there is left out with it.
  const faults = faultsOf(id, journal).filter(({ at }) => !cached.has(`${at.stage} ${at.key}`))
  return { recorded, journal, models, faults }
}

/** Without what the clock was set wrong by on purpose: a replay sets it wrong again. */
function inTrueTime(journal: readonly JournalEntry[]): JournalEntry[] {
  let skewMs = 0
  return journal.map(row => {
    // A new process has a clock of its own.
    if (row.type === 'run.recovered') skewMs = 0
    const entry = { ...row, at: row.at - skewMs }
    const fault = row.type === 'chaos.injected' ? parseFault(row.data) : undefined
    if (fault?.fault === 'clock.jumped') skewMs += fault.ms
    return entry
  })
}

/** As `start` takes them. */
function startOf({ options, createdAt }: Bundle['run']): Record<string, unknown> {
  const kept = JSON.parse(options) as {
    profile?: unknown
    budget?: object
    deadlineAt?: number
    overrides?: object
    cwd?: string
  }
  return {
    ...(kept.profile === undefined ? {} : { profile: kept.profile }),
    ...(kept.budget === undefined ? {} : { budget: kept.budget }),
    ...(kept.deadlineAt === undefined ? {} : { deadline: Math.max(1, kept.deadlineAt - createdAt) }),
    ...kept.overrides,
  }
}

/** The rows of one kind in the order of the journal, by stage and key. */
function byKey<T>(into: Record<string, Record<string, T[]>>, stage: string, key: string, value: T): void {
  const ofStage = into[stage] ?? {}
  into[stage] = ofStage
  ofStage[key] = [...(ofStage[key] ?? []), value]
}

const entryOf = (ledger: readonly LedgerRow[], stage: string, key: string): { value?: unknown } =>
  JSON.parse(ledger.find(row => row.stage === stage && row.key === key)?.data ?? '{}') as { value?: unknown }

function stepsOf(journal: readonly JournalEntry[], ledger: readonly LedgerRow[]): RecordedRun['steps'] {
  const steps: Record<string, Record<string, RecordedStep[]>> = {}
  const began = new Map<string, number>()
  for (const { type, stage, at, data } of journal) {
    if (stage === undefined || !type.startsWith('step.')) continue
    const { key, error } = data as { key: string; error?: EncodedError }
    if (type === 'step.intended') began.set(`${stage} ${key}`, at)
    const ms = Math.max(0, at - (began.get(`${stage} ${key}`) ?? at))
    if (type === 'step.failed' && error) byKey(steps, stage, key, { ms, error: withoutStacks(error) })
    if (type === 'step.succeeded') {
      const { value } = entryOf(ledger, stage, key)
      byKey(steps, stage, key, { ms, ...(value === undefined ? {} : { value }) })
    }
  }
  return steps
}

function waitsOf(journal: readonly JournalEntry[], ledger: readonly LedgerRow[]): RecordedRun['waits'] {
  const waits: Record<string, Record<string, { value?: unknown }>> = {}
  for (const { type, stage, data } of journal) {
    const { key, outcome } = data as { key: string; outcome?: string }
    if (type !== 'wait.ended' || stage === undefined || outcome !== 'received') continue
    const { value } = entryOf(ledger, stage, key)
    waits[stage] = { ...waits[stage], [key]: value === undefined ? {} : { value } }
  }
  return waits
}

/** What came to a machine of one's own: its journal keeps what the events carried. */
function eventsOf(journal: readonly JournalEntry[], startedAt: number): RecordedRun['events'] {
  return journal
    .filter(({ type, data }) => type === 'signal.received' && 'payload' in data)
    .map(({ at, data }) => ({ ms: Math.max(0, at - startedAt), name: String(data.name), payload: data.payload }))
}

function executionsOf(journal: readonly JournalEntry[]): RecordedRun['executions'] {
  const executions: Record<string, RecordedExecution[]> = {}
  const began = new Map<string, number>()
  for (const { type, stage, attempt = 1, incarnation = 1, at, data } of journal) {
    if (stage === undefined) continue
    const ofStage = executions[stage] ?? []
    const last = ofStage.at(-1)
    if (type === 'stage.attempted') {
      began.set(stage, at)
      executions[stage] = [...ofStage, { attempt, incarnation }]
    } else if (last && last.end === undefined && (type === 'attempt.failed' || type === 'stage.succeeded')) {
      const error = data.error as EncodedError | undefined
      const end = error ? { error: withoutStacks(error) } : 'result' in data ? { value: data.result } : {}
      ofStage[ofStage.length - 1] = { ...last, ms: Math.max(0, at - (began.get(stage) ?? at)), end }
    }
  }
  return executions
}

function faultsOf(runId: string, journal: readonly JournalEntry[]): RecordedFault[] {
  return journal.flatMap(({ type, stage, attempt = 1, incarnation = 1, data }) => {
    const { at, ...told } = data as { at?: { type: string; key?: string } }
    const fault = type === 'chaos.injected' ? parseFault(told) : undefined
    if (!fault || !at || stage === undefined) return []
    return [{ at: { runId, stage, attempt, incarnation, ...at } as RecordedFault['at'], fault }]
  })
}

const operated: Readonly<Record<string, string>> = {
  'run.paused': 'it was paused by an operator: the replay goes on',
  'run.cancelling': 'it was cancelled by an operator: the replay is not',
  'stage.overridden': 'an operator decided about a stage: the replay runs it',
  'preflight.failed': 'a preflight failed: the replay examines nothing',
  'remedy.applied': 'a remedy was applied: give it to the runtime; the replay has none',
  'run.forked': 'it began as a fork: the replay runs the stages whose results were copied',
}

function limitsOf({ run, journal: rows, redacted }: Bundle, { journal, faults }: Part): string[] {
  const byOperators = journal.filter(({ data }) => data.reason !== chaosReason)
  const limits = byOperators.flatMap(({ type }) => operated[type] ?? [])
  if (rows.length > journal.length) limits.push('it was reopened after its first end: the replay goes to that')
  const isKilled = faults.some(({ fault }) => /^process|^store\.(?:failed|lost)/.test(fault.fault))
  if (!isKilled && journal.some(({ type }) => type === 'run.recovered'))
    limits.push('a process had it that died: the replay runs in one')
  if (journal.some(({ type, data }) => type === 'call.succeeded' && data.cached === true))
    limits.push(
      'a model call was answered from the response cache: the replay gives that answer at once, without the failures before it',
    )
  if (journal.some(({ type, data }) => type === 'call.failed' && data.kind === 'invalid_response'))
    limits.push('an answer that did not pass its schema or check is not kept by a run: the replay has the error alone')
  if (redacted > 0) limits.push(`${redacted} values that look like secrets were taken out of the recording`)
  if (JSON.parse(run.options).imported) limits.push('it was read from a bundle')
  return limits
}
