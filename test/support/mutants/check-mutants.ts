/**
 * `npm run mutants`: plants each defect in a copy of the source and looks whether the suites find it. Prints what caught
 * what and the share that was caught, and fails where one is not. `--sample 12` takes some of them, by HOLDFAST_SEED;
 * `--only text` those whose name has it; `--write` writes docs/mutants.md.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { seededRandom } from '../../../src/time/random.ts'
import { prove } from '../proof.ts'
import type { Mutant } from './mutant.ts'
import { mutants } from './mutants.ts'
import { PlantedTree, planted } from './planted-tree.ts'

const { values: flags } = parseArgs({
  options: {
    sample: { type: 'string' },
    only: { type: 'string' },
    seeds: { type: 'string', default: '400' },
    write: { type: 'boolean', default: false },
  },
})
const seeds = Number(flags.seeds)

interface Verdict {
  readonly mutant: Mutant
  readonly caughtBy: string | undefined
}

async function main(): Promise<boolean> {
  const began = performance.now()
  expectToFit()
  const chosen = choose()
  const trees = await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, () => PlantedTree.make()))
  try {
    await expectSound(trees, chosen)
    const verdicts = await judge(trees, chosen)
    const caught = verdicts.filter(({ caughtBy }) => caughtBy !== undefined)
    const bySimulator = caught.filter(({ caughtBy }) => caughtBy?.startsWith('the simulator'))
    prove('planted defects', {
      planted: verdicts.length,
      caught: caught.length,
      'of them by the simulator': bySimulator.length,
      minutes: Number(((performance.now() - began) / 60_000).toFixed(1)),
    })
    if (flags.write) {
      writeFileSync('docs/mutants.md', page(verdicts))
      execFileSync('npx', ['biome', 'format', '--write', 'docs/mutants.md'], { stdio: 'ignore' })
    }
    return caught.length === verdicts.length
  } finally {
    await Promise.all(trees.map(tree => tree.remove()))
  }
}

function choose(): readonly Mutant[] {
  const { only, sample } = flags
  const wanted = only === undefined ? mutants : mutants.filter(({ name }) => name.includes(only))
  if (sample === undefined) return wanted
  const random = seededRandom(Number(process.env.HOLDFAST_SEED ?? 1))
  const shuffled = wanted.map(one => ({ one, place: random() })).sort((a, b) => a.place - b.place)
  return shuffled.slice(0, Number(sample)).map(({ one }) => one)
}

/** The source goes on, and a defect whose place is gone would be planted nowhere: all of them are told before any is. */
function expectToFit(): void {
  const misfits = mutants.flatMap(({ name, changes }) =>
    changes.flatMap(change => {
      try {
        return planted(readFileSync(change.file, 'utf8'), change) === '' ? [name] : []
      } catch (error) {
        return [`${name}: ${(error as Error).message}`]
      }
    }),
  )
  if (misfits.length > 0) throw new Error(`the source has changed where these are planted:\n${misfits.join('\n')}`)
}

/** Without a defect nothing may be caught, or nothing is shown by what is. */
async function expectSound(trees: readonly PlantedTree[], chosen: readonly Mutant[]): Promise<void> {
  const files = [...new Set(chosen.flatMap(({ tests = [] }) => tests))]
  const [first, second = first] = trees as [PlantedTree, PlantedTree?]
  const found = await Promise.all([first.simulator(seeds), files.length > 0 ? second?.tests(files) : undefined])
  const caught = found.find(one => one !== undefined)
  if (caught !== undefined) throw new Error(`without a defect something is caught: ${caught}`)
}

async function judge(trees: readonly PlantedTree[], chosen: readonly Mutant[]): Promise<readonly Verdict[]> {
  const left = [...chosen]
  const verdicts = new Map<Mutant, string | undefined>()
  await Promise.all(
    trees.map(async tree => {
      for (let mutant = left.shift(); mutant; mutant = left.shift()) {
        const caughtBy = await tree.check(mutant, seeds)
        verdicts.set(mutant, caughtBy)
        process.stdout.write(
          `${caughtBy === undefined ? 'NOT CAUGHT' : 'caught'}  ${mutant.name}  (${caughtBy ?? ''})\n`,
        )
      }
    }),
  )
  return chosen.map(mutant => ({ mutant, caughtBy: verdicts.get(mutant) }))
}

function page(verdicts: readonly Verdict[]): string {
  const caught = verdicts.filter(({ caughtBy }) => caughtBy !== undefined).length
  const rows = verdicts.map(({ mutant, caughtBy }) => `| ${mutant.name} | ${caughtBy ?? '**nothing**'} |`)
  return `# Planted defects

\`npm run mutants -- --write\` plants each of these defects in a copy of the source (\`test/support/mutants/\` has them as
exact replacements) and looks what finds it: the simulator with our workflows (${seeds} seeds, as \`npm test\` runs ${300}),
or, where no simulation can show it, the tests that are named. It fails where one is not found, and where a sound source
is found at fault. ${caught} of ${verdicts.length} are caught.

| defect | caught by |
| ------ | --------- |
${rows.join('\n')}
`
}

const everythingCaught = await main()
process.exitCode = everythingCaught ? 0 : 1
