/**
 * What a supervisor tells its observer, in the order in which it happens. An event of a nested supervisor comes to the
 * observer of every supervisor above it, with ids as `child()` takes them (`inner/a`) and `supervisor` naming whose it is.
 */
import type { RestartCounters } from '../../machines/supervisor.machine.ts'

/** `normal`: done by itself · `abnormal`: it failed · `shutdown`: stopped in order · `killed`: stopped by force. */
export type ExitReason = 'normal' | 'abnormal' | 'shutdown' | 'killed'

export type EndReason = 'shutdown' | 'intensity' | 'auto-shutdown' | 'start-failed'

/** Why and how a supervisor ended. */
export interface SupervisorEnd {
  readonly reason: EndReason
  /** The error that led to it, with the whole chain in `cause`. */
  readonly cause?: unknown
}

type Occurrence =
  | { readonly type: 'child.started'; readonly id: string; readonly incarnation: number }
  | {
      readonly type: 'child.exited'
      readonly id: string
      readonly incarnation: number
      readonly reason: ExitReason
      readonly error?: unknown
    }
  | {
      readonly type: 'restart.decided'
      readonly id: string
      /** Who will be started, in start order. */
      readonly group: readonly string[]
      readonly rule: string
      readonly counters: RestartCounters
    }
  | { readonly type: 'restart.refused'; readonly id: string; readonly rule: string; readonly counters: RestartCounters }
  | { readonly type: 'escalated'; readonly rule: string; readonly counters: RestartCounters; readonly cause: unknown }
  | { readonly type: 'supervisor.stopped'; readonly reason: EndReason }
  | {
      readonly type: 'dead-letter'
      readonly id: string
      readonly incarnation: number
      readonly event: { readonly type: string }
      /** `stopped`: nobody will take it · `overflow`: the child restarts and its stash is full. */
      readonly reason: 'stopped' | 'overflow'
    }

export type SupervisorEvent = Occurrence & {
  /** The path of the nested supervisor whose event it is; absent for one's own. */
  readonly supervisor?: string
}

export type SupervisorObserver = (event: SupervisorEvent) => void

/** The event of the nested supervisor `id` as the supervisor above it tells it. */
export function seenFromAbove(event: SupervisorEvent, id: string): SupervisorEvent {
  const supervisor = event.supervisor === undefined ? id : `${id}/${event.supervisor}`
  const path = 'id' in event ? { id: `${id}/${event.id}` } : {}
  const group = 'group' in event ? { group: event.group.map(member => `${id}/${member}`) } : {}
  return { ...event, ...path, ...group, supervisor } as SupervisorEvent
}
