/**
 * The smallest workflow: two stages and an output. Run it with
 * `npx holdfast run examples/hello.ts --input '{"name":"kelp"}'`.
 */
import { defineWorkflow } from 'holdfast'
import { z } from 'zod'

export default defineWorkflow({ name: 'hello', version: '1', input: z.object({ name: z.string() }) })
  .stage('greet', ({ input }) => `Hello, ${input.name}!`)
  .stage('count', ({ results }) => results.greet.length)
  .output(({ results }) => ({ greeting: results.greet, letters: results.count }))
