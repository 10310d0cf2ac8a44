/**
 * A workflow that ships, for programs that import it by name. What ships is loaded when it is asked for: it brings
 * scanners, parsers and their rules, which a program with workflows of its own does not need.
 */
import type { AnyWorkflow } from '../workflow/definition.ts'

/** @throws OptionsError `workflow_not_found` that names the nearest one */
export async function bundledWorkflow(name: string): Promise<AnyWorkflow> {
  const shipped = await import('./index.ts')
  return shipped.bundledWorkflow(name)
}
