/**
 * `npm run verify`: everything that is checked before a merge, the long way: all fast and slow tests, every crash point,
 * 500 real kills, 1,000 runs of each property, 10,000 seeds of the simulator, the planted defects, the journals on every
 * version of Node, the package. Goes on after a failure, to show all of them; what the tests counted becomes
 * `docs/proof.md` where nothing failed.
 * HOLDFAST_KILLS, HOLDFAST_CRASH_EVERY, HOLDFAST_PROPERTY_RUNS, HOLDFAST_SEEDS and HOLDFAST_SEED choose otherwise.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { proofPage } from './proof-page.ts'

const started = performance.now()
const place = mkdtempSync(join(tmpdir(), 'holdfast-proof-'))
const proof = join(place, 'figures')
writeFileSync(proof, '')

const chosen = {
  HOLDFAST_KILLS: process.env.HOLDFAST_KILLS ?? '500',
  HOLDFAST_CRASH_EVERY: process.env.HOLDFAST_CRASH_EVERY ?? '1',
  HOLDFAST_PROPERTY_RUNS: process.env.HOLDFAST_PROPERTY_RUNS ?? '1000',
  HOLDFAST_SEEDS: process.env.HOLDFAST_SEEDS ?? '10000',
  HOLDFAST_SEED: process.env.HOLDFAST_SEED ?? '20261123',
}

interface Step {
  readonly command: string
  /** With the numbers above, and with its figures in the proof. */
  readonly isLong: boolean
}

const plain = (command: string): Step => ({ command, isLong: false })
const long = (command: string): Step => ({ command, isLong: true })

/** What takes longest comes last. */
const steps: readonly Step[] = [
  plain('npm run check'),
  plain('npm run build'),
  plain('npm run package'),
  long('npm run journals'),
  long('npm run mutants -- --write'),
  long('npx vitest run --project slow'),
  long('npx vitest run --project fast test/property test/model'),
]

const git = (...args: string[]): string => execFileSync('git', args, { encoding: 'utf8' }).trim()

try {
  const commit = git('rev-parse', '--short=12', 'HEAD')
  const isClean = git('status', '--porcelain', '--', 'src', 'machines', 'test', 'package.json') === ''
  const took: { readonly command: string; readonly minutes: number }[] = []
  const failed: string[] = []
  for (const { command, isLong } of steps) {
    process.stdout.write(`\n> ${command}\n`)
    const began = performance.now()
    const [program = '', ...args] = command.split(' ')
    const { status } = spawnSync(program, args, {
      stdio: 'inherit',
      env: { ...process.env, ...(isLong ? { ...chosen, HOLDFAST_PROOF: proof } : {}) },
    })
    const minutes = (performance.now() - began) / 60_000
    took.push({ command, minutes })
    process.stdout.write(`\n'${command}' took ${minutes.toFixed(1)} minutes\n`)
    if (status !== 0) failed.push(command)
  }
  if (failed.length > 0) {
    process.stdout.write(`\nfailed: ${failed.join(', ')}; nothing is proved, and docs/proof.md is as it was\n`)
    process.exit(1)
  }
  const lines = readFileSync(proof, 'utf8').split('\n').filter(Boolean)
  writeFileSync(
    'docs/proof.md',
    proofPage({
      commit: isClean ? commit : `${commit}, with changes that were not committed`,
      node: process.version,
      cores: cpus().length,
      minutes: (performance.now() - started) / 60_000,
      chosen,
      took,
      rows: lines.map(line => JSON.parse(line)),
    }),
  )
  spawnSync('npx', ['biome', 'format', '--write', 'docs/proof.md'], { stdio: 'inherit' })
  process.stdout.write('\nwritten: docs/proof.md\n')
} finally {
  rmSync(place, { recursive: true, force: true })
}
