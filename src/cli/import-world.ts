/** The file that says what there is in a simulation: the options of `simulate` that are more than a flag can hold. */
import { statSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import { ConfigError, OptionsError } from '../index.ts'
import type { SimulateOptions } from '../testing.ts'
import { createFileImporter } from './import-file.ts'

const known = ['files', 'programs', 'answers', 'stages', 'signals', 'input', 'invariants', 'budget', 'runs']

/** @throws OptionsError where there is no such file, ConfigError where it exports something else */
export async function importWorld(given: string): Promise<SimulateOptions> {
  const file = resolve(given)
  const shown = relative(process.cwd(), file) || file
  if (!statSync(file, { throwIfNoEntry: false })?.isFile()) {
    throw new OptionsError(`--world: the file ${shown} does not exist`, { code: 'file_not_found', file })
  }
  const { default: world } = await createFileImporter('world')(file, shown)
  const what = world === null || typeof world !== 'object' ? 'no object as its default export' : unknownKey(world)
  if (what === undefined) return world as SimulateOptions
  throw new ConfigError(`the world ${shown} has ${what}; default-export an object with some of ${known.join(', ')}`, {
    file,
  })
}

function unknownKey(world: object): string | undefined {
  const other = Object.keys(world).find(key => !known.includes(key))
  return other === undefined ? undefined : `'${other}', which is no part of a world`
}
