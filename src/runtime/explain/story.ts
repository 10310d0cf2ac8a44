/**
 * The story of a run, from its journal: what mattered, in order. A failure and what was decided about it are one entry;
 * the same again is the same entry with a count. What went well at once is no story. Events come in order, one by one, so
 * that a journal of any length is told in bounded memory.
 */
import type { EncodedError } from '../../errors.ts'
import type { JournalEvent, JournalEventType } from '../../telemetry/catalogue.ts'
import type { DecisionData } from '../stage/decisions.ts'
import type { StoryEntry } from './explanation.ts'
import { brief, type ToldWait, toldDecision, waitText } from './words.ts'

export interface Story {
  take(event: JournalEvent): void
  readonly entries: readonly StoryEntry[]
  readonly leftOut: number
}

interface Draft {
  entry: StoryEntry
  /** Equal entries of the same stage are told once. */
  likeness: string
}

/** Entries of the beginning and of the end that are kept. */
const keptAtFirst = 60
const keptAtLast = 60

export function createStory(isTold: (event: JournalEvent) => boolean = () => true): Story {
  const first: Draft[] = []
  let last: Draft[] = []
  let leftOut = 0
  /** The last entry of each stage, and of the run itself. */
  const latest = new Map<string, Draft>()
  /** Tries of model calls that failed, until the call ends. */
  const tries = new Map<string, Map<string, number>>()
  const troubled = new Set<string>()

  const add = (draft: Draft): void => {
    if (first.length < keptAtFirst) first.push(draft)
    else last.push(draft)
    if (last.length > keptAtLast) {
      leftOut += last.length - keptAtLast
      last = last.slice(-keptAtLast)
    }
    latest.set(draft.entry.stage ?? '', draft)
  }

  const remove = (draft: Draft): void => {
    for (const list of [first, last]) {
      const place = list.indexOf(draft)
      if (place >= 0) list.splice(place, 1)
    }
  }

  const tell = (event: JournalEvent, text: string): void => {
    const { seq, at, type, stage, attempt } = event
    const entry = { seq, at, type, text, decisions: [], times: 1, lastAt: at }
    const place = { ...(stage === undefined ? {} : { stage }), ...(attempt === undefined ? {} : { attempt }) }
    add({ entry: { ...entry, ...place }, likeness: `${type} ${text.replace(/\d+/g, '#')}` })
  }

  /** The decision belongs to what was told last of its stage; together they may be the same as what came before. */
  const decide = (event: JournalEvent): void => {
    const decision = toldDecision(event.data as unknown as DecisionData)
    const draft = latest.get(event.stage ?? '')
    if (!draft) return tell(event, decision.text)
    draft.entry = { ...draft.entry, decisions: [...draft.entry.decisions, decision] }
    draft.likeness += ` ${decision.rule}`
    merge(event.stage ?? '', draft)
  }

  const before = new Map<string, Draft>()
  const merge = (stage: string, draft: Draft): void => {
    const earlier = before.get(stage)
    const isSame = earlier && earlier !== draft && earlier.likeness === draft.likeness
    if (!isSame) {
      before.set(stage, draft)
      return
    }
    remove(draft)
    earlier.entry = alike(earlier.entry, draft.entry)
    latest.set(stage, earlier)
  }

  const countTry = ({ stage = '', data }: JournalEvent): void => {
    const of = tries.get(stage) ?? new Map<string, number>()
    tries.set(stage, of)
    const what = `'${String(data.provider)}' ${String(data.kind ?? 'failed')}`
    of.set(what, (of.get(what) ?? 0) + 1)
  }

  return {
    get entries() {
      return [...first, ...last].map(({ entry }) => entry)
    },
    get leftOut() {
      return leftOut
    },
    take(event) {
      if (!isTold(event)) return
      const { type, stage } = event
      if (type.endsWith('.decided') && 'counters' in event.data) return decide(event)
      if (type === 'call.attempted') return countTry(event)
      if (type === 'call.intended') return void tries.delete(stage ?? '')
      if (type === 'stage.failed' || type === 'stage.degraded') if (isDecided(latest.get(stage ?? ''))) return
      if (type === 'attempt.failed' && stage !== undefined) troubled.add(stage)
      if (type === 'stage.succeeded' && !troubled.delete(stage ?? '')) return
      const text = sentenceOf(event, tries.get(stage ?? ''))
      if (type === 'call.succeeded' || type === 'attempt.failed') tries.delete(stage ?? '')
      if (text !== undefined) tell(event, text)
    },
  }
}

/** The same once more: told as the last of them, from the first on. */
function alike(first: StoryEntry, last: StoryEntry): StoryEntry {
  const { seq, at, times, attempt } = first
  const merged = { ...last, seq, at, times: times + 1 }
  if (attempt === undefined || last.attempt === undefined || attempt === last.attempt) return merged
  const text = last.text.replace(`attempt ${last.attempt} of`, `attempts ${attempt} to ${last.attempt} of`)
  return { ...merged, attempt, lastAttempt: last.attempt, text }
}

/** Whether the end of the stage has been told already, with the rule that decided it. */
const isDecided = (draft: Draft | undefined): boolean =>
  ['fail', 'quarantine', 'degrade', 'budget'].includes(draft?.entry.decisions.at(-1)?.rule ?? '')

const errorIn = ({ data }: JournalEvent): string => {
  const { name, message } = (data.error ?? {}) as Partial<EncodedError>
  const kind = typeof data.kind === 'string' && data.kind !== 'unknown' ? ` (${data.kind})` : ''
  return `${name ?? 'Error'}${kind}: ${brief(message ?? 'without a message')}`
}

type Teller = (event: JournalEvent, tries: ReadonlyMap<string, number> | undefined) => string | undefined

const why = ({ data }: JournalEvent): string =>
  typeof data.reason === 'string' && data.reason !== '' ? `: ${brief(data.reason)}` : ''
const place = ({ stage }: JournalEvent): string => `stage '${stage}'`
/** Who it was, where that is known. */
const by = ({ data }: JournalEvent): string => (typeof data.by === 'string' && data.by !== '' ? ` by ${data.by}` : '')
const versionIn = (mark: unknown): string => String((mark as { version?: unknown } | undefined)?.version)

const decidedByHand: Readonly<Record<string, string>> = {
  skip: 'was skipped',
  complete: 'was given its result',
  redo: 'was to be done again',
}

/** What is told of an event. A type that is not here is no part of the story. */
const tellers: Partial<Record<JournalEventType, Teller>> = {
  'run.started': ({ data }) =>
    `the run began${typeof data.profile === 'string' ? `, with profile '${data.profile}'` : ''}${typeof data.parent === 'string' ? `, as a child of ${data.parent}` : ''}`,
  'run.recovered': ({ data }) =>
    Number(data.crashes) > 0
      ? `a new process took the run up, since the one before had died (${data.crashes} in a row without progress)`
      : 'a new process took the run up',
  'run.migrated': ({ data }) =>
    `the run went over from version ${versionIn(data.from)} to version ${versionIn(data.to)} of its workflow`,
  'run.forked': ({ data }) => `the run began as a fork of ${String(data.runId)} from stage '${String(data.from)}'`,
  'run.imported': ({ data }) => `the run was read from a bundle; it was ${String(data.status)} when that was made`,
  'run.reopened': event =>
    event.data.how === 'release' ? undefined : `reopened${by(event)} (${String(event.data.how)})${why(event)}`,
  'run.rebuilt': () => 'the run was rebuilt from its journal',
  'snapshot.refused': event => `its snapshot could not be restored: ${errorIn(event)}`,
  'record.corrupt': ({ data }) => `damaged in the store: ${brief(String(data.message))}`,
  'run.waiting': ({ data }) => waitsText(data.for as readonly ToldWait[]),
  'run.paused': event => `held by an operator${why(event)}`,
  'run.resumed': () => 'let go on by an operator',
  'run.cancelling': event => `cancelled${why(event)}`,
  'run.deadline_passed': () => 'the time of the run was up',
  'run.completed': () => 'the run gave its output',
  'run.cancelled': () => 'the run ended as cancelled',
  'run.failed': event => `the run failed: ${errorIn(event)}`,
  'run.quarantined': event => `the run was set aside: ${errorIn(event)}`,
  'run.budget_exceeded': event => `the run ended out of budget: ${errorIn(event)}`,
  'stage.succeeded': event => `${place(event)} succeeded after all`,
  'stage.fell_back': event => `${place(event)} has the result of its fallback`,
  'stage.degraded': event => `${place(event)} was lost; the run goes on without it`,
  'stage.failed': event => `${place(event)} failed for good: ${errorIn(event)}`,
  'stage.warned': event => `${place(event)} runs longer than expected`,
  'attempt.failed': (event, tries) =>
    `attempt ${event.attempt ?? '?'} of ${place(event)} failed${triesText(tries)}: ${errorIn(event)}`,
  'stage.overridden': event =>
    `${place(event)} ${decidedByHand[String(event.data.how)] ?? 'was decided about'}${by(event)}${why(event)}`,
  'quarantine.released': event => `let out of quarantine${by(event)}${why(event)}`,
  'quarantine.discarded': event => `given up${by(event)}${why(event)}`,
  'preflight.failed': event => `the ground was not fit for ${place(event)}: ${faultsOf(event)}`,
  'remedy.applied': event => `remedy '${String(event.data.remedy)}' of ${place(event)} was carried out`,
  'remedy.failed': event => `remedy '${String(event.data.remedy)}' of ${place(event)} failed: ${errorIn(event)}`,
  'fallback.failed': event => `the fallback of ${place(event)} failed: ${errorIn(event)}`,
  'step.unknown': event =>
    `a step of ${place(event)} was under way when its process died (${String(event.data.key)}): the profile says '${String(event.data.policy)}'`,
  'call.succeeded': (event, tries) =>
    tries === undefined ? undefined : `a model call of ${place(event)} was answered${triesText(tries)}`,
  'call.unknown': event =>
    `a model call of ${place(event)} was under way when its process died: the profile says '${String(event.data.policy)}'`,
  'signal.received': ({ data }) => `signal '${String(data.name)}' came`,
  'child.started': event => `${place(event)} started child run ${String(event.data.childId)}`,
  'child.ended': event => `child run ${String(event.data.childId)} ended as ${String(event.data.status)}`,
  'compensation.succeeded': event => `${place(event)} was undone`,
  'compensation.failed': event => `${place(event)} could not be undone: ${errorIn(event)}`,
  'chaos.injected': ({ data }) => `injected on purpose: ${String(data.text)}`,
  degraded: event => `${event.stage === undefined ? 'the run' : place(event)} works less well${why(event)}`,
}

const sentenceOf: Teller = (event, tries) => tellers[event.type]?.(event, tries)

/** That a stage waits for a cause to pass is told where it was decided. */
function waitsText(waits: readonly ToldWait[]): string | undefined {
  const told = waits.filter(({ kind }) => kind !== 'cause')
  return told.length === 0 ? undefined : told.map(waitText).join('; ')
}

function triesText(tries: ReadonlyMap<string, number> | undefined): string {
  if (tries === undefined) return ''
  return ` after ${[...tries].map(([what, times]) => `${times} × ${what}`).join(', ')}`
}

function faultsOf(event: JournalEvent): string {
  const monitors = (event.data.monitors ?? []) as readonly { name: string; healthy: boolean; message: string }[]
  const faults = monitors.filter(({ healthy }) => !healthy).map(({ name, message }) => `${name}: ${brief(message)}`)
  return faults.length === 0 ? errorIn(event) : faults.join('; ')
}
