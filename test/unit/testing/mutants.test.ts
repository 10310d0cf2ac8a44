import { describe, expect, it } from 'vitest'
import { mutants } from '../../support/mutants/mutants.ts'
import { planted } from '../../support/mutants/planted-tree.ts'

describe('the planted defects', () => {
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
