/** The stages of a run as lines that are redrawn: one a stage, and below a map the items that work. Pure. */
import { formatMs } from '../time/duration.ts'
import type { StageBoard, StageState, StageView } from './stage-board.ts'
import type { Colour, Paint } from './terminal.ts'
import { cropped, widthOf } from './text-width.ts'

export interface TreeSize {
  readonly columns: number
  readonly rows: number
}

const signs: Readonly<Record<StageState, readonly [string, Colour]>> = {
  running: ['●', 'blue'],
  waiting: ['◌', 'yellow'],
  retrying: ['↻', 'yellow'],
  done: ['✔', 'green'],
  'fell back': ['✔', 'yellow'],
  skipped: ['–', 'dim'],
  lost: ['✖', 'yellow'],
  failed: ['✖', 'red'],
  stopped: ['■', 'dim'],
}

/** Items below one map. */
const mostItems = 6
/** Columns that a name keeps, however much there is to say of its stage. */
const leastName = 16

/** At most `size.rows` lines, none wider than `size.columns`; what ended first gives way where there are more. */
export function stageTree(board: StageBoard, now: number, size: TreeSize, paint: Paint): string[] {
  const most = Math.max(1, size.rows)
  const stages = [...board.stages.values()]
  const height = stages.reduce((sum, stage) => sum + 1 + itemLines(stage, board), 0)
  let over = height > most ? height - most + 1 : 0
  const shown = stages.filter(({ endedAt }) => endedAt === undefined || over-- <= 0)
  const left = stages.length - shown.length
  const head = left === 0 ? [] : [paint('dim', `  ${left} more ${left === 1 ? 'stage has' : 'stages have'} ended`)]
  const body = shown.flatMap(stage => blockOf(stage, board, now, size.columns, paint))
  return [...head, ...body.slice(-Math.max(1, most - head.length))]
}

const itemsAtWork = ({ name }: StageView, board: StageBoard): StageView[] =>
  [...board.items.values()].filter(item => item.map === name)

function itemLines(stage: StageView, board: StageBoard): number {
  if (stage.endedAt !== undefined || !stage.items) return 0
  return Math.min(mostItems + 1, itemsAtWork(stage, board).length)
}

function blockOf(stage: StageView, board: StageBoard, now: number, columns: number, paint: Paint): string[] {
  const own = lineOf(stage, now, columns, paint, '')
  if (stage.endedAt !== undefined || !stage.items) return [own]
  const items = itemsAtWork(stage, board)
  const more = items.length - mostItems
  return [
    own,
    ...items.slice(0, mostItems).map(item => lineOf(item, now, columns, paint, '  ')),
    ...(more > 0 ? [paint('dim', `    … ${more} more at work`)] : []),
  ]
}

/** A long name gives way before how the stage stands; of a path its beginning. */
function lineOf(stage: StageView, now: number, columns: number, paint: Paint, indent: string): string {
  const [sign, colour] = signs[stage.state]
  const own = stage.map === undefined ? stage.name : stage.name.slice(stage.map.length + 1, -1)
  const room = columns - 3 - indent.length
  const standing = cropped(plain(describeStage(stage, now)), Math.max(1, room - leastName))
  const name = cropped(plain(own), Math.max(1, room - widthOf(standing) - 1), own.includes('/'))
  const text = cropped(`${indent}${name} ${standing}`, columns - 3)
  return `${paint(colour, sign)} ${stage.endedAt === undefined ? text : paint('dim', text)}`
}

/** How a stage stands, in a few words: `waiting 3s`, `12/40 items 1m 02s`, `attempt 2 40% linking 9s`. */
export function describeStage(stage: StageView, now: number): string {
  const parts: string[] = []
  if (stage.state !== 'running' && stage.state !== 'done') parts.push(stage.state)
  if (stage.items) parts.push(`${stage.items.ended}/${stage.items.all} items`)
  if (stage.items && stage.items.lost > 0) parts.push(`${stage.items.lost} lost`)
  if (stage.attempt > 1) parts.push(`attempt ${stage.attempt}`)
  if (stage.endedAt === undefined && stage.fraction !== undefined) parts.push(`${Math.round(stage.fraction * 100)}%`)
  if (stage.endedAt === undefined && stage.note !== undefined) parts.push(stage.note)
  parts.push(formatMs(Math.max(0, (stage.endedAt ?? now) - stage.startedAt)))
  return parts.join(' ')
}

const plain = (text: string): string => text.replace(/[\p{Cc}]+/gu, ' ')
