import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { scriptedProvider } from '../../../src/testing/scripted-provider.ts'
import { defineWorkflow } from '../../../src/workflow/define-workflow.ts'
import { createWorld, settle } from '../../support/runtime-world.ts'

const begin = (name = 'w') => defineWorkflow({ name, version: '1' })

/** What became of each, in their order. */
async function settled(...asked: Promise<unknown>[]): Promise<unknown[]> {
  const ends = await Promise.allSettled(asked)
  return ends.map(end => (end.status === 'fulfilled' ? end.value : (end.reason as Error).message))
}

describe('equal ones at the same time', () => {
  it('need keys: without them the second is refused, since a restart could not tell which is which', async () => {
    const world = createWorld()
    const provider = scriptedProvider(['an answer'], { loop: true })
    const runtime = await world.open({ providers: [provider] })
    const workflow = begin().stage('a', async ({ step, model }) => ({
      steps: await settled(
        step('save', async () => 'first'),
        step('save', async () => 'second'),
      ),
      calls: await settled(
        model.generate({ prompt: 'q' }).then(({ text }) => text),
        model.generate({ prompt: 'q' }).then(({ text }) => text),
      ),
      sameKey: await settled(
        step('send', { key: 'k' }, async () => 'first'),
        step('send', { key: 'k' }, async () => 'second'),
      ),
    }))
    const result = await settle(world.clock, (await runtime.start(workflow)).result())
    const refused = expect.stringMatching(/one like it is under way already.*give each a `key` of its own/)
    expect(result).toMatchObject({
      output: { steps: ['first', refused], calls: ['an answer', refused], sameKey: ['first', refused] },
    })
    expect(provider.calls).toHaveLength(1)
    await runtime.close()
  })

  it('with keys are each their own, and one after the other they need none', async () => {
    const world = createWorld()
    let made = 0
    const runtime = await world.open({ providers: [scriptedProvider([() => `answer ${++made}`], { loop: true })] })
    const workflow = begin().stage('a', async ({ step, model, attempt }) => {
      const seen = [
        ...(await Promise.all(['x', 'y'].map(key => step('save', { key }, async () => key)))),
        await step('save', () => 'third'),
        await step('save', () => 'fourth'),
        (await model.generate({ prompt: 'q' })).text,
        (await model.generate({ prompt: 'q' })).text,
      ]
      if (attempt === 1) throw new Error('once more')
      return seen
    })
    expect(await settle(world.clock, (await runtime.start(workflow)).result())).toMatchObject({
      output: ['x', 'y', 'third', 'fourth', 'answer 1', 'answer 2'],
      cost: { replayedCalls: 2 },
    })
    await runtime.close()
  })
})

describe('child runs', () => {
  it('are found again by what is asked, in whichever order a stage that starts again asks', async () => {
    const world = createWorld()
    const child = defineWorkflow({ name: 'child', version: '1', input: z.object({ of: z.string() }) }).stage(
      'work',
      async ({ input, sleep }) => {
        await sleep('1h')
        return `child of ${input.of}`
      },
    )
    const order = [
      ['x', 'y'],
      ['y', 'x'],
    ]
    const workflow = begin().stage('a', async ({ startChild, incarnation }) => {
      const children = []
      for (const of of order[incarnation - 1] ?? []) children.push(await startChild(child, { of }))
      const same = await startChild(child, { of: 'x' })
      const named = await startChild(child, { of: 'x' }, { id: 'by-name' })
      const ends = await Promise.all([...children, same, named].map(run => run.result()))
      return ends.map(({ runId, output }) => ({ runId, output }))
    })
    const first = await world.open({ workflows: [workflow, child] })
    await first.start(workflow, undefined, { id: 'p' })
    await world.clock.advance('1m')
    await first.close()
    const second = await world.open({ workflows: [workflow, child] })
    const result = await settle(world.clock, (await second.get('p')).result(), 60_000)
    expect(result).toMatchObject({
      output: [
        { runId: 'p.a.2', output: 'child of y' },
        { runId: 'p.a.1', output: 'child of x' },
        { runId: 'p.a.3', output: 'child of x' },
        { runId: 'by-name', output: 'child of x' },
      ],
    })
    expect((await second.list({ workflow: 'child' })).items).toHaveLength(4)
    await second.close()
  })
})

describe('a schema', () => {
  it.each([
    [
      'that JSON has no form for is refused before the call',
      z.object({ at: z.date() }),
      /schema: a model cannot be told/,
      0,
    ],
    [
      'that is asynchronous is refused, and not tried again and again',
      z.object({ n: z.number().refine(async n => n > 0) }),
      /a schema must be synchronous/,
      1,
    ],
  ])('%s', async (_, schema, message, calls) => {
    const world = createWorld()
    const provider = scriptedProvider([{ object: { at: '2026-01-01', n: 1 } }], { loop: true })
    const runtime = await world.open({ providers: [provider] })
    const workflow = begin().stage('a', async ({ model }) => (await model.generate({ prompt: 'q', schema })).object)
    expect(await settle(world.clock, (await runtime.start(workflow)).result())).toMatchObject({
      success: false,
      restarts: 0,
      error: { type: 'config', message: expect.stringMatching(message) },
    })
    expect(provider.calls).toHaveLength(calls)
    await runtime.close()
  })
})

describe('a schema that makes something else of the answer', () => {
  it('is told by what it takes, and makes it anew of what was recorded', async () => {
    const world = createWorld()
    const provider = scriptedProvider([{ object: { at: '2026-01-01' } }], { loop: true })
    const runtime = await world.open({ providers: [provider] })
    const schema = z.object({ at: z.string().transform(text => new Date(text)) })
    const workflow = begin().stage('a', async ({ model, attempt }) => {
      const { object } = await model.generate({ prompt: 'q', schema })
      if (attempt === 1) throw new Error('once more')
      return object.at.getUTCFullYear()
    })
    const result = await settle(world.clock, (await runtime.start(workflow)).result())
    expect(result).toMatchObject({ success: true, output: 2026, cost: { replayedCalls: 1 } })
    expect(provider.calls.map(({ request }) => request.schema)).toMatchObject([
      { properties: { at: { type: 'string' } } },
    ])
    await runtime.close()
  })
})

describe('a check', () => {
  it('that is asynchronous is refused with a sentence, as it would let everything pass', async () => {
    const world = createWorld()
    const runtime = await world.open({ providers: [scriptedProvider(['x'], { loop: true })] })
    const workflow = begin().stage('a', async ({ model }) =>
      model.generate({ prompt: 'q', check: (async () => true) as never }).then(({ text }) => text),
    )
    expect(await settle(world.clock, (await runtime.start(workflow)).result())).toMatchObject({
      success: false,
      restarts: 0,
      error: {
        type: 'config',
        message: expect.stringContaining("`check` of a model call of stage 'a' returned a promise"),
      },
    })
    await runtime.close()
  })
})
