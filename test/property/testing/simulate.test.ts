/**
 * Our own workflows in our own simulator. The number of seeds is `HOLDFAST_SEEDS`; a seed that breaks something is
 * printed with how to do it again.
 */
import { describe, expect, it } from 'vitest'
import { checkup } from '../../../src/bundled/checkup/checkup.ts'
import { type SimulateOptions, simulate } from '../../../src/testing.ts'
import { kiln, torture } from '../../support/torture-workflow.ts'

const seeds = Number(process.env.HOLDFAST_SEEDS ?? 300)
const share = (part: number): number => Math.max(5, Math.ceil(seeds * part))
const timeoutMs = 60_000 + seeds * 1000

/** What the bundled workflow would find on a disk: data of the schemas of its stages, by chance. */
const checkupStages = { preflight: true, tests: true, types: true, secrets: true, risk: true, review: true }

const simulated: readonly (readonly [
  name: string,
  part: number,
  run: (options: SimulateOptions) => ReturnType<typeof simulate>,
])[] = [
  ['torture', 0.4, options => simulate(torture, { ...options, runs: 1 })],
  ['kiln', 0.4, options => simulate(kiln, options)],
  ['checkup', 0.2, options => simulate(checkup, { ...options, input: { path: '/a' }, stages: checkupStages })],
]

describe.each(simulated)('the workflow %s', (_, part, run) => {
  it('keeps every guarantee whatever fails', { timeout: timeoutMs }, async () => {
    const began = performance.now()
    const { ok, report, simulatedHours } = await run({ seeds: share(part) })
    expect(ok, report).toBe(true)
    const perSecond = simulatedHours / ((performance.now() - began) / 1000)
    console.info(`${report.split('\n')[0]}; ${Math.round(perSecond)} simulated hours in a second`)
  })
})
