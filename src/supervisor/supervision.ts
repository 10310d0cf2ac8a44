/**
 * Carries out what the supervisor machine decides: starts and stops children, keeps their records, tells the observer.
 * Everything that happens to the children goes through one queue, one thing at a time, as through the mailbox of a
 * process; so a call that comes while a child takes its time to stop waits for it. One object is one place in the tree:
 * a nested supervisor keeps its own over all its incarnations.
 */
import { type Actor, type AnyActorLogic, createActor, type EventObject } from 'xstate'
import {
  type ChildExitedEvent,
  type StartFailedEvent,
  type SupervisorDecision,
  type SupervisorMachineEvent,
  supervisorMachine,
} from '../../machines/supervisor.machine.ts'
import type { Clock } from '../time/clock.ts'
import type { Random } from '../time/random.ts'
import type { Child } from './child.ts'
import type { ResolvedChildSpec, ResolvedSupervisorSpec } from './child-spec.ts'
import { Children } from './children.ts'
import type { DeadLetterBox } from './dead-letters.ts'
import type { DecisionLog } from './decisions.ts'
import { type ExitReason, type SupervisorEnd, type SupervisorEvent, seenFromAbove } from './events.ts'
import { type ActorClock, type Exit, Incarnation, type StartOutcome } from './incarnation.ts'
import type { DeadLetterReason, Mail } from './mail.ts'
import { type PendingRestart, PendingRestarts } from './pending-restarts.ts'
import { CallQueue, type Procedure, waitFor } from './procedure.ts'
import { intensityExceeded, refusal, startFailed, watchedEnded } from './refusals.ts'
import type { RestartPacer } from './restart-pacer.ts'
import { logicOfAttempt } from './start-attempt.ts'
import { killChild, stopChild } from './stop-child.ts'
import type { ChildEnd } from './watchers.ts'

/** What all supervisors of one tree share. */
export interface Tree {
  readonly clock: Clock
  readonly actorClock: ActorClock
  readonly random: Random
  readonly mail: Mail
  readonly deadLetters: DeadLetterBox
  readonly decisions: DecisionLog
  readonly pacer: RestartPacer
}

export type SupervisedChild = Child<Supervision>
type StartFailure = { readonly error: unknown }
type RestartDecision = Extract<SupervisorDecision, { kind: 'restart' }>

/** Where a nested supervisor hangs in the tree. */
interface Place {
  readonly child: SupervisedChild
  readonly above: Supervision
}

export class Supervision {
  readonly id: string
  readonly tree: Tree
  readonly place: Place | undefined
  readonly calls = new CallQueue()
  readonly children = new Children<Supervision>()
  spec: ResolvedSupervisorSpec
  readonly #restarts: PendingRestarts
  #machine: Actor<typeof supervisorMachine> | undefined
  #phase: 'idle' | 'starting' | 'running' | 'stopping' | 'stopped' = 'idle'
  #onEnd: (end: SupervisorEnd) => void = () => {}
  #ended = deferredEnd()

  constructor(id: string, spec: ResolvedSupervisorSpec, tree: Tree, place?: Place) {
    this.id = id
    this.spec = spec
    this.tree = tree
    this.place = place
    this.#restarts = new PendingRestarts(tree.pacer)
    this.#resetChildren()
  }

  get phase(): 'idle' | 'starting' | 'running' | 'stopping' | 'stopped' {
    return this.#phase
  }

  /** The machine of the present incarnation. */
  get machine(): Actor<typeof supervisorMachine> | undefined {
    return this.#machine
  }

  /** Resolves at the end of the present incarnation, or of the next one where none has begun. */
  get ended(): Promise<SupervisorEnd> {
    return this.#ended.promise
  }

  // The supervisor's own start and end

  /**
   * Starts the children in order. When one fails, those before it are stopped in reverse, and the error comes back.
   * @param onEnd is told when the supervisor ends by its own decision
   */
  *begin(onEnd: (end: SupervisorEnd) => void): Procedure<StartFailure | undefined> {
    if (this.#phase === 'stopped') this.#ended = deferredEnd()
    this.#onEnd = onEnd
    this.#phase = 'starting'
    this.#machine = this.#createMachine()
    this.#tell({ type: 'START' })
    this.#resetChildren()
    for (const child of this.children.inOrder()) {
      const failure = yield* this.startOne(child)
      if (!failure) continue
      this.#tell({ type: 'START_FAILED', ...this.#failureFacts(child) })
      const cause = startFailed(this.id, child.spec.id, failure.error)
      yield* this.#finish({ reason: 'start-failed', cause })
      return { error: cause }
    }
    this.#phase = 'running'
    this.#tell({ type: 'CHILDREN_STARTED' })
    return undefined
  }

  /** Stops every child, the last one first. */
  *end(): Procedure {
    if (this.#phase === 'stopped') return
    this.#machine ??= this.#createMachine()
    this.#tell({ type: 'STOP' })
    yield* this.#finish({ reason: 'shutdown' })
  }

  /** Stops every child by force, whatever is under way. */
  kill(done: () => void): void {
    this.calls.interrupt(this.#killAll(), refusal(this.id, 'supervisor_stopped', 'it was killed'), done)
  }

  *#killAll(): Procedure {
    if (!this.isUp) return
    this.#phase = 'stopping'
    this.#tell({ type: 'STOP' })
    this.#restarts.cancelAll()
    for (const child of this.children.inReverse()) {
      const { nested } = child
      if (child.isLive) yield* killChild(child, this.#exited)
      else if (nested?.isUp) yield resume => nested.kill(resume)
      this.settle(child)
    }
    this.#close({ reason: 'shutdown' })
  }

  *#finish(end: SupervisorEnd): Procedure {
    this.#phase = 'stopping'
    this.#restarts.cancelAll()
    for (const child of this.children.inReverse()) {
      yield* this.stopOne(child)
      this.settle(child)
    }
    this.#close(end)
  }

  #close(end: SupervisorEnd): void {
    this.#phase = 'stopped'
    this.#tell({ type: 'CHILDREN_STOPPED' })
    this.#machine?.stop()
    if (!this.place) this.tree.pacer.close()
    this.report({ type: 'supervisor.stopped', reason: end.reason })
    this.#ended.resolve(end)
  }

  get isUp(): boolean {
    return this.#phase === 'starting' || this.#phase === 'running' || this.#phase === 'stopping'
  }

  #createMachine(): Actor<typeof supervisorMachine> {
    const { strategy, intensity, periodMs, autoShutdown, backoff } = this.spec
    const machine = createActor(supervisorMachine, {
      id: this.id,
      clock: this.tree.actorClock,
      input: { strategy, intensity, periodMs, autoShutdown, backoff },
    })
    machine.subscribe({ error: () => {} })
    return machine.start()
  }

  // Records

  add(spec: ResolvedChildSpec): SupervisedChild {
    const child = this.children.add(spec)
    this.#nestWhereSpecified(child)
    return child
  }

  remove(child: SupervisedChild): void {
    this.children.delete(child)
    this.settle(child)
  }

  #resetChildren(): void {
    const { added, gone } = this.children.reset(this.spec.children)
    for (const child of added) this.#nestWhereSpecified(child)
    for (const child of gone) this.settle(child)
  }

  /** A nested supervisor has its place from the first, so that refs through it can be made before it starts. */
  #nestWhereSpecified(child: SupervisedChild): void {
    const { logic } = child.spec
    if (logic.kind === 'supervisor') child.nested = this.#nest(child, logic.spec)
  }

  #nest(child: SupervisedChild, spec: ResolvedSupervisorSpec): Supervision {
    return new Supervision(`${this.id}/${child.spec.id}`, spec, this.tree, { child, above: this })
  }

  /** The child is stopped and waits for nothing. */
  settle(child: SupervisedChild): void {
    child.exit = undefined
    child.isLive = false
    child.restart = undefined
    this.children.noteStopped(child)
    this.#dropMail(child)
  }

  /** The same for a child that ended for good or was terminated: a temporary one is gone with its spec. */
  settleOrRemove(child: SupervisedChild): void {
    if (child.spec.restart === 'temporary') this.remove(child)
    else this.settle(child)
  }

  // Mail

  send(child: SupervisedChild, event: EventObject): void {
    this.tree.mail.send(child, event, this.#willStart(child), this.#onDeadLetter)
  }

  /** A child that `follower` had a pact with has ended: it is told where it handles that, and fails where it does not. */
  watchedEnded(follower: SupervisedChild, incarnation: number, end: ChildEnd): void {
    if (!follower.isLive || follower.incarnation !== incarnation) return
    const event = { type: 'WATCHED_ENDED', id: end.id, incarnation: end.incarnation, reason: end.reason }
    if (follower.actor?.handles(event)) this.send(follower, event)
    else follower.actor?.fail(watchedEnded(this.id, follower.spec.id, end))
  }

  /** Whether a start of a child that does not run is to come, without anybody asking for it. */
  #willStart(child: SupervisedChild): boolean {
    if (child.isRemoved) return false
    if (child.restart !== undefined || child.exit !== undefined || this.#phase === 'starting') return true
    if (this.place === undefined || this.#phase === 'running') return false
    return this.place.above.#willStart(this.place.child)
  }

  /** No mail waits for a child that will not start again, nor for those below it. */
  #dropMail(child: SupervisedChild): void {
    if (this.#willStart(child)) return
    this.tree.mail.discard(child, this.#onDeadLetter)
    if (!child.nested || child.nested.isUp) return
    for (const grandchild of child.nested.children.inOrder()) child.nested.#dropMail(grandchild)
  }

  readonly #onDeadLetter = (child: SupervisedChild, event: EventObject, reason: DeadLetterReason): void => {
    const { incarnation } = child
    const at = this.tree.clock.now()
    this.tree.deadLetters.keep({ path: this.#pathOf(child), incarnation, event, reason, at })
    this.report({ type: 'dead-letter', id: child.spec.id, incarnation, event, reason })
  }

  /** From the root of the tree. */
  #pathOf(child: SupervisedChild): string {
    return this.place ? `${this.place.above.#pathOf(this.place.child)}/${child.spec.id}` : child.spec.id
  }

  // Starting and stopping one child

  /** One start attempt. A child that declines is stopped, and gone where it is temporary. */
  *startOne(child: SupervisedChild): Procedure<StartFailure | undefined> {
    const logic = logicOfAttempt(child.spec.logic, child.spec.id)
    if (logic.kind === 'ignore') {
      this.tree.mail.discard(child, this.#onDeadLetter)
      this.settleOrRemove(child)
      return undefined
    }
    if (logic.kind === 'failed') return logic
    const outcome =
      logic.kind === 'supervisor' ? yield* this.#startNested(child, logic.spec) : this.#startActor(child, logic.logic)
    if (outcome.kind === 'failed') return outcome
    child.restart = undefined
    child.incarnation++
    child.isLive = true
    child.startedAt = this.tree.clock.now()
    this.children.noteStarted(child)
    this.report({ type: 'child.started', id: child.spec.id, incarnation: child.incarnation })
    if (outcome.kind === 'ended') this.#onExit(child, outcome.exit)
    else if (child.mail) this.tree.mail.deliver(child)
    return undefined
  }

  #startActor(child: SupervisedChild, logic: AnyActorLogic): StartOutcome {
    const id = `${child.spec.id}#${child.incarnation + 1}`
    const options = { id, input: child.spec.input, clock: this.tree.actorClock }
    try {
      const actor = new Incarnation(logic, options, exit => this.#onExit(child, exit))
      const outcome = actor.start()
      if (outcome.kind === 'failed') return outcome
      child.actor = actor
      child.nested = undefined
      return outcome
    } catch (error) {
      return { kind: 'failed', error }
    }
  }

  *#startNested(child: SupervisedChild, spec: ResolvedSupervisorSpec): Procedure<StartOutcome> {
    const nested = child.nested ?? this.#nest(child, spec)
    child.nested = nested
    child.actor = undefined
    nested.spec = spec
    const onEnd = (end: SupervisorEnd): void => this.#onExit(child, exitOfSupervisor(end))
    const failure = yield* waitFor<StartFailure | undefined>(settle =>
      nested.calls.add(nested.begin(onEnd), settle, error => settle({ error })),
    )
    return failure ? { kind: 'failed', error: failure.error } : { kind: 'running' }
  }

  stopOne(child: SupervisedChild): Procedure {
    return stopChild(child, this.tree.clock, this.#exited)
  }

  readonly #exited = (child: SupervisedChild, reason: ExitReason, exit?: Exit): void => {
    child.isLive = false
    const error = exit && 'error' in exit ? { error: exit.error } : {}
    const end = { id: child.spec.id, incarnation: child.incarnation, reason, ...error }
    this.report({ type: 'child.exited', ...end })
    child.noteEnd(end)
  }

  // What children do by themselves

  /** A child ended: told at once, judged when its turn comes. */
  #onExit(child: SupervisedChild, exit: Exit): void {
    if (child.whenStopped) {
      child.whenStopped(exit)
      return
    }
    this.#exited(child, exit.reason, exit)
    child.exit = exit
    this.calls.add(this.#judge(child, exit))
  }

  *#judge(child: SupervisedChild, exit: Exit): Procedure {
    if (child.exit !== exit || this.#phase !== 'running') return
    child.exit = undefined
    const { restart, significant } = child.spec
    const facts = this.#failureFacts(child)
    this.#decide({
      type: 'CHILD_EXITED',
      ...facts,
      restart,
      significant,
      reason: exit.reason,
      ranMs: facts.at - child.startedAt,
      otherSignificant: this.children.hasOtherSignificant(child),
    })
    yield* this.#carryOut(child, exit.error)
  }

  /** Does what the machine decided about the child. */
  *#carryOut(child: SupervisedChild, error: unknown): Procedure {
    const decision = this.#machine?.getSnapshot().context.decision
    if (!decision) return
    if (decision.kind === 'restart') return yield* this.#prepareRestart(child, decision)
    const { id, rule, counters } = decision
    this.settleOrRemove(child)
    this.report({ type: 'restart.refused', id, rule, counters })
    if (decision.kind === 'leave') return
    if (decision.kind === 'escalate') this.report({ type: 'escalated', rule, counters, cause: error })
    const end: SupervisorEnd =
      decision.kind === 'escalate'
        ? { reason: 'intensity', cause: intensityExceeded(this.id, id, counters, error) }
        : { reason: 'auto-shutdown' }
    yield* this.#finish(end)
    this.#onEnd(end)
  }

  // Restarting

  /** Stops the siblings that go with the child, the last one first, and plans the start of them all. */
  *#prepareRestart(child: SupervisedChild, decision: RestartDecision): Procedure {
    child.failures = decision.failures
    child.previousDelayMs = decision.delayMs
    const affected = this.#affected(child, decision.scope)
    const members = affected.filter(member => member.spec.restart !== 'temporary')
    const pending = this.#restarts.gather(members)
    const { id, rule, counters } = decision
    this.report({ type: 'restart.decided', id, group: members.map(member => member.spec.id), rule, counters })
    for (const member of affected.reverse()) {
      if (member === child) continue
      yield* this.stopOne(member)
      if (member.spec.restart === 'temporary') this.remove(member)
    }
    this.#restarts.schedule(pending, decision.delayMs, () => this.calls.add(this.#restartGroup(pending, members)))
  }

  #affected(child: SupervisedChild, scope: RestartDecision['scope']): SupervisedChild[] {
    if (scope === 'child') return [child]
    const all = this.children.inOrder()
    return scope === 'all' ? all : all.slice(all.indexOf(child))
  }

  *#restartGroup(pending: PendingRestart, members: readonly SupervisedChild[]): Procedure {
    if (!this.#restarts.take(pending)) return
    for (const member of members) {
      if (member.restart !== pending) continue
      const failure = yield* this.startOne(member)
      if (!failure) continue
      this.#restarts.hold(pending)
      this.calls.add(this.#tryAgain(pending, members, member, failure.error))
      return
    }
    if (this.#restarts.isEmpty) this.#tell({ type: 'RESTARTS_SETTLED' })
  }

  /**
   * A start within a restart failed. As in OTP what came meanwhile goes first: it may have covered the child by another
   * restart, or withdrawn it; the members after it are then started without it.
   */
  *#tryAgain(
    pending: PendingRestart,
    members: readonly SupervisedChild[],
    failed: SupervisedChild,
    error: unknown,
  ): Procedure {
    if (this.#phase !== 'running') return
    if (failed.restart !== pending) return yield* this.#restartGroup(pending, members)
    this.#restarts.take(pending)
    this.#decide({ type: 'START_FAILED', ...this.#failureFacts(failed) })
    yield* this.#carryOut(failed, error)
  }

  /** The child no longer waits for a restart. */
  withdrawFromRestart(child: SupervisedChild): void {
    if (!child.restart) return
    this.#restarts.withdraw(child)
    if (this.#restarts.isEmpty) this.#tell({ type: 'RESTARTS_SETTLED' })
  }

  #failureFacts(child: SupervisedChild): {
    id: string
    at: number
    unit: number
    failures: number
    previousDelayMs: number
  } {
    const { failures, previousDelayMs, spec } = child
    const unit = this.spec.backoff ? this.tree.random() : 0
    return { id: spec.id, at: this.tree.clock.now(), unit, failures, previousDelayMs }
  }

  // To the machine, and to whoever observes

  #tell(event: SupervisorMachineEvent): void {
    if (this.#machine?.getSnapshot().status === 'active') this.#machine.send(event)
  }

  /** Has the machine decide, and keeps what it decided and from what. */
  #decide(fact: ChildExitedEvent | StartFailedEvent): void {
    const before = this.#machine?.getSnapshot()
    this.#tell(fact)
    const decision = this.#machine?.getSnapshot().context.decision
    if (before && decision) {
      this.tree.decisions.add({ supervisor: this.id, before: before.context, fact, decision })
    }
  }

  /** What an observer throws concerns nobody. */
  report(event: SupervisorEvent): void {
    try {
      this.spec.onEvent?.(event)
    } catch {
      // An observer cannot harm what it observes.
    }
    if (this.place?.above.isObserved) this.place.above.report(seenFromAbove(event, this.place.child.spec.id))
  }

  get isObserved(): boolean {
    return this.spec.onEvent !== undefined || (this.place?.above.isObserved ?? false)
  }
}

/** As in OTP, a supervisor that ends by its own decision ends with `shutdown`: one that is transient stays down. */
function exitOfSupervisor(end: SupervisorEnd): Exit {
  return { reason: 'shutdown', ...('cause' in end ? { error: end.cause } : {}) }
}

function deferredEnd(): { readonly promise: Promise<SupervisorEnd>; readonly resolve: (end: SupervisorEnd) => void } {
  let resolve: (end: SupervisorEnd) => void = () => {}
  const promise = new Promise<SupervisorEnd>(resolvePromise => {
    resolve = resolvePromise
  })
  return { promise, resolve }
}
