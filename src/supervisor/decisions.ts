/**
 * Decisions that can be looked up, explained and made again. A record holds all that a decision was made from, as JSON
 * data: the state before, the fact, and what was decided. The last ones of a tree are kept. A decision is a pure function
 * of state and fact, so `replayDecision` gives the same again, today or from a file.
 */
import { transition } from 'xstate'
import {
  type ChildExitedEvent,
  type StartFailedEvent,
  type SupervisorDecision,
  type SupervisorMachineContext,
  supervisorMachine,
} from '../../machines/supervisor.machine.ts'

/** Records of one tree that are kept; the oldest go first. More of them would cost the collector of garbage in a storm. */
const recordLimit = 100

export interface DecisionRecord {
  /** The id of the supervisor, with those above it: `pool/inner`. */
  readonly supervisor: string
  /** What the supervisor knew before. */
  readonly before: SupervisorMachineContext
  readonly fact: ChildExitedEvent | StartFailedEvent
  readonly decision: SupervisorDecision
}

/** What else could have been decided. */
export interface Alternative {
  readonly outcome: 'restart' | 'leave' | 'auto-shutdown' | 'escalate'
  readonly because: string
}

export interface Explanation {
  /** The decision in a sentence, with its rule and the numbers. */
  readonly text: string
  /** Why it was nothing else. */
  readonly alternatives: readonly Alternative[]
}

export class DecisionLog {
  readonly #records: DecisionRecord[] = []
  #next = 0

  add(record: DecisionRecord): void {
    this.#records[this.#next] = record
    this.#next = (this.#next + 1) % recordLimit
  }

  /** The oldest first. */
  list(): DecisionRecord[] {
    return [...this.#records.slice(this.#next), ...this.#records.slice(0, this.#next)]
  }
}

/** The same decision, made anew by the machine from what the record holds. */
export function replayDecision({ before, fact }: DecisionRecord): SupervisorDecision {
  const snapshot = supervisorMachine.resolveState({ value: { running: 'steady' }, context: before })
  const [after] = transition(supervisorMachine, snapshot, fact)
  return after.context.decision as SupervisorDecision
}

export function explainDecision(record: DecisionRecord): Explanation {
  const { supervisor, decision, fact } = record
  const what = fact.type === 'START_FAILED' ? 'failed to start' : `ended (${fact.reason})`
  const alternatives = (['restart', 'leave', 'auto-shutdown', 'escalate'] as const)
    .filter(outcome => outcome !== decision.kind)
    .map(outcome => ({ outcome, because: whyNot(outcome, record) }))
  return { text: `${supervisor}: '${fact.id}' ${what}; ${consequence(record)}.`, alternatives }
}

function consequence({ decision, before, fact }: DecisionRecord): string {
  const { restarts, intensity, periodMs } = decision.counters
  const used = `${restarts} of ${intensity} restarts within ${periodMs} ms`
  switch (decision.kind) {
    case 'restart': {
      const who = { child: 'it', all: 'it and every sibling', rest: 'it and those after it' }[decision.scope]
      const when = decision.delayMs === 0 ? 'at once' : `after ${decision.delayMs} ms`
      return `${who} will be started again ${when}, because ${wanted(fact)} (${used})`
    }
    case 'leave':
      return `it is left, because ${unwanted(fact)}`
    case 'auto-shutdown':
      return `the supervisor ends, because the child is significant and autoShutdown is '${before.autoShutdown}'`
    case 'escalate':
      return `the supervisor gives up, because restart ${restarts} within ${periodMs} ms is one more than its intensity of ${intensity}`
  }
}

function whyNot(outcome: Alternative['outcome'], { decision, before, fact }: DecisionRecord): string {
  const { restarts, intensity, periodMs } = decision.counters
  const isWanted = decision.kind === 'restart' || decision.kind === 'escalate'
  if (outcome === 'restart')
    return isWanted ? `${intensity} restarts within ${periodMs} ms are allowed` : unwanted(fact)
  if (outcome === 'escalate' && isWanted) return `${intensity - restarts} restarts are left within ${periodMs} ms`
  if (outcome === 'escalate') return 'no restart was asked for, so none could be one too many'
  if (isWanted) return wanted(fact)
  if (outcome === 'leave') return 'a significant child ended for good'
  if (fact.type === 'CHILD_EXITED' && !fact.significant) return 'the child is not significant'
  return before.autoShutdown === 'never' ? "autoShutdown is 'never'" : 'another significant child is left'
}

function wanted(fact: DecisionRecord['fact']): string {
  if (fact.type === 'START_FAILED') return 'a start that fails is tried again'
  return fact.restart === 'permanent'
    ? 'a permanent child is always started again'
    : 'a transient child is started again after a failure'
}

function unwanted(fact: DecisionRecord['fact']): string {
  return fact.type === 'CHILD_EXITED' && fact.restart === 'transient'
    ? 'a transient child that did not fail is not started again'
    : 'a temporary child is never started again'
}
