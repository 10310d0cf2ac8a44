/** How a run ended: its output on stdout, the rest for the person on stderr. */
import type { RunResult } from '../index.ts'
import { formatMs } from '../time/duration.ts'
import { markdownLines } from './markdown-view.ts'
import type { Session } from './session.ts'
import { quoted } from './shell.ts'
import type { Terminal } from './terminal.ts'

export function printResult(session: Session, result: RunResult): void {
  const { terminal } = session
  if (session.json) terminal.put(JSON.stringify(result, null, 2))
  else if (result.success) printOutput(result.output, terminal)
  sayEnd(session, result)
}

/** A Markdown report, laid out for a person and as it is for a program; anything else as JSON. */
function printOutput(output: unknown, terminal: Terminal): void {
  const { report } = (output ?? {}) as { report?: unknown }
  if (typeof report !== 'string') {
    if (output !== undefined) terminal.put(JSON.stringify(output, null, 2))
  } else if (terminal.isRead)
    terminal.put(markdownLines(report, { columns: terminal.dataColumns, paint: terminal.paintData }).join('\n'))
  else terminal.put(report.replace(/\n$/, ''))
}

function sayEnd(session: Session, result: RunResult): void {
  const { terminal } = session
  const { paint } = terminal
  if (terminal.isLive && terminal.isRead) terminal.say('')
  for (const { stage, component, reason } of result.degraded) {
    const what = stage ?? component
    terminal.say(`${paint('yellow', 'degraded:')} ${what === undefined ? '' : `${what}: `}${reason}`)
  }
  const status = result.status === 'budget_exceeded' ? 'out of budget' : result.status
  terminal.say(
    `${paint(result.success ? 'green' : 'red', status)} in ${formatMs(result.performance.durationMs)}: run ${result.runId}`,
  )
  if (!result.success) sayError(session, result.error)
  const look = result.success && result.degraded.length === 0 ? 'runs show' : 'explain'
  const id = quoted(result.runId)
  terminal.say(
    paint('dim', `look closer: ${session.command(`${look} ${id}`)}, ${session.command(`runs events ${id}`)}`),
  )
}

function sayError(session: Session, error: Extract<RunResult, { success: false }>['error']): void {
  const where =
    error.stage === undefined
      ? ''
      : `stage '${error.stage}'${error.attempt === undefined ? '' : `, attempt ${error.attempt}`}: `
  session.terminal.say(`${where}${error.message}`)
  for (const advice of error.recommendations) {
    if (!advice.includes('holdfast explain')) session.terminal.say(`- ${advice}`)
  }
}
