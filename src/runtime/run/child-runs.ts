/**
 * Child runs of a stage. A stage that starts again finds the child that it started before, by the id that it gave or by
 * what it asks; and the child's end is recorded with the parent, so it hears the same again.
 */

import { z } from 'zod'
import { OptionsError } from '../../errors.ts'
import { parseOptions } from '../../options.ts'
import { isWorkflow } from '../../workflow/definition.ts'
import { encodeJson } from '../../workflow/results.ts'
import type { ChildResult, ChildRun, StartChildOptions } from '../../workflow/stage-context.ts'
import type { WorkflowName } from '../../workflow/workflow-name.ts'
import { wakeKey } from '../commits/wake.ts'
import { checkName } from '../names.ts'
import { hashOf } from '../stage/failure.ts'
import { handled } from '../stage/stage-promises.ts'
import type { Attempt, LiveRun } from './live.ts'
import type { ChildHandle } from './run-facts.ts'
import { ledgerIdentity } from './run-memory.ts'

const optionsSchema = z.strictObject({
  id: z.string().min(1).optional(),
  onParentClose: z.enum(['cancel', 'abandon']).optional(),
  budget: z.record(z.string(), z.unknown()).optional(),
})

export async function startChildRun(
  attempt: Attempt,
  workflow: WorkflowName,
  input: unknown,
  given: StartChildOptions,
): Promise<ChildRun> {
  attempt.ensureCurrent()
  const { stage } = attempt
  const { run } = stage
  if (!isWorkflow(workflow)) {
    throw new OptionsError(
      `startChild in stage '${stage.name}': the first argument must be a workflow, made by defineWorkflow or workflowFromMachine`,
    )
  }
  const options = parseOptions(optionsSchema, given, `startChild in stage '${stage.name}'`)
  const key = keyOf(attempt, workflow.name, input, options.id)
  const known = run.ledger(stage.name, key)
  const id = known
    ? (JSON.parse(known.data) as { id: string }).id
    : (supersededId(run, stage.name, key) ?? options.id ?? `${run.id}.${stage.name}.${childrenOf(run, stage.name) + 1}`)
  const onParentClose = options.onParentClose ?? 'cancel'
  if (!known) {
    run.dispatch(() => {
      run.putLedger({
        stage: stage.name,
        key,
        kind: 'child',
        state: 'intended',
        data: JSON.stringify({ id, onParentClose }),
      })
      run.journal('child.started', { key, childId: id, workflow: workflow.name }, stage.where(attempt))
    })
    await attempt.durable()
  }
  const child = await attempt.working(() =>
    attempt.guard(
      run.services.startChild(run, stage.name, id, workflow, input, { onParentClose, budget: options.budget }),
    ),
  )
  return {
    id,
    workflow: workflow.name,
    result: () => handled(childResult(attempt, key, id, child)),
    signal: (name, payload) => child.signal(name, payload),
    cancel: reason => child.cancel(reason),
  }
}

/** A child is recognised by its id, or else by what is asked: so that children may be started in another order again. */
function keyOf(attempt: Attempt, workflow: string, input: unknown, id: string | undefined): string {
  if (id !== undefined) return `child:(${checkName(id, `the id of a child of stage '${attempt.stage.name}'`)})`
  const text = encodeJson(input, `input of workflow '${workflow}'`) ?? ''
  return attempt.nextKey(`child:${workflow}:${hashOf([text])}`)
}

/** How many children the stage has asked for until now. */
function childrenOf(run: LiveRun, stage: string): number {
  let children = 0
  for (const row of run.memory.ledger.values()) if (row.kind === 'child' && row.stage === stage) children++
  return children
}

/** The id to use in a run that was reopened: of the child that is asked again, or of another in its place. */
function supersededId(run: LiveRun, stage: string, key: string): string | undefined {
  const superseded = run.memory.ledger.get(ledgerIdentity(stage, key))
  if (!superseded) return undefined
  const { id, another } = JSON.parse(superseded.data) as { id: string; another?: boolean }
  if (!another) return id
  const [, first = id, number = '1'] = /^(.*)~(\d+)$/.exec(id) ?? []
  return `${first}~${Number(number) + 1}`
}

async function childResult(attempt: Attempt, key: string, id: string, child: ChildHandle): Promise<ChildResult> {
  attempt.ensureCurrent()
  const { stage } = attempt
  const { run } = stage
  const recorded = JSON.parse(run.ledger(stage.name, key)?.data ?? '{}') as { result?: ChildResult }
  if (recorded.result) {
    await attempt.recorded()
    return recorded.result
  }
  const answerKey = `${key}:result`
  let answer: Promise<unknown> | undefined
  run.dispatch(() => {
    answer = attempt.awaitAnswer(answerKey, { stage: stage.name, kind: 'child', name: id })
  })
  child.result().then(
    ended => {
      const result: ChildResult = {
        runId: ended.runId,
        workflow: ended.workflow,
        status: ended.status,
        success: ended.success,
        ...(ended.success
          ? { output: ended.output }
          : { error: { type: ended.error.type, code: ended.error.code, message: ended.error.message } }),
      }
      if (attempt.over) return
      run.dispatch(() => {
        const { onParentClose } = JSON.parse(run.ledger(stage.name, key)?.data ?? '{}') as { onParentClose?: string }
        run.putLedger({
          stage: stage.name,
          key,
          kind: 'child',
          state: 'succeeded',
          data: JSON.stringify({ id, onParentClose, result }),
        })
        run.pending.clearTimer(wakeKey(id))
        run.journal('child.ended', { key, childId: id, status: result.status }, stage.where(attempt))
        attempt.answer(answerKey, { value: result })
      })
    },
    () => {},
  )
  return (await answer) as ChildResult
}
