/** What is wrong with a plan, as the person needs it who wrote it: where, what, and how to mend it. */
import { relative } from 'node:path'
import { ConfigError } from '../../errors.ts'

export interface PlanPlace {
  readonly file: string
  /** From 1. */
  readonly line: number
  readonly column?: number | undefined
}

/** @param what a sentence without its stop, which says what to do too */
export function planProblem({ file, line, column }: PlanPlace, what: string): ConfigError {
  const shown = relative(process.cwd(), file) || file
  const at = column === undefined ? `${shown}:${line}` : `${shown}:${line}:${column}`
  return new ConfigError(`the plan ${at}: ${what}`, { file, line, ...(column === undefined ? {} : { column }) })
}
