/**
 * Imports a file that a person names, mostly a workflow, TypeScript or JavaScript, with the module hooks that it needs. What goes wrong in it is an
 * error that names the file and, where it can be found, the line.
 */
import { pathToFileURL } from 'node:url'
import { ConfigError } from '../index.ts'
import { placeOf } from './error-place.ts'
import { installModuleHooks } from './module-hooks.ts'

/** What the file exports. `shown` is how the person knows it. @throws ConfigError `workflow_invalid` */
export type FileImporter = (file: string, shown: string) => Promise<Readonly<Record<string, unknown>>>

/** @param what how the file is called in a message */
export function createFileImporter(what = 'workflow file'): FileImporter {
  // JavaScript goes without the translator, whose parser says less about a mistake than Node does.
  const hooked = { typescript: false, javascript: false }
  return async (file, shown) => {
    const language = /\.[cm]?tsx?$/.test(file) ? 'typescript' : 'javascript'
    if (!hooked[language]) {
      hooked[language] = true
      await installModuleHooks(language === 'typescript')
    }
    try {
      return { ...(await import(pathToFileURL(file).href)) }
    } catch (thrown) {
      throw unloadable(thrown, file, `${what} ${shown}`)
    }
  }
}

function unloadable(thrown: unknown, file: string, shown: string): ConfigError {
  const { line, column, at, said } = placeOf(thrown, file)
  const place = at === undefined ? '' : ` (at ${at})`
  return new ConfigError(
    `the ${shown} cannot be loaded: ${said}${place}`,
    { code: 'workflow_invalid', file, ...(line === undefined ? {} : { line, column }) },
    { cause: thrown },
  )
}
