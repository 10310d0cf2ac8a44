/**
 * The most restarts that a tree of supervisors can make within some time, worked out from its specs before anything
 * starts. Within one period a supervisor restarts at most `intensity` times; each of those may give a supervisor below it
 * a new life with new counters. The bound is never too low; what the failures of one child cost its siblings makes the
 * true number lower. Supervisors that a function returns, and children that are added later, are not in it.
 */

import { type Duration, toMs } from '../time/duration.ts'
import {
  parseSupervisorOptions,
  type ResolvedSupervisorSpec,
  type SupervisorOptions,
  type SupervisorSpec,
} from './child-spec.ts'

export interface SupervisorBound {
  /** The path from the root, which is ''. */
  readonly path: string
  /** How many lives of it there can be, the first one included. */
  readonly incarnations: number
  /** Decisions to restart, in all its lives. */
  readonly restarts: number
}

export interface RestartBound {
  readonly withinMs: number
  readonly restarts: number
  /** What each supervisor adds, from the root down in spec order. */
  readonly supervisors: readonly SupervisorBound[]
}

/**
 * @param within default: the root's period
 * @throws OptionsError where the specs are not valid
 */
export function restartBound(spec: SupervisorSpec | SupervisorOptions, within?: Duration): RestartBound {
  const root = parseSupervisorOptions(spec).spec
  const withinMs = within === undefined ? root.periodMs : toMs(within, 'restartBound: within')
  const supervisors = boundsOf(root, withinMs, '', 1)
  const restarts = supervisors.reduce((sum, bound) => sum + bound.restarts, 0)
  return { withinMs, restarts, supervisors }
}

function boundsOf(spec: ResolvedSupervisorSpec, withinMs: number, path: string, lives: number): SupervisorBound[] {
  const periods = Math.max(1, Math.ceil(withinMs / spec.periodMs))
  const restarts = lives * spec.intensity * periods
  const below = spec.children.flatMap(({ id, logic, restart }) => {
    if (logic.kind !== 'supervisor') return []
    // A temporary one is never started again, except with the supervisor above it.
    const livesBelow = restart === 'temporary' ? lives : lives + restarts
    return boundsOf(logic.spec, withinMs, path === '' ? id : `${path}/${id}`, livesBelow)
  })
  return [{ path, incarnations: lives, restarts }, ...below]
}
