/**
 * `createRuntime` claims the store, has the parts joined and gives them their methods, the desk for the commands of
 * other processes, and their end. Then it starts the supervision tree and takes up what is unfinished.
 */
import { hostname } from 'node:os'
import type { RuntimeOptions } from './api.ts'
import { assemble, type RuntimeParts } from './assembly/assemble.ts'
import { Closing } from './assembly/closing.ts'
import { type ModelParts, modelPartsOf } from './calls/model-parts.ts'
import { createCommandDesk } from './commands.ts'
import type { OperatedRuntime } from './operations/operations-api.ts'
import { HoldfastRuntime } from './runtime.ts'
import { type ResolvedOptions, resolveRuntimeOptions } from './runtime-options.ts'

/**
 * A runtime that owns its store. Unfinished runs of the workflows it was given are taken up before it resolves, unless
 * `recover` is false.
 * @throws OptionsError; StoreError `store_owned store_corrupt store_readonly store_full store_newer`
 */
export async function createRuntime(given: RuntimeOptions = {}): Promise<OperatedRuntime> {
  const options = await resolveRuntimeOptions(given)
  const { epoch } = await options.store.claim({ pid: process.pid, host: hostname(), at: options.clock.now() })
  let runtime: OperatedRuntime | undefined
  try {
    const joined = join(options, epoch, await modelPartsOf(options))
    runtime = joined.runtime
    await begin(joined.parts)
    return runtime
  } catch (error) {
    await (runtime ?? options.store).close()
    throw error
  }
}

function join(
  options: ResolvedOptions,
  epoch: number,
  models: ModelParts,
): { runtime: OperatedRuntime; parts: RuntimeParts } {
  const { store, log } = options
  const parts = assemble(options, epoch, models, error => closing.serviceFailed('store', error))
  const runtime = new HoldfastRuntime(parts, (grace, reason) => closing.close(grace, reason))
  const closing = new Closing(parts, createCommandDesk({ store, epoch, log, runtime }))
  return { runtime, parts }
}

/** Starts the tree and takes up what is unfinished. */
async function begin({ options, supervisor, retention, services, runs }: RuntimeParts): Promise<void> {
  const { workflows, recover, log } = options
  await supervisor.start()
  await retention.begin()
  await Promise.all(workflows.map(({ name, version }) => services.baselines.learn({ workflow: name, version })))
  if (!recover) return
  const { skipped } = await runs.recover()
  for (const { id, reason } of skipped) log.warn({ runId: id }, `run ${id} was not taken up: ${reason}`)
}
