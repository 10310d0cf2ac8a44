import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { mutants } from '../../support/mutants/mutants.ts'
import { planted } from '../../support/mutants/planted-tree.ts'

describe('the planted defects', () => {
  it('still fit the source, each in one place', () => {
    const misfits = mutants.flatMap(({ name, changes }) =>
      changes.flatMap(change => {
        try {
          return planted(readFileSync(change.file, 'utf8'), change) === '' ? [name] : []
        } catch (error) {
          return [`${name}: ${(error as Error).message}`]
        }
      }),
    )
    expect(misfits).toEqual([])
  })

  it('are at least twenty-five, with names of their own', () => {
    expect(mutants.length).toBeGreaterThanOrEqual(25)
    expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length)
  })

  it('are refused where the source has changed, or has the text twice', () => {
    const change = { file: 'a.ts', before: 'one', after: 'two' }
    expect(planted('one three', change)).toBe('two three')
    expect(() => planted('three', change)).toThrow('is there 0 times')
    expect(() => planted('one one', change)).toThrow('is there 2 times')
  })
})
