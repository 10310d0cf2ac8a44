/**
 * What the commands write to: data goes to stdout, everything else to stderr. On a terminal, lines can be pinned below
 * what is said; they are redrawn in place. A reader that goes away (`| head`) ends nothing but the writing.
 */

export interface Terminal {
  /** Whether stderr is a terminal, so that lines can be redrawn. */
  readonly isLive: boolean
  /** Whether stdout is a terminal, so that a person reads the data. */
  readonly isRead: boolean
  readonly columns: number
  readonly rows: number
  /** Colours for stderr; none off a terminal or with NO_COLOR. */
  readonly paint: Paint
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
  let pinned = 0
  let drawn: readonly string[] = []
  const isLive = stderr.isTTY === true
  for (const stream of [stdout, stderr]) stream.on('error', () => {})

  const erased = (): string => (pinned === 0 ? '' : `\u001b[${pinned}A\u001b[0J`)
  const draw = (before: string): void => {
    const block = drawn.map(line => `${line}\n`).join('')
    stderr.write(`${erased()}${before}${block}`)
    pinned = drawn.length
  }

  return {
    isLive,
    isRead: stdout.isTTY === true,
    get columns() {
      return stderr.columns ?? 80
    },
    get rows() {
      return stderr.rows ?? 24
    },
    paint:
      isLive && wantsColour
        ? (colour, text) => `\u001b[${codes[colour][0]}m${text}\u001b[${codes[colour][1]}m`
        : (_, text) => text,
    put(text) {
      stdout.write(`${text}\n`)
    },
    say(text) {
      draw(`${text}\n`)
    },
    pin(lines) {
      if (!isLive) return
      drawn = lines
      draw('')
    },
    flushed: () => new Promise(resolve => stdout.write('', () => resolve())),
  }
}
