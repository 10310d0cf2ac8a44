/** `holdfast runs list|show|events|tail`: what the store knows of runs. All of it works beside a live owner. */
import type { Command } from 'commander'
import { type Client, type JournalEvent, type ListOptions, RunNotFoundError, systemClock } from '../../index.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { beside } from '../open-store.ts'
import { collected, parseCount, parseSince, parseStatuses } from '../parse-flags.ts'
import { eventLine } from '../print-events.ts'
import { runLines } from '../print-list.ts'
import { showLines } from '../print-run.ts'
import type { Session } from '../session.ts'
import { createStageBoard } from '../stage-board.ts'
import type { Does } from './command.ts'

interface ListFlags {
  readonly status?: readonly string[]
  readonly workflow?: string
  readonly tag?: readonly string[]
  readonly text?: string
  readonly since?: string
  readonly limit?: string
  readonly cursor?: string
}

export function addRuns(program: Command, does: Does): void {
  const runs = program.command('runs').description('look at runs')
  runs
    .command('list')
    .description('the runs, newest first')
    .option('--status <status>', 'only those (repeatable)', collected)
    .option('--workflow <name>', 'only those of a workflow')
    .option('--tag <tag>', 'only those that carry it (repeatable)', collected)
    .option('--text <text>', 'only those with it in their id, workflow or tags')
    .option('--since <when>', 'only those started since a date, or within a time such as 2h')
    .option('--limit <n>', 'at most so many (100, at most 1000)')
    .option('--cursor <cursor>', 'where the last page ended')
    .action(does<ListFlags>((session, _args, flags) => beside(session, client => list(session, client, flags))))
  runs
    .command('show')
    .argument('<id>')
    .description('how a run stands or ended, and its stages')
    .action(does((session, [id = '']) => beside(session, client => show(session, client, id))))
  runs
    .command('events')
    .argument('<id>')
    .description('the journal of a run')
    .action(does((session, [id = '']) => beside(session, client => events(session, client, id))))
  runs
    .command('tail')
    .argument('[id]', 'default: the newest run')
    .description('the last events of a run, and what comes until it ends')
    .action(does((session, [id]) => beside(session, client => tail(session, client, id))))
}

async function list(session: Session, client: Client, flags: ListFlags): Promise<ExitCode> {
  const { status, workflow, tag, text, since, limit, cursor } = flags
  const options = {
    ...(status === undefined ? {} : { status: parseStatuses(status) }),
    ...(since === undefined ? {} : { since: parseSince(since, systemClock.now()) }),
    ...(limit === undefined ? {} : { limit: parseCount(limit, '--limit') }),
    workflow,
    tags: tag,
    text,
    cursor,
  } satisfies ListOptions
  const page = await client.list(options)
  if (session.json) session.terminal.put(JSON.stringify(page, null, 2))
  else if (page.items.length === 0) session.terminal.say('no runs')
  else {
    const isOwned = (await client.owner()) !== undefined
    const view = { now: systemClock.now(), forPerson: session.terminal.isRead, isOwned }
    for (const line of runLines(page.items, view)) session.terminal.put(line)
  }
  if (!session.json && page.nextCursor !== undefined) session.terminal.say(`more: --cursor ${page.nextCursor}`)
  return exitCodes.done
}

async function show(session: Session, client: Client, id: string): Promise<ExitCode> {
  const report = await client.get(id)
  if (session.json) {
    session.terminal.put(JSON.stringify(report, null, 2))
    return exitCodes.done
  }
  const board = createStageBoard()
  for await (const event of client.events(id)) board.take(event)
  const owner = report.endedAt === undefined ? await client.owner() : undefined
  for (const line of showLines({ report, board, owner, now: systemClock.now(), command: session.command }))
    session.terminal.put(line)
  return exitCodes.done
}

async function events(session: Session, client: Client, id: string): Promise<ExitCode> {
  for await (const event of client.events(id)) putEvent(session, event)
  return exitCodes.done
}

const tailLength = 20

async function tail(session: Session, client: Client, given: string | undefined): Promise<ExitCode> {
  const id = given ?? (await newest(client))
  const last: JournalEvent[] = []
  for await (const event of client.events(id)) {
    last.push(event)
    if (last.length > tailLength) last.shift()
  }
  for (const event of last) putEvent(session, event)
  for await (const event of client.events(id, { from: (last.at(-1)?.seq ?? 0) + 1, follow: true }))
    putEvent(session, event)
  return exitCodes.done
}

async function newest(client: Client): Promise<string> {
  const [run] = (await client.list({ limit: 1 })).items
  if (!run) throw new RunNotFoundError('(the newest)')
  return run.id
}

const putEvent = (session: Session, event: JournalEvent): void =>
  session.terminal.put(session.json ? JSON.stringify(event) : eventLine(event))
