/**
 * What a supervisor keeps about a child: its spec and what became of it. The record lives as long as the spec does, over
 * every incarnation, so whoever holds it (a ref) need not know which incarnation is the live one.
 */
import type { EventObject } from 'xstate'
import type { ChildType, ResolvedChildSpec } from './child-spec.ts'
import type { Exit, Incarnation } from './incarnation.ts'
import type { PendingRestart } from './pending-restarts.ts'
import { type ChildEnd, type ChildWatcher, Watchers } from './watchers.ts'

export type ChildStatus = 'running' | 'restarting' | 'stopped'

export interface ChildReport {
  readonly id: string
  readonly status: ChildStatus
  /** How many times it has been started; 0 before the first. */
  readonly incarnation: number
  readonly type: ChildType
}

/** `TNested` is what runs in place of an actor where the child is a supervisor. */
export class Child<TNested> {
  spec: ResolvedChildSpec
  incarnation = 0
  actor: Incarnation | undefined
  nested: TNested | undefined
  /** Whether the present incarnation runs; an actor that is over stays for its last snapshot. */
  isLive = false
  /** It ended by itself, and what follows is not yet decided. */
  exit: Exit | undefined
  /** Set while it is being stopped: takes the exit that the stop waits for. */
  whenStopped: ((exit: Exit) => void) | undefined
  /** The restart that it waits for. */
  restart: PendingRestart | undefined
  startedAt = 0
  /** Failures in a row, and the delay after the last of them. */
  failures = 0
  previousDelayMs = 0
  /** Its spec is gone: it will never start again. */
  isRemoved = false
  /** Mail for the next incarnation, or for after the event at hand. */
  mail: EventObject[] | undefined
  isDelivering = false
  #watchers: Watchers | undefined
  #lastEnd: ChildEnd | undefined

  constructor(spec: ResolvedChildSpec) {
    this.spec = spec
  }

  /** Tells how the present incarnation ends, or the last one ended, exactly once. @returns stops watching */
  watch(watcher: ChildWatcher): () => void {
    this.#watchers ??= new Watchers()
    const { id } = this.spec
    const ended = this.isLive ? undefined : (this.#lastEnd ?? { id, incarnation: 0, reason: 'not-started' as const })
    return this.#watchers.add(watcher, ended)
  }

  noteEnd(end: ChildEnd): void {
    this.#lastEnd = end
    this.#watchers?.tell(end)
  }

  /** Whether it runs as far as decisions go: also when it has ended and nobody has judged that yet. */
  get countsAsRunning(): boolean {
    return this.isLive || this.exit !== undefined
  }

  get status(): ChildStatus {
    if (this.isLive) return 'running'
    return this.restart ? 'restarting' : 'stopped'
  }

  report(): ChildReport {
    return { id: this.spec.id, status: this.status, incarnation: this.incarnation, type: this.spec.type }
  }
}
