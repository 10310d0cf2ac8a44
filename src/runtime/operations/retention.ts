/**
 * Deletes what has been kept long enough: ended runs by how they ended, in small batches with turns of the event loop
 * between them, and commands that were answered. What fails is logged and tried again at the next look.
 */
import { encodeError } from '../../errors.ts'
import type { RunStatus, Store } from '../../store/store.ts'
import type { Clock, TimerHandle } from '../../time/clock.ts'
import { type Duration, toMs } from '../../time/duration.ts'
import type { Logger, RetentionOptions } from '../api.ts'

export interface RetentionPolicy {
  /** How long runs of each end are kept, ms. */
  readonly runs: ReadonlyMap<RunStatus, number>
  readonly commandsMs: number
}

/** @throws OptionsError for what is no duration */
export function retentionPolicy(given: RetentionOptions = {}): RetentionPolicy {
  const { commands, ...byStatus } = given
  const runs = Object.entries(byStatus)
    .filter(([, kept]) => kept !== undefined)
    .map(
      ([status, kept]) => [status as RunStatus, toMs(kept as Duration, `createRuntime: retention.${status}`)] as const,
    )
  return {
    runs: new Map(runs),
    commandsMs: commands === undefined ? dayMs : toMs(commands, 'createRuntime: retention.commands'),
  }
}

const dayMs = 86_400_000
const minuteMs = 60_000
/** Runs, with their descendants, that are deleted in one transaction. */
const batch = 50

/** A hundredth of the shortest time that runs are kept, from a minute to six hours. */
const lookEveryMs = ({ runs }: RetentionPolicy): number =>
  Math.min(dayMs / 4, Math.max(minuteMs, Math.min(...runs.values()) / 100))

export interface RetentionParts {
  readonly store: Store
  readonly epoch: number
  readonly clock: Clock
  readonly log: Logger
  readonly policy: RetentionPolicy
}

export interface Retention {
  /** Looks for the first time. Goes on to look as long as there are runs to be deleted one day. */
  begin(): Promise<void>
  stop(): void
}

export function createRetention({ store, epoch, clock, log, policy }: RetentionParts): Retention {
  let timer: TimerHandle
  let stopped = false

  const purgeRuns = async (status: RunStatus, keptMs: number): Promise<number> => {
    let total = 0
    for (let more = true; more && !stopped; ) {
      const filter = { status: [status], endedBefore: clock.now() - keptMs, limit: batch }
      const purged = await store.purge(epoch, filter)
      total += purged.length
      more = purged.length > 0
      await new Promise(resolve => setImmediate(resolve))
    }
    return total
  }

  const look = async (): Promise<void> => {
    try {
      await store.purgeCommands(epoch, clock.now() - policy.commandsMs)
      for (const [status, keptMs] of policy.runs) {
        const runs = await purgeRuns(status, keptMs)
        if (runs > 0) log.info({ status, runs }, `${runs} ${status} runs were deleted, since their time was up`)
      }
    } catch (error) {
      if (!stopped) log.warn({ error: encodeError(error) }, 'what has been kept long enough could not be deleted')
    }
    if (policy.runs.size > 0 && !stopped) timer = clock.setTimeout(() => void look(), lookEveryMs(policy))
  }

  return {
    begin: look,
    stop() {
      stopped = true
      clock.clearTimeout(timer)
    },
  }
}
