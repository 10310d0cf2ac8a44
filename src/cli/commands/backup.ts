/** `holdfast backup|restore|store check`: the store as a file to keep, to bring back, and to examine. */
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { type Client, restoreStore } from '../../index.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { beside } from '../open-store.ts'
import type { Session } from '../session.ts'
import type { Does } from './command.ts'

export function addBackup(program: Command, does: Does): void {
  program
    .command('backup')
    .argument('<file>', 'a file that does not exist yet')
    .description('copy the store as it is at this moment; its owner goes on meanwhile')
    .action(does((session, [file = '']) => beside(session, client => backup(session, client, resolve(file)))))
}

export function addRestore(program: Command, does: Does): void {
  program
    .command('restore')
    .argument('<file>', 'a backup')
    .description('make a backup the store, on this machine or another')
    .option('--force', 'replace a store that holds runs; it is kept beside as holdfast.db.replaced')
    .action(
      does<{ readonly force?: boolean }>((session, [file = ''], { force }) => restore(session, resolve(file), force)),
    )
}

export function addStore(program: Command, does: Does): void {
  program
    .command('store')
    .description('look after the store')
    .command('check')
    .description('look for damage and contradictions in the store; exit 1 where there are any')
    .action(does(session => beside(session, client => check(session, client))))
}

async function backup(session: Session, client: Client, file: string): Promise<ExitCode> {
  await client.backup(file)
  if (session.json) session.terminal.put(JSON.stringify({ file }, null, 2))
  else session.terminal.put(`the store is copied to ${file}`)
  return exitCodes.done
}

async function restore(session: Session, file: string, force: boolean | undefined): Promise<ExitCode> {
  const { runs } = await restoreStore(session.store, file, { force })
  if (session.json) session.terminal.put(JSON.stringify({ store: session.store, runs }, null, 2))
  else session.terminal.put(`${session.store} is the store of ${file}, with ${runs} ${runs === 1 ? 'run' : 'runs'}`)
  return exitCodes.done
}

async function check(session: Session, client: Client): Promise<ExitCode> {
  const findings = await client.verify()
  const { terminal } = session
  if (session.json) terminal.put(JSON.stringify({ ok: findings.length === 0, findings }, null, 2))
  else if (findings.length === 0) terminal.put(`nothing is wrong with ${session.store}`)
  else {
    for (const { kind, runId, message } of findings)
      terminal.put(`${kind}: ${runId === undefined ? '' : `run ${runId}: `}${message}`)
    terminal.say(
      `a run that is damaged is repaired from its journal or set aside when it is taken up, and others go on; all of it is in a backup: ${session.command('restore <file> --force')}`,
    )
  }
  return findings.length === 0 ? exitCodes.done : exitCodes.failed
}
