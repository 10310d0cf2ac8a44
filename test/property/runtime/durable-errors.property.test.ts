/** What was thrown, once it has been data: the same name, message and code, with its causes, and as the end of a run. */
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import * as errors from '../../../src/errors.ts'
import { decodeError, encodeError, type HoldfastError, StoreError } from '../../../src/errors.ts'
import { defineWorkflow } from '../../../src/workflow/define-workflow.ts'
import { createWorld, endOf } from '../../support/runtime-world.ts'
import { propertyRuns, propertyTimeoutMs } from '../../support/supervised-worker.ts'

vi.setConfig({ testTimeout: propertyTimeoutMs })

const classes = Object.values(errors).filter(
  (value): value is typeof HoldfastError => typeof value === 'function' && value.prototype instanceof Error,
)

describe('an error', () => {
  it('property 55, durable: errors round-trip with name, message, code', async () => {
    const texts = fc.string({ unit: 'binary', maxLength: 60 })
    const plain = fc
      .record({ name: fc.string({ minLength: 1 }), message: texts, code: fc.option(texts) })
      .map(({ name, message, code }) =>
        Object.assign(new Error(message) as Error & { code?: string }, { name }, code === null ? {} : { code }),
      )
    const ours = fc
      .record({ of: fc.constantFrom(...classes), message: texts })
      .map(({ of, message }) => Object.assign(Object.create(of.prototype), { name: of.name, message }) as Error)
    const coded = fc
      .record({ code: fc.constantFrom('store_full' as const, 'store_owned' as const), message: texts })
      .map(({ code, message }) => new StoreError(code, message) as Error)
    const thrown = fc.oneof(plain, ours, coded)
    const causedBy = <T extends Error>([error, cause]: [T, Error]): T => Object.assign(error, { cause })
    const anyThrown = fc.tuple(thrown, fc.tuple(thrown, thrown).map(causedBy)).map(causedBy)
    const plainThrown = fc.tuple(plain, anyThrown).map(causedBy)
    const told = (error: unknown): unknown => {
      const { name, message, code, cause } = error as Error & { code?: unknown }
      return { name, message, code, cause: cause === undefined ? undefined : told(cause) }
    }
    await fc.assert(
      fc.asyncProperty(anyThrown, plainThrown, async (own, error) => {
        expect(told(decodeError(JSON.parse(JSON.stringify(encodeError(own)))))).toEqual(told(own))
        const world = createWorld()
        const workflow = defineWorkflow({ name: 'w', version: '1' }).stage('a', { restart: 'temporary' }, () => {
          throw error
        })
        const first = await world.open({ workflows: [workflow], mode: 'minimal' })
        const ended = await endOf(world, await first.start(workflow, undefined, { id: 'r' }))
        await first.close()
        const second = await world.open({ workflows: [workflow], mode: 'minimal' })
        const kept = await (await second.get('r')).result()
        expect(kept).toEqual(ended)
        if (kept.success) throw new Error('the run did not fail')
        expect(kept.error).toMatchObject({ message: error.message, code: error.code ?? 'stage_failed' })
        expect(told(kept.error.cause)).toEqual(told(error.cause))
        await second.close()
      }),
      { numRuns: propertyRuns },
    )
  })
})
