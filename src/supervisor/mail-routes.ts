/**
 * Where the mail for a child goes: to it, into its stash, or to the dead letters of the tree. Mail waits as long as a
 * start is to come that nobody has to ask for, be it the child's own or that of a supervisor above it.
 */
import type { EventObject } from 'xstate'
import type { Child } from './child.ts'
import type { Children } from './children.ts'
import type { SupervisorEvent } from './events.ts'
import type { DeadLetterReason } from './mail.ts'
import { watchedEnded } from './refusals.ts'
import type { Tree } from './tree.ts'
import type { ChildEnd } from './watchers.ts'

/** What of a supervisor the mail needs to know. */
export interface Addressed<TSelf extends Addressed<TSelf>> {
  readonly id: string
  readonly phase: 'idle' | 'starting' | 'running' | 'stopping' | 'stopped'
  readonly isUp: boolean
  readonly tree: Tree
  readonly place: { readonly child: Child<TSelf>; readonly above: TSelf } | undefined
  readonly children: Children<TSelf>
  report(event: SupervisorEvent): void
}

export function send<TSelf extends Addressed<TSelf>>(
  supervisor: Addressed<TSelf>,
  child: Child<TSelf>,
  event: EventObject,
): void {
  supervisor.tree.mail.send(child, event, willStart(supervisor, child), (letter, reason) =>
    bury(supervisor, child, letter, reason),
  )
}

/** Whether a start of a child that does not run is to come, without anybody asking for it. */
function willStart<TSelf extends Addressed<TSelf>>(supervisor: Addressed<TSelf>, child: Child<TSelf>): boolean {
  const { phase, place } = supervisor
  if (child.isRemoved) return false
  if (child.restart !== undefined || child.exit !== undefined || phase === 'starting') return true
  if (place === undefined || phase === 'running') return false
  return willStart<TSelf>(place.above, place.child)
}

/** What waits for the child is given up, though it may start again: it declined to start. */
export function returnMail<TSelf extends Addressed<TSelf>>(supervisor: Addressed<TSelf>, child: Child<TSelf>): void {
  supervisor.tree.mail.discard(child, (letter, reason) => bury(supervisor, child, letter, reason))
}

/** No mail waits for a child that will not start again, nor for those below it. */
export function dropMail<TSelf extends Addressed<TSelf>>(supervisor: Addressed<TSelf>, child: Child<TSelf>): void {
  if (willStart(supervisor, child)) return
  returnMail(supervisor, child)
  const { nested } = child
  if (!nested || nested.isUp) return
  for (const grandchild of nested.children.inOrder()) dropMail<TSelf>(nested, grandchild)
}

/** A child that `follower` had a pact with has ended: it is told where it handles that, and fails where it does not. */
export function tellFollower<TSelf extends Addressed<TSelf>>(
  supervisor: Addressed<TSelf>,
  follower: Child<TSelf>,
  incarnation: number,
  end: ChildEnd,
): void {
  if (!follower.isLive || follower.incarnation !== incarnation) return
  const event = { type: 'WATCHED_ENDED', id: end.id, incarnation: end.incarnation, reason: end.reason }
  if (follower.actor?.handles(event)) send(supervisor, follower, event)
  else follower.actor?.fail(watchedEnded(supervisor.id, follower.spec.id, end))
}

function bury<TSelf extends Addressed<TSelf>>(
  supervisor: Addressed<TSelf>,
  child: Child<TSelf>,
  event: EventObject,
  reason: DeadLetterReason,
): void {
  const { incarnation } = child
  const { clock, deadLetters } = supervisor.tree
  deadLetters.keep({ path: pathOf(supervisor, child), incarnation, event, reason, at: clock.now() })
  supervisor.report({ type: 'dead-letter', id: child.spec.id, incarnation, event, reason })
}

/** From the root of the tree. */
function pathOf<TSelf extends Addressed<TSelf>>({ place }: Addressed<TSelf>, child: Child<TSelf>): string {
  return place ? `${pathOf<TSelf>(place.above, place.child)}/${child.spec.id}` : child.spec.id
}
