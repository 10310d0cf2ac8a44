/** The plan of a run for a person: its stages, what they are given, and how much of it at the very most. */
import type { PlannedStage, RunPlan, StageBound } from '../index.ts'
import { formatMs } from '../time/duration.ts'

export function planLines({
  workflow,
  version,
  description,
  stages,
  bound,
  cost,
  runTimeoutMs,
  budget,
}: RunPlan): string[] {
  return [
    `plan of workflow '${workflow}' version ${version}; nothing was started`,
    ...(description === undefined ? [] : [`  ${description}`]),
    ...stages.flatMap(stageLines),
    'at the very most, as long as nothing makes progress:',
    ...stages.map(({ name, kind, bound: own }) => `  ${name}${kind === 'map' ? ', each item' : ''}: ${boundText(own)}`),
    `  the run: ${bound === 'unknown' ? 'unknown, since its machine may start a stage any number of times' : boundText(bound)}`,
    ...costLines(cost, stages),
    ...(runTimeoutMs === undefined ? [] : [`  time: ${formatMs(runTimeoutMs)}`]),
    ...(budget === undefined
      ? []
      : [
          `  budget: ${Object.entries(budget)
            .map(([currency, most]) => `${currency}=${most}`)
            .join(', ')}`,
        ]),
  ]
}

/** Nobody but a budget holds what depends on how often code asks. */
function costLines(cost: RunPlan['cost'], stages: readonly PlannedStage[]): string[] {
  const { requests, heldBy, byPrices, assumptions } = cost
  const prices = byPrices === 'unknown' ? 'unbounded' : `up to ${usdText(byPrices)} as assumed below`
  const paidAsAssumed = byPrices === 0 ? '' : ' by prices, as assumed below; no budget holds it'
  const most =
    cost.usd === 'unknown'
      ? 'unknown; bound it with --budget usd=N'
      : `${usdText(cost.usd)}${heldBy === 'budget' ? `, held by the budget; by prices alone ${prices}` : paidAsAssumed}`
  const asked =
    requests === 'unknown'
      ? 'as many as its machine asks for; bound them with --budget calls=N'
      : count(requests, 'request')
  return [
    `  cost: ${most}; to models: ${asked}`,
    ...(byPrices === 0 ? [] : stages.flatMap(stageCostLines)),
    ...assumptions.map(assumption => `    ${assumption}`),
  ]
}

function stageCostLines({ name, cost }: PlannedStage): string[] {
  if (cost === undefined) return []
  const asked = cost.models.map(({ provider, model, requests, usdPerRequest }) => {
    const price = usdPerRequest === 'unknown' ? 'an unknown amount' : usdText(usdPerRequest)
    return `${requests} × ${provider} (${model}) at ${price}`
  })
  const who = asked.length === 0 ? 'nobody who could answer' : asked.join(', ')
  const most = cost.usd === 'unknown' ? 'unknown' : usdText(cost.usd)
  return [`    ${name}: ${count(cost.calls, 'call')} of at most ${who}: ${most}`]
}

/** Cents where they tell something, else as many digits as it takes. */
const usdText = (usd: number): string =>
  `${usd === 0 || usd >= 1 ? usd.toLocaleString('en', { maximumFractionDigits: 2 }) : Number(usd.toPrecision(2))} USD`

function stageLines(stage: PlannedStage): string[] {
  const needs = stage.needs.length === 0 ? 'at once' : `after ${stage.needs.join(', ')}`
  const facts = [
    stage.kind === 'map' ? `a map, ${stage.concurrency} items at once` : '',
    stage.optional ? 'optional' : '',
    stage.fallback ? 'with a fallback' : '',
    stage.preflight ? 'examined before' : '',
    stage.remedies.length > 0 ? `remedies ${stage.remedies.join(', ')}` : '',
    stage.compensate ? 'can be undone' : '',
  ].filter(fact => fact !== '')
  const modelCall = stage.cost
    ? `, a model call ${formatMs(stage.callTimeoutMs)} and ${count(stage.requestsPerCall, 'request')}`
    : ''
  return [
    `  ${stage.name}  ${[needs, ...facts].join('; ')}`,
    `    task ${stage.task}, profile ${stage.profile} (from ${stage.profileFrom}), then ${stage.onExhausted}`,
    `    timeout ${formatMs(stage.timeoutMs)}${modelCall}${stage.warnAfterMs === undefined ? '' : `, warned after ${formatMs(stage.warnAfterMs)}`}`,
  ]
}

const boundText = ({ attempts, retries, restarts, waits, executions }: StageBound): string =>
  `${count(attempts, 'attempt')} (${count(retries, 'retry', 'retries')}, ${count(restarts, 'restart')}), ${count(waits, 'wait')}, ${count(executions, 'start')} of its code`

const count = (number: number, one: string, many = `${one}s`): string =>
  `${number.toLocaleString('en')} ${number === 1 ? one : many}`
