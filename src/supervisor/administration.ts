/**
 * What users ask of a running supervisor, with OTP's refusals: to add a child, to stop one, to start one that is stopped,
 * to remove one. Each is a procedure for the supervisor's queue and throws a `SupervisorError` where it refuses.
 */
import type { Child } from './child.ts'
import type { ResolvedChildSpec, ResolvedSupervisorSpec } from './child-spec.ts'
import type { Children } from './children.ts'
import type { Procedure } from './procedure.ts'
import { refusal, startFailed } from './refusals.ts'

/** What of a supervisor these need. */
export interface Administered<TNested> {
  readonly id: string
  readonly spec: ResolvedSupervisorSpec
  readonly phase: 'idle' | 'starting' | 'running' | 'stopping' | 'stopped'
  readonly children: Children<TNested>
  add(spec: ResolvedChildSpec): Child<TNested>
  remove(child: Child<TNested>): void
  settle(child: Child<TNested>): void
  settleOrRemove(child: Child<TNested>): void
  withdrawFromRestart(child: Child<TNested>): void
  startOne(child: Child<TNested>): Procedure<{ readonly error: unknown } | undefined>
  stopOne(child: Child<TNested>): Procedure
}

export function* startChild<TNested>(
  supervisor: Administered<TNested>,
  spec: ResolvedChildSpec,
): Procedure<Child<TNested>> {
  refuseUnlessRunning(supervisor)
  const { id, children } = supervisor
  const known = children.find(spec.id)
  if (known) {
    // To OTP a child that is being restarted has started: it has a process, or is about to.
    const hasStarted = known.countsAsRunning || known.status === 'restarting'
    const code = hasStarted ? 'already_started' : 'already_present'
    throw refusal(id, code, `it has a child '${spec.id}', which is ${known.status}`, spec.id)
  }
  if (children.size >= supervisor.spec.maxChildren) {
    throw refusal(id, 'max_children', `it has ${children.size} children, as many as it may have`, spec.id)
  }
  const child = supervisor.add(spec)
  const failure = yield* supervisor.startOne(child)
  if (!failure) return child
  supervisor.remove(child)
  throw startFailed(id, spec.id, failure.error)
}

/** Also ends the wait for a restart. The spec stays, unless the child is temporary. */
export function* terminateChild<TNested>(supervisor: Administered<TNested>, id: string): Procedure {
  const child = known(supervisor, id)
  supervisor.withdrawFromRestart(child)
  yield* supervisor.stopOne(child)
  supervisor.settleOrRemove(child)
}

export function* restartChild<TNested>(supervisor: Administered<TNested>, id: string): Procedure<Child<TNested>> {
  const child = stopped(supervisor, id)
  const failure = yield* supervisor.startOne(child)
  if (!failure) return child
  supervisor.settle(child)
  throw startFailed(supervisor.id, id, failure.error)
}

// biome-ignore lint/correctness/useYield: it waits for its turn in the queue, and then for nothing
export function* deleteChild<TNested>(supervisor: Administered<TNested>, id: string): Procedure {
  supervisor.remove(stopped(supervisor, id))
}

function refuseUnlessRunning<TNested>({ id, phase }: Administered<TNested>): void {
  if (phase === 'running') return
  throw refusal(id, 'supervisor_stopped', phase === 'idle' ? 'it has not been started' : 'it has stopped')
}

function known<TNested>(supervisor: Administered<TNested>, id: string): Child<TNested> {
  refuseUnlessRunning(supervisor)
  const child = supervisor.children.find(id)
  if (child) return child
  throw refusal(supervisor.id, 'not_found', `there is no child '${id}'`, id)
}

function stopped<TNested>(supervisor: Administered<TNested>, id: string): Child<TNested> {
  const child = known(supervisor, id)
  if (child.countsAsRunning) throw refusal(supervisor.id, 'running', `its child '${id}' is running`, id)
  if (child.status === 'restarting') {
    throw refusal(supervisor.id, 'restarting', `its child '${id}' is being restarted`, id)
  }
  return child
}
