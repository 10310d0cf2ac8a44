/** The stages of a run as lines that are redrawn: one a stage, and below a map the items that work. Pure. */
import { formatMs } from '../time/duration.ts'
import type { StageBoard, StageState, StageView } from './stage-board.ts'
import type { Colour, Paint } from './terminal.ts'

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

/** At most `size.rows` lines, none wider than `size.columns`; the oldest lines are left out where there are more. */
export function stageTree(board: StageBoard, now: number, size: TreeSize, paint: Paint): string[] {
  const lines: string[] = []
  for (const stage of board.stages.values()) {
    lines.push(lineOf(stage, now, size.columns, paint, ''))
    if (stage.endedAt !== undefined || !stage.items) continue
    const items = [...board.items.values()].filter(item => item.map === stage.name)
    for (const item of items.slice(0, mostItems)) lines.push(lineOf(item, now, size.columns, paint, '  '))
    if (items.length > mostItems) lines.push(paint('dim', `    … ${items.length - mostItems} more at work`))
  }
  return lines.slice(-Math.max(1, size.rows))
}

function lineOf(stage: StageView, now: number, columns: number, paint: Paint, indent: string): string {
  const [sign, colour] = signs[stage.state]
  const name = stage.map === undefined ? stage.name : stage.name.slice(stage.map.length + 1, -1)
  const text = cropped(`${indent}${name} ${describeStage(stage, now)}`, columns - 2)
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

const cropped = (text: string, width: number): string => {
  const line = text.replace(/[\p{Cc}]+/gu, ' ')
  return line.length <= width ? line : `${line.slice(0, Math.max(0, width - 1))}…`
}
