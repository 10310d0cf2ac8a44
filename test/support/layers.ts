/**
 * The layer table: which part of the source may import which others. A part is known by how its paths begin; a file
 * belongs to the part with the longest beginning that it has. What is not in a part's list is refused, so nothing
 * imports upward, and neighbours on one layer do not know each other unless it says so here.
 */
import type { ImportGraph } from './import-graph.ts'

export interface Part {
  readonly name: string
  readonly paths: readonly string[]
  /** The parts that it may import beside itself. */
  readonly sees: readonly string[]
}

const ground = ['machines', 'errors', 'time']
const ports = ['store port', 'provider port']
const rings = ['supervisor', 'resilience']
const besideRuntime = ['health', 'telemetry', 'config']
const adapters = ['store adapters', 'provider adapters']
const belowIndex = [...ground, ...ports, ...adapters, ...rings, 'workflow', ...besideRuntime, 'runtime']

/** Lowest first. */
export const layers: readonly Part[] = [
  { name: 'errors', paths: ['src/error-codes.ts', 'src/errors.ts', 'src/options.ts'], sees: [] },
  { name: 'time', paths: ['src/time/'], sees: ['errors'] },
  { name: 'machines', paths: ['machines/'], sees: ['errors', 'time'] },
  { name: 'store port', paths: ['src/store/store.ts'], sees: ['errors', 'time'] },
  { name: 'provider port', paths: ['src/providers/provider.ts'], sees: ['errors', 'time'] },
  { name: 'store adapters', paths: ['src/store/'], sees: ['errors', 'time', 'store port'] },
  { name: 'provider adapters', paths: ['src/providers/'], sees: ['errors', 'time', 'provider port'] },
  { name: 'supervisor', paths: ['src/supervisor/', 'src/supervisor.ts'], sees: [...ground, ...ports] },
  { name: 'resilience', paths: ['src/resilience/', 'src/resilience.ts'], sees: [...ground, ...ports] },
  { name: 'workflow', paths: ['src/workflow/'], sees: [...ground, ...ports, ...rings] },
  { name: 'health', paths: ['src/health/'], sees: [...ground, ...ports, ...rings, 'workflow'] },
  { name: 'telemetry', paths: ['src/telemetry/'], sees: [...ground, ...ports, ...rings, 'workflow'] },
  { name: 'config', paths: ['src/config/'], sees: [...ground, ...ports, ...rings, 'workflow'] },
  {
    name: 'runtime',
    paths: ['src/runtime/'],
    sees: [...ground, ...ports, ...adapters, ...rings, 'workflow', ...besideRuntime],
  },
  { name: 'bundled', paths: ['src/bundled/'], sees: belowIndex },
  { name: 'inspector-server', paths: ['src/inspector-server/'], sees: belowIndex },
  { name: 'index', paths: ['src/index.ts'], sees: [...belowIndex, 'bundled', 'inspector-server'] },
  { name: 'testing', paths: ['src/testing/', 'src/testing.ts'], sees: [...belowIndex, 'index', 'bundled'] },
  {
    name: 'cli',
    paths: ['src/cli/'],
    sees: ['index', 'testing', 'bundled', 'inspector-server', 'config', 'errors', 'time'],
  },
]

export function partOf(file: string, table: readonly Part[] = layers): Part | undefined {
  let found: { part: Part; length: number } | undefined
  for (const part of table) {
    for (const path of part.paths) {
      const fits = path.endsWith('/') ? file.startsWith(path) : file === path
      if (fits && path.length > (found?.length ?? 0)) found = { part, length: path.length }
    }
  }
  return found?.part
}

const isOfProject = (address: string): boolean => address.endsWith('.ts')

/** What in the graph breaks the table, as sentences with the file and the import. */
export function violationsOf(graph: ImportGraph, table: readonly Part[] = layers): string[] {
  const violations: string[] = []
  for (const [file, imports] of graph) {
    const part = partOf(file, table)
    if (!part) {
      violations.push(`${file} belongs to no part of the layer table`)
      continue
    }
    for (const address of imports.filter(isOfProject)) {
      const other = partOf(address, table)
      if (other && (other === part || part.sees.includes(other.name))) continue
      violations.push(`${file} imports ${address}: '${part.name}' may not see '${other?.name ?? 'what is no part'}'`)
    }
  }
  return violations
}
