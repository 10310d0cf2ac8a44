/** `holdfast bundle|import`: a run as one redacted file to show to somebody, and read back where it is looked at. */
import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { secretValues } from '../../config/secret-values.ts'
import { type Client, OptionsError, StoreError } from '../../index.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { asOwner, beside } from '../open-store.ts'
import type { Session } from '../session.ts'
import { quoted } from '../shell.ts'
import type { Does } from './command.ts'

export function addBundle(program: Command, does: Does): void {
  program
    .command('bundle')
    .argument('<id>')
    .description('write a run into one file without its secrets, to show it to somebody')
    .option('--out <file>', 'where to; - for stdout (diagnostic-bundle-<id>.json)')
    .action(
      does<{ readonly out?: string }>((session, [id = ''], { out }) =>
        beside(session, client => bundle(session, client, id, out)),
      ),
    )
}

export function addImport(program: Command, does: Does): void {
  program
    .command('import')
    .argument('<file>', 'a bundle')
    .description('read a bundle into the store: to be looked at, explained and forked, never to go on')
    .option('--id <id>', 'under another id')
    .action(
      does<{ readonly id?: string }>((session, [file = ''], { id }) =>
        beside(session, client => importBundle(session, client, resolve(file), id)),
      ),
    )
}

async function bundle(session: Session, client: Client, id: string, out: string | undefined): Promise<ExitCode> {
  const made = await client.bundle(id, { secrets: secretValues() })
  const text = JSON.stringify(made, null, 2)
  if (out === '-') {
    session.terminal.put(text)
    return exitCodes.done
  }
  const file = resolve(out ?? `diagnostic-bundle-${id.replaceAll(/[^\w.@+-]/g, '_')}.json`)
  try {
    writeFileSync(file, `${text}\n`)
  } catch (error) {
    throw unwritable(file, error as NodeJS.ErrnoException)
  }
  const { redacted } = made
  if (session.json) session.terminal.put(JSON.stringify({ file, redacted }, null, 2))
  else
    session.terminal.put(
      `run ${id} is written to ${file}; ${redacted} ${redacted === 1 ? 'value was' : 'values were'} taken out`,
    )
  return exitCodes.done
}

function unwritable(file: string, error: NodeJS.ErrnoException): Error {
  const message = `the bundle ${file} cannot be written: ${error.message}`
  if (error.code === 'ENOSPC' || error.code === 'EDQUOT') return new StoreError('store_full', message, { file })
  return new OptionsError(`${message}; name another file with --out`, { file }, { cause: error })
}

async function importBundle(session: Session, client: Client, file: string, id: string | undefined): Promise<ExitCode> {
  const imported = (await client.owner())
    ? await client.command('', 'import', { file, id })
    : await asOwner(session, { workflows: [] }, async runtime => {
        const run = await runtime.import(file, { id })
        return { id: run.id, status: await run.status() }
      })
  if (session.json) session.terminal.put(JSON.stringify({ id: imported.id, status: imported.status }, null, 2))
  else {
    session.terminal.put(`run ${imported.id} is imported; it is ${imported.status}`)
    session.terminal.say(`look at it: ${session.command(`runs show ${quoted(imported.id)}`)}`)
  }
  return exitCodes.done
}
