/**
 * What every command is given: where the state is, how to answer, and whom to tell. Flags win over the environment, and
 * the environment over the defaults.
 */
import { join, resolve } from 'node:path'
import { readEnvironment } from '../config/environment.ts'
import { OptionsError } from '../errors.ts'
import type { Logger } from '../index.ts'
import { createCliLogger, type LogLevel, logLevels } from './cli-logger.ts'
import type { Guard } from './guard.ts'
import { quoted } from './shell.ts'
import type { Terminal } from './terminal.ts'

/** The flags that every command takes. */
export interface GlobalFlags {
  readonly dir?: string | undefined
  readonly json?: boolean | undefined
  readonly color?: boolean | undefined
  readonly debug?: boolean | undefined
  readonly logLevel?: string | undefined
}

export interface Session {
  /** `./.holdfast` unless told. */
  readonly directory: string
  /** The file of the store. */
  readonly store: string
  readonly json: boolean
  readonly debug: boolean
  readonly logLevel: LogLevel
  readonly log: Logger
  readonly terminal: Terminal
  readonly guard: Guard
  /** A command to type next, with the flags that it needs to find the same store. */
  command(text: string): string
}

/** @throws OptionsError for a log level that there is not */
export function createSession(flags: GlobalFlags, terminal: Terminal, guard: Guard): Session {
  if (flags.dir?.trim() === '')
    throw new OptionsError('--dir: is empty; name a directory, or leave it out for ./.holdfast')
  const environment = readEnvironment()
  const directory = resolve(flags.dir ?? environment.directory ?? '.holdfast')
  const level = flags.logLevel ?? environment.logLevel ?? (flags.debug ? 'debug' : 'warn')
  if (!isLogLevel(level)) throw new OptionsError(`there is no log level '${level}'; there are ${logLevels.join(', ')}`)
  return {
    directory,
    store: join(directory, 'holdfast.db'),
    json: flags.json ?? false,
    debug: flags.debug ?? false,
    logLevel: level,
    log: createCliLogger(level, terminal),
    terminal,
    guard,
    command: text =>
      `${environment.byNpm ? 'npx ' : ''}holdfast ${text}${flags.dir === undefined ? '' : ` --dir ${quoted(flags.dir)}`}`,
  }
}

const isLogLevel = (level: string): level is LogLevel => (logLevels as readonly string[]).includes(level)
