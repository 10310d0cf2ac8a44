/**
 * Summarises the Markdown files of a directory. Without a model the built-in `offline` provider does it, by extraction.
 * Run it with `npx holdfast run examples/digest.ts --path docs`.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { defineWorkflow } from 'holdfast'
import { z } from 'zod'

export default defineWorkflow({ name: 'digest', version: '1', input: z.object({ path: z.string() }) })
  .stage('collect', async ({ input }) =>
    (await readdir(input.path)).filter(name => name.endsWith('.md')).map(name => join(input.path, name)),
  )
  .map('read', { over: ({ results }) => results.collect, concurrency: 4, optional: true }, ({ item }) =>
    readFile(item, 'utf8'),
  )
  .stage('summary', { task: 'summarize' }, async ({ results, model }) => {
    const pages = results.read.filter(page => page !== undefined)
    return (await model.generate({ prompt: pages.join('\n\n') })).text
  })
  .output(({ results }) => ({ files: results.read.length, summary: results.summary }))
