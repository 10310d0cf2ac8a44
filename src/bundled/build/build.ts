/**
 * The bundled workflow `build`: a plan of commands, one after the other, each a stage of its own with a record in the
 * ledger. What has succeeded is never run again, however often the process dies; what was under way when it died runs
 * again, with the same `HOLDFAST_IDEMPOTENCY_KEY`. The first command that fails ends the run, and `retry` goes on from it.
 */
import { z } from 'zod'
import { defineWorkflow } from '../../workflow/define-workflow.ts'
import { buildReport, outcomesOf } from './build-report.ts'
import { planSchema } from './plan.ts'
import { buildInputSchema, readPlan } from './read-plan.ts'
import { commandResultSchema, failedResultOf, runCommand } from './run-command.ts'

export const build = defineWorkflow({
  name: 'build',
  version: '1',
  input: buildInputSchema,
  description: 'Runs a plan of commands, written in Markdown or YAML, one after the other.',
})
  .stage('plan', { restart: 'temporary', output: planSchema, description: 'Reads the plan.' }, ({ input }) =>
    readPlan(input),
  )
  .map(
    'commands',
    {
      over: ({ results }) => results.plan.commands,
      key: command => command.key,
      concurrency: 1,
      restart: 'temporary',
      // A command has a timeout of its own: a day at the most, and ten retries.
      timeout: '12d',
      output: commandResultSchema,
      description: 'Runs each command as a process group of its own.',
    },
    async ({ item, input, runId, stage, step, log, degrade }) => {
      let tries = 0
      const result = await step('run', { retry: { max: item.retries } }, async ({ signal, idempotencyKey }) => {
        tries++
        try {
          return await runCommand(item, {
            runId,
            stage,
            idempotencyKey,
            signal,
            environment: input.environment ?? [],
            onSlow: message => log.warn(message),
          })
        } catch (error) {
          // What the plan goes on after is a result like any other, recorded once.
          const failed = item.continueOnError && tries > item.retries ? failedResultOf(error) : undefined
          if (!failed) throw error
          return failed
        }
      })
      if (result.status === 'failed') degrade(`'${item.title}' ${result.reason}; the plan says to go on`)
      return result
    },
  )
  .stage(
    'report',
    { needs: ['plan', 'commands'], output: z.string(), description: 'Writes the report.' },
    ({ results }) => buildReport(results.plan, outcomesOf(results.plan, results.commands)),
  )
  .output(({ results }) => ({
    plan: results.plan.title,
    commands: outcomesOf(results.plan, results.commands),
    report: results.report,
  }))
