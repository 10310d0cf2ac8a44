/**
 * The restarts that were decided and have not begun: each a group of children that will start together. A child waits
 * for one restart at most; the last that was decided takes it over.
 */
import type { PlannedRestart, RestartPacer } from './restart-pacer.ts'

/** A group that waits; `waiting` counts its members that no one has taken out of it. */
export interface PendingRestart {
  waiting: number
  plan: PlannedRestart | undefined
}

/** Whoever can wait for a restart. */
interface Waiting {
  restart: PendingRestart | undefined
}

export class PendingRestarts {
  readonly #pacer: RestartPacer
  readonly #pending = new Set<PendingRestart>()

  constructor(pacer: RestartPacer) {
    this.#pacer = pacer
  }

  get isEmpty(): boolean {
    return this.#pending.size === 0
  }

  /** Makes a group of the members; they leave the groups they were in. */
  gather(members: readonly Waiting[]): PendingRestart {
    const pending: PendingRestart = { waiting: members.length, plan: undefined }
    this.#pending.add(pending)
    for (const member of members) {
      this.withdraw(member)
      member.restart = pending
    }
    return pending
  }

  schedule(pending: PendingRestart, delayMs: number, begin: () => void): void {
    pending.plan = this.#pacer.plan(begin, delayMs)
  }

  /** The member no longer waits; a restart that nobody waits for is cancelled. */
  withdraw(member: Waiting): void {
    const pending = member.restart
    if (!pending) return
    member.restart = undefined
    pending.waiting--
    if (pending.waiting > 0) return
    pending.plan?.cancel()
    this.#pending.delete(pending)
  }

  /** Whether the restart is still to be done; it is no longer pending after. */
  take(pending: PendingRestart): boolean {
    return this.#pending.delete(pending)
  }

  /** A restart that was taken and is to be tried again. */
  hold(pending: PendingRestart): void {
    this.#pending.add(pending)
  }

  cancelAll(): void {
    for (const pending of this.#pending) pending.plan?.cancel()
    this.#pending.clear()
  }
}
