/**
 * A Markdown report as lines for a person at a terminal: headings stand out, paragraphs and lists are wrapped, and
 * tables are made narrower until they fit. It reads what reports are made of — headings, paragraphs, lists, tables and
 * fenced text — and shows anything else as it is.
 */
import type { Colour, Paint } from './terminal.ts'
import { cropped, padded, widthOf, wrapped } from './text-width.ts'

/** Wider lines are hard to read. */
const widest = 100
const narrowestColumn = 6

export interface ViewOptions {
  readonly columns: number
  readonly paint: Paint
}

export function markdownLines(source: string, { columns, paint }: ViewOptions): string[] {
  const width = Math.min(columns, widest)
  const lines = source.trimEnd().split('\n')
  const shown: string[] = []
  for (let at = 0; at < lines.length; ) {
    const block = blockAt(lines, at)
    shown.push(...shownBlock(block, width, paint))
    at += block.lines.length
  }
  return shown
}

interface Block {
  readonly kind: 'table' | 'fence' | 'heading' | 'item' | 'text' | 'blank'
  readonly lines: readonly string[]
}

function blockAt(lines: readonly string[], at: number): Block {
  const line = lines[at] as string
  if (line.trim() === '') return { kind: 'blank', lines: [line] }
  if (/^#{1,6} /.test(line)) return { kind: 'heading', lines: [line] }
  if (line.startsWith('```')) {
    const end = lines.findIndex((other, index) => index > at && other.startsWith('```'))
    return { kind: 'fence', lines: lines.slice(at, end < 0 ? lines.length : end + 1) }
  }
  if (line.startsWith('|')) {
    const end = lines.findIndex((other, index) => index > at && !other.startsWith('|'))
    return { kind: 'table', lines: lines.slice(at, end < 0 ? lines.length : end) }
  }
  return { kind: /^\s*(?:[-*]|\d+\.) /.test(line) ? 'item' : 'text', lines: [line] }
}

function shownBlock({ kind, lines }: Block, width: number, paint: Paint): readonly string[] {
  const [line = ''] = lines
  if (kind === 'table') return tableLines(lines, width, paint)
  if (kind === 'heading') return [heading(line, width, paint)]
  if (kind === 'item') {
    const sign = /^\s*(?:[-*]|\d+\.) /.exec(line)?.[0] ?? ''
    const indent = ' '.repeat(sign.length)
    return wrapped(line.slice(sign.length), width - sign.length).map((part, index) =>
      emphasised(`${index === 0 ? sign.replace(/[-*] $/, '• ') : indent}${part}`, paint),
    )
  }
  return kind === 'text' ? wrapped(line, width).map(part => emphasised(part, paint)) : lines
}

function heading(line: string, width: number, paint: Paint): string {
  const [, marks = '', title = ''] = /^(#+) +(.*)$/.exec(line) ?? []
  const text = cropped(title, width, true)
  if (marks.length === 1) return paint('bold', text)
  const colour = colourOf(title.replace(/s?(?: \(\d+\))?$/, ''))
  return paint('bold', colour === undefined ? text : paint(colour, text))
}

/** `**so**` is bold. */
const emphasised = (text: string, paint: Paint): string =>
  text.replace(/\*\*([^*]+)\*\*/g, (_, inner: string) => paint('bold', inner))

/** Words that say how something stands. */
const standing: readonly (readonly [RegExp, Colour])[] = [
  [/^(?:error|failed|timeout)$/i, 'red'],
  [/^(?:warning|flaky|slow|skipped)$/i, 'yellow'],
  [/^(?:passed|ok|done)$/i, 'green'],
]

const colourOf = (text: string): Colour | undefined => standing.find(([words]) => words.test(text.trim()))?.[1]

function tableLines(lines: readonly string[], width: number, paint: Paint): string[] {
  const [head = [], ...body] = lines.map(cellsOf).filter(row => !row.every(cell => /^:?-+:?$/.test(cell)))
  const rows = [head, ...body]
  const numeric = head.map((_, column) => body.every(row => /^[\d.,]*(?:\s?%|ms|s|m \d+s)?$/.test(row[column] ?? '')))
  const widths = fitted(
    head.map((_, column) => Math.max(...rows.map(row => widthOf(row[column] ?? '')))),
    width - 2 * Math.max(0, head.length - 1),
  )
  return rows.map((row, index) => {
    const cells = head.map((_, column) => {
      const room = widths[column] as number
      const text = cropped(row[column] ?? '', room, /[\\/]/.test(row[column] ?? ''))
      const filled = numeric[column] ? ' '.repeat(room - widthOf(text)) + text : padded(text, room)
      const colour = index === 0 ? 'dim' : colourOf(text)
      return colour === undefined ? filled : paint(colour, filled)
    })
    return cells.join('  ').trimEnd()
  })
}

const cellsOf = (line: string): string[] =>
  line
    .replace(/^\|/, '')
    .replace(/\|\s*$/, '')
    .split(/(?<!\\)\|/)
    .map(cell => cell.trim().replaceAll('\\|', '|'))

/** The widest columns give way until all fit, or none can. */
function fitted(widths: readonly number[], room: number): number[] {
  const fit = [...widths]
  for (let over = fit.reduce((sum, width) => sum + width, 0) - room; over > 0; over--) {
    const largest = fit.indexOf(Math.max(...fit))
    if ((fit[largest] ?? 0) <= narrowestColumn) break
    fit[largest] = (fit[largest] as number) - 1
  }
  return fit
}
