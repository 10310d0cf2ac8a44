/**
 * Commands that other processes leave in the store for the one that owns it. Each is carried out once and answered
 * through the store; one that cannot be carried out is answered with its error.
 */
import { encodeError, HoldfastError } from '../errors.ts'
import type { Command, Store } from '../store/store.ts'
import type { Budget, Logger, Run } from './api.ts'
import { carryOutOnCircuits } from './calls/circuit-commands.ts'
import type { ForkPlan } from './operations/fork.ts'
import type { OperatedRuntime } from './operations/operations-api.ts'

export interface CommandDeskOptions {
  readonly store: Store
  readonly epoch: number
  readonly log: Logger
  readonly runtime: Pick<OperatedRuntime, 'get' | 'retry' | 'fork' | 'stage' | 'quarantine' | 'import' | 'circuits'>
}

export interface CommandDesk {
  /** Takes no further command, and gives the one at hand some turns of the event loop to be answered. */
  stop(): Promise<void>
}

/** A command at hand waits for nothing but the store, which answers in a few turns or never. */
const mostTurns = 100

/** All that any command may be given. */
export interface CommandArguments {
  readonly reason?: string | undefined
  /** Who asks. */
  readonly by?: string | undefined
  /** Of `signal`. */
  readonly name?: string | undefined
  readonly payload?: unknown
  /** Of `retry` and `release`. */
  readonly fresh?: boolean | undefined
  readonly tier?: 'cheap' | 'capable' | 'premium' | undefined
  /** Of `resume` and `retry`. */
  readonly budget?: Budget | undefined
  /** Of `import` and `fork`: the id of the new run; of a fork made by the client, so that a command that is taken twice makes one fork. */
  readonly id?: string | undefined
  readonly from?: string | undefined
  readonly input?: unknown
  /** Of `import`: a bundle, as an absolute path. */
  readonly file?: string | undefined
  /** Of `skip`, `redo` and `complete`. */
  readonly stage?: string | undefined
  readonly result?: unknown
}

/** What a command may be. Gives the run that it is about afterwards: of `fork` the new one. */
const carryOut = {
  cancel: about((run, { reason }) => run.cancel(reason)),
  pause: about((run, { reason }) => run.pause(reason)),
  resume: about((run, { budget, reason, by }) => run.resume({ budget, reason, by })),
  signal: about((run, { name = '', payload }) => run.signal(name, payload)),
  retry: (runtime, runId, { reason, by, fresh, tier, budget }) =>
    runtime.retry(runId, { reason, by, fresh, tier, budget }),
  fork: async (runtime, runId, { from = '', input, id }) => {
    try {
      return await runtime.fork(runId, { from, input, id })
    } catch (error) {
      // The process died between the fork and its answer: the fork is there.
      if (id !== undefined && (error as { code?: string }).code === 'run_conflict')
        return (await runtime.get(id).catch(() => undefined)) ?? Promise.reject(error)
      throw error
    }
  },
  skip: (runtime, runId, { stage = '', reason = '', by }) => runtime.stage.skip(runId, stage, { reason, by }),
  redo: (runtime, runId, { stage = '', reason = '', by }) => runtime.stage.redo(runId, stage, { reason, by }),
  complete: (runtime, runId, { stage = '', reason = '', by, result }) =>
    runtime.stage.complete(runId, stage, { reason, by, result }),
  release: (runtime, runId, { reason, by, fresh, tier }) =>
    runtime.quarantine.release(runId, { reason, by, fresh, tier }),
  import: (runtime, _runId, { file = '', id }) => runtime.import(file, { id }),
  discard: async (runtime, runId, { reason, by }) => {
    await runtime.quarantine.discard(runId, { reason, by })
    return runtime.get(runId)
  },
} as const satisfies Record<string, CarryOut>

export type CommandName = keyof typeof carryOut

type CarryOut = (
  runtime: CommandDeskOptions['runtime'],
  runId: string,
  args: CommandArguments,
) => Promise<Run & { readonly plan?: ForkPlan }>

function about(work: (run: Run, args: CommandArguments) => Promise<void>): CarryOut {
  return async (runtime, runId, args) => {
    const run: Run = await runtime.get(runId)
    await work(run, args)
    return run
  }
}

export function createCommandDesk(options: CommandDeskOptions): CommandDesk {
  const { store, epoch, log } = options
  let busy = false
  let again = false
  let stopped = false

  const handle = async (command: Command): Promise<void> => {
    try {
      const told = await carryOutOnCircuits(command, options.runtime.circuits)
      if (told !== undefined) return await store.replyToCommand(epoch, command.id, { value: JSON.stringify(told) })
      const work: CarryOut | undefined = Object.hasOwn(carryOut, command.name)
        ? carryOut[command.name as CommandName]
        : undefined
      if (!work)
        throw new HoldfastError(
          'invalid_options',
          `there is no command '${command.name}'; this process may be of an older version`,
        )
      const run = await work(options.runtime, command.runId, JSON.parse(command.args))
      const value = JSON.stringify({ id: run.id, status: await run.status(), plan: run.plan })
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
          if (stopped) break
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
    async stop() {
      stopped = true
      unsubscribe()
      for (let turn = 0; busy && turn < mostTurns; turn++) await new Promise(resolve => setImmediate(resolve))
    },
  }
}
