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
    `  cost: ${cost.usd === 'unknown' ? 'unknown; bound it with --budget usd=N' : `${cost.usd} USD`}; requests to models: ${cost.requests === 'unknown' ? 'as many as its code asks for; bound them with --budget calls=N' : cost.requests}`,
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
  return [
    `  ${stage.name}  ${[needs, ...facts].join('; ')}`,
    `    task ${stage.task}, profile ${stage.profile} (from ${stage.profileFrom}), then ${stage.onExhausted}`,
    `    timeout ${formatMs(stage.timeoutMs)}, a model call ${formatMs(stage.callTimeoutMs)} and ${stage.requestsPerCall} ${stage.requestsPerCall === 1 ? 'request' : 'requests'}${stage.warnAfterMs === undefined ? '' : `, warned after ${formatMs(stage.warnAfterMs)}`}`,
  ]
}

const boundText = ({ attempts, retries, restarts, waits, executions }: StageBound): string =>
  `${count(attempts, 'attempt')} (${count(retries, 'retry', 'retries')}, ${count(restarts, 'restart')}), ${count(waits, 'wait')}, ${count(executions, 'start')} of its code`

const count = (number: number, one: string, many = `${one}s`): string =>
  `${number.toLocaleString('en')} ${number === 1 ? one : many}`
