/**
 * Ends a runtime in order, once: nothing new is begun, what works may end in the time it is given, what was done is
 * written, and the store is closed last. A service that fails ends it too.
 */
import { encodeError } from '../../errors.ts'
import { type Duration, toMs } from '../../time/duration.ts'
import type { CommandDesk } from '../commands.ts'
import type { RuntimeParts } from './assemble.ts'

export class Closing {
  readonly #parts: RuntimeParts
  readonly #desk: CommandDesk
  #underWay: Promise<void> | undefined

  constructor(parts: RuntimeParts, desk: CommandDesk) {
    this.#parts = parts
    this.#desk = desk
  }

  /**
   * @param grace for the attempts that work; none when it is not given
   * @param reason what who waits for a run, and who asks for anything from now on, hears
   */
  close(grace: Duration | undefined, reason: unknown): Promise<void> {
    this.#underWay ??= this.#close(grace === undefined ? 0 : toMs(grace, 'close: grace'), reason)
    return this.#underWay
  }

  /** A service failed: its actor ends, the failure escalates to the root, and the runtime lets go of everything. */
  serviceFailed(name: string, error: unknown): void {
    const { options, supervisor } = this.#parts
    options.log.error(
      { error: encodeError(error) },
      `the ${name} failed; what was not acknowledged is done again at the next start`,
    )
    supervisor.supervisor('services').child(name).send({ type: 'FAILED', error })
    this.close(undefined, error).catch(failure =>
      options.log.error({ error: encodeError(failure) }, 'the runtime could not be closed in order'),
    )
  }

  async #close(graceMs: number, reason: unknown): Promise<void> {
    const { options, services, supervisor, retention, runs, feed, cache } = this.#parts
    const { pipeline, attempts, wheel, clock } = services
    retention.stop()
    await this.#desk.stop()
    attempts.shut()
    if (graceMs > 0 && pipeline.failure === undefined) await attempts.idleWithin(graceMs, clock)
    if (pipeline.failure === undefined) {
      for (const run of runs.all()) run.stopCleanly()
      await pipeline.settled().catch(() => {})
    }
    runs.close(pipeline.failure ?? reason)
    feed.close()
    wheel.close()
    cache.close()
    await supervisor.stop()
    await options.store.close()
  }
}
