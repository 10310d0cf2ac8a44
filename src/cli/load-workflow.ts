/**
 * The workflow that a person names: a file that default-exports one, or one that ships with Holdfast. Whatever is wrong
 * with the file is said in a paragraph that names the file and, where there is one, the line.
 */
import { existsSync, statSync } from 'node:fs'
import { basename, relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { bundledWorkflow, findBundled } from '../bundled/index.ts'
import { type AnyWorkflow, ConfigError, isWorkflow, OptionsError, withSource } from '../index.ts'
import { placeOf } from './error-place.ts'
import { installModuleHooks } from './module-hooks.ts'

export interface LoadedWorkflow {
  readonly workflow: AnyWorkflow
  /** Every workflow that the file exports, this one first: runs of the others may be its children. */
  readonly all: readonly AnyWorkflow[]
}

export type WorkflowLoader = (name: string) => Promise<LoadedWorkflow>

const looksLikeFile = (name: string): boolean => /[\\/]|\.[cm]?[jt]sx?$/.test(name)

/** Loads each file once. */
export function createWorkflowLoader(): WorkflowLoader {
  const loaded = new Map<string, Promise<LoadedWorkflow>>()
  // JavaScript goes without the translator, whose parser says less about a mistake than Node does.
  const hooked = new Set<boolean>()
  return name => {
    if (!looksLikeFile(name)) return loadBundled(name)
    const file = resolve(name)
    const isTypescript = /\.[cm]?tsx?$/.test(file)
    if (!hooked.has(isTypescript)) installModuleHooks(isTypescript)
    hooked.add(isTypescript)
    const known = loaded.get(file) ?? loadFile(file)
    loaded.set(file, known)
    return known
  }
}

async function loadBundled(name: string): Promise<LoadedWorkflow> {
  const file = ['.ts', '.mts', '.js', '.mjs'].map(extension => `./${name}${extension}`).find(path => existsSync(path))
  if (file !== undefined && !findBundled(name)) {
    throw new OptionsError(`there is no bundled workflow '${name}'; did you mean the file ${file}?`, {
      code: 'workflow_not_found',
    })
  }
  const workflow = bundledWorkflow(name)
  return { workflow, all: [workflow] }
}

async function loadFile(file: string): Promise<LoadedWorkflow> {
  const shown = relative(process.cwd(), file) || file
  if (!statSync(file, { throwIfNoEntry: false })?.isFile()) {
    const what = existsSync(file) ? 'is a directory, not a file' : 'does not exist'
    throw new OptionsError(`the workflow file ${shown} ${what}`, { code: 'workflow_not_found', file })
  }
  const exported = await importFile(file, shown)
  const workflow = exported.default
  const named = Object.entries(exported).filter(([name, value]) => name !== 'default' && isWorkflow(value))
  if (!isWorkflow(workflow))
    throw noWorkflow(
      file,
      shown,
      exported,
      named.map(([name]) => name),
    )
  const others = named.map(([, value]) => value as AnyWorkflow).filter(other => other !== workflow)
  const own = withSource(workflow, file)
  return { workflow: own, all: [own, ...others.map(other => withSource(other, file))] }
}

async function importFile(file: string, shown: string): Promise<Record<string, unknown>> {
  try {
    return { ...(await import(pathToFileURL(file).href)) }
  } catch (thrown) {
    const { line, column, at, said } = placeOf(thrown, file)
    throw new ConfigError(
      `the workflow file ${shown} cannot be loaded: ${said}${at === undefined ? '' : ` (at ${at})`}`,
      { code: 'workflow_invalid', file, ...(line === undefined ? {} : { line, column }) },
      { cause: thrown },
    )
  }
}

function noWorkflow(
  file: string,
  shown: string,
  exported: Record<string, unknown>,
  workflows: readonly string[],
): ConfigError {
  const names = Object.keys(exported).filter(name => name !== 'default')
  const exports = names.length === 0 ? 'nothing' : names.join(', ')
  const has =
    'default' in exported ? `a default export that is no workflow (${kindOf(exported.default)})` : 'no default export'
  const mend =
    workflows.length > 0
      ? `add \`export default ${workflows[0]}\``
      : 'default-export what `defineWorkflow(…)` or `workflowFromMachine(…)` gives'
  return new ConfigError(
    `the workflow file ${shown} has ${has}; besides it exports ${exports}. To mend it, ${mend} in ${basename(file)}`,
    {
      code: 'workflow_invalid',
      file,
    },
  )
}

const kindOf = (value: unknown): string => (value === null ? 'null' : typeof value)
