/**
 * The stages of one run as its journal tells of them: which there are, how they stand, how long they take. It is fed
 * events in order, and gives plain data to whoever prints it. Items of a map are kept while they work and counted after.
 */
import type { JournalEvent } from '../index.ts'

export type StageState =
  | 'running'
  | 'waiting'
  | 'retrying'
  | 'done'
  | 'fell back'
  | 'skipped'
  | 'lost'
  | 'failed'
  | 'stopped'

export interface StageView {
  readonly name: string
  /** The map that it is an item of. */
  readonly map?: string | undefined
  state: StageState
  readonly startedAt: number
  endedAt?: number | undefined
  attempt: number
  fraction?: number | undefined
  note?: string | undefined
  /** Of a map: how many items there are, and how many of them have ended. */
  items?: { readonly all: number; ended: number; lost: number } | undefined
}

export interface StageBoard {
  readonly stages: ReadonlyMap<string, StageView>
  /** Items that work at the moment. */
  readonly items: ReadonlyMap<string, StageView>
  /** Optional stages and items that were given up. */
  readonly lost: number
  /** @returns the stage or item that the event changed */
  take(event: JournalEvent): StageView | undefined
}

const ends: Readonly<Record<string, StageState>> = {
  'stage.succeeded': 'done',
  'stage.fell_back': 'fell back',
  'stage.skipped': 'skipped',
  'stage.degraded': 'lost',
  'stage.failed': 'failed',
  'stage.stopped': 'stopped',
}

const passing: Readonly<Record<string, StageState>> = {
  'stage.attempted': 'running',
  'sleep.begun': 'waiting',
  'sleep.ended': 'running',
  'wait.begun': 'waiting',
  'wait.ended': 'running',
  'retry.decided': 'retrying',
  'restart.decided': 'retrying',
  'wait.decided': 'waiting',
}

/** These are about a stage, and begin nothing. */
const asides: ReadonlySet<string> = new Set(['stage.replayed', 'stage.overridden', 'ledger.superseded'])

export function createStageBoard(): StageBoard {
  const stages = new Map<string, StageView>()
  const items = new Map<string, StageView>()
  let lost = 0

  const start = (name: string, event: JournalEvent): StageView => {
    const before = stages.get(name)
    if (before?.state === 'lost') lost--
    const map = name.endsWith(']') ? name.slice(0, name.indexOf('[')) : undefined
    const view: StageView = { name, map, state: 'running', startedAt: event.at, attempt: 1 }
    // The items of a map are found once, also when its run is reopened.
    if (before?.items) view.items = { all: before.items.all, ended: 0, lost: 0 }
    ;(map === undefined ? stages : items).set(name, view)
    return view
  }

  const end = (view: StageView, state: StageState, event: JournalEvent): void => {
    view.state = state
    view.endedAt = event.at
    if (state === 'lost') lost++
    if (view.map === undefined) return
    items.delete(view.name)
    const counts = stages.get(view.map)?.items
    if (!counts) return
    counts.ended++
    if (state === 'lost' || state === 'failed') counts.lost++
  }

  /** A stage that was passed over keeps the end that it had. */
  const aside = ({ type, stage = '' }: JournalEvent): undefined => {
    const counts = stage.endsWith(']') ? stages.get(stage.slice(0, stage.indexOf('[')))?.items : undefined
    if (counts && type === 'stage.replayed') counts.ended++
  }

  /** Nothing goes on in a run that was read from a bundle: what was under way stays as it was when that was made. */
  const halt = (at: number): void => {
    for (const view of [...stages.values(), ...items.values()]) view.endedAt ??= at
  }

  return {
    stages,
    items,
    get lost() {
      return lost
    },
    take(event) {
      if (event.type === 'run.imported') halt(event.data.exportedAt as number)
      if (event.stage === undefined) return undefined
      if (asides.has(event.type)) return aside(event)
      const known = items.get(event.stage) ?? stages.get(event.stage)
      // A stage that is started again (in a run that was reopened) begins anew.
      const view = known && event.type !== 'stage.started' ? known : start(event.stage, event)
      const ended = ends[event.type]
      if (ended) end(view, ended, event)
      else view.state = passing[event.type] ?? view.state
      if (event.attempt !== undefined) view.attempt = event.attempt
      if (event.type === 'stage.progressed') {
        view.fraction = event.data.fraction as number
        view.note = event.data.note as string | undefined
      }
      if (event.type === 'map.opened')
        view.items = { all: (event.data.keys as readonly string[]).length, ended: 0, lost: 0 }
      return view
    },
  }
}
