/**
 * The workflow that a person names: a file that default-exports one, or one that ships with Holdfast. Whatever is wrong
 * with the file is said in a paragraph that names the file and, where there is one, the line.
 */
import { existsSync, statSync } from 'node:fs'
import { basename, relative, resolve } from 'node:path'
import { bundledWorkflow, findBundled } from '../bundled/index.ts'
import { type AnyWorkflow, ConfigError, isWorkflow, OptionsError, withSource } from '../index.ts'
import { createFileImporter, type FileImporter } from './import-file.ts'

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
  const importFile = createFileImporter()
  return name => {
    if (!looksLikeFile(name)) return loadBundled(name)
    const file = resolve(name)
    const known = loaded.get(file) ?? loadFile(file, importFile)
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

async function loadFile(file: string, importFile: FileImporter): Promise<LoadedWorkflow> {
  const shown = relative(process.cwd(), file) || file
  if (!statSync(file, { throwIfNoEntry: false })?.isFile()) {
    const what = existsSync(file) ? 'is a directory, not a file' : 'does not exist'
    throw new OptionsError(`the workflow file ${shown} ${what}`, { code: 'workflow_not_found', file })
  }
  const exported = await importFile(file, shown)
  const workflow = exported.default
  if (!isWorkflow(workflow)) throw noWorkflow(file, shown, exported)
  const others = Object.values(exported).filter(isWorkflow)
  const own = withSource(workflow, file)
  return {
    workflow: own,
    all: [own, ...others.filter(other => other !== workflow).map(other => withSource(other, file))],
  }
}

function noWorkflow(file: string, shown: string, exported: Readonly<Record<string, unknown>>): ConfigError {
  const names = Object.keys(exported).filter(name => name !== 'default')
  const has =
    'default' in exported ? `a default export that is no workflow (${typeof exported.default})` : 'no default export'
  const exports = names.length === 0 ? 'nothing' : names.join(', ')
  const workflow = names.find(name => isWorkflow(exported[name]))
  const mend =
    workflow === undefined
      ? 'default-export what `defineWorkflow(…)` or `workflowFromMachine(…)` gives'
      : `add \`export default ${workflow}\``
  return new ConfigError(
    `the workflow file ${shown} has ${has}; besides it exports ${exports}. To mend it, ${mend} in ${basename(file)}`,
    { code: 'workflow_invalid', file },
  )
}
