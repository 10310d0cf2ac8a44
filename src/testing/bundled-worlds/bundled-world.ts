/**
 * The worlds in which the workflows that ship are simulated: input, files, programs and answers by chance, and what must
 * hold of their runs. `holdfast simulate build` takes them by itself; `simulate(workflow, await bundledWorld('build'))`.
 */
import { OptionsError } from '../../errors.ts'
import { suggestion } from '../../options.ts'
import type { BundledWorld } from './world.ts'

// Loaded when one is asked for: they bring the workflows with them.
const worlds: Readonly<Record<string, () => Promise<BundledWorld>>> = {
  build: async () => (await import('./build-world.ts')).buildWorld,
  checkup: async () => (await import('./checkup-world.ts')).checkupWorld,
  'code-review': async () => (await import('./code-review-world.ts')).codeReviewWorld,
  summarize: async () => (await import('./summarize-world.ts')).summarizeWorld,
  develop: async () => (await import('./develop-world.ts')).developWorld,
}

/** @throws OptionsError `workflow_not_found` that names the nearest one */
export async function bundledWorld(name: string): Promise<BundledWorld> {
  const world = Object.hasOwn(worlds, name) ? worlds[name] : undefined
  if (world) return await world()
  throw new OptionsError(`there is no bundled workflow '${name}'${suggestion(name, Object.keys(worlds))}`, {
    code: 'workflow_not_found',
    workflow: name,
  })
}
