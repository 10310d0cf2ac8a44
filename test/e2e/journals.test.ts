import { describe, expect, it } from 'vitest'
import { compareJournals } from '../support/journals/compare-journals.ts'
import { withoutEngineWords } from '../support/journals/engine-words.ts'
import { installedVersions } from '../support/journals/node-versions.ts'

describe('the journals of a seed', () => {
  it('are the same in another process, and on the other versions of Node that are here', () => {
    const { lines, differences } = compareJournals(3, installedVersions())
    expect(lines.length).toBeGreaterThan(10)
    expect(new Set(lines.map(line => line.split(' ').at(-1))).size).toBe(lines.length)
    expect(differences).toEqual([])
  })

  it('keep all words but those of the engine', () => {
    const text = 'Expected "," in JSON at position 24 (line 1 column 25), of stage 3'
    expect(withoutEngineWords(text)).toBe('Expected "," in JSON at position 24, of stage 3')
  })
})
