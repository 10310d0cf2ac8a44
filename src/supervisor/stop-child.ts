/**
 * How a child is stopped: at once, or asked with `SHUTDOWN` where its logic handles that, given its time, and then
 * forced. A nested supervisor is asked to stop its own children in order, and forced in the same way.
 */
import type { Clock, TimerHandle } from '../time/clock.ts'
import type { Child } from './child.ts'
import type { ExitReason } from './events.ts'
import type { Exit } from './incarnation.ts'
import { type CallQueue, type Procedure, waitFor } from './procedure.ts'

export interface StoppableSupervisor {
  readonly calls: CallQueue
  end(): Procedure
  kill(done: () => void): void
}

type OnExited<TNested> = (child: Child<TNested>, reason: ExitReason, exit?: Exit) => void

/** Stops what runs of the child; its record is left for the caller to settle. */
export function* stopChild<TNested extends StoppableSupervisor>(
  child: Child<TNested>,
  clock: Clock,
  onExited: OnExited<TNested>,
): Procedure {
  if (!child.isLive) {
    child.exit = undefined
    return
  }
  const { shutdown } = child.spec
  if (shutdown === 'brutal-kill') return yield* killChild(child, onExited)
  if (!child.nested && !child.actor?.handles({ type: 'SHUTDOWN' })) {
    child.actor?.stop()
    return onExited(child, 'shutdown')
  }
  const exit = yield* awaitShutdown(child, shutdown, clock)
  if (exit === 'late') return yield* killChild(child, onExited)
  onExited(child, exit.reason === 'abnormal' ? 'abnormal' : 'shutdown', exit)
}

/** Stops it by force. */
export function* killChild<TNested extends StoppableSupervisor>(
  child: Child<TNested>,
  onExited: OnExited<TNested>,
): Procedure {
  const { nested } = child
  if (nested) yield resume => nested.kill(resume)
  else child.actor?.stop()
  onExited(child, 'killed')
}

/** Asks the child to stop and waits for its end, or until its time is over. */
function* awaitShutdown<TNested extends StoppableSupervisor>(
  child: Child<TNested>,
  shutdown: number | 'infinity',
  clock: Clock,
): Procedure<Exit | 'late'> {
  let timer: TimerHandle
  try {
    return yield* waitFor<Exit | 'late'>(settle => {
      child.whenStopped = settle
      if (shutdown !== 'infinity') timer = clock.setTimeout(() => settle('late'), shutdown)
      if (child.nested) child.nested.calls.add(child.nested.end(), () => settle({ reason: 'shutdown' }))
      else child.actor?.send({ type: 'SHUTDOWN' })
    })
  } finally {
    child.whenStopped = undefined
    if (timer !== undefined) clock.clearTimeout(timer)
  }
}
