/** The sentences of an explanation: decisions, reasons, waits and failures in the words of whoever is on call. */
import type { EncodedError } from '../../errors.ts'
import { formatMs } from '../../time/duration.ts'
import type { DecisionData } from '../stage/decisions.ts'
import type { CauseLink, ToldDecision } from './explanation.ts'

export const timeOf = (at: number): string => `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')} UTC`

/** A message as one line of bearable length. */
export function brief(message: string, longest = 200): string {
  const line = message.replace(/\s+/g, ' ').trim()
  return line.length <= longest ? line : `${line.slice(0, longest - 1)}…`
}

export const plural = (count: number, one: string): string => `${count} ${one}${count === 1 ? '' : 's'}`

export function toldDecision(data: DecisionData): ToldDecision {
  return {
    rule: data.rule,
    ...(data.because === undefined ? {} : { because: data.because as ToldDecision['because'] }),
    text: sentenceOf(data),
    counters: data.counters,
    alternatives: data.alternatives,
    ...(data.dueAt === undefined ? {} : { dueAt: data.dueAt }),
  }
}

function sentenceOf(data: DecisionData): string {
  const { rule, counters } = data
  const when = data.delayMs === undefined ? '' : ` after ${formatMs(Math.max(0, data.delayMs))}`
  const within = ` within ${formatMs(counters.periodMs)}`
  switch (rule) {
    case 'retry':
      return `tried again${when}: retry ${counters.retries} of ${counters.maxRetries}${elseDo(data)}`
    case 'remedy':
      return `remedy '${data.remedy ?? '?'}' applied${elseDo(data)}`
    case 'wait':
      return `parked${when} until '${data.kind}' has passed, which costs no restart: wait ${counters.alike} of at most ${counters.livelockAfter} without progress${elseDo(data)}`
    case 'restart':
      return `restarted${when}: ${counters.spent} of ${plural(counters.intensity, 'restart')}${within} used${elseDo(data)}`
    case 'change_plan':
      return `restarted${when} and told what was wrong, to do otherwise: ${counters.spent} of ${plural(counters.intensity, 'restart')}${within} used${elseDo(data)}`
    case 'livelock':
      return `no more of this: the same failure in the same state ${counters.alike + 1} times in a row is a livelock`
    case 'budget':
      return 'no more of this: the budget of the run is used up'
    case 'fallback':
      return `its fallback is asked: ${reasonOf(data)}`
    case 'degrade':
      return `given up, since the stage is optional: ${reasonOf(data)}`
    case 'quarantine':
      return `the run is set aside, as the profile says: ${reasonOf(data)}`
    case 'fail':
      return `the stage fails: ${reasonOf(data)}`
  }
}

const elseDo = ({ alternatives }: DecisionData): string =>
  alternatives.length === 0 ? '' : ` (else: ${alternatives.join(', ')})`

/** Why the function was not started again. */
function reasonOf({ because, counters, kind }: DecisionData): string {
  switch (because) {
    case 'refused':
      return 'it could not be begun'
    case 'cause':
      return `no new start mends '${kind}'`
    case 'escalated':
      return `the profile lets '${kind}' escalate at once`
    case 'livelock':
      return 'it made no progress'
    case 'temporary':
      return "it is never restarted (restart: 'temporary')"
    case 'budget':
      return 'the budget of the run allows no more'
    case 'fallback_failed':
      return 'its fallback failed too'
    default:
      return counters.intensity === 0
        ? 'its profile allows no restart'
        : `${plural(counters.spent, 'restart')} of ${counters.intensity} within ${formatMs(counters.periodMs)} used, and no progress gave one back`
  }
}

/** The error and what caused it, to the root. */
export function causeChain(error: EncodedError | undefined): CauseLink[] {
  const chain: CauseLink[] = []
  for (let link = error; link; link = link.cause) {
    const { name, code, details } = link
    const kind = typeof details?.kind === 'string' ? details.kind : undefined
    chain.push({
      name,
      message: brief(link.message, 500),
      ...(code === undefined ? {} : { code }),
      ...(kind === undefined ? {} : { kind }),
    })
  }
  return chain
}

export interface ToldWait {
  readonly stage?: string | undefined
  readonly kind: string
  readonly name?: string | undefined
  readonly until?: number | undefined
}

export function waitText({ stage, kind, name, until }: ToldWait): string {
  const what: Record<string, string> = {
    signal: `signal '${name}'`,
    sleep: 'a time to come',
    child: `child run ${name}`,
    event: 'an event from outside',
    cause: `'${name}' to pass`,
    definition: `the definition it was begun with (${name})`,
  }
  return `${stage === undefined ? 'the run' : `stage '${stage}'`} waits for ${what[kind] ?? kind}${until === undefined ? '' : `, until ${timeOf(until)}`}`
}
