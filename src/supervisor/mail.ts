/**
 * Mail to children. An event for a child that runs is delivered; for one that will start again it is stashed, in order;
 * else, or when the stash is full, it becomes a dead letter. So of all accepted events each is processed, stashed or a
 * dead letter, and the counts say so. An event that fails a child is processed: no incarnation sees it again.
 */
import type { EventObject } from 'xstate'
import { OptionsError } from '../errors.ts'
import type { Child } from './child.ts'

/** Events that wait for one child; the oldest are kept. */
const stashLimit = 1000

export interface MailCounts {
  readonly accepted: number
  readonly processed: number
  readonly stashed: number
  readonly deadLettered: number
}

export type DeadLetterReason = 'stopped' | 'overflow'
type OnDeadLetter = (event: EventObject, reason: DeadLetterReason) => void

export class Mail {
  #accepted = 0
  #processed = 0
  #stashed = 0
  #deadLettered = 0

  counts(): MailCounts {
    return {
      accepted: this.#accepted,
      processed: this.#processed,
      stashed: this.#stashed,
      deadLettered: this.#deadLettered,
    }
  }

  /** @param willStart whether a child that does not run will */
  send<TNested>(child: Child<TNested>, event: EventObject, willStart: boolean, onDeadLetter: OnDeadLetter): void {
    if (typeof event !== 'object' || event === null || typeof event.type !== 'string') {
      throw new OptionsError(`child '${child.spec.id}': an event is an object with a type`)
    }
    this.#accepted++
    const canTake = child.isLive && child.actor !== undefined
    if (!canTake && !willStart) this.#bury(event, 'stopped', onDeadLetter)
    else if ((child.mail?.length ?? 0) >= stashLimit) this.#bury(event, 'overflow', onDeadLetter)
    else {
      this.#stashed++
      child.mail ??= []
      child.mail.push(event)
      if (canTake) this.deliver(child)
    }
  }

  /** Gives the live incarnation what waits for it, one event after the other, as long as it lives. */
  deliver<TNested>(child: Child<TNested>): void {
    if (child.isDelivering) return
    child.isDelivering = true
    try {
      while (child.isLive && child.actor) {
        const event = child.mail?.shift()
        if (event === undefined) break
        this.#stashed--
        this.#processed++
        child.actor.send(event)
      }
    } finally {
      child.isDelivering = false
      if (child.mail?.length === 0) child.mail = undefined
    }
  }

  /** What still waits for a child that will not start again. */
  discard<TNested>(child: Child<TNested>, onDeadLetter: OnDeadLetter): void {
    const mail = child.mail
    if (mail === undefined) return
    child.mail = undefined
    this.#stashed -= mail.length
    for (const event of mail) this.#bury(event, 'stopped', onDeadLetter)
  }

  #bury(event: EventObject, reason: DeadLetterReason, onDeadLetter: OnDeadLetter): void {
    this.#deadLettered++
    onDeadLetter(event, reason)
  }
}
