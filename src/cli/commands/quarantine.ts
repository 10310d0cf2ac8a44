/** `holdfast quarantine list|show|release|discard`: the runs that were set aside, and what becomes of them. */
import type { Command } from 'commander'
import { type Client, type QuarantineEvidence, systemClock } from '../../index.ts'
import { formatMs } from '../../time/duration.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { beside } from '../open-store.ts'
import { operate, operator, sayOperated } from '../operate.ts'
import { parseCount } from '../parse-flags.ts'
import { eventLine } from '../print-events.ts'
import type { Session } from '../session.ts'
import type { Does } from './command.ts'

interface ListFlags {
  readonly workflow?: string
  readonly limit?: string
  readonly cursor?: string
}

interface ReleaseFlags {
  readonly reason?: string
  readonly fresh?: boolean
}

export function addQuarantine(program: Command, does: Does): void {
  const quarantine = program.command('quarantine').description('look after the runs that were set aside')
  quarantine
    .command('list')
    .description('the runs in quarantine')
    .option('--workflow <name>', 'only those of a workflow')
    .option('--limit <n>', 'at most so many (100, at most 1000)')
    .option('--cursor <cursor>', 'where the last page ended')
    .action(does<ListFlags>((session, _args, flags) => beside(session, client => list(session, client, flags))))
  quarantine
    .command('show')
    .argument('<id>')
    .description('why a run was set aside: causes, snapshot, last events, spend')
    .action(does((session, [id = '']) => beside(session, client => show(session, client, id))))
  quarantine
    .command('release')
    .argument('<id>')
    .description('let a run go on from what failed in it')
    .option('--reason <text>', 'kept in its journal')
    .option('--fresh', 'ask every model call and step of the stages that run again anew')
    .action(does<ReleaseFlags>((session, [id = ''], flags) => release(session, id, flags)))
  quarantine
    .command('discard')
    .argument('<id>')
    .description('give a run up for good: it ends as cancelled')
    .option('--reason <text>', 'kept in its journal')
    .action(does<ReleaseFlags>((session, [id = ''], { reason }) => discard(session, id, reason)))
}

async function list(session: Session, client: Client, { workflow, limit, cursor }: ListFlags): Promise<ExitCode> {
  const page = await client.quarantine.list({
    workflow,
    cursor,
    ...(limit === undefined ? {} : { limit: parseCount(limit, '--limit') }),
  })
  const { terminal } = session
  if (session.json) terminal.put(JSON.stringify(page, null, 2))
  else if (page.items.length === 0) terminal.say('nothing is in quarantine')
  else {
    const now = systemClock.now()
    for (const { id, workflow: name, quarantinedAt, stage, message } of page.items) {
      const where = stage === undefined ? name : `${name}/${stage}`
      terminal.put(`${id}  ${where}  ${formatMs(Math.max(0, now - quarantinedAt))} ago  ${message}`)
    }
  }
  if (!session.json && page.nextCursor !== undefined) terminal.say(`more: --cursor ${page.nextCursor}`)
  return exitCodes.done
}

async function show(session: Session, client: Client, id: string): Promise<ExitCode> {
  const evidence = await client.quarantine.show(id)
  if (session.json) session.terminal.put(JSON.stringify(evidence, null, 2))
  else for (const line of evidenceLines(evidence)) session.terminal.put(line)
  return exitCodes.done
}

function* evidenceLines(evidence: QuarantineEvidence): Iterable<string> {
  const { id, workflow, version, stage, causes, snapshot, spend, attempts, restarts, crashes, lastEvents } = evidence
  yield `run ${id} of ${workflow} ${version}${stage === undefined ? '' : `, stage ${stage}`}`
  for (const [depth, { name, message }] of causes.entries())
    yield `${depth === 0 ? 'error' : 'caused by'}: ${name}: ${message}`
  yield `attempts ${attempts}, restarts ${restarts}, deaths of its process ${crashes}`
  yield `spent ${spend.usd} USD for ${spend.calls} model calls`
  yield snapshot === null ? 'no snapshot' : `snapshot sha256 ${snapshot.sha256}, ${snapshot.bytes} bytes`
  yield 'last events:'
  for (const event of lastEvents) yield `  ${eventLine(event)}`
}

async function release(session: Session, id: string, { reason, fresh }: ReleaseFlags): Promise<ExitCode> {
  const asked = { reason, fresh, by: operator() }
  const outcome = await operate(session, {
    runId: id,
    name: 'release',
    args: asked,
    here: runtime => runtime.quarantine.release(id, { ...asked, hold: true }),
  })
  if (session.json) session.terminal.put(JSON.stringify({ id, status: outcome.status }, null, 2))
  else sayOperated(session, outcome)
  return exitCodes.done
}

async function discard(session: Session, id: string, reason: string | undefined): Promise<ExitCode> {
  const asked = { reason, by: operator() }
  const outcome = await operate(session, {
    runId: id,
    name: 'discard',
    args: asked,
    needsWorkflow: false,
    async here(runtime) {
      await runtime.quarantine.discard(id, asked)
      return runtime.get(id)
    },
  })
  if (session.json) session.terminal.put(JSON.stringify({ id, status: outcome.status }, null, 2))
  else sayOperated(session, outcome)
  return exitCodes.done
}
