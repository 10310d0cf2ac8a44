/**
 * Stays with runs of this process until each has ended or has nothing left to wait for but a signal. The first Ctrl-C
 * (or SIGTERM) stops the runtime in order, the second ends the process at once; what is unfinished stays in the store.
 */
import { type Client, type Run, type RunResult, type Runtime, systemClock } from '../index.ts'
import { exitCodes } from './exit-codes.ts'
import { createRestWatch } from './rest-watch.ts'
import type { Session } from './session.ts'
import { quoted } from './shell.ts'

export interface ForegroundOptions {
  readonly session: Session
  readonly runtime: Runtime
  /** Reads the same store. */
  readonly client: Client
  readonly runs: readonly Run[]
  /** Stay although only a signal can move the runs. */
  readonly stays: boolean
  /** Whether a paused run is left like one that waits for a signal. */
  readonly leavesPaused: boolean
  /** Resolves when all that the runs did has been shown; waited for when they have ended. */
  readonly shown?: Promise<void> | undefined
}

export interface ForegroundEnd {
  /** The results of the runs that have ended, by id. */
  readonly results: ReadonlyMap<string, RunResult>
  /** Set when the process was told to stop. */
  readonly stoppedBy?: 'SIGINT' | 'SIGTERM' | undefined
}

/** How long what is running may go on after a Ctrl-C. */
const grace = '5s'
/** A run that waits for a signal keeps no timer and no socket of its own, and the process must outlast it. */
const aYearMs = 31_536_000_000

/**
 * Sets runs off in this process. Their code may end the process before anybody could stay with them, and the person is to
 * hear of it even so.
 */
export async function setOff<T>(session: Session, runIds: readonly string[], begin: () => Promise<T>): Promise<T> {
  for (const id of runIds) session.guard.watch(id, session.command(`resume ${quoted(id)}`))
  try {
    return await begin()
  } catch (error) {
    for (const id of runIds) session.guard.release(id)
    throw error
  }
}

/** Stays with runs that were set off. Closes the runtime before it resolves. */
export async function stayWith(options: ForegroundOptions): Promise<ForegroundEnd> {
  const { session, runtime, runs } = options
  const results = new Map<string, RunResult>()
  const staysAlive = systemClock.setTimeout(() => {}, aYearMs)
  const stop = listenForStop(session, () => runtime.close({ grace }))
  try {
    const ended = Promise.all(runs.map(run => run.result().then(result => results.set(run.id, result))))
    ended.catch(() => {})
    const resting = options.stays ? never : restOf(options, results)
    await Promise.race([ended.then(() => options.shown), resting, stop.stopped])
    // Not before the runtime has given up: a run may end while it stops, and counts as ended then.
    await runtime.close()
    return { results, stoppedBy: stop.by }
  } catch (error) {
    if (stop.by === undefined) throw error
    await runtime.close()
    return { results, stoppedBy: stop.by }
  } finally {
    stop.forget()
    systemClock.clearTimeout(staysAlive)
    for (const run of runs) session.guard.release(run.id)
  }
}

const never = new Promise<never>(() => {})

/** Resolves when every run that has not ended can be moved by nothing but a signal. */
async function restOf(
  { runtime, client, runs, leavesPaused }: ForegroundOptions,
  results: ReadonlyMap<string, RunResult>,
): Promise<void> {
  const watch = createRestWatch(
    client,
    runs.map(run => run.id),
    leavesPaused,
  )
  const news = runtime.events()
  const next = news[Symbol.asyncIterator]()
  let event = next.next()
  await watch.lookAtAll()
  while (!watch.isAtRest(id => results.has(id))) {
    const { done, value } = await event
    if (done) return never
    event = next.next()
    await watch.take(value)
  }
}

interface Stop {
  readonly stopped: Promise<void>
  readonly by: 'SIGINT' | 'SIGTERM' | undefined
  forget(): void
}

function listenForStop(session: Session, close: () => Promise<void>): Stop {
  let by: Stop['by']
  let announce = (): void => {}
  const stopped = new Promise<void>(resolve => {
    announce = resolve
  })
  const on = (signal: 'SIGINT' | 'SIGTERM'): void => {
    if (by !== undefined) process.exit(by === 'SIGINT' ? exitCodes.interrupted : exitCodes.terminated)
    by = signal
    session.terminal.say(`stopping; what runs has ${grace} to end${signal === 'SIGINT' ? ' (Ctrl-C again: now)' : ''}`)
    close().then(announce, announce)
  }
  process.on('SIGINT', on)
  process.on('SIGTERM', on)
  return {
    stopped,
    get by() {
      return by
    },
    forget() {
      process.off('SIGINT', on)
      process.off('SIGTERM', on)
    },
  }
}
