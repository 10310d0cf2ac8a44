/**
 * One life of a child: a root actor of an XState system of its own, so that ten thousand of them cost no more each than
 * one. Its end is told exactly once, and never from within its start. What an actor leaves running when it dies is
 * stopped with it, and no failure of it, early or late, becomes an uncaught exception.
 */
import { type AnyActor, type AnyActorLogic, createActor, type EventObject, type Snapshot } from 'xstate'

/** How an actor ended by itself; `shutdown` where its logic stopped it. */
export interface Exit {
  readonly reason: 'normal' | 'abnormal' | 'shutdown'
  readonly error?: unknown
}

export type StartOutcome =
  | { readonly kind: 'running' }
  | { readonly kind: 'ended'; readonly exit: Exit }
  | { readonly kind: 'failed'; readonly error: unknown }

/** The part of the clock that XState wants. */
export interface ActorClock {
  setTimeout(callback: (...args: unknown[]) => void, delayMs: number): unknown
  clearTimeout(handle: unknown): void
}

export interface IncarnationOptions {
  readonly id: string
  readonly input: unknown
  readonly clock: ActorClock
}

export class Incarnation {
  readonly actor: AnyActor
  readonly #onExit: (exit: Exit) => void
  #phase: 'starting' | 'live' | 'over' = 'starting'

  /** @throws what XState throws on logic that is none */
  constructor(logic: AnyActorLogic, options: IncarnationOptions, onExit: (exit: Exit) => void) {
    this.actor = createActor(logic, options as never)
    this.#onExit = onExit
  }

  /** Starts the actor; what it did within its start comes back as the outcome, and `onExit` tells only what follows. */
  start(): StartOutcome {
    this.actor.subscribe({ error: () => this.#ended(), complete: () => this.#ended() })
    this.actor.start()
    const snapshot = this.snapshot()
    if (snapshot.status === 'active') {
      this.#phase = 'live'
      return { kind: 'running' }
    }
    this.#phase = 'over'
    return snapshot.status === 'error'
      ? { kind: 'failed', error: snapshot.error }
      : { kind: 'ended', exit: exitOf(snapshot) }
  }

  snapshot(): Snapshot<unknown> {
    return this.actor.getSnapshot() as Snapshot<unknown>
  }

  send(event: EventObject): void {
    this.actor.send(event)
  }

  /** Whether the logic is a machine that says what the event does in its present state; a wildcard says nothing. */
  handles(event: EventObject): boolean {
    const machine = this.actor.logic as { events?: unknown }
    const snapshot = this.snapshot() as { can?: (event: EventObject) => boolean }
    if (!Array.isArray(machine.events) || !machine.events.includes(event.type)) return false
    try {
      return snapshot.can?.(event) ?? false
    } catch {
      return false
    }
  }

  /** Stops the actor and tells nobody; within the actor's own doing, as soon as that is through. */
  stop(): void {
    this.#phase = 'over'
    this.actor.stop()
  }

  /** Ends the actor as if it had failed. */
  fail(error: unknown): void {
    if (this.#phase !== 'live') return
    this.stop()
    this.#onExit({ reason: 'abnormal', error })
  }

  #ended(): void {
    const snapshot = this.snapshot()
    if (snapshot.status === 'error') stopWhatIsLeft(this.actor, snapshot)
    if (this.#phase !== 'live') return
    this.#phase = 'over'
    this.#onExit(exitOf(snapshot))
  }
}

function exitOf(snapshot: Snapshot<unknown>): Exit {
  if (snapshot.status === 'error') return { reason: 'abnormal', error: snapshot.error }
  return { reason: snapshot.status === 'done' ? 'normal' : 'shutdown' }
}

/**
 * A machine that throws by itself leaves its children running (XState 5.33), and theirs likewise. Only a root can be
 * stopped by the public `stop()`, so the method behind it is called.
 */
function stopWhatIsLeft(actor: AnyActor, snapshot: unknown): void {
  cleanUp(actor, snapshot)
  const { children } = snapshot as { children?: Record<string, AnyActor | undefined> }
  for (const child of Object.values(children ?? {})) {
    if (!child) continue
    const last = child.getSnapshot() as Snapshot<unknown>
    ;(child as unknown as { _stop?: () => void })._stop?.()
    if (last.status === 'error') stopWhatIsLeft(child, last)
  }
}

/**
 * A callback whose listener throws is left with what it holds: XState 5.33 runs its cleanup only when it is stopped. So
 * its logic is told of a stop, once more after its end.
 */
function cleanUp(actor: AnyActor, snapshot: unknown): void {
  const logic = actor.logic as AnyActorLogic & { readonly config?: unknown }
  if (typeof logic.config !== 'function' || logic.start === undefined) return
  try {
    logic.transition(snapshot, { type: 'xstate.stop' }, { self: actor } as never)
  } catch {
    // What a cleanup throws concerns nobody: the actor has failed already.
  }
}
