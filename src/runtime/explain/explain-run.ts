/**
 * Explains a run from what the store holds of it: nothing else is asked, so it reads the same beside a live owner, after
 * a crash, and years later. Nothing is changed.
 */
import { z } from 'zod'
import { type EncodedError, OptionsError, RunNotFoundError } from '../../errors.ts'
import { parseOptions, suggestion } from '../../options.ts'
import { isEnded, type RunRow, type Store } from '../../store/store.ts'
import type { JournalEvent } from '../../telemetry/catalogue.ts'
import { formatMs } from '../../time/duration.ts'
import type { RunResult } from '../api.ts'
import { eventOf } from '../commits/journal-feed.ts'
import { nextSteps, type Situation, suggestedCommands } from './advice.ts'
import type { CauseLink, ExplainOptions, Explanation, RunSpend } from './explanation.ts'
import { proseOf } from './prose.ts'
import { createDecisionReplay } from './replay.ts'
import { createStandings, explained, type StandingStage } from './standing.ts'
import { createStory } from './story.ts'
import { brief, causeChain, type ToldWait, timeOf } from './words.ts'

const schema = z.strictObject({
  stage: z.string().min(1).optional(),
  command: z.custom<(text: string) => string>(value => typeof value === 'function', 'must be a function').optional(),
})

/** @throws RunNotFoundError; OptionsError for a stage that the run does not have */
export async function explainRun(store: Store, runId: string, given: ExplainOptions = {}): Promise<Explanation> {
  const { stage, command = (text: string) => `holdfast ${text}` } = parseOptions(schema, given, 'explain')
  const run = await store.readRun(runId)
  if (!run) throw new RunNotFoundError(runId)
  const isAbout = (event: JournalEvent): boolean => stage === undefined || isPartOf(event.stage, stage)
  const story = createStory(isAbout)
  const standings = createStandings()
  const replay = createDecisionReplay()
  let waits: readonly ToldWait[] = []
  let end: EncodedError | undefined
  let isImported = false
  const known = new Set<string>()
  for await (const event of journalOf(store, run)) {
    if (event.type === 'stage.started' && event.stage !== undefined) known.add(event.stage)
    if (event.type === 'run.imported') isImported = true
    if (event.type === 'run.waiting') waits = event.data.for as readonly ToldWait[]
    if (event.type.startsWith('run.') && event.data.error) end = event.data.error as EncodedError
    story.take(event)
    standings.take(event)
    replay.take(event)
  }
  if (stage !== undefined && !known.has(stage))
    throw new OptionsError(`run ${runId} has no stage '${stage}'${suggestion(stage, [...known])}`, { runId, stage })
  const stages = [...standings.stages.values()].filter(({ name }) => stage === undefined || isPartOf(name, stage))
  const ofRun = causesOf(run, stages, end)
  const causes = stage === undefined ? ofRun : causesOf(run, stages, undefined)
  const ownWaits = waits.filter(wait => stage === undefined || isPartOf(wait.stage, stage))
  const situation: Situation = {
    runId,
    status: run.status,
    stages,
    waits: run.status === 'waiting' ? ownWaits : [],
    causes,
    owner: isEnded(run.status) ? undefined : await store.owner(),
    currency: typeof end?.details?.currency === 'string' ? end.details.currency : undefined,
    isImported,
  }
  const explanation = {
    runId,
    workflow: run.workflow,
    version: run.version,
    status: run.status,
    ...(stage === undefined ? {} : { stage }),
    startedAt: run.createdAt,
    ...(run.endedAt === null ? {} : { endedAt: run.endedAt }),
    summary: summaryOf(run, stages, ofRun, stage),
    stages: stages.map(explained),
    story: story.entries,
    leftOut: story.leftOut,
    causes,
    next: nextSteps(situation),
    commands: suggestedCommands(situation, command),
    spend: spendOf(run),
    decisions: { checked: replay.checked, differences: replay.differences },
  }
  return { ...explanation, text: proseOf(explanation) }
}

/** The stage itself, or an item of it. */
const isPartOf = (name: string | undefined, stage: string): boolean =>
  name === stage || name?.startsWith(`${stage}[`) === true

async function* journalOf(store: Store, run: RunRow): AsyncIterable<JournalEvent> {
  for (let after = 0; ; ) {
    const rows = await store.readJournal(run.id, { after, limit: 1000 })
    if (rows.length === 0) return
    for (const row of rows) {
      after = row.seq
      yield eventOf(run.id, row)
    }
  }
}

/**
 * What ended the run and what caused that; while it is open, what troubles the stage that is worst off. Where a fallback
 * failed too, what it was to stand in for is the root.
 */
function causesOf(run: RunRow, stages: readonly StandingStage[], end: EncodedError | undefined): CauseLink[] {
  if (run.status === 'completed' && end === undefined && !stages.some(({ standing }) => standing === 'lost')) return []
  const order = ['failed', 'delayed', 'lost', 'fell back', 'running', 'waiting']
  const worst = stages
    .filter(({ error, standing }) => error !== undefined && order.includes(standing))
    .sort((a, b) => order.indexOf(a.standing) - order.indexOf(b.standing))[0]
  const error = end ?? worst?.error
  const behind = worst?.standing === 'failed' ? worst.attemptError : undefined
  const told = causeChain(error)
  // The failure of a fallback names it as its cause, unless it had a cause of its own.
  const isTold = behind === undefined || told.some(({ message }) => message === behind.message)
  return isTold ? told : [...told, ...causeChain(behind)]
}

function spendOf(run: RunRow): RunSpend {
  const counters = JSON.parse(run.counters) as Partial<Record<string, number>>
  const { budget } = JSON.parse(run.options) as { budget?: RunSpend['budget'] }
  const of = (name: string): number => counters[name] ?? 0
  return {
    usd: of('unpricedCalls') > 0 ? 'unknown' : of('usd'),
    calls: of('calls'),
    tokens: of('inputTokens') + of('outputTokens'),
    wastedUsd: of('wastedUsd'),
    replayedCalls: of('replayedCalls'),
    ...(budget === undefined ? {} : { budget }),
  }
}

function summaryOf(
  run: RunRow,
  stages: readonly StandingStage[],
  causes: Explanation['causes'],
  about: string | undefined,
): string {
  const what = `Run ${run.id} of workflow '${run.workflow}' (version ${run.version}), started ${timeOf(run.createdAt)},`
  const took = run.endedAt === null ? '' : ` after ${formatMs(Math.max(0, run.endedAt - run.createdAt))}`
  const how = `${statusWords[run.status] ?? `is ${run.status}`}${took}`
  const outcome = run.outcome === null ? undefined : (JSON.parse(run.outcome) as RunResult)
  const failedStage = outcome?.success === false ? outcome.error.stage : undefined
  const why =
    causes[0] === undefined || run.status === 'completed'
      ? ''
      : `${failedStage === undefined ? '' : `, in stage '${failedStage}'`}: ${brief(causes[0].message)}`
  const lost = outcome?.degraded.length ?? 0
  const less = lost > 0 ? `; ${lost} part${lost === 1 ? '' : 's'} of it degraded` : ''
  const done = stages.filter(({ standing, name }) => standing === 'done' && !name.includes('[')).length
  const all = stages.filter(({ name }) => !name.includes('[')).length
  const scope = about === undefined ? `${done} of ${all} begun stages done.` : `This is about stage '${about}'.`
  return `${what} ${how}${why}${less}. ${scope}`
}

const statusWords: Partial<Record<RunRow['status'], string>> = {
  pending: 'has not begun',
  completed: 'has completed',
  cancelled: 'was cancelled',
  failed: 'failed',
  quarantined: 'was set aside (quarantined)',
  budget_exceeded: 'ran out of its budget',
  paused: 'is held by an operator',
}
