/**
 * The public face of a supervisor: what users call, and the refs they hold. Calls go into the supervisor's queue and are
 * carried out before the call returns where nothing is under way; their promises tell the outcome.
 */
import type { AnyActorLogic, EventFromLogic, SnapshotFrom } from 'xstate'
import { OptionsError } from '../errors.ts'
import { systemClock } from '../time/clock.ts'
import { systemRandom } from '../time/random.ts'
import { deleteChild, restartChild, startChild, terminateChild } from './administration.ts'
import type { ChildReport } from './child.ts'
import {
  type ChildSpec,
  parseChildSpec,
  parseSupervisorOptions,
  type ResolvedChildSpec,
  type ResolvedSupervisorSpec,
  type SupervisorOptions,
} from './child-spec.ts'
import type { DeadLetter, DeadLetters } from './dead-letters.ts'
import type { DecisionRecord } from './decisions.ts'
import type { SupervisorEnd } from './events.ts'
import type { MailCounts } from './mail.ts'
import { send, tellFollower } from './mail-routes.ts'
import type { Procedure } from './procedure.ts'
import { refusal } from './refusals.ts'
import { type SupervisedChild, Supervision } from './supervision.ts'
import { createTree } from './tree.ts'
import type { ChildWatcher } from './watchers.ts'

/** A child, whichever incarnation of it is the live one. */
export interface ChildRef<TLogic extends AnyActorLogic = AnyActorLogic> {
  readonly id: string
  /** How many times it has been started. */
  readonly incarnation: number
  /** Delivers the event, keeps it for the next incarnation where one is to come, or makes a dead letter of it. */
  send(event: EventFromLogic<TLogic>): void
  /** The snapshot of the live incarnation, or of the last one; `undefined` before the first. */
  getSnapshot(): SnapshotFrom<TLogic>
  /**
   * Tells once how the present incarnation ends; where none lives, how the last one ended.
   * @returns stops watching
   */
  watch(watcher: ChildWatcher): () => void
  /**
   * Makes a pact for the present incarnations of both: when the watched child ends, for whatever reason, this one gets
   * `WATCHED_ENDED { id, incarnation, reason }`; where it is no machine that handles that, it fails (`watched_ended`).
   * @returns ends the pact. @throws OptionsError where this child is a supervisor
   */
  follow(watched: ChildRef): () => void
}

/** As in OTP: `specs` counts all, `active` those that run. */
export interface ChildCounts {
  readonly specs: number
  readonly active: number
  readonly supervisors: number
  readonly workers: number
}

/** A supervisor as its users see it. A nested one has the same methods; it is started and stopped by the one above. */
export interface Supervisor {
  readonly id: string
  /** Every option with its default filled in. */
  readonly options: ResolvedSupervisorSpec
  /** Starts the children in order. @throws SupervisorError `start_failed` when one does not start; `cause` says why */
  start(): Promise<void>
  /** Stops the children in reverse order; any number of calls are one. */
  stop(): Promise<void>
  /**
   * Adds a child at the end and starts it, before this call returns where the supervisor runs and nothing is under way.
   * @throws OptionsError; SupervisorError `already_started already_present max_children start_failed`
   */
  startChild(spec: ChildSpec): Promise<ChildRef>
  /** Stops the child and keeps its spec, unless it is temporary. Costs no restart. @throws SupervisorError `not_found` */
  terminateChild(id: string): Promise<void>
  /** Starts a child that is stopped. @throws SupervisorError `not_found running restarting start_failed` */
  restartChild(id: string): Promise<ChildRef>
  /** Removes the spec of a child that is stopped. @throws SupervisorError `not_found running restarting` */
  deleteChild(id: string): Promise<void>
  /** The child of this id, or of this path through nested supervisors: `inner/a`. @throws SupervisorError `not_found` */
  child<TLogic extends AnyActorLogic = AnyActorLogic>(path: string): ChildRef<TLogic>
  /** The nested supervisor at this path; valid over its restarts. @throws SupervisorError `not_found` */
  supervisor(path: string): Supervisor
  /** A child's spec with its defaults filled in. @throws SupervisorError `not_found` */
  childSpec(id: string): ResolvedChildSpec
  /** In the order of the specs. */
  whichChildren(): ChildReport[]
  countChildren(): ChildCounts
  /** Mail of the whole tree: accepted = processed + stashed + deadLettered. */
  mailCounts(): MailCounts
  /** Mail of the whole tree that nobody took. */
  readonly deadLetters: DeadLetters
  /** The last decisions of the whole tree, with what they were made from; the oldest first, at most 100. */
  decisions(): DecisionRecord[]
  /** Resolves when the supervisor has ended, for whatever reason; it never rejects. */
  readonly stopped: Promise<SupervisorEnd>
}

/** @throws OptionsError before anything has been started */
export function createSupervisor(options: SupervisorOptions = {}): Supervisor {
  const { id, clock = systemClock, random = systemRandom, spec } = parseSupervisorOptions(options)
  return new SupervisorHandle(new Supervision(id, spec, createTree(clock, random)))
}

class SupervisorHandle implements Supervisor {
  readonly #supervision: Supervision

  constructor(supervision: Supervision) {
    this.#supervision = supervision
  }

  get id(): string {
    return this.#supervision.id
  }

  get options(): ResolvedSupervisorSpec {
    return this.#supervision.spec
  }

  get stopped(): Promise<SupervisorEnd> {
    return this.#supervision.ended
  }

  start(): Promise<void> {
    const { place } = this.#supervision
    const started = place
      ? place.above.calls.promise(restartChild(place.above, place.child.spec.id)).then(() => {})
      : this.#supervision.calls.promise(startRoot(this.#supervision))
    // Whoever only looks at `stopped` must not end the process by a rejection that nobody took.
    started.catch(() => {})
    return started
  }

  stop(): Promise<void> {
    const { place } = this.#supervision
    if (place) return place.above.calls.promise(terminateChild(place.above, place.child.spec.id))
    return this.#supervision.calls.promise(this.#supervision.end())
  }

  async startChild(spec: ChildSpec): Promise<ChildRef> {
    const parsed = parseChildSpec(spec, this.options.autoShutdown, `supervisor '${this.id}': child`)
    return refTo(this.#supervision, await this.#supervision.calls.promise(startChild(this.#supervision, parsed)))
  }

  terminateChild(id: string): Promise<void> {
    return this.#supervision.calls.promise(terminateChild(this.#supervision, id))
  }

  async restartChild(id: string): Promise<ChildRef> {
    return refTo(this.#supervision, await this.#supervision.calls.promise(restartChild(this.#supervision, id)))
  }

  deleteChild(id: string): Promise<void> {
    return this.#supervision.calls.promise(deleteChild(this.#supervision, id))
  }

  child<TLogic extends AnyActorLogic = AnyActorLogic>(path: string): ChildRef<TLogic> {
    const [supervision, child] = locate(this.#supervision, path)
    return refTo(supervision, child)
  }

  supervisor(path: string): Supervisor {
    const [, child] = locate(this.#supervision, path)
    if (child.nested) return new SupervisorHandle(child.nested)
    throw refusal(this.id, 'not_found', `its child '${path}' is no supervisor`)
  }

  childSpec(id: string): ResolvedChildSpec {
    return locate(this.#supervision, id)[1].spec
  }

  whichChildren(): ChildReport[] {
    return Array.from(this.#supervision.children.values(), child => child.report())
  }

  countChildren(): ChildCounts {
    const counts = { specs: 0, active: 0, supervisors: 0, workers: 0 }
    for (const child of this.#supervision.children.values()) {
      counts.specs++
      if (child.isLive) counts.active++
      if (child.spec.type === 'supervisor') counts.supervisors++
      else counts.workers++
    }
    return counts
  }

  mailCounts(): MailCounts {
    return this.#supervision.tree.mail.counts()
  }

  get deadLetters(): DeadLetters {
    return new DeadLetterOffice(this.#supervision)
  }

  decisions(): DecisionRecord[] {
    return this.#supervision.tree.decisions.list()
  }
}

/** The letters of a tree; paths are those of its root. */
class DeadLetterOffice implements DeadLetters {
  readonly #root: Supervision

  constructor(supervision: Supervision) {
    let root = supervision
    while (root.place) root = root.place.above
    this.#root = root
  }

  get dropped(): number {
    return this.#root.tree.deadLetters.dropped
  }

  list(): DeadLetter[] {
    return this.#root.tree.deadLetters.list()
  }

  resend(number: number): void {
    const box = this.#root.tree.deadLetters
    const [supervision, child] = locate(this.#root, box.find(number).path)
    send<Supervision>(supervision, child, box.forget(number).event)
  }

  discard(number: number): void {
    this.#root.tree.deadLetters.forget(number)
  }
}

function* startRoot(supervision: Supervision): Procedure {
  const { id, phase } = supervision
  if (phase === 'stopped') throw refusal(id, 'supervisor_stopped', 'it has stopped, and starts only once')
  if (phase !== 'idle') throw refusal(id, 'already_started', 'it has been started')
  const failure = yield* supervision.begin(() => {})
  if (failure) throw failure.error
}

/** The child at a path, and the supervisor that it belongs to. */
function locate(from: Supervision, path: string): [Supervision, SupervisedChild] {
  let supervision: Supervision | undefined = from
  let child: SupervisedChild | undefined
  for (const id of path.split('/')) {
    if (child) supervision = child.nested
    child = supervision?.children.find(id)
    if (!supervision || !child) throw refusal(from.id, 'not_found', `there is no child '${path}'`)
  }
  return [supervision as Supervision, child as SupervisedChild]
}

function refTo<TLogic extends AnyActorLogic>(supervision: Supervision, child: SupervisedChild): ChildRef<TLogic> {
  return {
    id: child.spec.id,
    get incarnation() {
      return child.incarnation
    },
    send: event => send<Supervision>(supervision, child, event),
    getSnapshot: () => (child.nested ? child.nested.machine : child.actor?.actor)?.getSnapshot(),
    watch: watcher => child.watch(watcher),
    follow: watched => follow(supervision, child, watched),
  }
}

function follow(supervision: Supervision, child: SupervisedChild, watched: ChildRef): () => void {
  if (child.nested) throw new OptionsError(`child '${child.spec.id}': a supervisor cannot follow a child`)
  const { incarnation } = child
  const stopWatching = watched.watch(end => tellFollower<Supervision>(supervision, child, incarnation, end))
  // With the follower the pact is over.
  const stopWaiting = child.watch(stopWatching)
  return () => {
    stopWatching()
    stopWaiting()
  }
}
