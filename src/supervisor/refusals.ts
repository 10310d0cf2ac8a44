/** The errors of a supervisor: what it refuses, what did not start, and what made it give up. */
import type { RestartCounters } from '../../machines/supervisor.machine.ts'
import { RestartIntensityError, SupervisorError } from '../errors.ts'
import type { ChildEnd } from './watchers.ts'

export function refusal(supervisor: string, code: SupervisorError['code'], why: string, id?: string): SupervisorError {
  return new SupervisorError(code, `supervisor '${supervisor}': ${why}`, {
    supervisor,
    ...(id === undefined ? {} : { id }),
  })
}

export function startFailed(supervisor: string, id: string, cause: unknown): SupervisorError {
  return new SupervisorError(
    'start_failed',
    `supervisor '${supervisor}': its child '${id}' failed to start`,
    { supervisor, id },
    { cause },
  )
}

export function intensityExceeded(
  supervisor: string,
  id: string,
  counters: RestartCounters,
  cause: unknown,
): RestartIntensityError {
  const { restarts, intensity, periodMs } = counters
  return new RestartIntensityError(
    `supervisor '${supervisor}' gave up: restart ${restarts} within ${periodMs} ms would be one too many, its intensity is ${intensity}; the last failure was of child '${id}'`,
    { supervisor, id, rule: 'intensity', counters },
    { cause },
  )
}

export function watchedEnded(supervisor: string, id: string, end: ChildEnd): SupervisorError {
  return new SupervisorError(
    'watched_ended',
    `supervisor '${supervisor}': '${id}' has a pact with '${end.id}', which ended (${end.reason}), and does not handle WATCHED_ENDED`,
    { supervisor, id, watched: end.id },
    { cause: end.error },
  )
}
