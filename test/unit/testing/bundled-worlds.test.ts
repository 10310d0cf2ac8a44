import { existsSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { writeInto } from '../../../src/bundled/develop/write-files.ts'
import { bundledWorkflow } from '../../../src/bundled/index.ts'
import { bundledWorld, type RunInvariant, type SimulatedRun, simulate } from '../../../src/testing.ts'

const faults = { crashes: true, disk: true, providers: true, clock: true, owners: true, operators: 0.5 }

async function simulated(name: string, seeds: readonly number[]) {
  const { ok, report } = await simulate(bundledWorkflow(name), { ...(await bundledWorld(name)), faults, seeds })
  expect(ok, report).toBe(true)
}

/** What came of each run of one seed, with some of what it gave changed before the invariants of the world see it. */
async function verdictsOn(name: string, change: (run: SimulatedRun) => SimulatedRun): Promise<string> {
  const world = await bundledWorld(name)
  const invariants = Object.entries(world.invariants as Record<string, RunInvariant>).map(
    ([what, invariant]): [string, RunInvariant] => [what, run => invariant(change(run))],
  )
  const { violations } = await simulate(bundledWorkflow(name), {
    ...world,
    faults: 'none',
    seeds: 20,
    replays: 0,
    invariants: Object.fromEntries(invariants),
  })
  return violations.map(({ message }) => message).join('\n')
}

const withOutput = (run: SimulatedRun, change: (output: never) => unknown): SimulatedRun =>
  run.result?.success ? { ...run, result: { ...run.result, output: change(run.result.output as never) } } : run

describe('the bundled workflows, simulated', () => {
  it('develop goes on after a death in the middle of a file that it was writing (seed 2)', () =>
    simulated('develop', [2]))

  it('develop leaves no draft after a death between the file and its end (seed 17)', () => simulated('develop', [17]))

  it('code-review says which files it could not read (seed 46)', () => simulated('code-review', [46]))

  it('code-review stops git where nobody can tell what git has started (seeds 1 to 10)', () =>
    simulated('code-review', [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]))

  it.each([
    [
      'code-review',
      (run: SimulatedRun) =>
        withOutput(run, ({ findings, ...output }: { findings: unknown[] }) => ({
          ...output,
          findings: [...findings, ...findings],
        })),
      'is there twice',
    ],
    [
      'code-review',
      (run: SimulatedRun) =>
        withOutput(run, ({ findings, ...output }: { findings: { line: number }[] }) => ({
          ...output,
          findings: findings.map(finding => ({ ...finding, line: finding.line + 1 })),
        })),
      'is invented',
    ],
    [
      'summarize',
      (run: SimulatedRun) =>
        withOutput(run, ({ summary, ...output }: { summary: string }) => ({
          ...output,
          summary: summary.split(' ').reverse().join(' '),
        })),
      'and it should be',
    ],
    ['develop', (run: SimulatedRun) => ({ ...run, files: {} }), 'is not there'],
    ['develop', (run: SimulatedRun) => ({ ...run, changes: [...run.changes, ...run.changes] }), 'is there twice'],
    ['build', (run: SimulatedRun) => ({ ...run, programs: [...run.programs].reverse() }), 'before it was not run'],
    ['build', (run: SimulatedRun) => ({ ...run, programs: [...run.programs, ...run.programs] }), 'ran once more'],
  ])('%s: an invariant fails where it does not hold', async (name, change, message) => {
    expect(await verdictsOn(name, change)).toContain(message)
  })

  it('refuses the world of a workflow that does not ship', async () => {
    await expect(bundledWorld('develp')).rejects.toThrow("did you mean 'develop'?")
  })
})

describe('writing the files of develop', () => {
  it('writes anew what a death has left of a draft, and follows no link in its place', async () => {
    const root = mkdtempSync(join(tmpdir(), 'holdfast-write-'))
    const outside = join(mkdtempSync(join(tmpdir(), 'holdfast-outside-')), 'kept.txt')
    writeFileSync(outside, 'kept')
    writeFileSync(join(root, 'a.txt.holdfast-draft'), 'ha')
    symlinkSync(outside, join(root, 'b.txt.holdfast-draft'))
    const files = ['a.txt', 'b.txt'].map(path => ({ path, content: `all of ${path}` }))
    expect(await writeInto(root, files)).toEqual(['a.txt', 'b.txt'])
    expect(readdirSync(root).sort()).toEqual(['a.txt', 'b.txt'])
    expect(readFileSync(join(root, 'b.txt'), 'utf8')).toBe('all of b.txt')
    expect(readFileSync(outside, 'utf8')).toBe('kept')
    expect(existsSync(join(root, 'a.txt.holdfast-draft'))).toBe(false)
  })
})
