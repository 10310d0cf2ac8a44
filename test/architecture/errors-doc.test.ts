import { describe, expect, it } from 'vitest'
import { errorCodes } from '../../src/error-codes.ts'
import { readSource } from '../support/import-graph.ts'
import { readTable } from '../support/markdown-table.ts'

describe('docs/errors.md', () => {
  it('has the codes of the catalogue, each with the same type, category and meaning, in the same order', () => {
    const documented = readTable(readSource('docs/errors.md'))
    const catalogue = Object.entries(errorCodes).map(([code, { type, category, meaning }]) => [
      code,
      type,
      category,
      meaning,
    ])
    expect(documented).toEqual(catalogue)
  })
})

describe('the reading of tables', () => {
  it('gives the cells of the first table and stops at its end', () => {
    const text =
      '# Title\n\n| a | b |\n| --- | :-: |\n| `x` | y \\| z |\n| 1 | |\n\n| c | d |\n|---|---|\n| no | no |\n'
    expect(readTable(text)).toEqual([
      ['x', 'y | z'],
      ['1', ''],
    ])
  })
})
