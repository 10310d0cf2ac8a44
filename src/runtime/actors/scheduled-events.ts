/**
 * `after` and delayed events of a user's machine, made durable. XState schedules them in memory and leaves them out of
 * its snapshots, so what its system has scheduled is mirrored into the run's timers, with absolute due times. After a
 * restart each is given back to XState's own scheduler with the time that remains and under its own id: from then on
 * leaving the state cancels it and entering it again replaces it, as if nothing had happened.
 */

import type { AnyActorRef } from 'xstate'
import type { LiveRun } from '../run/live.ts'

interface ScheduledEvent {
  readonly id: string
  readonly event: unknown
  readonly delay: number
  readonly source: AnyActorRef
  readonly target: AnyActorRef
}

export class ScheduledEvents {
  readonly #run: LiveRun
  /** Timer key by XState's own entry: the entry is a new object each time something is scheduled. */
  #known = new Map<ScheduledEvent, string>()
  #ready: boolean

  constructor(run: LiveRun, restoring: boolean) {
    this.#run = run
    this.#ready = !restoring
  }

  /** Takes over what XState has scheduled and forgets what it has cancelled or fired. */
  mirror(): void {
    const { root, services, timers } = this.#run
    if (!root || !this.#ready) return
    const known = new Map<ScheduledEvent, string>()
    for (const entry of scheduledIn(root)) {
      const key = this.#known.get(entry) ?? this.#keep(entry, services.clock.now() + entry.delay)
      known.set(entry, key)
    }
    const kept = new Set(known.values())
    for (const key of this.#known.values()) if (!kept.has(key)) timers.clear(key)
    this.#known = known
  }

  /** Gives what was stored back to XState's scheduler, with the remaining time. */
  restore(): void {
    const { root, services, timers } = this.#run
    this.#ready = true
    if (!root) return
    for (const { key, dueAt, purpose } of timers.ofKind('scheduled')) {
      const source = actorAt(root, purpose.path)
      const target = actorAt(root, purpose.target)
      if (!source || !target) {
        timers.clear(key)
        continue
      }
      root.system.scheduler.schedule(
        source,
        target,
        purpose.event as never,
        Math.max(0, dueAt - services.clock.now()),
        purpose.id,
      )
      const entry = scheduledIn(root).find(candidate => candidate.source === source && candidate.id === purpose.id)
      if (entry) this.#known.set(entry, key)
    }
    this.mirror()
  }

  #keep(entry: ScheduledEvent, dueAt: number): string {
    const path = pathOf(entry.source)
    const key = `scheduled:${path.join('/')}:${entry.id}`
    this.#run.timers.set(key, dueAt, {
      kind: 'scheduled',
      path,
      target: pathOf(entry.target),
      id: entry.id,
      event: entry.event,
    })
    return key
  }
}

const scheduledIn = (root: AnyActorRef): ScheduledEvent[] =>
  Object.values(
    (root.system.getSnapshot() as unknown as { _scheduledEvents: Record<string, ScheduledEvent> })._scheduledEvents,
  )

/** The ids from the root down to an actor; empty for the root. */
function pathOf(actor: AnyActorRef): string[] {
  return actor._parent ? [...pathOf(actor._parent), actor.id] : []
}

function actorAt(root: AnyActorRef, path: readonly string[]): AnyActorRef | undefined {
  let actor: AnyActorRef | undefined = root
  for (const id of path)
    actor = (actor?.getSnapshot() as { children?: Record<string, AnyActorRef> } | undefined)?.children?.[id]
  return actor
}
