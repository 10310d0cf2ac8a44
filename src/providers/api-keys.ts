/**
 * The keys of a provider. They are asked for at each call, so that a function may give a fresh one, and they are known
 * here only to be sent and to be taken out of what is shown.
 */
import { OptionsError } from '../errors.ts'

/** One key, several to be chosen from, or a function that gives the key of the moment. */
export type ApiKey = string | readonly string[] | (() => string)

export interface ApiKeys {
  /** 0 where it is asked without a key. */
  readonly count: number
  /** The key to send; undefined where there is none. */
  at(index: number): string | undefined
  /** All that were ever sent and must not be shown. */
  secrets(): readonly string[]
}

const mostRemembered = 20

/** @throws OptionsError for an empty list, or a key that is no text */
export function createApiKeys(given: ApiKey | undefined, where: string): ApiKeys {
  const listed = typeof given === 'function' ? [] : [given ?? []].flat().map(key => checked(key, where))
  if (Array.isArray(given) && listed.length === 0) throw new OptionsError(`${where}: apiKey is an empty list`)
  const remembered = new Set(listed.filter(key => key !== ''))
  return {
    count: typeof given === 'function' ? 1 : remembered.size,
    at(index) {
      const key = typeof given === 'function' ? checked(given(), where) : listed[index % Math.max(1, listed.length)]
      if (key === undefined || key === '') return undefined
      remembered.delete(key)
      remembered.add(key)
      if (remembered.size > mostRemembered + listed.length) remembered.delete([...remembered][0] as string)
      return key
    },
    secrets: () => [...remembered],
  }
}

/** White space around a key comes from files and shells; within it, it would end up in an error of the network library. */
function checked(key: unknown, where: string): string {
  const trimmed = typeof key === 'string' ? key.trim() : undefined
  if (trimmed === undefined || /[^\x21-\x7e]/.test(trimmed)) {
    throw new OptionsError(`${where}: apiKey must be a text without spaces or control characters, a list or a function`)
  }
  return trimmed
}
