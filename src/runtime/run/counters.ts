/** The numbers of a run that outlive the process, and the text that they are kept as. */
import type { JsonText } from '../../store/store.ts'

/** Numbers of a run that outlive the process. */
export interface Counters {
  attempts: number
  failedAttempts: number
  restarts: number
  resumes: number
  /** Processes that died while the run's code was running, since the run last made progress. */
  crashes: number
  /** Of the runtime that took the run up last. */
  epoch: number
  /** The last process stopped in order, so its end is no crash. */
  stoppedCleanly: boolean
  calls: number
  unpricedCalls: number
  cachedCalls: number
  replayedCalls: number
  inputTokens: number
  outputTokens: number
  usd: number
  wastedUsd: number
  /** The same tokens at the premium model of the task, as far as its price is known. */
  baselineUsd: number
  unknownBaselines: number
  /** Costs that make no sense: negative, no number, absurdly large. */
  oddCosts: number
  /** Calls that were under way when their process died, and may have been charged. */
  unknownCalls: number
  /** What the child runs below have used, at any depth: it counts for the budget, and is theirs in reports. */
  childUsd: number
  childTokens: number
  childCalls: number
  childRestarts: number
}

export const freshCounters = (): Counters => ({
  attempts: 0,
  failedAttempts: 0,
  restarts: 0,
  resumes: 0,
  crashes: 0,
  epoch: 0,
  stoppedCleanly: false,
  calls: 0,
  unpricedCalls: 0,
  cachedCalls: 0,
  replayedCalls: 0,
  inputTokens: 0,
  outputTokens: 0,
  usd: 0,
  wastedUsd: 0,
  baselineUsd: 0,
  unknownBaselines: 0,
  oddCosts: 0,
  unknownCalls: 0,
  childUsd: 0,
  childTokens: 0,
  childCalls: 0,
  childRestarts: 0,
})

const labels = Object.keys(freshCounters()).map(name => [name as keyof Counters, `"${name}":`] as const)

/** As JSON, without those that stand where they began: they are written with every step of a run. */
export function countersText(counters: Counters): JsonText {
  let text = ''
  for (const [name, label] of labels) {
    const value = counters[name]
    if (value !== 0 && value !== false) text += (text === '' ? '{' : ',') + label + value
  }
  return text === '' ? '{}' : `${text}}`
}
