/**
 * Our own workflows in our own simulator. The number of seeds is `HOLDFAST_SEEDS`; a seed that breaks something is
 * printed with how to do it again.
 */
import { describe, expect, it } from 'vitest'
import { prove } from '../../support/proof.ts'
import { simulatedWorkflows } from '../../support/simulated-workflows.ts'

const seeds = Number(process.env.HOLDFAST_SEEDS ?? 300)
const timeoutMs = 60_000 + seeds * 1000

describe.each(simulatedWorkflows)('the workflow $name', ({ name, share, run }) => {
  it('keeps every guarantee whatever fails', { timeout: timeoutMs }, async () => {
    const began = performance.now()
    const result = await run({ seeds: Math.max(5, Math.ceil(seeds * share)) })
    expect(result.ok, result.report).toBe(true)
    prove(`the simulator on the workflow ${name}`, {
      seeds: result.seeds.length,
      violations: result.violations.length,
      'simulated hours': Math.round(result.simulatedHours),
      'simulated hours in a second': Math.round((1000 * result.simulatedHours) / (performance.now() - began)),
    })
  })
})
