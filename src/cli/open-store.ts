/** The two ways into a store: beside its owner, or as its owner. Both are closed again, whatever happens. */

import {
  type AnyWorkflow,
  type Client,
  createClient,
  createRuntime,
  type Runtime,
  type RuntimeOptions,
} from '../index.ts'
import { absentRemedies } from '../testing/absent-remedies.ts'
import { bothLoggers, createRunLog } from './run-log.ts'
import type { Session } from './session.ts'

/** Reads, and hands commands to the owner. A store that does not exist is empty. */
export async function beside<T>(session: Session, work: (client: Client) => Promise<T>): Promise<T> {
  const client = createClient({ store: session.store })
  try {
    return await work(client)
  } finally {
    await client.close()
  }
}

/** Code of one's own gives remedies to its runtime; whoever starts the workflow here is told that there are none. */
function remediesFor(session: Session, workflows: readonly AnyWorkflow[]): RuntimeOptions['remedies'] {
  const remedies = absentRemedies(workflows)
  const names = Object.keys(remedies).map(name => `'${name}'`)
  if (names.length > 0)
    session.log.warn({}, `the command line has no remedies: one that is needed fails (${names.join(', ')})`)
  return remedies
}

/** Takes nothing up but what `work` asks for. */
export async function asOwner<T>(
  session: Session,
  options: Pick<RuntimeOptions, 'workflows' | 'mode' | 'chaos'>,
  work: (runtime: Runtime) => Promise<T>,
): Promise<T> {
  const log = createRunLog({
    directory: session.directory,
    level: session.logLevel,
    onFailure: message => session.terminal.say(message),
  })
  const logger = bothLoggers(session.log, log.logger)
  try {
    const remedies = remediesFor(session, options.workflows ?? [])
    const runtime = await createRuntime({ ...options, remedies, store: session.store, logger, recover: false })
    try {
      log.follow(runtime)
      return await work(runtime)
    } finally {
      await runtime.close()
    }
  } finally {
    await log.close()
  }
}
