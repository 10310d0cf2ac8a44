/** The two ways into a store: beside its owner, or as its owner. Both are closed again, whatever happens. */
import { type Client, createClient, createRuntime, type Runtime, type RuntimeOptions } from '../index.ts'
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
    const runtime = await createRuntime({ ...options, store: session.store, logger, recover: false })
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
