/** Workflow files as a user would write them, for the tests of the command line. */

/** Two stages and a Markdown report. */
export const reporting = `
import { defineWorkflow } from 'holdfast'
import { z } from 'zod'

export default defineWorkflow({
  name: 'reporting',
  version: '1',
  input: z.object({ path: z.string(), deep: z.object({ count: z.number() }).optional() }),
})
  .stage('look', ({ input }: { input: { path: string } }) => input.path.length)
  .output(({ input, results }) => ({ path: input.path, length: results.look, report: '# Report\\n\\nAll is well.\\n' }))
`

/** Loses the second item of a map, then waits for a signal. */
export const gated = `
import { defineWorkflow } from 'holdfast'
import { z } from 'zod'

export default defineWorkflow({
  name: 'gated',
  version: '1',
  profile: 'critical',
  input: z.object({ items: z.array(z.number()).default([1, 2, 3]) }),
  signals: { approval: z.object({ ok: z.boolean() }) },
})
  .map('items', { over: ({ input }) => input.items, optional: true }, ({ item }) => {
    if (item === 2) throw new Error('two is bad')
    return item
  })
  .stage('gate', ({ waitFor }) => waitFor('approval'))
  .output(({ results }) => ({ items: results.items, gate: results.gate }))
`

/** Never ends, and its profile gives a run 300 ms. */
export const hurried = `
import { defineProfile, defineWorkflow } from 'holdfast'

export default defineWorkflow({ name: 'hurried', version: '1', profile: defineProfile({ timeout: { run: '300ms' } }) })
  .stage('endless', () => new Promise(() => {}))
`

/** Writes a dot into a file as each stage begins; the middle one takes \`ms\`, says so, and heeds its signal. */
export const slow = `
import { appendFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { defineWorkflow } from 'holdfast'

export default defineWorkflow({ name: 'slow', version: '1' })
  .stage('first', () => appendFileSync('first', '.'))
  .stage('long', async ({ input, signal }: any) => {
    appendFileSync('long', '.')
    console.log('long is at work')
    await setTimeout(input.ms, undefined, { signal })
    return 'slept'
  })
  .stage('last', () => {
    appendFileSync('last', '.')
    return 'last'
  })
`

/** Does what its input says: fails, degrades, throws outside of any stage. */
export const unruly = `
import { defineWorkflow } from 'holdfast'

export default defineWorkflow({ name: 'unruly', version: '1', profile: 'critical' }).stage(
  'act',
  { restart: 'temporary' },
  async ({ input, degrade }: any) => {
    console.log('printed by the workflow')
    if (input.how === 'fail') throw new TypeError('no such luck')
    if (input.how === 'degrade') degrade('git is missing')
    if (input.how === 'crash') setTimeout(() => { throw new Error('thrown late') }, 1)
    if (input.how === 'crash') await new Promise(() => {})
    return input.how ?? 'calm'
  },
)
`

/** Fails, quarantines or spends as long as the file `broken` is there; keeps its process alive where told to. */
export const mendable = `
import { appendFileSync, existsSync } from 'node:fs'
import { defineProfile, defineWorkflow } from 'holdfast'
import { z } from 'zod'

const profile = defineProfile({
  extends: 'critical',
  restart: { onExhausted: existsSync('quarantining') ? 'quarantine' : 'fail' },
})

export default defineWorkflow({
  name: 'mendable',
  version: '1',
  profile,
  input: z.object({ n: z.number().default(1) }),
  signals: { go: z.object({}) },
})
  .stage('first', ({ input }) => {
    appendFileSync('ran', 'first ')
    return input.n
  })
  .stage('second', { restart: 'temporary' }, ({ results, input }) => {
    appendFileSync('ran', 'second ')
    if (existsSync('broken')) throw new Error('second is broken')
    return results.first * 10 + input.n
  })
  .stage('third', ({ results }) => {
    appendFileSync('ran', 'third ')
    return results.second ?? null
  })
`

/** Keeps its process, and with it the store, until it is signalled. */
export const owning = `
import { defineWorkflow } from 'holdfast'
import mendable from './mendable.ts'
import { z } from 'zod'

export { mendable }
export default defineWorkflow({ name: 'owning', version: '1', signals: { go: z.object({}) } }).stage('hold', ({ waitFor }) => {
  console.log('holding')
  return waitFor('go')
})
`
