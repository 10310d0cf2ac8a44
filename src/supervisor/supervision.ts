/**
 * One supervisor: it starts its children, keeps their records, stops them, and tells the observer. What follows when a
 * child ends by itself is in `judgement.ts`. Everything that happens to the children goes through one queue, one thing
 * at a time, as through the mailbox of a process; so a call that comes while a child takes its time to stop waits for
 * it. One object is one place in the tree: a nested supervisor keeps its own over all its incarnations.
 */
import type { Actor, AnyActorLogic } from 'xstate'
import type { supervisorMachine } from '../../machines/supervisor.machine.ts'
import type { Child } from './child.ts'
import type { ResolvedChildSpec, ResolvedSupervisorSpec } from './child-spec.ts'
import { Children } from './children.ts'
import { Decider } from './decider.ts'
import { type ExitReason, type SupervisorEnd, type SupervisorEvent, seenFromAbove } from './events.ts'
import { type Exit, Incarnation, type StartOutcome } from './incarnation.ts'
import { Judgement } from './judgement.ts'
import { dropMail, returnMail } from './mail-routes.ts'
import { CallQueue, type Procedure, waitFor } from './procedure.ts'
import { refusal, startFailed } from './refusals.ts'
import { logicOfAttempt } from './start-attempt.ts'
import { killChild, stopChild } from './stop-child.ts'
import type { Tree } from './tree.ts'

export type SupervisedChild = Child<Supervision>
type StartFailure = { readonly error: unknown }

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
  readonly #judgement: Judgement<Supervision>
  #decider: Decider | undefined
  #phase: 'idle' | 'starting' | 'running' | 'stopping' | 'stopped' = 'idle'
  #onEnd: (end: SupervisorEnd) => void = () => {}
  #ended = deferredEnd()

  constructor(id: string, spec: ResolvedSupervisorSpec, tree: Tree, place?: Place) {
    this.id = id
    this.spec = spec
    this.tree = tree
    this.place = place
    this.#judgement = new Judgement(this)
    this.#resetChildren()
  }

  get phase(): 'idle' | 'starting' | 'running' | 'stopping' | 'stopped' {
    return this.#phase
  }

  get decider(): Decider | undefined {
    return this.#decider
  }

  /** The machine of the present incarnation. */
  get machine(): Actor<typeof supervisorMachine> | undefined {
    return this.#decider?.actor
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
    this.#decider = this.#createDecider()
    this.#decider.tell({ type: 'START' })
    this.#resetChildren()
    for (const child of this.children.inOrder()) {
      const failure = yield* this.startOne(child)
      if (!failure) continue
      this.#decider.tell({ type: 'START_FAILED', ...this.#judgement.failureFacts(child) })
      const cause = startFailed(this.id, child.spec.id, failure.error)
      yield* this.#finish({ reason: 'start-failed', cause })
      return { error: cause }
    }
    this.#phase = 'running'
    this.#decider.tell({ type: 'CHILDREN_STARTED' })
    return undefined
  }

  /** Stops every child, the last one first. */
  *end(): Procedure {
    if (this.#phase === 'stopped') return
    this.#decider ??= this.#createDecider()
    this.#decider.tell({ type: 'STOP' })
    yield* this.#finish({ reason: 'shutdown' })
  }

  /** Stops every child by force, whatever is under way. */
  kill(done: () => void): void {
    this.calls.interrupt(this.#killAll(), refusal(this.id, 'supervisor_stopped', 'it was killed'), done)
  }

  *#killAll(): Procedure {
    if (!this.isUp) return
    this.#phase = 'stopping'
    this.#decider?.tell({ type: 'STOP' })
    this.#judgement.cancelAll()
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
    this.#judgement.cancelAll()
    for (const child of this.children.inReverse()) {
      yield* this.stopOne(child)
      this.settle(child)
    }
    this.#close(end)
  }

  #close(end: SupervisorEnd): void {
    this.#phase = 'stopped'
    this.#decider?.close()
    if (!this.place) this.tree.pacer.close()
    this.report({ type: 'supervisor.stopped', reason: end.reason })
    this.#ended.resolve(end)
  }

  get isUp(): boolean {
    return this.#phase === 'starting' || this.#phase === 'running' || this.#phase === 'stopping'
  }

  #createDecider(): Decider {
    return new Decider(this.id, this.spec, this.tree)
  }

  /** Stops every child because of its own decision, and tells whoever started it. */
  *giveUp(end: SupervisorEnd): Procedure {
    yield* this.#finish(end)
    this.#onEnd(end)
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
    dropMail<Supervision>(this, child)
  }

  /** The same for a child that ended for good or was terminated: a temporary one is gone with its spec. */
  settleOrRemove(child: SupervisedChild): void {
    if (child.spec.restart === 'temporary') this.remove(child)
    else this.settle(child)
  }

  // Starting and stopping one child

  /** One start attempt. A child that declines is stopped, and gone where it is temporary. */
  *startOne(child: SupervisedChild): Procedure<StartFailure | undefined> {
    const logic = logicOfAttempt(child.spec.logic, child.spec.id)
    if (logic.kind === 'ignore') {
      returnMail<Supervision>(this, child)
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
    if (this.isObserved) this.report({ type: 'child.started', id: child.spec.id, incarnation: child.incarnation })
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
    if (this.isObserved) this.report({ type: 'child.exited', ...end })
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
    this.calls.add(this.#judgement.judge(child, exit))
  }

  /** The child no longer waits for a restart. */
  withdrawFromRestart(child: SupervisedChild): void {
    this.#judgement.withdraw(child)
  }

  // To whoever observes

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
