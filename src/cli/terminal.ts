/**
 * What the commands write to: data goes to stdout, everything else to stderr. On a terminal, lines can be pinned below
 * what is said; they are redrawn in place. A reader that goes away (`| head`) ends nothing but the writing.
 */
import { widthOf } from './text-width.ts'

export interface Terminal {
  /** Whether stderr is a terminal, so that lines can be redrawn. */
  readonly isLive: boolean
  /** Whether stdout is a terminal, so that a person reads the data. */
  readonly isRead: boolean
  readonly columns: number
  readonly rows: number
  /** The width of what stdout writes to. */
  readonly dataColumns: number
  /** Colours for stderr; none off a terminal or with NO_COLOR. */
  readonly paint: Paint
  /** Colours for stdout. */
  readonly paintData: Paint
  /** Data, with a newline after it. */
  put(text: string): void
  /** A line for the person who looks on. */
  say(text: string): void
  /** Lines below everything that is said; replaced by the next call, removed by none. */
  pin(lines: readonly string[]): void
  /** Resolves when stdout has taken what was put. */
  flushed(): Promise<void>
}

export type Colour = 'red' | 'green' | 'yellow' | 'blue' | 'dim' | 'bold'
export type Paint = (colour: Colour, text: string) => string

export interface TerminalStreams {
  readonly stdout: NodeJS.WriteStream
  readonly stderr: NodeJS.WriteStream
}

const codes: Readonly<Record<Colour, readonly [number, number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  blue: [34, 39],
}

export function createTerminal({ stdout, stderr }: TerminalStreams, wantsColour: boolean): Terminal {
  let drawn: readonly string[] = []
  const isLive = stderr.isTTY === true
  for (const stream of [stdout, stderr]) stream.on('error', () => {})

  // A terminal that was made narrower has wrapped them. What was typed meanwhile, such as ^C, stands there, too.
  const erased = (lines: readonly string[]): string => {
    const rows = lines.reduce((sum, line) => sum + Math.max(1, Math.ceil(widthOf(line) / (stderr.columns || 80))), 0)
    return rows === 0 ? '' : `\r\u001b[${rows}A\u001b[0J`
  }
  const draw = (before: string, lines: readonly string[]): void => {
    stderr.write(`${erased(drawn)}${before}${lines.map(line => `${line}\n`).join('')}`)
    drawn = lines
  }
  const paintOf =
    (colourful: boolean): Paint =>
    (colour, text) =>
      colourful ? `\u001b[${codes[colour][0]}m${text}\u001b[${codes[colour][1]}m` : text

  return {
    isLive,
    isRead: stdout.isTTY === true,
    get columns() {
      return stderr.columns || 80
    },
    get rows() {
      return stderr.rows || 24
    },
    get dataColumns() {
      return stdout.columns || 80
    },
    paint: paintOf(isLive && wantsColour),
    paintData: paintOf(stdout.isTTY === true && wantsColour),
    put(text) {
      stdout.write(`${text}\n`)
    },
    say(text) {
      draw(`${text}\n`, drawn)
    },
    pin(lines) {
      if (isLive) draw('', lines)
    },
    flushed: () => new Promise(resolve => stdout.write('', () => resolve())),
  }
}
