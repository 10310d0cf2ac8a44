/** The log of the runtime as lines on stderr that a person can read. */
import type { Logger } from '../index.ts'
import type { Colour, Terminal } from './terminal.ts'

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

const colours: Readonly<Record<Exclude<LogLevel, 'silent'>, Colour>> = {
  debug: 'dim',
  info: 'blue',
  warn: 'yellow',
  error: 'red',
}

export function createCliLogger(level: LogLevel, terminal: Terminal): Logger {
  const at = (own: keyof typeof colours) => (data: object, message: string) => {
    if (logLevels.indexOf(own) < logLevels.indexOf(level)) return
    const facts = level === 'debug' ? ` ${JSON.stringify(data)}` : causeIn(data)
    terminal.say(`${terminal.paint(colours[own], `${own}:`)} ${message}${facts}`)
  }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

/** What went wrong, where the entry is about an error. */
function causeIn(data: object): string {
  const { error } = data as { error?: { message?: unknown } }
  return typeof error?.message === 'string' ? ` (${error.message})` : ''
}
