/**
 * An operator at work on random runs: holding them, letting them go, cancelling them, closing the runtime and opening it
 * again, or the process dying, at any time. No run is ever stuck, what is held does nothing, and a run that was not
 * cancelled ends as it would have ended alone.
 */
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import type { Run } from '../../../src/runtime/api.ts'
import type { RunStatus } from '../../../src/store/store.ts'
import { expectResultAgrees, expectSoundJournal } from '../../support/journal-rules.ts'
import { type Life, RunWorld } from '../../support/random-run.ts'
import { predict, workflowSpecs } from '../../support/random-workflow.ts'
import { propertyRuns, propertyTimeoutMs } from '../../support/supervised-worker.ts'

vi.setConfig({ testTimeout: propertyTimeoutMs * 3 })

type Order =
  | { readonly do: 'wait'; readonly seconds: number }
  | { readonly do: 'pause' | 'resume' | 'cancel' | 'reopen' }
  | { readonly do: 'crash'; readonly after: number }

const orders: fc.Arbitrary<Order> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('wait' as const), seconds: fc.integer({ min: 0, max: 400 }) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('pause' as const) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('resume' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('reopen' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('crash' as const), after: fc.integer({ min: 1, max: 8 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cancel' as const) }) },
)

/** Where a run may be found after it was found here; what is not open stays what it is. */
const open: readonly RunStatus[] = ['running', 'waiting', 'paused', 'recovering', 'cancelling']
const successors: Partial<Record<RunStatus, readonly RunStatus[]>> = {
  pending: ['pending', ...open, 'completed', 'failed', 'cancelled'],
  running: [...open, 'completed', 'failed', 'cancelled'],
  waiting: [...open, 'completed', 'failed', 'cancelled'],
  recovering: [...open, 'completed', 'failed', 'cancelled'],
  paused: [...open, 'completed', 'failed', 'cancelled'],
  cancelling: ['cancelling', 'cancelled'],
  completed: ['completed'],
  failed: ['failed'],
  cancelled: ['cancelled'],
}

/** The operator: it has the run in hand whatever becomes of the process. */
class Operator {
  readonly #world: RunWorld
  #life: Life | undefined
  #status: RunStatus | undefined

  constructor(world: RunWorld) {
    this.#world = world
  }

  async carryOut(order: Order): Promise<void> {
    switch (order.do) {
      case 'wait':
        await this.#world.clock.advance(order.seconds * 1000)
        await this.look()
        return
      case 'reopen':
        return this.reopen()
      case 'crash':
        return this.reopen(order.after)
      default:
        return this.command(order.do)
    }
  }

  /** What is refused is refused because the run has ended, or because the process is dead; never is there no answer. */
  async command(name: 'pause' | 'resume' | 'cancel'): Promise<void> {
    const run = await this.#find()
    const why = 'by the operator'
    const obeyed =
      run &&
      (await this.#world.pass((name === 'resume' ? run.resume({ reason: why }) : run[name](why)).then(() => true)))
    const status = await this.look()
    // The process may have died of the next write.
    if (!obeyed || status === undefined) return
    if (name === 'pause') expect(['paused', 'cancelling', 'cancelled']).toContain(status)
    if (name === 'cancel') expect(['cancelling', 'cancelled']).toContain(status)
    if (name === 'resume') expect(status).not.toBe('paused')
  }

  async look(): Promise<RunStatus | undefined> {
    const run = await this.#find()
    const status = await run?.status().catch(() => undefined)
    if (status === undefined) return undefined
    if (this.#status !== undefined) expect(successors[this.#status], this.#status).toContain(status)
    this.#status = status
    return status
  }

  /** Closes the runtime, where there is one, and opens the next, which dies at that write if it is given. */
  async reopen(crashAt?: number): Promise<void> {
    if (this.#life) await this.#world.close(this.#life)
    expect(this.#world.clock.pending).toBe(0)
    this.#life = await this.#world.open(crashAt === undefined ? {} : { crashAt, mode: 'after' })
    if (this.#life) await this.#world.begin(this.#life)
    await this.look()
  }

  get life(): Life | undefined {
    return this.#life
  }

  async #find(): Promise<Run | undefined> {
    return this.#life && this.#world.pass(this.#life.runtime.get('r') as Promise<Run>)
  }
}

describe('a random workflow in the hands of an operator', () => {
  it('does nothing while it is held, is never stuck, and ends as if it had been left alone unless it is cancelled', async () => {
    const sequences = fc.array(orders, { minLength: 1, maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(workflowSpecs, fc.nat(), fc.nat(3), sequences, async (spec, seed, commitTurns, sequence) => {
        const world = new RunWorld(spec, { seed, commitTurns })
        const operator = new Operator(world)
        await operator.reopen()
        for (const order of sequence) {
          await operator.carryOut(order)
          if (operator.life) await world.sendSignals(operator.life.runtime)
        }
        await operator.reopen()
        await operator.command('resume')
        const result = operator.life && (await world.finish(operator.life))
        await world.rest()
        if (!result) throw new Error(`the run is stuck as ${await operator.look()}`)
        await operator.look()
        if (operator.life) await world.close(operator.life)
        expect(world.clock.pending).toBe(0)

        expect(world.doneAgain).toEqual([])
        expect(await world.store.unfinished()).toEqual([])
        const rows = await world.journal()
        expectSoundJournal(rows)
        expectResultAgrees(result, rows)
        const prediction = predict(spec)
        if (rows.some(row => row.type === 'run.cancelling')) expect(result.status).toBe('cancelled')
        else expect(result.status).toBe(prediction.status)
        if (result.success) expect(result.output).toEqual(prediction.output)
        if (result.status === 'cancelled') expect(result.error.message).toBe('by the operator')
      }),
      { numRuns: propertyRuns },
    )
  })
})
