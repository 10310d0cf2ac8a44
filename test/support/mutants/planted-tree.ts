/** A copy of the source in which one defect at a time is planted, and the suites that are to find it. */
import { execFile } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Change, Mutant } from './mutant.ts'

const copied = ['src', 'machines', 'test', 'examples', 'docs', 'package.json', 'tsconfig.json', 'vitest.config.ts']
/** No suite takes so long on a sound source; a defect that makes it hang is found by that. */
const limitMs = 240_000

export class PlantedTree {
  readonly #root: string

  private constructor(root: string) {
    this.#root = root
  }

  static async make(): Promise<PlantedTree> {
    const root = await mkdtemp(join(tmpdir(), 'holdfast-mutants-'))
    for (const name of copied) await cp(name, join(root, name), { recursive: true })
    await symlink(resolve('node_modules'), join(root, 'node_modules'))
    return new PlantedTree(root)
  }

  /** What caught the defect, as a sentence; undefined where nothing did. */
  async check({ changes, tests }: Mutant, seeds: number): Promise<string | undefined> {
    const originals = new Map<string, string>()
    for (const { file } of changes) originals.set(file, await readFile(join(this.#root, file), 'utf8'))
    try {
      for (const change of changes) await this.#plant(change)
      return tests ? await this.tests(tests) : await this.simulator(seeds)
    } finally {
      for (const [file, text] of originals) await writeFile(join(this.#root, file), text)
    }
  }

  async simulator(seeds: number): Promise<string | undefined> {
    const { ok, output } = await this.#run('node', [
      '--import',
      'tsx',
      'test/support/mutants/simulate-all.ts',
      `${seeds}`,
    ])
    if (ok) return undefined
    return (
      output.split('\n').find(line => line.startsWith('the simulator')) ?? 'the simulator: it does not come to an end'
    )
  }

  async tests(files: readonly string[]): Promise<string | undefined> {
    const vitest = 'node_modules/vitest/vitest.mjs'
    const reporter = ['--reporter=json', '--bail=1', '--maxWorkers=1']
    const { ok, output } = await this.#run('node', [vitest, 'run', '--project', 'fast', ...reporter, ...files])
    if (ok) return undefined
    return failedTest(output) ?? `${files.join(', ')}: they do not come to an end`
  }

  remove(): Promise<void> {
    return rm(this.#root, { recursive: true, force: true })
  }

  async #plant({ file, before, after }: Change): Promise<void> {
    const path = join(this.#root, file)
    await writeFile(path, planted(await readFile(path, 'utf8'), { file, before, after }))
  }

  #run(command: string, args: readonly string[]): Promise<{ readonly ok: boolean; readonly output: string }> {
    const options = { cwd: this.#root, timeout: limitMs, maxBuffer: 1 << 28, env: { ...process.env, ...quick } }
    return new Promise(done => {
      execFile(command, args, options, (error, stdout) => done({ ok: error === null, output: stdout }))
    })
  }
}

/** Suites that look for one defect need not look long. */
const quick = { HOLDFAST_PROPERTY_RUNS: '60', HOLDFAST_PROOF: '' }

/** The source with the change. @throws Error where what is to be replaced is not there exactly once */
export function planted(source: string, { file, before, after }: Change): string {
  const parts = source.split(before)
  if (parts.length !== 2)
    throw new Error(`${file}: what is to be replaced is there ${parts.length - 1} times and not once:\n${before}`)
  return parts.join(after)
}

interface Report {
  readonly testResults: readonly {
    readonly name: string
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[]
  }[]
}

function failedTest(output: string): string | undefined {
  const text = output.split('\n').find(line => line.startsWith('{"numTotalTestSuites"'))
  if (text === undefined) return undefined
  for (const { name, assertionResults } of (JSON.parse(text) as Report).testResults) {
    const failed = assertionResults.find(({ status }) => status === 'failed')
    const file = name.slice(name.indexOf('/test/') + 1)
    if (failed) return `${file}: ${failed.fullName.trim()}`
  }
  return undefined
}
