import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { projectRoot, readSource } from '../support/import-graph.ts'
import { readTable } from '../support/markdown-table.ts'

/** How many features each of the systems has that Holdfast joins. */
const counts = { F: 6, A: 18, B: 13, C: 6, D: 13, E: 7 }

const rows = readSource('docs/features.md').split(/^## /m).slice(1).flatMap(readTable)

describe('docs/features.md', () => {
  it('has every feature exactly once, and no other', () => {
    const wanted = Object.entries(counts).flatMap(([letter, count]) =>
      Array.from({ length: count }, (_, index) => `${letter}${String(index + 1).padStart(2, '0')}`),
    )
    expect(rows.map(([id]) => id)).toEqual(wanted)
  })

  it('says of each whether it works, and what of it where it does', () => {
    for (const [id, , works, what] of rows) {
      expect(['yes', 'part', 'not yet'], id).toContain(works)
      expect(what === '', id).toBe(works === 'not yet')
    }
  })

  it('names tests that are there, one at least for what works in full', () => {
    for (const [id, , works, , , test = ''] of rows) {
      if (test !== '') expect(existsSync(join(projectRoot, 'test', test)), `${id}: ${test}`).toBe(true)
      if (works === 'yes') expect(test, id).not.toBe('')
    }
  })
})
