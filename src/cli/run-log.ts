/**
 * The log of a process that has the store: `logs/workflow-YYYYMMDD.log`, a line an event of its runs and a line an entry
 * of the runtime, for people and `grep`. It is a convenience: what cannot be written is said once and harms no run. Nothing
 * that looks like a secret, and no value that the environment holds under such a name, is written.
 */
import { createWriteStream, mkdirSync, type WriteStream } from 'node:fs'
import { join } from 'node:path'
import { maskSecrets } from '../bundled/masking.ts'
import { secretValues } from '../config/secret-values.ts'
import { type JournalEvent, type Logger, type Runtime, systemClock } from '../index.ts'
import type { LogLevel, logLevels } from './cli-logger.ts'
import { entriesOfError, entryOf, type Grade, type LogEntry, logLine } from './log-lines.ts'
import { createStageBoard, type StageBoard, type StageView } from './stage-board.ts'

export interface RunLog {
  /** Takes what the runtime says of itself. */
  readonly logger: Logger
  /** Writes what happens in the runs of a runtime, until it is closed. */
  follow(runtime: Runtime): void
  /** To be called after the runtime was closed; resolves when all is written. */
  close(): Promise<void>
}

export interface RunLogOptions {
  /** Where `logs/` is. */
  readonly directory: string
  /** At `debug` every event is written, else what a person asks about first. */
  readonly level: LogLevel
  /** Told once where nothing can be written. */
  readonly onFailure: (message: string) => void
}

/** The file of the log of a day, by the time in UTC. */
export function logFile(directory: string, at: number): string {
  return join(directory, 'logs', `workflow-${new Date(at).toISOString().slice(0, 10).replaceAll('-', '')}.log`)
}

export function createRunLog({ directory, level, onFailure }: RunLogOptions): RunLog {
  const file = createDailyFile(directory, onFailure)
  const secrets = secretValues()
  const wanted = (grade: Grade): boolean => grade !== 'DEBUG' || level === 'debug'
  const write = (entry: LogEntry, at: number, runId?: string): void => {
    if (!wanted(entry.grade)) return
    const masked = secrets.reduce((text, secret) => text.replaceAll(secret, '[masked]'), maskSecrets(entry.message))
    file.write(at, logLine(at, { ...entry, message: masked }, runId))
  }
  let following: Promise<void> = Promise.resolve()
  return {
    logger: loggerInto(write),
    follow(runtime) {
      following = followRuns(runtime, write)
    },
    async close() {
      await following
      await file.close()
    },
  }
}

type Write = (entry: LogEntry, at: number, runId?: string) => void

const grades: Readonly<Record<Exclude<LogLevel, 'silent'>, Grade>> = {
  debug: 'DEBUG',
  info: 'INFO',
  warn: 'WARNING',
  error: 'ERROR',
}

function loggerInto(write: Write): Logger {
  const at = (level: keyof typeof grades) => (data: object, message: string) => {
    const { runId, stage, error } = data as { runId?: unknown; stage?: unknown; error?: { message?: unknown } }
    // Of a failed attempt the journal tells.
    if (level === 'info' && error !== undefined && runId !== undefined) return
    const cause = typeof error?.message === 'string' && !message.includes(error.message) ? `: ${error.message}` : ''
    const component = typeof stage === 'string' ? `stage ${stage}` : 'runtime'
    write(
      { component, grade: grades[level], message: `${message}${cause}` },
      systemClock.now(),
      typeof runId === 'string' ? runId : undefined,
    )
  }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

async function followRuns(runtime: Runtime, write: Write): Promise<void> {
  const boards = new Map<string, StageBoard>()
  try {
    for await (const event of runtime.events()) {
      const board = boards.get(event.runId) ?? createStageBoard()
      boards.set(event.runId, board)
      const stage = takenBy(board, event)
      write(entryOf(event, stage), event.at, event.runId)
      if (!/^run\.(?:completed|cancelled|failed|quarantined|budget_exceeded)$/.test(event.type)) continue
      boards.delete(event.runId)
      if (event.type === 'run.completed' || event.type === 'run.cancelled') continue
      for (const entry of await errorEntries(runtime, event.runId)) write(entry, event.at, event.runId)
    }
  } catch {
    // The runtime was closed, or its store is gone: the run itself says what is wrong.
  }
}

/** The stage of the event; undefined where it began before this process, so that no duration is made up. */
function takenBy(board: StageBoard, event: JournalEvent): StageView | undefined {
  const { stage = '', type } = event
  const isKnown = type === 'stage.started' || board.stages.has(stage) || board.items.has(stage)
  const view = board.take(event)
  return isKnown ? view : undefined
}

/** None where the runtime was closed meanwhile: the error itself is in the log. */
async function errorEntries(runtime: Runtime, runId: string): Promise<readonly LogEntry[]> {
  try {
    const result = await (await runtime.get(runId)).result()
    return result.success ? [] : entriesOfError(result.error)
  } catch {
    return []
  }
}

interface DailyFile {
  write(at: number, line: string): void
  close(): Promise<void>
}

function createDailyFile(directory: string, onFailure: (message: string) => void): DailyFile {
  let open: { readonly path: string; readonly stream: WriteStream } | undefined
  let failed = false
  const fail = (error: Error): void => {
    if (!failed) onFailure(`the log cannot be written, and is left out: ${error.message}`)
    failed = true
  }
  const end = (stream: WriteStream): Promise<void> =>
    new Promise(resolve => {
      stream.once('close', () => resolve())
      stream.end()
    })
  const streamFor = (at: number): WriteStream => {
    const path = logFile(directory, at)
    if (open?.path === path) return open.stream
    open?.stream.end()
    mkdirSync(join(directory, 'logs'), { recursive: true })
    const stream = createWriteStream(path, { flags: 'a' }).on('error', fail)
    open = { path, stream }
    return stream
  }
  return {
    write(at, line) {
      if (failed) return
      try {
        streamFor(at).write(`${line}\n`)
      } catch (error) {
        fail(error as Error)
      }
    },
    close: async () => (open === undefined || failed ? undefined : end(open.stream)),
  }
}

/** The entries of the runtime go to both. */
export function bothLoggers(one: Logger, other: Logger): Logger {
  const at = (level: (typeof logLevels)[number] & keyof Logger) => (data: object, message: string) => {
    one[level](data, message)
    other[level](data, message)
  }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
