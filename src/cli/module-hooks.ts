/**
 * How the modules of a workflow file are found. `tsx` translates TypeScript; these hooks add two things. A TypeScript
 * file is an ES module, whatever the `type` of the package around it, unless it is written as CommonJS; so it shares
 * this process's instances. And `holdfast`, `zod` and `xstate`, where the file has none of its own, are those of
 * this package, so a file works in an empty directory, too.
 */
import { readFileSync } from 'node:fs'
import * as nodeModule from 'node:module'
import { fileURLToPath } from 'node:url'

interface Resolved {
  readonly url: string
  readonly format?: string | null | undefined
}
type Context = object
type Next<T> = (specifier: string, context: Context) => T

/** To be called before a workflow file is imported; `isTypescript`: whether it needs translation. */
export async function installModuleHooks(isTypescript: boolean): Promise<void> {
  if (isTypescript) (await import('tsx/esm/api')).register()
  const { registerHooks } = nodeModule as { registerHooks?: (hooks: { resolve: typeof resolveSync }) => unknown }
  if (registerHooks) registerHooks({ resolve: resolveSync })
  else nodeModule.register(import.meta.url)
}

/** The hook for Node 20, which calls it on a thread of its own. */
export async function resolve(specifier: string, context: Context, next: Next<Promise<Resolved>>): Promise<Resolved> {
  try {
    return asModule(await next(specifier, context))
  } catch (error) {
    const own = ownFile(specifier, error)
    if (own === undefined) throw error
    return next(own, own === specifier ? { ...context, parentURL: import.meta.url } : context)
  }
}

function resolveSync(specifier: string, context: Context, next: Next<Resolved>): Resolved {
  try {
    return asModule(next(specifier, context))
  } catch (error) {
    const own = ownFile(specifier, error)
    if (own === undefined) throw error
    return next(own, own === specifier ? { ...context, parentURL: import.meta.url } : context)
  }
}

const typescript = /\.tsx?$/
const moduleSyntax = /^\s*(?:import\b(?!\s*\()|export\b)/m
const commonJsSyntax = /\b(?:require\s*\(|module\.exports\b|exports\.)/

function asModule(resolved: Resolved): Resolved {
  const { url, format } = resolved
  if (!typescript.test(url) || format === 'module' || !url.startsWith('file:')) return resolved
  const source = readFileSync(fileURLToPath(url), 'utf8')
  return commonJsSyntax.test(source) && !moduleSyntax.test(source) ? resolved : { ...resolved, format: 'module' }
}

/** What to resolve instead of a package that was not found: a file of this package, or the same name from here. */
function ownFile(specifier: string, error: unknown): string | undefined {
  if ((error as { code?: unknown } | null)?.code !== 'ERR_MODULE_NOT_FOUND') return undefined
  if (/^(?:zod|xstate)(?:\/|$)/.test(specifier)) return specifier
  const [name, subpath = 'index', machine] = specifier.split('/')
  if (name !== 'holdfast') return undefined
  const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'))
  const path = subpath === 'machines' ? `../../machines/${machine}.machine${extension}` : `../${subpath}${extension}`
  return new URL(path, import.meta.url).href
}
