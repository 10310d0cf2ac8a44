/**
 * The imports of source files, types included: every `import` and `export … from` that is code. What it cannot see is
 * an `import()` of a computed address.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix, relative, resolve } from 'node:path'
import { type Token, tokensOf } from './tokens.ts'

/** What each file imports: paths of the project with `/`, or the names of packages. */
export type ImportGraph = ReadonlyMap<string, readonly string[]>

export const projectRoot = resolve(import.meta.dirname, '../..')

/** The TypeScript files below these directories of the project, as paths with `/`. */
export function sourceFiles(...directories: readonly string[]): string[] {
  return directories
    .flatMap(directory => readdirSync(join(projectRoot, directory), { recursive: true, withFileTypes: true }))
    .filter(entry => entry.isFile() && entry.name.endsWith('.ts'))
    .map(entry => relative(projectRoot, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .sort()
}

export const readSource = (file: string): string => readFileSync(join(projectRoot, file), 'utf8')

export function readImportGraph(...directories: readonly string[]): ImportGraph {
  return new Map(sourceFiles(...directories).map(file => [file, importsOf(readSource(file)).map(resolveFrom(file))]))
}

const resolveFrom = (file: string) => (specifier: string) =>
  specifier.startsWith('.') ? posix.normalize(posix.join(dirname(file), specifier)) : specifier

/** The addresses that a source imports, in their order. */
export function importsOf(source: string): string[] {
  const tokens = tokensOf(source)
  const found: string[] = []
  for (const [index, token] of tokens.entries()) {
    if (token.kind !== 'word' || tokens[index - 1]?.text === '.') continue
    if (token.text === 'import') {
      const next = tokens[index + 1]
      const direct = next?.text === '(' ? tokens[index + 2] : next
      if (direct?.kind === 'string') found.push(direct.text)
      else if (next?.text !== '(' && next?.text !== '.') found.push(...fromAfter(tokens, index + 1))
    } else if (token.text === 'export') {
      const first = tokens[index + 1]?.text === 'type' ? index + 2 : index + 1
      if (tokens[first]?.text === '*') found.push(...fromAfter(tokens, first))
      if (tokens[first]?.text === '{') found.push(...fromAfterBraces(tokens, first))
    }
  }
  return found
}

function fromAfter(tokens: readonly Token[], start: number): string[] {
  const from = tokens.findIndex(
    (token, index) => index >= start && token.text === 'from' && tokens[index + 1]?.kind === 'string',
  )
  return from < 0 ? [] : [(tokens[from + 1] as Token).text]
}

function fromAfterBraces(tokens: readonly Token[], start: number): string[] {
  const end = tokens.findIndex((token, index) => index > start && token.kind === 'sign' && token.text === '}')
  return tokens[end + 1]?.text === 'from' && tokens[end + 2]?.kind === 'string' ? [(tokens[end + 2] as Token).text] : []
}

/** The import cycles of a graph: one, as short as there is, for each knot of files that reach each other. */
export function cyclesOf(graph: ImportGraph): string[][] {
  const cycles: string[][] = []
  const known = new Set<string>()
  for (const file of graph.keys()) {
    if (known.has(file)) continue
    const cycle = shortestPath(graph, file, file)
    if (!cycle) continue
    cycles.push(cycle)
    for (const other of reachableFrom(graph, file)) if (reachableFrom(graph, other).has(file)) known.add(other)
  }
  return cycles
}

/** The files from `start` over at least one import to `goal`, both included. */
function shortestPath(graph: ImportGraph, start: string, goal: string): string[] | undefined {
  const before = new Map<string, string>()
  const open = [start]
  for (const file of open) {
    for (const next of graph.get(file) ?? []) {
      if (before.has(next)) continue
      before.set(next, file)
      if (next === goal) return [...pathTo(file, start, before), goal]
      if (graph.has(next)) open.push(next)
    }
  }
  return undefined
}

function pathTo(file: string, start: string, before: ReadonlyMap<string, string>): string[] {
  return file === start ? [start] : [...pathTo(before.get(file) as string, start, before), file]
}

/** All that is imported from a file, directly or through others: files and packages. */
export function reachableFrom(graph: ImportGraph, start: string): Set<string> {
  const reached = new Set<string>()
  const open = [start]
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (reached.has(file)) continue
    reached.add(file)
    open.push(...(graph.get(file) ?? []))
  }
  return reached
}
