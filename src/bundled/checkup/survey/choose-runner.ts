/**
 * Which runner a test file needs: the one that the file imports, else the one that its package tests with. The runner
 * must be installed in the project; where it is not, a sentence says so and the file is not run.
 */
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { RunnerName, TestTask } from '../runners/runner.ts'
import { codeOnly } from '../scan/code-only.ts'
import { isNamedTest } from '../test-files.ts'
import { exists, type Manifest, type Packages, upwards } from './packages.ts'
import type { Tools } from './tools.ts'

export type Choice =
  | { readonly task: TestTask }
  | { readonly file: string; readonly notRun: string }
  /** It only looked like a test. */
  | undefined

export interface ChoiceFacts {
  readonly root: string
  readonly packages: Packages
  readonly tools: Tools
}

type ScriptRunner = Exclude<RunnerName, 'pytest' | 'go'>

const imports: readonly (readonly [RegExp, ScriptRunner])[] = [
  [/['"]vitest(?:\/[\w-]+)?['"]/, 'vitest'],
  [/['"]@jest\/globals['"]/, 'jest'],
  [/['"]node:test['"]/, 'node'],
  [/['"]ava['"]/, 'ava'],
  [/['"]tap['"]/, 'tap'],
  [/['"]mocha['"]/, 'mocha'],
]

const needsMore: readonly (readonly [RegExp, string])[] = [
  [/['"]@playwright\/test['"]/, 'it drives a browser (Playwright)'],
  [/['"]cypress['"]|\bcy\.visit\(/, 'it drives a browser (Cypress)'],
  [/['"]bun:test['"]/, 'it needs Bun'],
  [/['"](?:jsr:|https:\/\/deno\.land)[^'"]*['"]/, 'it needs Deno'],
]

/** Of a file only so much is read to find out. */
const headLimit = 65_536

export async function chooseRunner(file: string, facts: ChoiceFacts): Promise<Choice> {
  if (file.endsWith('.py')) return forPython(file, facts)
  if (file.endsWith('_test.go')) return forGo(file, facts)
  const source = await headOf(join(facts.root, file))
  if (source === undefined) return undefined
  const manifest = await facts.packages.nearest(dirname(join(facts.root, file)))
  const imported = imports.find(([pattern]) => pattern.test(source))?.[1]
  if (!isNamedTest(file) && !(declaresTests(source) && (imported ?? runnerInScripts(manifest)))) return undefined
  const obstacle = needsMore.find(([pattern]) => pattern.test(source))?.[1]
  if (obstacle) return { file, notRun: obstacle }
  return forScript(file, imported ?? (await ofPackage(manifest, facts)), facts)
}

/** In a test directory only what declares tests is one; the rest are helpers. Code that writes tests has them in a text. */
function declaresTests(source: string): boolean {
  const code = codeOnly(source, 'javascript')
  return /^(?:(?:t|tap)\.)?(?:describe|suite|it|test)(?:\.\w+)*\s*\(/m.test(code)
}

async function forScript(file: string, runner: ScriptRunner, { root, packages }: ChoiceFacts): Promise<Choice> {
  const directory = dirname(join(root, file))
  const typescript = /\.[cm]?tsx?$/.test(file)
  const cwd = await startDirectory(directory, root, runner, packages)
  if (runner === 'node' || runner === 'mocha') {
    const loader = typescript ? await packages.installed(directory, 'tsx') : undefined
    if (typescript && !loader && !(runner === 'node' && nodeKnowsTypeScript())) {
      return { file, notRun: 'it is TypeScript, and tsx is not installed here to run it' }
    }
    const program = runner === 'node' ? process.execPath : await packages.program(directory, 'mocha')
    if (!program) return { file, notRun: notInstalled(runner) }
    return { task: { file, runner, cwd, program, ...(loader && { loader: join(loader, 'dist/loader.mjs') }) } }
  }
  const program = await packages.program(directory, runner)
  return program ? { task: { file, runner, cwd, program } } : { file, notRun: notInstalled(runner) }
}

/** Newer versions of Node run TypeScript by themselves. */
function nodeKnowsTypeScript(): boolean {
  return Boolean((process.features as { typescript?: unknown }).typescript)
}

const notInstalled = (runner: string): string =>
  `${runner} is not installed here; install the project's dependencies first`

async function ofPackage(manifest: Manifest | undefined, { packages }: ChoiceFacts): Promise<ScriptRunner> {
  const inScripts = runnerInScripts(manifest)
  if (inScripts) return inScripts
  const known = ['vitest', 'jest', 'mocha', 'ava', 'tap'] as const
  const depended = known.find(name => manifest?.dependencies.has(name))
  if (depended || !manifest) return depended ?? 'node'
  for (const name of known) {
    if (await packages.installed(manifest.directory, name)) return name
  }
  return 'node'
}

function runnerInScripts(manifest: Manifest | undefined): ScriptRunner | undefined {
  const scripts = Object.entries(manifest?.scripts ?? {}).filter(([name]) => /^test\b/.test(name))
  const said = scripts.map(([, script]) => script).join('\n')
  if (/\bnode\b[^|&\n]*\s--test\b/.test(said)) return 'node'
  const word = /(?:^|[\s/&;|])(vitest|jest|mocha|ava|tap|react-scripts)(?:\s|$|[&;|])/m.exec(said)?.[1]
  if (word === 'react-scripts') return 'jest'
  return word as ScriptRunner | undefined
}

const configurations: Readonly<Record<ScriptRunner, RegExp>> = {
  vitest: /^(?:vitest|vite)\.(?:config|workspace)\.[cm]?[jt]s$/,
  jest: /^jest\.config\.(?:[cm]?[jt]s|json)$/,
  mocha: /^\.mocharc\./,
  ava: /^ava\.config\./,
  tap: /^\.taprc$/,
  node: /^package\.json$/,
}

/** Where the runner's configuration is, between the file and the root; else the nearest package. */
async function startDirectory(
  directory: string,
  root: string,
  runner: ScriptRunner,
  packages: Packages,
): Promise<string> {
  for (const candidate of upwards(directory)) {
    if ((await packages.fileNames(candidate)).some(name => configurations[runner].test(name))) return candidate
    if (candidate === root) break
  }
  return (await packages.nearest(directory))?.directory ?? root
}

async function forPython(file: string, { root, tools }: ChoiceFacts): Promise<Choice> {
  const program = await tools.pytest()
  if (!program) return { file, notRun: 'there is no Python with pytest here' }
  return { task: { file, runner: 'pytest', cwd: root, program } }
}

async function forGo(file: string, { root, tools }: ChoiceFacts): Promise<Choice> {
  const program = await tools.go()
  if (!program) return { file, notRun: 'Go is not installed here' }
  for (const candidate of upwards(dirname(join(root, file)))) {
    if (await exists(join(candidate, 'go.mod'))) return { task: { file, runner: 'go', cwd: candidate, program } }
    if (candidate === root) break
  }
  return { file, notRun: 'it belongs to no Go module' }
}

async function headOf(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).slice(0, headLimit)
  } catch {
    return undefined
  }
}
