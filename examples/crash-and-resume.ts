/**
 * A workflow to be killed. Ten orders are shipped, three at a time, and each writes a line into `shipped.log`, a second
 * after it began; the writing is a step, which is recorded, so an order whose step has succeeded is never shipped again.
 * Kill the process with `kill -9` whenever you like, then let `holdfast recover` end the run.
 */
import { appendFile } from 'node:fs/promises'
import { setTimeout as pass } from 'node:timers/promises'
import { defineWorkflow } from 'holdfast'
import { z } from 'zod'

const orders = ['ale', 'barley', 'cod', 'dulse', 'eel', 'fig', 'garlic', 'honey', 'indigo', 'jute']

export default defineWorkflow({
  name: 'ship-orders',
  version: '1',
  input: z.object({ log: z.string().default('shipped.log') }).default({ log: 'shipped.log' }),
})
  .stage('collect', () => orders)
  .map(
    'ship',
    { over: ({ results }) => results.collect, key: order => order, concurrency: 3 },
    async ({ item, input, step, incarnation }) => {
      await pass(1000)
      await step('write', () => appendFile(input.log, `${item} (incarnation ${incarnation})\n`))
      return item.toUpperCase()
    },
  )
  .output(({ results }) => ({ shipped: results.ship }))
