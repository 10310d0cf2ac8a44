/**
 * Workflows that use everything at once, for the simulator: parallel stages, maps with fallbacks and lost items, steps,
 * model calls with forms and checks, sleeps, signals with and without a timeout, child runs, failures of every kind; and
 * a machine of its own with timers. What they do they also count, so that an invariant can hold it against the results.
 */
import { assign, setup } from 'xstate'
import { z } from 'zod'
import { defineProfile, defineWorkflow, stageActor, workflowFromMachine } from '../../src/index.ts'

const child = defineWorkflow({ name: 'torture-child', version: '1', input: z.object({ of: z.string() }) })
  .stage('work', async ({ input, step, sleep }) => {
    await step('begin', () => 'begun')
    await sleep('3m')
    return `child of ${input.of}`
  })
  .stage('end', async ({ results, step }) => step('end', () => results.work))

const tired = (): Error => Object.assign(new Error('tired'), { status: 503 })

export const torture = defineWorkflow({
  name: 'torture',
  version: '1',
  input: z.object({ items: z.int().min(0).max(5), fragile: z.boolean() }),
  profile: defineProfile({ extends: 'balanced', retry: { max: 2 }, restart: { intensity: 3, period: '30d' } }),
  signals: { approval: z.object({ ok: z.boolean() }), hint: z.string() },
})
  .stage('plan', async ({ input, step }) => step('plan', () => Array.from({ length: input.items }, (_, n) => n)))
  .map(
    'review',
    { over: ({ results }) => results.plan, key: n => `n${n}`, concurrency: 2, optional: true },
    async ({ item, model, step, attempt, input }) => {
      const { object } = await model.generate({
        prompt: `review ${item}`,
        schema: z.object({ score: z.int().min(0).max(10), words: z.array(z.string()).max(3) }),
        check: answer => (answer.object as { score: number }).score <= 9 || 'nothing is perfect',
      })
      if (input.fragile && item === 1 && attempt === 1) throw tired()
      await step('save', { key: String(item), retry: { max: 1, backoff: '1s' } }, () => object.score)
      return { item, score: object.score }
    },
  )
  .stage('probe', { needs: ['plan'], fallback: () => 'nothing' }, async ({ attempt, step }) => {
    const seen = await step('look', () => 'seen')
    if (attempt < 3) throw tired()
    return seen
  })
  .stage('children', { needs: ['plan'] }, async ({ startChild, stage }) => {
    const first = await startChild(child, { of: stage })
    const second = await startChild(child, { of: 'another' }, { onParentClose: 'abandon' })
    const ends = [await first.result(), await second.result()]
    return ends.map(end => end.output)
  })
  .stage('gate', { needs: ['review', 'probe'], timeout: '20m' }, async ({ waitFor, sleep }) => {
    const hint = await waitFor('hint', { timeout: '4m' }).catch(() => 'none')
    await sleep('90s')
    const approval = await waitFor('approval')
    return { hint: typeof hint, approval }
  })
  .stage('sum', { needs: ['gate', 'children'], warnAfter: '1s' }, async ({ results, step, model }) => {
    const total = await step('sum', () => (results.review ?? []).reduce((sum, found) => sum + (found?.score ?? 0), 0))
    await Promise.all(['a', 'b'].map(key => model.generate({ prompt: `say ${key}`, key })))
    return total
  })
  .output(({ input, results }) => ({ items: input.items, ...results }))

/** A machine of its own: two stages, a timer that must outlive every crash, and events from outside. */
export const kiln = workflowFromMachine({
  name: 'kiln',
  version: '1',
  machine: setup({
    types: {} as {
      context: { fired: number; hurried: boolean }
      events: { type: 'HURRY' } | { type: 'KNOCK' }
      output: { fired: number; hurried: boolean }
    },
    actors: {
      load: stageActor(async ({ step }) => step('load', () => 3)),
      fire: stageActor(async ({ step, sleep }) => {
        await sleep('1h')
        return step('fire', () => 'hot')
      }),
    },
    actions: {
      keep: assign({ fired: (_, params: { fired: number }) => params.fired }),
      hurry: assign({ hurried: true }),
    },
  }).createMachine({
    id: 'kiln',
    initial: 'loading',
    context: { fired: 0, hurried: false },
    output: ({ context }) => context,
    states: {
      loading: {
        invoke: {
          id: 'load',
          src: 'load',
          onDone: { target: 'firing', actions: { type: 'keep', params: ({ event }) => ({ fired: event.output }) } },
          onError: 'broken',
        },
      },
      firing: { invoke: { id: 'fire', src: 'fire', onDone: 'cooling', onError: 'broken' } },
      cooling: { after: { 7200000: 'cold' }, on: { HURRY: { actions: 'hurry' }, KNOCK: {} } },
      cold: { type: 'final' },
      broken: { type: 'final' },
    },
  }),
})
