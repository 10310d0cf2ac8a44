/**
 * The progress of a run on stderr: on a terminal a tree of its stages that is redrawn at most ten times a second, else
 * a line for each transition. What was over before this process began is in the tree, and makes no line.
 */
import { type JournalEvent, systemClock } from '../index.ts'
import { createStageBoard, type StageBoard, type StageView } from './stage-board.ts'
import { describeStage, stageTree } from './stage-tree.ts'
import type { Terminal } from './terminal.ts'

export interface Progress {
  readonly board: StageBoard
  take(event: JournalEvent): void
  /** Draws the tree a last time and leaves it standing above what follows. */
  end(): void
}

const redrawMs = 100
const secondMs = 1000

/** @param since events before it are history: ms since the epoch */
export function createProgress(terminal: Terminal, since: number): Progress {
  const board = createStageBoard()
  return terminal.isLive ? drawnProgress(terminal, board) : spokenProgress(terminal, board, since)
}

function drawnProgress(terminal: Terminal, board: StageBoard): Progress {
  let timer: unknown
  let ended = false
  const lines = (): string[] =>
    stageTree(board, systemClock.now(), { columns: terminal.columns, rows: terminal.rows - 2 }, terminal.paint)
  const plan = (afterMs: number): void => {
    timer = systemClock.setTimeout(() => {
      terminal.pin(lines())
      plan(secondMs)
    }, afterMs)
  }
  let dueAt = 0
  const redrawSoon = (): void => {
    const now = systemClock.now()
    if (dueAt > now && dueAt <= now + redrawMs) return
    systemClock.clearTimeout(timer)
    dueAt = now + redrawMs
    plan(redrawMs)
  }
  return {
    board,
    take(event) {
      if (board.take(event) && !ended) redrawSoon()
    },
    end() {
      if (ended) return
      ended = true
      systemClock.clearTimeout(timer)
      terminal.pin([])
      for (const line of lines()) terminal.say(line)
    },
  }
}

/** Transitions of a stage that are worth a line. */
const spoken: Readonly<Record<string, string>> = {
  'stage.started': 'started',
  'stage.succeeded': 'done',
  'stage.fell_back': 'fell back',
  'stage.degraded': 'lost',
  'stage.skipped': 'skipped',
  'stage.failed': 'failed',
  'stage.stopped': 'stopped',
  'stage.warned': 'is slow',
  'attempt.failed': 'attempt failed',
  'retry.decided': 'will be tried again',
  'restart.decided': 'will be restarted',
  'wait.decided': 'is parked until the cause has passed, and starts again',
  'livelock.decided': 'gets no further',
  'wait.begun': 'waits',
  'wait.ended': 'waits no longer',
  'sleep.begun': 'sleeps',
}

const ofRuns: Readonly<Record<string, string>> = {
  'run.recovered': 'run taken up again',
  'run.paused': 'run paused',
  'run.resumed': 'run resumed',
  'run.cancelling': 'run is being cancelled',
}

/** Of a map with more items a line is said for each tenth of them, and for each that went wrong. */
const mostItemLines = 50

function spokenProgress(terminal: Terminal, board: StageBoard, since: number): Progress {
  const lineOfStage = (event: JournalEvent, stage: StageView): string | undefined => {
    const map = stage.map === undefined ? undefined : board.stages.get(stage.map)
    if (map?.items && map.items.all > mostItemLines && event.type === 'stage.succeeded')
      return map.items.ended % Math.ceil(map.items.all / 10) === 0
        ? `${map.name}: ${describeStage(map, event.at)}`
        : undefined
    return lineOf(event, stage.endedAt === undefined ? '' : describeStage(stage, event.at), map !== undefined)
  }
  return {
    board,
    take(event) {
      const stage = board.take(event)
      if (event.at < since) return
      const line = stage ? lineOfStage(event, stage) : ofRuns[event.type]
      if (line !== undefined) terminal.say(line)
    },
    end() {},
  }
}

function lineOf(event: JournalEvent, description: string, isItem: boolean): string | undefined {
  const what = spoken[event.type]
  if (what === undefined || (isItem && event.type === 'stage.started')) return undefined
  const { error, name, delayMs } = event.data as { error?: { message?: string }; name?: string; delayMs?: number }
  const ends = /done|lost|failed$|fell back|skipped|stopped/.test(what) && description !== ''
  const parts = [
    `${event.stage}:`,
    ends ? (description.startsWith(what) ? description : `${what} ${description}`) : what,
    name === undefined ? '' : `for '${name}'`,
    delayMs === undefined || delayMs === 0 ? '' : `in ${delayMs} ms`,
  ]
  return (
    parts.filter(part => part !== '').join(' ') +
    (error?.message === undefined ? '' : `: ${error.message.split('\n')[0]}`)
  )
}
