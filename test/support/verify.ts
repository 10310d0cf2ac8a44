/**
 * `npm run verify`: everything that is checked before a merge, the long way: all fast and slow tests, every crash point,
 * 500 real kills, 1,000 runs of each property, 10,000 seeds of the simulator, the package. What the tests counted
 * becomes `docs/proof.md`.
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

/** The long properties come last: what fails soon is known soon. */
const steps: readonly (readonly [command: string, env: 'plain' | 'long'])[] = [
  ['npm run check', 'plain'],
  ['npm run build', 'plain'],
  ['npx vitest run --project slow', 'long'],
  ['npx vitest run --project fast test/property', 'long'],
  ['npm run package', 'plain'],
]

const git = (...args: string[]): string => execFileSync('git', args, { encoding: 'utf8' }).trim()

try {
  const commit = git('rev-parse', '--short=12', 'HEAD')
  const isClean = git('status', '--porcelain', '--', 'src', 'machines', 'test', 'package.json') === ''
  for (const [command, env] of steps) {
    process.stdout.write(`\n> ${command}\n`)
    const [program = '', ...args] = command.split(' ')
    const { status } = spawnSync(program, args, {
      stdio: 'inherit',
      env: { ...process.env, ...(env === 'long' ? { ...chosen, HOLDFAST_PROOF: proof } : {}) },
    })
    if (status !== 0) {
      process.stdout.write(`\n'${command}' failed: nothing is proved\n`)
      process.exit(status ?? 1)
    }
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
      rows: lines.map(line => JSON.parse(line)),
    }),
  )
  spawnSync('npx', ['biome', 'format', '--write', 'docs/proof.md'], { stdio: 'inherit' })
  process.stdout.write('\nwritten: docs/proof.md\n')
} finally {
  rmSync(place, { recursive: true, force: true })
}
