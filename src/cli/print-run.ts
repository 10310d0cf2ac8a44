/** One run for a person: how it stands or ended, its stages and how long they took, and how to go on. */
import type { RunReport, StoreOwner } from '../index.ts'
import { formatMs } from '../time/duration.ts'
import { describeWait } from './print-waits.ts'
import { quoted } from './shell.ts'
import type { StageBoard } from './stage-board.ts'
import { describeStage } from './stage-tree.ts'

export interface RunView {
  readonly report: RunReport
  readonly board: StageBoard
  /** The live process that owns the store. */
  readonly owner: StoreOwner | undefined
  readonly now: number
  readonly command: (text: string) => string
}

export function showLines(view: RunView): string[] {
  const { report, board, now } = view
  return [
    `${report.id}: ${report.status}`,
    `  workflow  ${report.workflow} version ${report.version}${report.source === undefined ? '' : ` (${report.source})`}`,
    `  started   ${new Date(report.createdAt).toISOString()} in ${report.cwd}`,
    report.endedAt === undefined
      ? `  age       ${formatMs(Math.max(0, now - report.createdAt))}`
      : `  ended     ${new Date(report.endedAt).toISOString()} after ${formatMs(report.endedAt - report.createdAt)}`,
    ...(report.isImported ? ['  imported  from a bundle: it never goes on here'] : []),
    ...(report.parent === undefined ? [] : [`  parent    ${report.parent}`]),
    ...(report.tags.length === 0 ? [] : [`  tags      ${report.tags.join(', ')}`]),
    ...stageLines(board, now),
    ...endLines(report),
    ...report.waitingFor.map(wait => `waits for ${describeWait(wait)}`),
    ...nextLines(view),
  ]
}

function stageLines(board: StageBoard, now: number): string[] {
  const stages = [...board.stages.values()]
  if (stages.length === 0) return []
  const width = Math.max(...stages.map(({ name }) => name.length))
  return [
    'stages',
    ...stages.map(
      stage =>
        `  ${stage.name.padEnd(width)}  ${stage.state === 'done' || stage.state === 'running' ? `${stage.state} ` : ''}${describeStage(stage, now)}`,
    ),
  ]
}

function endLines({ result }: RunReport): string[] {
  if (!result) return []
  const degraded = result.degraded.map(
    ({ stage, component, reason }) =>
      `degraded: ${[stage ?? component, reason].filter(part => part !== undefined).join(': ')}`,
  )
  if (result.success) return degraded
  const { error } = result
  return [
    ...degraded,
    `error (${error.code})${error.stage === undefined ? '' : ` in stage '${error.stage}'`}: ${error.message}`,
  ]
}

function nextLines(view: RunView): string[] {
  const { report, command } = view
  const next = report.endedAt === undefined ? openLines(view) : reopeningLines(view)
  return [...next, `events: ${command(`runs events ${quoted(report.id)}`)}`]
}

function openLines({ report, owner, command }: RunView): string[] {
  const { waitingFor } = report
  const id = quoted(report.id)
  if (waitingFor.some(({ kind }) => kind === 'definition'))
    return [
      `its workflow has changed; put back what it was begun with${report.source === undefined ? '' : ` in ${report.source}`}, give its machine a \`migrate\`, or go over to the new one: ${command(`fork ${id} --from <stage>`)}`,
    ]
  if (owner) return [`process ${owner.pid} on ${owner.host} has it; follow it: ${command(`runs tail ${id}`)}`]
  const signals = waitingFor
    .filter(wait => wait.kind === 'signal')
    .map(wait => `send it: ${command(`signal ${id} ${quoted(wait.name ?? '')} '<JSON>'`)}`)
  return [...signals, `no process has it; go on with: ${command(`resume ${id}`)}`]
}

/** What reopens a run that has ended, or makes another of it. */
function reopeningLines({ report, command }: RunView): string[] {
  const id = quoted(report.id)
  if (report.isImported) return [`make a run of this store from it: ${command(`fork ${id} --from <stage>`)}`]
  switch (report.status) {
    case 'failed':
      return [`run what failed again: ${command(`retry ${id}`)}`]
    case 'quarantined':
      return [
        `look at the evidence: ${command(`quarantine show ${id}`)}`,
        `let it go on: ${command(`quarantine release ${id} --reason '<why>'`)}`,
      ]
    case 'budget_exceeded':
      return [`go on with a larger budget: ${command(`resume ${id} --budget <currency>=<more>`)}`]
    default:
      return []
  }
}
