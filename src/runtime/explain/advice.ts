/** What happens next without anybody's help, and what a person can do, with the exact commands. */
import { isEnded, type RunStatus, type StoreOwner } from '../../store/store.ts'
import type { CauseLink, NextStep, SuggestedCommand } from './explanation.ts'
import type { StandingStage } from './standing.ts'
import { type ToldWait, timeOf, waitText } from './words.ts'

export interface Situation {
  readonly runId: string
  readonly status: RunStatus
  readonly stages: readonly StandingStage[]
  readonly waits: readonly ToldWait[]
  readonly causes: readonly CauseLink[]
  /** The live process that has the store. */
  readonly owner: StoreOwner | undefined
  /** The currency of the budget that is used up, where one is. */
  readonly currency: string | undefined
  /** Read from a bundle: it is looked at and forked, and never goes on. */
  readonly isImported: boolean
}

export function nextSteps({ status, stages, waits, owner }: Situation): NextStep[] {
  if (isEnded(status)) return [{ text: endText[status] ?? 'nothing happens by itself any more' }]
  if (status === 'paused') return [{ text: 'nothing, until it is resumed' }]
  const steps = [
    ...stages.filter(({ standing }) => standing === 'delayed').map(delayed),
    ...waits
      .filter(({ kind }) => kind !== 'cause')
      .map(
        (wait): NextStep => ({
          text: waitText(wait),
          ...(wait.stage === undefined ? {} : { stage: wait.stage }),
          ...(wait.until === undefined ? {} : { dueAt: wait.until }),
        }),
      ),
    ...stages
      .filter(({ standing }) => standing === 'running')
      .map(({ name }): NextStep => ({ text: `stage '${name}' is at work`, stage: name })),
  ]
  if (owner) return steps.length > 0 ? steps : [{ text: 'it waits for its turn' }]
  return [{ text: 'no process has the store, so nothing happens until one takes the run up; then:' }, ...steps]
}

const endText: Partial<Record<RunStatus, string>> = {
  completed: 'nothing: the run has its output',
  cancelled: 'nothing: a cancelled run is not taken up again',
}

function delayed({ name, decision }: StandingStage): NextStep {
  const counters = decision?.counters
  const dueAt = decision?.dueAt
  const left = counters && {
    retries: Math.max(0, counters.maxRetries - counters.retries),
    restarts: Math.max(0, counters.intensity - counters.spent),
    waits: Math.max(0, counters.livelockAfter - (decision.rule === 'wait' ? counters.alike : 0)),
  }
  const leftText = left
    ? `; should it fail again, ${left.retries} of its retries, ${left.restarts} of its restarts and ${left.waits} of its waits are left`
    : ''
  return {
    text: `stage '${name}' starts again${dueAt === undefined ? '' : ` at ${timeOf(dueAt)}`}${leftText}`,
    stage: name,
    ...(dueAt === undefined ? {} : { dueAt }),
    ...(left === undefined ? {} : { left }),
  }
}

/** @param command makes a command of its arguments */
export function suggestedCommands(situation: Situation, command: (text: string) => string): SuggestedCommand[] {
  const { runId, status } = situation
  const suggestions = isEnded(status) ? afterTheEnd(situation) : whileOpen(situation)
  return [...suggestions, [`runs events ${runId}`, 'every event of its journal'] as const].map(([text, why]) => ({
    command: command(text),
    why,
  }))
}

type Suggestion = readonly [text: string, why: string]

function afterTheEnd({ runId, status, causes, currency, isImported }: Situation): Suggestion[] {
  const show: Suggestion = [`runs show ${runId}`, 'its result and its stages']
  if (isImported)
    return [
      show,
      [`fork ${runId} --from <stage>`, 'make a run of this store from it: it came from a bundle, and never goes on'],
    ]
  if (status === 'completed' || status === 'cancelled') return [show]
  if (status === 'budget_exceeded')
    return [[`resume ${runId} --budget ${currency ?? 'usd'}=<more>`, 'go on with a larger budget']]
  const mend = mending(causes)
  if (status === 'quarantined')
    return [
      [`quarantine show ${runId}`, 'the evidence'],
      [`quarantine release ${runId} --reason '<why>'`, `${mend}go on with it`],
      [`quarantine discard ${runId} --reason '<why>'`, 'give it up for good'],
    ]
  return [[`retry ${runId}`, `${mend}reopen it: what has succeeded is not done again`]]
}

function whileOpen({ runId, status, waits, owner }: Situation): Suggestion[] {
  const signals = waits
    .filter(({ kind, name }) => kind === 'signal' && name !== undefined)
    .map(({ name }): Suggestion => [`signal ${runId} ${name} '<JSON>'`, 'give it what it waits for'])
  const children = waits
    .filter(({ kind, name }) => kind === 'child' && name !== undefined)
    .map(({ name }): Suggestion => [`explain ${name}`, 'why the child run has not ended'])
  const goOn: Suggestion[] = waits.some(({ kind }) => kind === 'definition')
    ? [[`fork ${runId} --from <stage>`, 'go over to the definition that is there now']]
    : status === 'paused'
      ? [[`resume ${runId}`, 'let it go on']]
      : owner
        ? [[`runs tail ${runId}`, `follow it in process ${owner.pid}`]]
        : [[`resume ${runId}`, 'take it up']]
  return [...signals, ...children, ...goOn, [`cancel ${runId} --reason '<why>'`, 'stop it and undo what can be undone']]
}

/** What has to be mended before another try can end otherwise. */
function mending(causes: readonly CauseLink[]): string {
  const kind = causes.find(link => link.kind !== undefined && link.kind !== 'unknown')?.kind
  const isValue = causes.some(({ name }) => name === 'ValidationError')
  const mends: Readonly<Record<string, string>> = {
    auth: 'give the provider a valid key, then ',
    permission: 'give the key the permission, then ',
    quota_exhausted: 'raise the quota of the account, then ',
    no_provider: 'give the runtime a provider for this task, or the stage a `fallback`, then ',
    model_not_found: 'name a model that the provider has, then ',
    context_length: 'shorten what is asked, or take a model with a larger context, then ',
    content_filter: 'change what is asked, then ',
    timeout: "raise the stage's `timeout`, or split its work into steps, then ",
  }
  if (isValue) return 'mend the value that the message names, then '
  return (kind && mends[kind]) ?? ''
}
