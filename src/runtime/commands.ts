/**
 * Commands that other processes leave in the store for the one that owns it. Each is carried out once and answered
 * through the store; one that cannot be carried out is answered with its error.
 */
import { encodeError, HoldfastError } from '../errors.ts'
import type { Command, Store } from '../store/store.ts'
import type { Logger, Run } from './api.ts'
import { carryOutOnCircuits } from './circuit-commands.ts'
import type { CircuitOperations } from './circuits.ts'

export interface CommandDeskOptions {
  readonly store: Store
  readonly epoch: number
  readonly log: Logger
  get(runId: string): Promise<Run>
  readonly circuits: CircuitOperations
}

export interface CommandDesk {
  stop(): void
}

/** What a command may be, with the arguments that it takes. */
const carryOut: Readonly<
  Record<string, (run: Run, args: { reason?: string; name?: string; payload?: unknown }) => Promise<void>>
> = {
  cancel: (run, { reason }) => run.cancel(reason),
  pause: (run, { reason }) => run.pause(reason),
  resume: run => run.resume(),
  signal: (run, { name = '', payload }) => run.signal(name, payload),
}

export function createCommandDesk(options: CommandDeskOptions): CommandDesk {
  const { store, epoch, log } = options
  let busy = false
  let again = false
  let stopped = false

  const handle = async (command: Command): Promise<void> => {
    try {
      const told = await carryOutOnCircuits(command, options.circuits)
      if (told !== undefined) return await store.replyToCommand(epoch, command.id, { value: JSON.stringify(told) })
      const work = carryOut[command.name]
      if (!work)
        throw new HoldfastError(
          'invalid_options',
          `there is no command '${command.name}'; this process may be of an older version`,
        )
      const run = await options.get(command.runId)
      await work(run, JSON.parse(command.args))
      const value = JSON.stringify({ id: run.id, status: await run.status() })
      await store.replyToCommand(epoch, command.id, { value })
    } catch (error) {
      await store.replyToCommand(epoch, command.id, { error: JSON.stringify(encodeError(error)) })
    }
  }

  const work = async (): Promise<void> => {
    if (busy || stopped) {
      again = true
      return
    }
    busy = true
    do {
      again = false
      try {
        for (const command of await store.pendingCommands()) {
          if (stopped) return
          await handle(command)
        }
      } catch (error) {
        if (!stopped) log.warn({ error: encodeError(error) }, 'the commands in the store could not be read')
      }
    } while (again && !stopped)
    busy = false
  }

  const unsubscribe = store.onCommands(() => void work())
  void work()
  return {
    stop() {
      stopped = true
      unsubscribe()
    },
  }
}
