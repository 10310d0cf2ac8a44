/** The workflows that ship with Holdfast, by the name that `holdfast run` takes. */
import { OptionsError } from '../errors.ts'
import { suggestion } from '../options.ts'
import type { AnyWorkflow } from '../workflow/definition.ts'
import { build } from './build/build.ts'
import { buildInputSchema, readPlan } from './build/read-plan.ts'
import { checkup } from './checkup/checkup.ts'
import { estimateCheckup } from './checkup/review.ts'
import { codeReview, estimateReview } from './code-review/code-review.ts'
import { develop, estimateDevelopment } from './develop/develop.ts'
import { estimateSummary, summarize } from './summarize/summarize.ts'
import type { TextEstimate } from './text-estimate.ts'

const bundled: ReadonlyMap<string, AnyWorkflow> = new Map<string, AnyWorkflow>([
  [build.name, build],
  [checkup.name, checkup],
  [codeReview.name, codeReview],
  [summarize.name, summarize],
  [develop.name, develop],
])

const estimates: ReadonlyMap<string, (input: unknown) => Promise<TextEstimate | undefined>> = new Map([
  [checkup.name, async () => estimateCheckup()],
  [codeReview.name, estimateReview],
  [summarize.name, estimateSummary],
  [develop.name, estimateDevelopment],
])

/**
 * What can be wrong with what a bundled workflow is asked, found before anything starts: the plan of a build.
 * @returns what it would do, in lines; none where there is nothing to say before it runs
 */
export async function preview(name: string, input: unknown): Promise<readonly string[]> {
  const parsed = name === build.name ? buildInputSchema.safeParse(input) : undefined
  if (!parsed?.success) return []
  const { title, commands, done } = await readPlan(parsed.data)
  return [
    `${title}: ${commands.length} commands`,
    ...commands.map(({ key, run }) => `  ${key}  ${run.split('\n').join('; ')}`),
    ...done.map(what => `  done before: ${what}`),
  ]
}

/** Undefined where the workflow says nothing, as one of another's with the same name does, or its input is none. */
export const estimateOf = async (workflow: AnyWorkflow, input: unknown): Promise<TextEstimate | undefined> =>
  bundled.get(workflow.name) === workflow ? estimates.get(workflow.name)?.(input) : undefined

export type { TextEstimate }

const bundledNames: readonly string[] = [...bundled.keys()]

/** Undefined where none of that name ships. */
export const findBundled = (name: string): AnyWorkflow | undefined => bundled.get(name)

/** @throws OptionsError `workflow_not_found` that names the nearest one */
export function bundledWorkflow(name: string): AnyWorkflow {
  const workflow = bundled.get(name)
  if (workflow) return workflow
  throw new OptionsError(`there is no bundled workflow '${name}'${suggestion(name, bundledNames)}`, {
    code: 'workflow_not_found',
    workflow: name,
  })
}
