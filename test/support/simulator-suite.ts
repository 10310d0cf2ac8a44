/**
 * The tests of our own workflows in our own simulator, in several files so that they share the cores. The number of seeds
 * of all of them is `HOLDFAST_SEEDS`; a seed that breaks something is printed with how to do it again.
 */
import { describe, expect, it } from 'vitest'
import { prove } from './proof.ts'
import { simulatedWorkflows } from './simulated-workflows.ts'

const seeds = Number(process.env.HOLDFAST_SEEDS ?? 300)
const timeoutMs = 60_000 + seeds * 1000

/** @param names of simulated workflows */
export function simulatorSuite(...names: readonly string[]): void {
  const chosen = simulatedWorkflows.filter(({ name }) => names.includes(name))
  describe.each(chosen)('the workflow $name', ({ name, share, run }) => {
    it('keeps every guarantee whatever fails', { timeout: timeoutMs }, async () => {
      const began = performance.now()
      const result = await run({ seeds: Math.max(5, Math.ceil(seeds * share)) })
      expect(result.ok, result.report).toBe(true)
      const seconds = (performance.now() - began) / 1000
      prove(`the simulator on the workflow ${name}`, {
        seeds: result.seeds.length,
        violations: result.violations.length,
        'simulated hours': Math.round(result.simulatedHours),
        'simulated hours in a second': Number((result.simulatedHours / seconds).toFixed(1)),
      })
    })
  })
}
