/**
 * Knows which runs are at rest: they wait, and nothing but a signal from outside can move them soon. A wait for a signal
 * that times out within a minute is no rest, nor is a sleep; a wait for a child is where the child rests.
 */
import { type Client, type Clock, type JournalEvent, type RunReport, systemClock } from '../index.ts'

export interface RestWatch {
  /** Looks at every run once: for those that were at rest before anyone watched. */
  lookAtAll(): Promise<void>
  /** To be given every event of every run, in order. */
  take(event: JournalEvent): Promise<void>
  /** Whether at least one run rests, and every other rests or has ended. */
  isAtRest(hasEnded: (runId: string) => boolean): boolean
}

const moving = new Set<string>(['run.waiting', 'run.active', 'run.paused', 'run.resumed'])

/** A person who has to send a signal is not kept waiting for a time-out that lies further ahead, ms. */
const soonMs = 60_000

/** @param withPaused whether a paused run rests, too */
export function createRestWatch(
  client: Client,
  runIds: readonly string[],
  withPaused: boolean,
  clock: Pick<Clock, 'now'> = systemClock,
): RestWatch {
  const resting = new Set<string>()

  const look = async (runId: string): Promise<void> => {
    const report = await client.get(runId)
    if (await rests(client, report, withPaused, clock)) resting.add(runId)
    else resting.delete(runId)
    if (report.parent !== undefined) await look(report.parent)
  }

  return {
    async lookAtAll() {
      for (const runId of runIds) await look(runId)
    },
    async take(event) {
      if (moving.has(event.type)) await look(event.runId)
    },
    isAtRest(hasEnded) {
      const open = runIds.filter(runId => !hasEnded(runId))
      return open.length > 0 && open.every(runId => resting.has(runId))
    },
  }
}

async function rests(
  client: Client,
  report: RunReport,
  withPaused: boolean,
  clock: Pick<Clock, 'now'>,
): Promise<boolean> {
  if (report.status === 'paused') return withPaused
  if (report.status !== 'waiting' || report.waitingFor.length === 0) return false
  for (const wait of report.waitingFor) {
    if (wait.kind === 'child') {
      if (wait.name === undefined || !(await rests(client, await client.get(wait.name), withPaused, clock)))
        return false
    } else if (wait.kind === 'sleep') return false
    else if (wait.until !== undefined && (wait.kind !== 'signal' || wait.until - clock.now() <= soonMs)) return false
  }
  return true
}
