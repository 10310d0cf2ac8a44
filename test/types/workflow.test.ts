import { describe, expectTypeOf, it } from 'vitest'
import { fromPromise, setup } from 'xstate'
import { z } from 'zod'
import { defineWorkflow, type WorkflowBuilder } from '../../src/workflow/define-workflow.ts'
import { workflowFromMachine } from '../../src/workflow/own-machine.ts'
import { stageActor } from '../../src/workflow/stage-actor.ts'
import type { InputOf, OutputOf } from '../../src/workflow/typed-workflow.ts'

const Findings = z.object({ found: z.array(z.string()) })

const base = defineWorkflow({
  name: 'code-review',
  version: '1',
  input: z.object({ path: z.string(), depth: z.number().default(1) }),
  task: 'code_review',
  signals: { approval: z.object({ by: z.string(), ok: z.boolean() }) },
}).stage('collect', async ({ input }) => [{ file: input.path, at: new Date() }])

type Chunk = { file: string; at: string }

/** What `results` of the last stage is to `.output`. */
const resultIn = <TResults, TName extends keyof TResults>(results: TResults, name: TName): TResults[TName] =>
  results[name]

describe('input', () => {
  it('is what the schema makes of it in stages, and what it takes for start', () => {
    base.stage('a', ({ input }) => expectTypeOf(input).toEqualTypeOf<{ path: string; depth: number }>())
    expectTypeOf<InputOf<typeof base>>().toEqualTypeOf<{ path: string; depth?: number | undefined }>()
  })

  it('is unknown without a schema', () => {
    const bare = defineWorkflow({ name: 'w', version: '1' }).stage('a', ({ input }) => {
      expectTypeOf(input).toBeUnknown()
    })
    expectTypeOf<InputOf<typeof bare>>().toBeUnknown()
  })
})

describe('results', () => {
  it('are what JSON gives back, of the stage before by default', () => {
    base.stage('a', ({ results }) => expectTypeOf(results).toEqualTypeOf<{ readonly collect: Chunk[] }>())
  })

  it('hold all ancestors through needs and no other stage', () => {
    base
      .stage('left', () => 'l')
      .stage('right', { needs: ['collect'] }, ({ results }) => {
        // @ts-expect-error left is no ancestor
        void results.left
        return 1
      })
      .stage('alone', { needs: [] }, ({ results }) => {
        // biome-ignore lint/complexity/noBannedTypes: an object without keys
        expectTypeOf(results).toEqualTypeOf<{}>()
        return true
      })
      .stage('right2', { needs: ['right'] }, ({ results }) => {
        expectTypeOf(results).toEqualTypeOf<{ readonly collect: Chunk[]; readonly right: number }>()
      })
      .stage('both', { needs: ['left', 'right2'] }, ({ results }) => {
        expectTypeOf(results).toEqualTypeOf<{
          readonly collect: Chunk[]
          readonly left: string
          readonly right: number
          readonly right2: undefined
        }>()
      })
      .output(({ results }) => {
        expectTypeOf<keyof typeof results>().toEqualTypeOf<'collect' | 'left' | 'right' | 'alone' | 'right2' | 'both'>()
      })
  })

  it('of a stage that may be skipped may be undefined', () => {
    base
      .stage('a', { when: ({ input, results }) => input.depth > results.collect.length }, () => 1)
      .output(({ results }) => expectTypeOf(results.a).toEqualTypeOf<number | undefined>())
  })

  it('of an optional stage may be undefined, also when that is decided at run time', () => {
    const maybe: boolean = 'x'.length > 1
    base
      .stage('yes', { optional: true }, () => 1)
      .stage('maybe', { optional: maybe }, () => 1)
      .stage('no', { optional: false }, () => 1)
      .output(({ results }) => {
        expectTypeOf(results.yes).toEqualTypeOf<number | undefined>()
        expectTypeOf(results.maybe).toEqualTypeOf<number | undefined>()
        expectTypeOf(results.no).toEqualTypeOf<number>()
      })
  })

  it('of a stage with a fallback are its value or the fallback’s, as JSON gives it back', () => {
    base
      .stage('a', { optional: true, fallback: async ({ error }) => ({ why: error.message, at: new Date() }) }, () => 1)
      .stage('b', { fallback: () => 'x', when: () => true }, () => 1)
      .output(({ results }) => {
        expectTypeOf(results.a).toEqualTypeOf<number | { why: string; at: string }>()
        expectTypeOf(results.b).toEqualTypeOf<number | string | undefined>()
      })
  })

  it('of a fallback see the input and the ancestors', () => {
    base.stage(
      'a',
      {
        needs: ['collect'],
        fallback: facts => {
          expectTypeOf(facts.results).toEqualTypeOf<{ readonly collect: Chunk[] }>()
          expectTypeOf(facts.input.path).toEqualTypeOf<string>()
          expectTypeOf(facts.signal).toEqualTypeOf<AbortSignal>()
          return 1
        },
      },
      () => 1,
    )
  })

  it('are narrowed by an output schema', () => {
    base
      .stage('a', { output: z.object({ at: z.date() }) }, () => JSON.parse('{}'))
      .output(({ results }) => expectTypeOf(results.a).toEqualTypeOf<{ at: string }>())
  })

  it('keep literals and unions', () => {
    base
      .stage('a', ({ input }) => (input.depth > 1 ? { kind: 'deep' as const, n: 1 } : { kind: 'flat' as const }))
      .output(({ results }) => expectTypeOf(results.a).toEqualTypeOf<{ kind: 'deep'; n: number } | { kind: 'flat' }>())
  })
})

describe('a map', () => {
  it('types its items by over and its results as an array in that order', () => {
    base
      .map('review', { over: ({ results }) => results.collect, key: chunk => chunk.file }, async context => {
        expectTypeOf(context.item).toEqualTypeOf<Chunk>()
        expectTypeOf(context.index).toEqualTypeOf<number>()
        return (await context.model.generate({ prompt: context.item.file, schema: Findings })).object
      })
      .output(({ results }) => expectTypeOf(results.review).toEqualTypeOf<{ found: string[] }[]>())
  })

  it('gives items as JSON does', () => {
    base.map('m', { over: () => [{ at: new Date() }] }, ({ item }) =>
      expectTypeOf(item).toEqualTypeOf<{ at: string }>(),
    )
  })

  it('that is optional has undefined for items, one that may be skipped is undefined as a whole', () => {
    base
      .map('optional', { over: () => [1], optional: true }, () => 'x')
      .map('skipped', { over: () => [1], when: () => true }, () => 'x')
      .map('both', { over: () => [1], when: () => true, optional: true }, () => 'x')
      .map('fallback', { over: () => ['a'], optional: true, fallback: ({ item }) => item.length }, () => 'x')
      .output(({ results }) => {
        expectTypeOf(results.optional).toEqualTypeOf<(string | undefined)[]>()
        expectTypeOf(results.skipped).toEqualTypeOf<string[] | undefined>()
        expectTypeOf(results.both).toEqualTypeOf<(string | undefined)[] | undefined>()
        expectTypeOf(results.fallback).toEqualTypeOf<(string | number)[]>()
      })
  })

  it('has an item, which a stage has not', () => {
    base.stage('a', context => {
      // @ts-expect-error only a map has items
      void context.item
    })
  })
})

describe('signals', () => {
  it('type what waitFor gives', () => {
    base.stage('a', async ({ waitFor }) => {
      expectTypeOf(await waitFor('approval', { timeout: '2d' })).toEqualTypeOf<{ by: string; ok: boolean }>()
      // @ts-expect-error no such signal was declared
      await waitFor('aproval')
    })
  })
})

describe('a model call', () => {
  it('types its object by the schema, streamed too, and has none without', () => {
    base.stage('a', async ({ model }) => {
      const { object, cost } = await model.generate({ prompt: 'q', schema: Findings })
      expectTypeOf(object).toEqualTypeOf<{ found: string[] }>()
      expectTypeOf(cost).toEqualTypeOf<number | 'unknown'>()
      expectTypeOf((await model.generate({ prompt: 'q' })).object).toEqualTypeOf<undefined>()
      const stream = model.stream({ messages: [{ role: 'user', content: 'q' }], schema: Findings })
      expectTypeOf((await stream.result).object).toEqualTypeOf<{ found: string[] }>()
      for await (const piece of stream) expectTypeOf(piece).toEqualTypeOf<string>()
      // @ts-expect-error there is no such tier
      await model.generate({ prompt: 'q', tier: 'huge' })
    })
  })
})

describe('mistakes are refused by the compiler', () => {
  it('in needs and options', () => {
    const wrong = () => {
      // @ts-expect-error there is no such stage
      base.stage('a', { needs: ['colect'] }, () => 1)
      // @ts-expect-error there is no such option
      base.stage('a', { timout: 1 }, () => 1)
      // @ts-expect-error a map needs over
      base.map('a', {}, () => 1)
      // @ts-expect-error a workflow needs a version
      defineWorkflow({ name: 'w' })
    }
    expectTypeOf(wrong).toBeFunction()
  })
})

describe('the output of a run', () => {
  it('is the result of the last stage', () => {
    const last = base.stage('a', () => ({ at: new Date() }))
    expectTypeOf<OutputOf<typeof last>>().toEqualTypeOf<{ at: string }>()
    const skipped = last.stage('b', { when: () => false }, () => 1)
    expectTypeOf<OutputOf<typeof skipped>>().toEqualTypeOf<number | undefined>()
  })

  it('has null for a lost item, as JSON has it, where the last stage is a map', () => {
    const map = base.map('m', { over: () => [1], optional: true }, () => 'x')
    expectTypeOf<OutputOf<typeof map>>().toEqualTypeOf<(string | null)[]>()
  })

  it('without stages that may be lost or skipped is never undefined, whatever the options say of undefined', () => {
    const absent = { optional: undefined, when: undefined, fallback: undefined, output: undefined, needs: undefined }
    const whole = base.stage('a', absent, () => 1)
    expectTypeOf<OutputOf<typeof whole>>().toEqualTypeOf<number>()
    const items = base.map('m', { ...absent, over: () => [1], key: undefined, concurrency: undefined }, () => 1)
    expectTypeOf<OutputOf<typeof items>>().toEqualTypeOf<number[]>()
    const maybe: boolean = 'x'.length > 1
    const unsure = base.stage('a', { optional: maybe ? true : undefined }, () => 1)
    expectTypeOf<OutputOf<typeof unsure>>().toEqualTypeOf<number | undefined>()
  })

  it('is what .output makes of all results', () => {
    const whole = base.output(({ results, input }) => ({ count: results.collect.length, at: new Date(), input }))
    expectTypeOf<OutputOf<typeof whole>>().toEqualTypeOf<{
      count: number
      at: string
      input: { path: string; depth: number }
    }>()
  })

  it('types a child run', () => {
    const child = base.output(() => 1)
    defineWorkflow({ name: 'parent', version: '1' }).stage('a', async ({ startChild }) => {
      const run = await startChild(child, { path: '.' })
      expectTypeOf((await run.result()).output).toEqualTypeOf<number | undefined>()
      // @ts-expect-error path is missing
      await startChild(child, {})
    })
  })
})

describe('a builder of any type', () => {
  it('takes any builder and grows in a loop, its results untyped', () => {
    let workflow: WorkflowBuilder = defineWorkflow({ name: 'w', version: '1', input: z.string() })
    for (let stage = 0; stage < 3; stage++) {
      workflow = workflow.stage(`a${stage}`, ({ results, input }) => results.anything?.at.all ?? input?.length)
      workflow = workflow.stage(`b${stage}`, { needs: [`a${stage}`], optional: true }, ({ results }) => results.x?.y)
      workflow = workflow.map(`c${stage}`, { over: ({ results }) => results.x ?? [] }, ({ item }) => item.anything)
    }
    const typed: WorkflowBuilder = base.output(({ results }) => resultIn(results, 'collect'))
    expectTypeOf(typed).toEqualTypeOf<WorkflowBuilder>()
    expectTypeOf<OutputOf<WorkflowBuilder>>().toBeAny()
    expectTypeOf<InputOf<WorkflowBuilder>>().toBeAny()
    const ended = workflow.output(({ results }) => Number(results.a0))
    expectTypeOf<OutputOf<typeof ended>>().toEqualTypeOf<number>()
  })
})

describe('a machine of one’s own', () => {
  const machine = setup({
    types: {} as { input: { path: string }; output: { at: Date }; context: { path: string } },
    actors: {
      count: stageActor(async () => 1),
      read: stageActor({ input: z.object({ file: z.string() }), timeout: '3s', optional: true }, async ({ input }) => ({
        length: input.file.length,
        at: new Date(),
      })),
      plain: fromPromise(async () => 1),
    },
  }).createMachine({
    id: 'own',
    context: ({ input }) => ({ path: input.path }),
    output: { at: new Date(0) },
    initial: 'counting',
    states: {
      counting: {
        invoke: {
          src: 'count',
          id: 'count',
          onDone: { target: 'reading', actions: ({ event }) => expectTypeOf(event.output).toEqualTypeOf<number>() },
        },
      },
      reading: {
        invoke: {
          src: 'read',
          id: 'read',
          input: ({ context }) => ({ file: context.path }),
          onDone: {
            actions: ({ event }) =>
              expectTypeOf(event.output).toEqualTypeOf<{ length: number; at: string } | undefined>(),
          },
        },
      },
    },
  })

  it('types its stages as XState types promises', () => {
    const wrong = () =>
      setup({ actors: { read: stageActor({ input: z.object({ file: z.string() }) }, () => 1) } }).createMachine({
        id: 'own',
        // @ts-expect-error the input is of another form
        invoke: { src: 'read', input: { path: 1 } },
      })
    expectTypeOf(wrong).toBeFunction()
  })

  it('gives its input and output to the workflow', () => {
    const workflow = workflowFromMachine({ name: 'own', version: '1', machine })
    expectTypeOf<InputOf<typeof workflow>>().toEqualTypeOf<{ path: string }>()
    expectTypeOf<OutputOf<typeof workflow>>().toEqualTypeOf<{ at: string }>()
    const input = z.object({ path: z.string().default('.') })
    const checked = workflowFromMachine({ name: 'own', version: '1', machine, input })
    expectTypeOf<InputOf<typeof checked>>().toEqualTypeOf<{ path?: string | undefined }>()
  })
})
