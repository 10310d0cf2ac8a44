import { describe, expect, it } from 'vitest'
import { cyclesOf, importsOf, readImportGraph } from '../support/import-graph.ts'
import { layers, partOf, violationsOf } from '../support/layers.ts'

const graph = readImportGraph('src', 'machines')

describe('the layers', () => {
  it('import only what lies below them', () => {
    expect(violationsOf(graph)).toEqual([])
  })

  it('have no import cycle, types included', () => {
    expect(cyclesOf(graph).map(cycle => cycle.join(' → '))).toEqual([])
  })

  it('are found for every file, and every import leads to a file that is there', () => {
    expect(graph.size).toBeGreaterThan(100)
    expect([...graph.keys()].filter(file => partOf(file) === undefined)).toEqual([])
    const missing = [...graph].flatMap(([file, imports]) =>
      imports.filter(address => address.endsWith('.ts') && !graph.has(address)).map(address => `${file}: ${address}`),
    )
    expect(missing).toEqual([])
  })

  it('name only parts that exist, and only lower ones', () => {
    const names = layers.map(part => part.name)
    for (const [index, part] of layers.entries()) {
      for (const seen of part.sees) expect(names.slice(0, index), `${part.name} sees ${seen}`).toContain(seen)
    }
  })
})

describe('the check of the layers', () => {
  it('names the file and the import that goes upward', () => {
    const broken = new Map([
      ['src/store/sqlite-store.ts', ['src/runtime/run/live-run.ts', 'node:path']],
      ['src/supervisor/children.ts', ['src/resilience/retry.ts', 'machines/supervisor.machine.ts']],
      ['src/providers/offline.ts', ['src/store/store.ts']],
    ])
    expect(violationsOf(broken)).toEqual([
      "src/store/sqlite-store.ts imports src/runtime/run/live-run.ts: 'store adapters' may not see 'runtime'",
      "src/supervisor/children.ts imports src/resilience/retry.ts: 'supervisor' may not see 'resilience'",
      "src/providers/offline.ts imports src/store/store.ts: 'provider adapters' may not see 'store port'",
    ])
  })

  it('refuses a file that nobody gave a place', () => {
    expect(violationsOf(new Map([['src/helpers/all.ts', []]]))).toEqual([
      'src/helpers/all.ts belongs to no part of the layer table',
    ])
  })

  it('finds each knot of a graph once, by its shortest cycle', () => {
    const knotted = new Map([
      ['a', ['b']],
      ['b', ['c', 'd']],
      ['c', ['a']],
      ['d', ['b']],
      ['e', ['e']],
      ['f', ['a', 'e']],
    ])
    expect(cyclesOf(knotted)).toEqual([
      ['a', 'b', 'c', 'a'],
      ['e', 'e'],
    ])
    expect(
      cyclesOf(
        new Map([
          ['a', ['b', 'c']],
          ['b', ['c']],
          ['c', []],
        ]),
      ),
    ).toEqual([])
  })
})

describe('the reading of imports', () => {
  it('sees every form of them, types included', () => {
    const source = `
      import './side-effect.ts'
      import plain from "./plain.ts"
      import type { A } from './type.ts'
      import { type B, from as c } from './mixed.ts'
      import * as all from './all.ts'
      export { d } from './named.ts'
      export type { E } from './named-type.ts'
      export * from './star.ts'
      export * as f from './star-as.ts'
      const later = await import('./later.ts')
      const quotient = 4 / 2; const text = \`\${await import('./inside.ts')}\`
      export { later }
    `
    expect(importsOf(source)).toEqual([
      './side-effect.ts',
      './plain.ts',
      './type.ts',
      './mixed.ts',
      './all.ts',
      './named.ts',
      './named-type.ts',
      './star.ts',
      './star-as.ts',
      './later.ts',
      './inside.ts',
    ])
  })

  it('is not misled by comments, strings, templates, regular expressions and properties', () => {
    const source = `
      // import './a.ts'
      /* export * from './b.ts' */
      const text = "import './c.ts'"
      const template = \`import './d.ts' \${'}'} import './e.ts'\`
      const pattern = /import '.\\/f.ts'/
      const url = import.meta.url
      module.import('./g.ts')
      export const from = './h.ts'
    `
    expect(importsOf(source)).toEqual([])
  })
})
