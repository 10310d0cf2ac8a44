/**
 * The input of a run as it was asked for. Bundled workflows work on the directory that one is in unless told; its path is
 * kept whole with the run, since whoever recovers it may be somewhere else.
 */
import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { findBundled } from '../bundled/index.ts'
import { OptionsError } from '../errors.ts'
import { type InputFlags, parseInput } from './parse-flags.ts'

export interface RunInput {
  readonly input: unknown
  /** Where the run works; what is examined before its stages, such as git, is examined there. */
  readonly cwd: string | undefined
}

/** These only look, and there must be something to look at. */
const examining: ReadonlySet<string> = new Set(['checkup', 'code-review'])

/** @throws OptionsError for what is no input; `file_not_found` where there is nothing to examine */
export async function runInput(name: string, { input, path }: Omit<InputFlags, 'plainText'>): Promise<RunInput> {
  // A text may be piped into it as it is.
  const plainText = name === 'summarize' && input !== undefined && /^[@-]/.test(input) ? 'text' : undefined
  const given = await parseInput({ input, plainText, path })
  if (!findBundled(name) || !isObject(given)) return { input: given, cwd: undefined }
  const own = given.path ?? ('text' in given ? undefined : '.')
  if (typeof own !== 'string' || own === '') return { input: given, cwd: undefined }
  const whole = resolve(own)
  const found = statSync(whole, { throwIfNoEntry: false })
  if (!found && examining.has(name))
    throw new OptionsError(`the path ${whole} does not exist, so there is nothing that ${name} could examine`, {
      code: 'file_not_found',
      path: whole,
    })
  return { input: { ...given, path: whole }, cwd: found?.isDirectory() ? whole : undefined }
}

const isObject = (value: unknown): value is { readonly path?: unknown } =>
  value !== null && typeof value === 'object' && !Array.isArray(value)
