/** What a run waits for, and how to give it that. */
import type { RunReport } from '../index.ts'
import type { Session } from './session.ts'
import { quoted } from './shell.ts'

export function sayWaits(session: Session, report: RunReport): void {
  const { terminal } = session
  terminal.say(`run ${report.id} waits for ${report.waitingFor.map(describeWait).join(' and ')}`)
  for (const wait of report.waitingFor) {
    if (wait.kind === 'signal')
      terminal.say(
        `  send it with: ${session.command(`signal ${quoted(report.id)} ${quoted(wait.name ?? '')} '<JSON>'`)}`,
      )
    if (wait.kind === 'event')
      terminal.say(`  send one with: ${session.command(`signal ${quoted(report.id)} <EVENT> '<JSON>'`)}`)
    if (wait.kind === 'child')
      terminal.say(`  look at it with: ${session.command(`runs show ${quoted(wait.name ?? '')}`)}`)
  }
  terminal.say(`  then go on with: ${session.command(`resume ${quoted(report.id)}`)}`)
}

/** `signal 'approval' (stage 'gate') until 2026-05-01T10:00:00.000Z` */
export function describeWait(wait: RunReport['waitingFor'][number]): string {
  const what =
    {
      signal: `signal '${wait.name}'`,
      sleep: 'a time',
      child: `child run ${wait.name}`,
      event: 'an event',
      definition: `the definition it was begun with (${wait.name})`,
      cause: `the cause '${wait.name}' to pass`,
    }[wait.kind] ?? wait.kind
  const stage = wait.stage === undefined ? '' : ` (stage '${wait.stage}')`
  return `${what}${stage}${wait.until === undefined ? '' : ` until ${new Date(wait.until).toISOString()}`}`
}
