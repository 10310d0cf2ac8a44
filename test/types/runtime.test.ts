import { describe, expectTypeOf, it } from 'vitest'
import { z } from 'zod'
import { defineWorkflow, type Run, type RunFailed, type Runtime } from '../../src/index.ts'

declare const runtime: Runtime

const review = defineWorkflow({
  name: 'review',
  version: '1',
  input: z.object({ path: z.string(), depth: z.number().default(1) }),
}).stage('a', ({ input }) => ({ path: input.path, at: new Date() }))

const bare = defineWorkflow({ name: 'bare', version: '1' }).stage('a', () => 1)

// Never called: only what the compiler says of it counts.
const written = async () => {
  const run = await runtime.start(review, { path: '.' }, { id: 'r', tags: ['t'], budget: { usd: 1 }, deadline: '1h' })
  const result = await run.result()
  return {
    run,
    result,
    found: await runtime.get('r', review),
    any: await runtime.get('r'),
    bare: await runtime.start(bare),
  }
}
type Written = Awaited<ReturnType<typeof written>>

describe('a run', () => {
  it('is typed by the workflow that it was started or found with', () => {
    expectTypeOf<Written['run']>().toEqualTypeOf<Run<{ path: string; at: string }>>()
    expectTypeOf<Written['found']>().toEqualTypeOf<Run<{ path: string; at: string }>>()
    expectTypeOf<Written['bare']>().toEqualTypeOf<Run<number>>()
  })

  it('has a result that is told apart by `success`', () => {
    type Result = Written['result']
    expectTypeOf<Extract<Result, { success: true }>['output']>().toEqualTypeOf<{ path: string; at: string }>()
    expectTypeOf<Exclude<Result, { success: true }>>().toEqualTypeOf<RunFailed>()
    expectTypeOf<RunFailed['status']>().toEqualTypeOf<'failed' | 'cancelled' | 'quarantined' | 'budget_exceeded'>()
    expectTypeOf<Result['cost']['usd']>().toEqualTypeOf<number | 'unknown'>()
    expectTypeOf<Result['performance']['stages'][string]['status']>().toEqualTypeOf<'fast' | 'normal' | 'slow'>()
  })
})

describe('mistakes are refused by the compiler', () => {
  it('in the input and the options of a start, and in asking a result for what only one of its kinds has', () => {
    const wrong = async () => {
      // @ts-expect-error the input is missing
      await runtime.start(review)
      // @ts-expect-error the path is no text
      await runtime.start(review, { path: 1 })
      // @ts-expect-error there is no such option
      await runtime.start(review, { path: '.' }, { tag: ['t'] })
      // @ts-expect-error there is no such currency
      await runtime.start(review, { path: '.' }, { budget: { eur: 1 } })
      // @ts-expect-error a failed run has no output
      void (await (await runtime.start(bare)).result()).output
    }
    expectTypeOf(wrong).toBeFunction()
  })
})
