/**
 * `holdfast explain <id> --as-test`: the run as a Vitest file that replays it. The replay is tried first, so that the
 * file says where it differs; nothing of the world is touched by that.
 */
import { existsSync, writeFileSync } from 'node:fs'
import { dirname, relative, resolve } from 'node:path'
import { findBundled } from '../../bundled/index.ts'
import { type Client, OptionsError, StoreError } from '../../index.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { createFileImporter } from '../import-file.ts'
import { recordingOfRun, workflowOfRun } from '../recording-of-run.ts'
import type { Session } from '../session.ts'
import { quoted } from '../shell.ts'

export interface AsTestFlags {
  readonly out?: string
  readonly force?: boolean
  readonly workflow?: string
}

export async function writeTest(session: Session, client: Client, id: string, flags: AsTestFlags): Promise<ExitCode> {
  const { out, force = false } = flags
  const toStdout = out === '-'
  const file = resolve(toStdout ? '.' : (out ?? `${id.replaceAll(/[^\w.@+-]/g, '_')}.test.ts`))
  if (!toStdout && !force && existsSync(file)) {
    throw new OptionsError(`${shown(file)} is there already; name another file with --out, or replace it with --force`)
  }
  const made = await recordingOfRun(client, id)
  const { workflow, source } = await workflowOfRun(client, id, flags.workflow)
  const { outcomeDifferences, replayRun, testFileOf } = await import('../../testing.ts')
  const { terminal, json } = session
  const { outcome } = made.recording
  const replayed = await replayRun(workflow, made.recording)
  const differences = [
    ...outcomeDifferences(outcome, replayed),
    ...replayed.unrecorded.map(call => `model call ${call} has no recorded answer`),
  ]
  const limits = [...made.limits, ...replayed.standIns]
  const imported = await importOf(workflow.name, source && resolve(source), dirname(file))
  const text = testFileOf({ recording: made.recording, limits, differences, imported })
  if (toStdout) {
    terminal.put(text.replace(/\n$/, ''))
    return exitCodes.done
  }
  write(file, text)
  if (json) {
    const { redacted } = made
    terminal.put(JSON.stringify({ file, reproduces: differences.length === 0, differences, limits, redacted }, null, 2))
    return exitCodes.done
  }
  terminal.put(shown(file))
  for (const limit of limits) terminal.say(`not replayed: ${limit}`)
  for (const difference of differences) terminal.say(`the replay differs with the workflow as it is now: ${difference}`)
  terminal.say(`${differences.length === 0 ? 'it passes now' : 'it fails now'}: npx vitest run ${quoted(shown(file))}`)
  return exitCodes.done
}

const shown = (file: string): string => relative(process.cwd(), file) || file

function write(file: string, text: string): void {
  try {
    writeFileSync(file, text)
  } catch (thrown) {
    const error = thrown as NodeJS.ErrnoException
    const message = `the test ${file} cannot be written: ${error.message}`
    if (error.code === 'ENOSPC' || error.code === 'EDQUOT') throw new StoreError('store_full', message, { file })
    throw new OptionsError(`${message}; name another file with --out`, { file }, { cause: error })
  }
}

/** The lines with which the test gets its workflow. */
async function importOf(name: string, source: string | undefined, directory: string): Promise<string> {
  if (source === undefined && findBundled(name)) {
    return `import { bundledWorkflow } from 'holdfast'\n\nconst workflow = await bundledWorkflow(${JSON.stringify(name)})`
  }
  if (source === undefined) throw new OptionsError(`--as-test: name the file of workflow '${name}' with --workflow`)
  const exported = await createFileImporter()(source, shown(source))
  const named = Object.keys(exported)
    .sort((one, other) => Number(other === 'default') - Number(one === 'default'))
    .find(key => (exported[key] as { name?: unknown } | undefined)?.name === name)
  const path = relative(directory, source).replaceAll('\\', '/')
  const from = JSON.stringify(path.startsWith('.') ? path : `./${path}`)
  return named === undefined || named === 'default'
    ? `import workflow from ${from}`
    : `import { ${named} as workflow } from ${from}`
}
