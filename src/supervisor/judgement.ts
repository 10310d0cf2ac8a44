/**
 * What follows when a child ends by itself: the machine is told the facts and decides, and what it decided is done. A
 * restart stops the siblings that go with the child, and starts the group in a later macrotask. As in OTP, what came in
 * while a start within a restart failed goes before the next try.
 */
import type { SupervisorDecision } from '../../machines/supervisor.machine.ts'
import type { Child } from './child.ts'
import type { ResolvedSupervisorSpec } from './child-spec.ts'
import type { Children } from './children.ts'
import type { Decider } from './decider.ts'
import type { SupervisorEnd, SupervisorEvent } from './events.ts'
import type { Exit } from './incarnation.ts'
import { type PendingRestart, PendingRestarts } from './pending-restarts.ts'
import type { CallQueue, Procedure } from './procedure.ts'
import { intensityExceeded } from './refusals.ts'
import type { Tree } from './tree.ts'

type RestartDecision = Extract<SupervisorDecision, { kind: 'restart' }>

/** The supervisor whose children are judged. */
export interface Judged<TNested> {
  readonly id: string
  readonly spec: ResolvedSupervisorSpec
  readonly phase: 'idle' | 'starting' | 'running' | 'stopping' | 'stopped'
  readonly tree: Tree
  readonly calls: CallQueue
  readonly children: Children<TNested>
  readonly decider: Decider | undefined
  readonly isObserved: boolean
  startOne(child: Child<TNested>): Procedure<{ readonly error: unknown } | undefined>
  stopOne(child: Child<TNested>): Procedure
  remove(child: Child<TNested>): void
  settleOrRemove(child: Child<TNested>): void
  report(event: SupervisorEvent): void
  /** Ends by its own decision. */
  giveUp(end: SupervisorEnd): Procedure
}

/** What a decision about a child is made from, beside how it ended. */
interface FailureFacts {
  readonly id: string
  readonly at: number
  readonly unit: number
  readonly failures: number
  readonly previousDelayMs: number
}

export class Judgement<TNested> {
  readonly #supervisor: Judged<TNested>
  readonly #restarts: PendingRestarts

  constructor(supervisor: Judged<TNested>) {
    this.#supervisor = supervisor
    this.#restarts = new PendingRestarts(supervisor.tree.pacer)
  }

  /** When its turn comes; a child that was stopped or started again before that is not judged. */
  *judge(child: Child<TNested>, exit: Exit): Procedure {
    const { phase, decider, children } = this.#supervisor
    if (child.exit !== exit || phase !== 'running') return
    child.exit = undefined
    const { restart, significant } = child.spec
    const facts = this.failureFacts(child)
    const decision = decider?.decide({
      type: 'CHILD_EXITED',
      id: facts.id,
      at: facts.at,
      unit: facts.unit,
      failures: facts.failures,
      previousDelayMs: facts.previousDelayMs,
      restart,
      significant,
      reason: exit.reason,
      ranMs: facts.at - child.startedAt,
      otherSignificant: children.hasOtherSignificant(child),
    })
    if (decision) yield* this.#carryOut(child, decision, exit.error)
  }

  failureFacts(child: Child<TNested>): FailureFacts {
    const { spec, tree } = this.#supervisor
    const { failures, previousDelayMs } = child
    const unit = spec.backoff ? tree.random() : 0
    return { id: child.spec.id, at: tree.clock.now(), unit, failures, previousDelayMs }
  }

  /** The child no longer waits for a restart. */
  withdraw(child: Child<TNested>): void {
    if (!child.restart) return
    this.#restarts.withdraw(child)
    this.#tellWhenSettled()
  }

  cancelAll(): void {
    this.#restarts.cancelAll()
  }

  *#carryOut(child: Child<TNested>, decision: SupervisorDecision, error: unknown): Procedure {
    if (decision.kind === 'restart') return yield* this.#prepareRestart(child, decision)
    const supervisor = this.#supervisor
    const { id, rule, counters } = decision
    supervisor.settleOrRemove(child)
    supervisor.report({ type: 'restart.refused', id, rule, counters })
    if (decision.kind === 'leave') return
    if (decision.kind === 'auto-shutdown') return yield* supervisor.giveUp({ reason: 'auto-shutdown' })
    supervisor.report({ type: 'escalated', rule, counters, cause: error })
    yield* supervisor.giveUp({
      reason: 'intensity',
      cause: intensityExceeded(supervisor.id, id, counters, error),
    })
  }

  /** Stops the siblings that go with the child, the last one first, and plans the start of them all. */
  *#prepareRestart(child: Child<TNested>, decision: RestartDecision): Procedure {
    const supervisor = this.#supervisor
    child.failures = decision.failures
    child.previousDelayMs = decision.delayMs
    const affected = this.#affected(child, decision.scope)
    const members = affected.filter(member => member.spec.restart !== 'temporary')
    const pending = this.#restarts.gather(members)
    if (supervisor.isObserved) {
      const { id, rule, counters } = decision
      supervisor.report({ type: 'restart.decided', id, group: members.map(member => member.spec.id), rule, counters })
    }
    for (const member of affected.reverse()) {
      if (member === child) continue
      yield* supervisor.stopOne(member)
      if (member.spec.restart === 'temporary') supervisor.remove(member)
    }
    this.#restarts.schedule(pending, decision.delayMs, () => supervisor.calls.add(this.#restartGroup(pending, members)))
  }

  #affected(child: Child<TNested>, scope: RestartDecision['scope']): Child<TNested>[] {
    if (scope === 'child') return [child]
    const all = this.#supervisor.children.inOrder()
    return scope === 'all' ? all : all.slice(all.indexOf(child))
  }

  *#restartGroup(pending: PendingRestart, members: readonly Child<TNested>[]): Procedure {
    if (!this.#restarts.take(pending)) return
    const supervisor = this.#supervisor
    for (const member of members) {
      if (member.restart !== pending) continue
      const failure = yield* supervisor.startOne(member)
      if (!failure) continue
      this.#restarts.hold(pending)
      supervisor.calls.add(this.#tryAgain(pending, members, member, failure.error))
      return
    }
    this.#tellWhenSettled()
  }

  /**
   * A start within a restart failed. What came meanwhile may have covered the child by another restart, or withdrawn it;
   * the members after it are then started without it.
   */
  *#tryAgain(
    pending: PendingRestart,
    members: readonly Child<TNested>[],
    failed: Child<TNested>,
    error: unknown,
  ): Procedure {
    const { phase, decider } = this.#supervisor
    if (phase !== 'running') return
    if (failed.restart !== pending) return yield* this.#restartGroup(pending, members)
    this.#restarts.take(pending)
    const decision = decider?.decide({ type: 'START_FAILED', ...this.failureFacts(failed) })
    if (decision) yield* this.#carryOut(failed, decision, error)
  }

  #tellWhenSettled(): void {
    if (this.#restarts.isEmpty) this.#supervisor.decider?.tell({ type: 'RESTARTS_SETTLED' })
  }
}
