/**
 * A plan in YAML (or JSON, which is YAML): a list of commands, each its text or `{ name, run, cwd, timeout, env, retries,
 * continueOnError, shell }`, or an object that has the list as `steps` beside settings for all of them.
 */
import { type Document, isMap, isNode, isScalar, LineCounter, parseDocument } from 'yaml'
import type { z } from 'zod'
import { describeIssue } from '../../options.ts'
import { type WrittenCommand, writtenPlanSchema } from './plan.ts'
import { type PlanPlace, planProblem } from './plan-problem.ts'

export interface WrittenPlan {
  readonly title?: string | undefined
  readonly defaults: Pick<WrittenCommand, 'cwd' | 'timeout' | 'env' | 'retries'>
  readonly commands: readonly WrittenCommand[]
  readonly done: readonly string[]
}

/** @throws ConfigError that names the line */
export function parseYamlPlan(text: string, file: string): WrittenPlan {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const at = (offset: number): PlanPlace => {
    const { line, col } = lines.linePos(offset)
    return { file, line: Math.max(1, line), column: Math.max(1, col) }
  }
  const [broken] = document.errors
  if (broken) throw planProblem(at(broken.pos[0]), `this is no YAML: ${broken.message}`)
  const { value, isList } = asPlan(dataOf(document, at))
  const parsed = writtenPlanSchema.safeParse(value)
  if (!parsed.success) {
    const [issue] = parsed.error.issues as [z.core.$ZodIssue]
    const path = isList && issue.path[0] === 'steps' ? issue.path.slice(1) : issue.path
    throw planProblem(at(offsetOf(document, path, issue)), describeIssue(issue, writtenPlanSchema))
  }
  const { name, steps, ...defaults } = parsed.data
  return { title: name, defaults, commands: steps, done: [] }
}

function dataOf(document: Document, at: (offset: number) => PlanPlace): unknown {
  try {
    return document.toJS()
  } catch (error) {
    throw planProblem(at(0), `this is no YAML that can be read: ${(error as Error).message}`)
  }
}

/** A list stands for a plan that is nothing else, and a text in it for a command that is nothing else. */
function asPlan(value: unknown): { value: unknown; isList: boolean } {
  const isList = Array.isArray(value)
  const plan = isList ? { steps: value } : value
  const steps = (plan as { steps?: unknown } | null)?.steps
  if (!Array.isArray(steps)) return { value: plan ?? {}, isList }
  return {
    value: { ...(plan as object), steps: steps.map(step => (typeof step === 'string' ? { run: step } : step)) },
    isList,
  }
}

/** Where the issue is: at the unknown key, else at the value, else at the nearest thing around it. */
function offsetOf(document: Document, path: readonly PropertyKey[], issue: z.core.$ZodIssue): number {
  for (let length = path.length; length >= 0; length--) {
    const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true)
    if (!isNode(node)) continue
    if (length === path.length && issue.code === 'unrecognized_keys' && isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && key.value === issue.keys[0])
      if (isNode(pair?.key) && pair.key.range) return pair.key.range[0]
    }
    if (node.range) return node.range[0]
  }
  return 0
}
